"""How well whole pages are read that were photographed, copied or scanned otherwise.

    python benchmarks/other_pages.py PAGES... [--pages 14] [--quality fast] [-m BUNDLE] [--layout BUNDLE]

Pages of split val, evenly spread, are changed in one way after the other, their lines found and read; prints the CER of
the text of all of them, in order, against their ground truth, and how many lines were found. PAGES should be marked
completely. Figures: docs/experiments.md, "Pages scanned otherwise".
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from other_cuts import Change, adaptive, black_and_white, faded, jpeg, noisy
from rapidfuzz.distance import Levenshtein

from uncial import Recognizer
from uncial.document import Failure
from uncial.image_file import Gray
from uncial.sources.marked_pages import marked_pages, opened
from uncial.text import graphemes, reading_text

TABLE = 50  # gray level of what a page lies on


def lit(light: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]) -> Change:
    """Less light by a function of the place, x and y from 0 to 1."""

    def change(page: Gray) -> Gray:
        y, x = (np.linspace(0, 1, side) for side in page.shape)
        share = light(*np.meshgrid(x, y))
        return (page * cv2.GaussianBlur(share, (0, 0), page.shape[1] / 60)).astype(np.uint8)

    return change


def turned(degrees: float) -> Change:
    """Turned to the left, on a dark table."""

    def change(page: Gray) -> Gray:
        high, wide = page.shape
        matrix = cv2.getRotationMatrix2D((wide / 2, high / 2), degrees, 1)
        cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
        size = int(high * sin + wide * cos), int(high * cos + wide * sin)
        matrix[:, 2] += (size[0] - wide) / 2, (size[1] - high) / 2
        return np.asarray(cv2.warpAffine(page, matrix, size, borderValue=TABLE), np.uint8)

    return change


def from_aside(page: Gray) -> Gray:
    """As a camera sees it that is not held straight."""
    high, wide = page.shape
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    moved = corners * (1, 1) + np.array([[0.06, 0.04], [-0.03, 0], [0, 0], [0, -0.05]]) * (wide, high)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(cv2.warpPerspective(page, matrix, (wide, high), borderValue=TABLE), np.uint8)


def on_a_table(page: Gray) -> Gray:
    """Amid a coarse table, half as large again."""
    high, wide = page.shape
    grain = np.random.default_rng(0).normal(0, 1, (int(1.4 * high), int(1.5 * wide)))
    table = np.clip(90 + 9 * cv2.GaussianBlur(grain, (0, 0), 3) * 10, 0, 255).astype(np.uint8)
    table[int(0.2 * high) : int(0.2 * high) + high, int(0.25 * wide) : int(0.25 * wide) + wide] = page
    return table


def bent(page: Gray) -> Gray:
    """Lines rise towards the middle by a hundredth of the height, as in a thick book."""
    high, wide = page.shape
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    y -= 0.012 * high * np.sin(np.pi * x / wide)
    return np.asarray(cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def sized(scale: float) -> Change:
    """Another resolution."""
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return lambda page: np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=method), np.uint8)


CHANGES: dict[str, Change] = {
    "as it is": lambda page: page,
    "a shadow from 1 to 0.35 of the light across": lit(lambda x, y: 1 - 0.65 * x),
    "a hand's shadow": lit(lambda x, y: np.where(np.hypot(x - 0.5, y - 0.5) < 0.33, 0.45, 1.0)),
    "turned by 1.5 degrees": turned(1.5),
    "turned by 4 degrees": turned(4),
    "turned by -8 degrees": turned(-8),
    "seen from aside": from_aside,
    "on a table, half as large again": on_a_table,
    "bent": bent,
    "0.7 of the resolution": sized(0.7),
    "half of the resolution": sized(0.5),
    "twice the resolution": sized(2),
    "JPEG, quality 25": jpeg(25),
    "noise": noisy(18),
    "out of focus (1.5 pixels)": lambda page: np.asarray(cv2.GaussianBlur(page, (0, 0), 1.5), np.uint8),
    "black and white (Otsu)": black_and_white,
    "black and white (adaptive)": adaptive(lambda page: 51),
    "faded to 16 gray levels": faded(16),
}


def main() -> None:
    """Change, read and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, nargs="+", metavar="PAGES")
    options.add_argument("--pages", type=int, default=14)
    options.add_argument("--quality", default="fast")
    options.add_argument("-m", "--model", help="bundle (default: the one that ships)")
    options.add_argument("--layout", type=Path, help="layout bundle (default: the one that ships)")
    chosen = options.parse_args()
    pages, unusable = marked_pages(chosen.data), list[Failure]()
    val = [page for page in pages if page.split == "val"]
    places = np.unique(np.linspace(0, len(val) - 1, min(chosen.pages, len(val))).round().astype(int))
    some = list(opened([val[place] for place in places], "val", unusable))
    truths = [
        graphemes("\n".join(reading_text(line.transcript.text).text for line in page.lines if line.transcript))
        for _, _, page in some
    ]
    reader = Recognizer.load(chosen.model, quality=chosen.quality, layout=chosen.layout)
    marked = sum(len(page.lines) for _, _, page in some)
    print(f"{len(some)} pages, {marked} lines, {sum(map(len, truths)):,} graphemes; CER, lines found")
    for name, change in CHANGES.items():
        read = [reader.read_page(np.ascontiguousarray(change(gray))) for _, gray, _ in some]
        texts = [graphemes(page.text.replace("\n\n", "\n")) for page in read]
        errors = sum(map(Levenshtein.distance, texts, truths))
        rate, found = errors / sum(map(len, truths)), sum(len(page.lines) for page in read)
        print(f"{name:46s} {rate:6.1%} {found:5d}", flush=True)


if __name__ == "__main__":
    main()
