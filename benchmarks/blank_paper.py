"""What is read where nothing is written: strips of marked pages that no line reaches into.

    python benchmarks/blank_paper.py PAGES... [--strips 4] [-m BUNDLE]...

A strip is as high as the page's lines are on average and six times as long. PAGES must be marked completely: notes and
stamps that are not would be read rightly. Prints for each bundle how many strips have a text, how many graphemes there
are in all, and the mean confidence of those that have one. What it brought: docs/experiments.md, "Blank paper".
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from uncial import Recognizer
from uncial.document import Failure, Page
from uncial.image_file import Gray
from uncial.sources.marked_pages import marked_pages, opened

LONG = 6  # heights
TRIES = 200  # places for each strip
ROOM = 0.3  # of a line's height, around each line, for strokes beyond its boundary


def blank_strips(gray: Gray, page: Page, most: int, rng: np.random.Generator) -> Iterator[Gray]:
    """At most so many strips (h, w) at random places of a page, none of which reaches into a line or another strip."""
    taken = np.zeros(gray.shape, bool)
    heights = []
    for line in page.lines:
        x, y = (np.array([point[n] for point in line.boundary]) for n in (0, 1))
        room = ROOM * (y.max() - y.min())
        heights.append(y.max() - y.min())
        rows, columns = (slice(max(0, int(p.min() - room)), int(p.max() + room)) for p in (y, x))
        taken[rows, columns] = True
    high = round(float(np.mean(heights))) if heights else len(gray) // 30
    for _ in range(TRIES * most if 0 < high * LONG < gray.shape[1] and high < gray.shape[0] else 0):
        top, left = rng.integers(gray.shape[0] - high + 1), rng.integers(gray.shape[1] - high * LONG + 1)
        place = slice(top, top + high), slice(left, left + high * LONG)
        if most and not taken[place].any():
            taken[place] = True
            most -= 1
            yield gray[place]


def main() -> None:
    """Cut strips out and read them with one bundle after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--strips", type=int, default=4, help="of each page")
    parser.add_argument("-m", "--model", action="append", help="bundle; default: the one that ships")
    args = parser.parse_args()
    rng, unusable = np.random.default_rng(0), list[Failure]()
    strips = [
        strip
        for _, gray, page in opened(marked_pages(args.pages), "all", unusable)
        for strip in blank_strips(gray, page, args.strips, rng)
    ]
    print(f"{len(strips)} strips, {len(unusable)} pages that cannot be used")
    for model in args.model or [None]:
        read = Recognizer.load(model).read_lines(strips)
        written = [line for line in read if line.text.strip()]
        sure = np.mean([line.confidence for line in written]) if written else 0
        graphemes = sum(len(line.spans) for line in written)
        print(f"{model or 'default'}: {len(written)} with a text, {graphemes} graphemes, mean confidence {sure:.2f}")


if __name__ == "__main__":
    main()
