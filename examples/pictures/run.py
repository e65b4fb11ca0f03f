"""Tell two kinds of picture apart: letters cut from real handwriting, and a small network that convolves.

Letters are cut from lines of DATA (split "train" to learn from, "val" held out) where the shipped model found them. A
convolutional network learns to tell them apart; so do two dense networks with as many weights on the same pixels, one
of which sees its letters shifted while it learns. All are then tried on held-out letters, in the middle and shifted.
DIR/pictures.html shows filters, feature maps and what becomes of them when a letter moves.

Needs PyTorch: pip install "uncial[train]". Takes less than a minute on one thread of an idle machine.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from uncial import Recognizer, UncialError, read_samples
from uncial.cli_options import needs_extra, write_whole
from uncial.errors import ConfigError, StorageError
from uncial.text import graphemes

FEWEST = 4  # pictures of each kind, to learn from and to hold out


def main() -> int:
    """Parse the command line; what a user can cure is told without a traceback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", type=Path, nargs="+", help="ground truth, as for `uncial train`")
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="where pictures.html goes")
    parser.add_argument("--kinds", default="ao", help='the letters to tell apart, two or more (default: "ao")')
    parser.add_argument("--lines", type=int, default=300, help="lines to cut from, and a third of it held out (300)")
    parser.add_argument("--epochs", type=int, default=12, help="how often each letter is seen (12)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of lines and of the training (0)")
    try:
        run(parser.parse_args())
    except UncialError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(chosen: argparse.Namespace) -> None:
    """Cut, learn, try, draw."""
    kinds, page = checked(chosen)
    with needs_extra("train", "telling pictures apart", "torch"):
        import torch
        from pictures_page import Results, render
        from two_networks import SHIFTS, accuracy, networks, train

        from uncial.nn.crnn import parameters

    torch.set_num_threads(1)
    known, held_out = cut(chosen, kinds)
    pictures, truth = tensors(known, kinds)
    others, others_truth = tensors(held_out, kinds)
    convolutional, dense = networks(len(kinds), pictures.shape[2], chosen.seed)
    _, shown_shifts = networks(len(kinds), pictures.shape[2], chosen.seed)
    named = {"convolutional": convolutional, "dense": dense, "dense, learned shifted": shown_shifts}
    accuracies = {}
    print(f"\n{'held-out letters told rightly, shifted by':48}" + "".join(f"{f'{far} px':>8}" for far in SHIFTS))
    for name, network in named.items():
        began = time.monotonic()
        farthest = SHIFTS[-1] if network is shown_shifts else 0
        train(network, pictures, truth, epochs=chosen.epochs, seed=chosen.seed, farthest=farthest)
        took = time.monotonic() - began
        accuracies[name] = [accuracy(network, others, others_truth, far) for far in SHIFTS]
        label = f"{name} ({parameters(network):,} weights, {took:.0f} s)"
        print(f"{label:48}" + "".join(f"{share:>8.1%}" for share in accuracies[name]), flush=True)
    context = sum(picture.read == picture.kind for picture in held_out) / len(held_out)
    print(f"{'the shipped model, which sees the line':48}{context:>8.1%}")
    results = Results(kinds, tuple(known), tuple(held_out), convolutional, dense, accuracies, context)
    write_whole(page, render(results))
    print(f"\n{page}")


def checked(chosen: argparse.Namespace) -> tuple[list[str], Path]:
    """The letters, and the file to write; before any work is done.

    Raises:
        ConfigError: fewer than two letters, or a number out of range.
        StorageError: the page is there already.
    """
    kinds = graphemes(chosen.kinds)
    if len(set(kinds)) < max(2, len(kinds)):
        raise ConfigError(f"--kinds {chosen.kinds}: name two different letters or more, such as ao")
    if min(chosen.lines, chosen.epochs) < 1:
        raise ConfigError("--lines and --epochs are at least 1")
    page = chosen.out / "pictures.html"
    if page.exists():
        raise StorageError(f"{page}: is there already; choose another -o or delete it")
    return kinds, page


def cut(chosen: argparse.Namespace, kinds: list[str]) -> tuple[list, list]:
    """Letters to learn from and letters held out, equally many of each kind."""
    from letter_pictures import balanced, cut_letters

    recognizer = Recognizer.load()
    parts = []
    for split, lines in (("train", chosen.lines), ("val", -(-chosen.lines // 3))):
        samples = read_samples(chosen.data, split)
        drawn = np.random.default_rng(chosen.seed).permutation(len(samples))[:lines]
        began = time.monotonic()
        parts.append(balanced(cut_letters(recognizer, [samples[n] for n in drawn], kinds), kinds, FEWEST))
        took = time.monotonic() - began
        print(f"{split:5} {len(parts[-1]):5,} letters from {len(drawn):,} lines ({took:.0f} s)", flush=True)
    return parts[0], parts[1]


def tensors(pictures: list, kinds: list[str]):
    """(N, 1, H, W) ink and (N,) which kind each is."""
    import torch

    pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))[:, None]
    return pixels, torch.tensor([kinds.index(picture.kind) for picture in pictures])


if __name__ == "__main__":
    sys.exit(main())
