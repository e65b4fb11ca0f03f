"""Does the saliency tell the truth? Hide the pixels it names, and as many others, and see what becomes of the letter.

    OMP_NUM_THREADS=1 python benchmarks/faithfulness.py DATA... [-m BUNDLE] [--letters 200] [--by gradient]

From lines of the split, drawn by lot, up to eight letters each that were read with a posterior of at least one half
(a letter that was not recognised has no posterior to lose) and are no spaces. For each of them a share of the ink in
its slices is painted over with paper: first the pixels of the greatest weights, then as many pixels of ink drawn by
lot from the same window, which holds the letter and its neighbours, then as many drawn by lot from the ink of the
letter's own slices. Printed are the medians of its posterior, and how often the named pixels cost it more.

The saliency of `uncial explain` is gradient times input. With `--by occlusion` the pixels are named by hiding squares
of 8 x 8 pixels one after the other, for comparison; that takes a hundred times as long.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from uncial.bundle import Bundle, load_bundle
from uncial.explain import INKED, letter_places, pixels_to_hide
from uncial.lineimage import ink, line_image
from uncial.nn.crnn import CRNN
from uncial.nn.hiding import HiddenParts, Place
from uncial.nn.tracing import trace
from uncial.recognizer import Recognizer
from uncial.runtime import Runtime, torch_network
from uncial.sources import read_samples

LETTERS_OF_A_LINE = 8
SURE = 0.5
SQUARE = 8  # pixels
HOW = ("as read", "without the pixels named", "without as many of the window's ink", "without as many of its own ink")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, nargs="+")
    options.add_argument("-m", "--model", type=Path)
    options.add_argument("--letters", type=int, default=200)
    options.add_argument("--split", default="val")
    options.add_argument("--by", choices=("gradient", "occlusion"), default="gradient")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(chosen.model)
    network = torch_network(bundle).requires_grad_(False)
    recognizer = Recognizer(bundle, Runtime(bundle, "torch"))
    samples = read_samples(chosen.data, chosen.split)
    rng = np.random.default_rng(0)
    rows: list[list[float]] = []
    for n in rng.permutation(len(samples)):
        rows += letters(bundle, network, recognizer, samples[n].image(), rng, chosen.by)
        if len(rows) >= chosen.letters:
            break
    report(np.array(rows[: chosen.letters]))


def letters(
    bundle: Bundle, network: CRNN, recognizer: Recognizer, gray: np.ndarray, rng: np.random.Generator, by: str
) -> list[list[float]]:
    """The posteriors of some letters of a line, in the order of HOW."""
    transcript = recognizer.read_line(gray)
    picture = torch.from_numpy(ink(line_image(gray, bundle.line_image)))[None, None]
    seen = trace(network, picture)
    hidden = HiddenParts(network, picture, seen.features, seen.slices.field)
    places = letter_places(bundle, transcript, seen.logits[0].softmax(1).numpy())
    usable = [n for n, s in enumerate(transcript.spans) if s.posterior >= SURE and not s.grapheme.isspace()]
    some = [places[n] for n in sorted(rng.permutation(usable)[:LETTERS_OF_A_LINE])]
    if not some:
        return []
    weights = hidden.pixel_weights(some)[1] if by == "gradient" else weights_by_occlusion(hidden, some)
    strongest, drawn = pixels_to_hide(hidden, some, weights)
    masks = (torch.zeros_like(drawn), strongest, drawn, own_ink(hidden, some, strongest, rng))
    return torch.stack([hidden.without_pixels(some, mask) for mask in masks], dim=1).tolist()


def weights_by_occlusion(hidden: HiddenParts, places: list[Place]) -> torch.Tensor:
    """(N, H, V) the natural-log posterior that each square of pixels carries, shared out among its ink."""
    lefts, width = hidden.windows(places)
    height = hidden.picture.shape[2]
    pixels = torch.stack([hidden.picture[0, 0, :, left : left + width] for left in lefts])
    weights = torch.zeros_like(pixels)
    nothing = torch.zeros_like(pixels, dtype=torch.bool)
    before = hidden.without_pixels(places, nothing).log()
    for top in range(0, height, SQUARE):
        for left in range(0, width, SQUARE):
            square = (slice(None), slice(top, top + SQUARE), slice(left, left + SQUARE))
            mask = nothing.clone()
            mask[square] = True
            lost = before - hidden.without_pixels(places, mask).log()
            ink_there = pixels[square].sum((1, 2)).clamp(min=1)
            weights[square] = pixels[square] * (lost / ink_there)[:, None, None]
    return weights


def own_ink(hidden: HiddenParts, places: list[Place], like: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """As many pixels as `like` holds, drawn by lot from the ink of each letter's own slices and one on either side."""
    lefts, width = hidden.windows(places)
    masks = torch.zeros_like(like)
    for mask, place, left, count in zip(masks, places, lefts, like.flatten(1).sum(1).tolist(), strict=True):
        inked = hidden.picture[0, 0, :, left : left + width] >= INKED
        columns = torch.arange(width) + left
        inked &= (columns >= (place.first - 1) * hidden.slice_width) & (columns < (place.last + 1) * hidden.slice_width)
        pixels = torch.from_numpy(rng.permutation(inked.flatten().nonzero()[:, 0].numpy())[:count])
        mask.view(-1)[pixels] = True
    return masks


def report(rows: np.ndarray) -> None:
    """Print medians of (letters, len(HOW)) posteriors."""
    print(f"{len(rows)} letters")
    for name, column in zip(HOW, rows.T, strict=True):
        low, middle, high = np.percentile(column, (25, 50, 75))
        print(f"{name:40} median {middle:.3f}, half of them from {low:.3f} to {high:.3f}")
    for name, column in zip(HOW[2:], rows.T[2:], strict=True):
        print(f"lower than {name}: {np.mean(rows[:, 1] < column):.1%} of the letters")


if __name__ == "__main__":
    main()
