"""Continue a number sequence, 2 4 6 and then 8, with a simple recurrent cell, and look at it folded and unfolded.

A cell with a state of a few numbers learns sequences that grow or shrink evenly, within seconds; every fifth sequence
is held out. Then it runs over NUMBERS, forward only, and goes on with its own answers. Printed are the cell folded (its
weights) and unfolded in time (state before, input, state after, step by step); DIR/sequence.html draws both.

Needs PyTorch: pip install "uncial[train]".
"""

import argparse
import sys
import time
from pathlib import Path

from uncial import UncialError
from uncial.cli_options import needs_extra, write_whole
from uncial.errors import ConfigError, StorageError

FARTHEST = 1000  # what numbers may be given; the cell has learned from none beyond 55, and it shows


def main() -> int:
    """Parse the command line; what a user can cure is told without a traceback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", metavar="NUMBERS", type=int, nargs="*", default=[2, 4, 6], help="(2 4 6)")
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="where sequence.html goes")
    parser.add_argument("--more", type=int, default=3, help="how many numbers to go on with (3)")
    parser.add_argument("--size", type=int, default=4, help="numbers in the state (4)")
    parser.add_argument("--steps", type=int, default=3000, help="of training (3000)")
    parser.add_argument("--seed", type=int, default=0, help="of the training (0)")
    try:
        run(parser.parse_args())
    except UncialError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(chosen: argparse.Namespace) -> None:
    """Learn, go on with the numbers, tell and draw."""
    page = checked(chosen)
    with needs_extra("train", "continuing number sequences", "torch"):
        import torch
        from number_cell import SCALE, exact, sequences, train, unfold, weights
        from sequence_page import Results, render

    torch.set_num_threads(1)
    began = time.process_time()
    cell = train(chosen.size, chosen.steps, chosen.seed)
    took = time.process_time() - began
    known, held_out = sequences()
    results = Results(
        chosen.numbers,
        unfold(cell, chosen.numbers, chosen.more),
        weights(cell),
        (len(known), len(held_out)),
        exact(cell, held_out),
    )
    print(f"learned from {len(known):,} sequences in {took:.1f} s")
    print(f"next number of {len(held_out):,} held-out sequences told rightly: {results.held_out:.1%}\n")
    told = [round(moment.next) for moment in results.moments[len(chosen.numbers) - 1 :]]
    print(f"{', '.join(map(str, chosen.numbers))} -> {', '.join(map(str, told))}\n")
    tell(results, round(SCALE))
    write_whole(page, render(results))
    print(f"\n{page}")


def checked(chosen: argparse.Namespace) -> Path:
    """The file to write, before any work is done.

    Raises:
        ConfigError: a number out of range.
        StorageError: the page is there already.
    """
    if len(chosen.numbers) < 2 or max(map(abs, chosen.numbers)) > FARTHEST:
        raise ConfigError(f"NUMBERS: give two or more, between -{FARTHEST} and {FARTHEST}; one has no direction yet")
    if not (1 <= chosen.size <= 16 and chosen.steps >= 1 and 1 <= chosen.more <= 20):
        raise ConfigError("--size lies between 1 and 16, --more between 1 and 20, and --steps is at least 1")
    page = chosen.out / "sequence.html"
    if page.exists():
        raise StorageError(f"{page}: is there already; choose another -o or delete it")
    return page


def tell(results, scale: int) -> None:
    """Print the cell folded and unfolded."""
    w = results.weights
    print(f"folded: state = tanh(given * input / {scale} + kept * state + bias)")
    print(f"{'given':>10}   |{'kept':^{7 * len(w.kept)}}  |  bias")
    for given, kept, bias in zip(w.given, w.kept, w.bias, strict=True):
        print(f"{given:10.2f}   |{row(kept)}  | {bias:+.2f}")
    print(f"answer = {scale} * ({row(w.told).strip()}) * state {scale * w.offset:+.1f}\n")
    wide = 8 * len(w.bias)
    print(f"unfolded:\nstep  {'state before':<{wide}}   input  {'state after':<{wide}}   next")
    for n, moment in enumerate(results.moments, start=1):
        own = "*" if moment.own else " "
        print(f"{n:4}  {row(moment.before, 3)}  {moment.number:5}{own} {row(moment.after, 3)}  {moment.next:6.2f}")
    print("* its own answer, rounded")


def row(numbers, digits: int = 2) -> str:
    """Numbers side by side, with so many digits behind the point."""
    return "".join(f"{number:+{digits + 5}.{digits}f}" for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
