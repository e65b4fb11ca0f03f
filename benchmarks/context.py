"""What context is worth to a trained model: its CER with the recurrent layers, and by each slice's own features alone.

    OMP_NUM_THREADS=1 python benchmarks/context.py DATA... [-m BUNDLE] [--lines 400]

The shortcut head reads the features of a slice and its two neighbours before any recurrent layer, the head behind them
the same features in context; both by the best path, from one forward pass over lines of split `val`, evenly spread. The
convolutions learned for both heads, but ten times as much for the one in context, so this says what the model leaves to
context, not how far convolutions alone could come: for that see `uncial compare`.
"""

import argparse
from pathlib import Path

import torch

from uncial.bundle import load_bundle
from uncial.decoders import best_path
from uncial.errors import ImageError
from uncial.lineimage import ink, line_image
from uncial.metrics import bootstrap_interval, count_edits, pooled
from uncial.runtime import torch_network
from uncial.sources import read_samples
from uncial.text import graphemes, reading_text

HOW = ("in context", "each slice alone")


def read(network, alphabet, image):
    """Graphemes of both readings of a line."""
    picture = torch.from_numpy(ink(image))[None, None]
    slices, lengths = network.slices(picture, torch.tensor([picture.shape[3]]))
    told = network.context_logits(slices, lengths), network.shortcut_logits(slices)
    return [graphemes(alphabet.decode([s.class_ for s in best_path(logits[0].numpy())])) for logits in told]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("-m", "--model", type=Path)
    parser.add_argument("--lines", type=int, default=400)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(args.model)
    network = torch_network(bundle).requires_grad_(False)
    if network.shortcut is None:
        raise SystemExit(f"{bundle.path}: was trained without a shortcut head; name another with -m")
    samples = [s for s in read_samples(args.data, "val") if not s.flaw and not reading_text(s.text).reason]
    pages = {}
    for sample in samples[:: max(1, len(samples) // args.lines)]:
        try:
            image = line_image(sample.image(), bundle.line_image)
        except ImageError as error:
            print(error)
            continue
        true = graphemes(reading_text(sample.text).text)
        counts = [count_edits(true, found) for found in read(network, bundle.alphabet, image)]
        pages.setdefault((sample.collection, sample.document, sample.page), []).append(counts)
    print(f"{sum(map(len, pages.values())):,} lines of {len(pages):,} pages, best path")
    for n, how in enumerate(HOW):
        of_pages = [pooled(counts[n] for counts in some) for some in pages.values()]
        low, high = bootstrap_interval(of_pages) or (float("nan"),) * 2
        print(f"{how:17} CER {pooled(of_pages).error_rate:.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
