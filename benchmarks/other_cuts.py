"""How well lines are read that were cut out, copied or scanned otherwise than those that the model learned from.

    python benchmarks/other_cuts.py DATA... [--lines 300] [-m BUNDLE]...

Lines of split val, evenly spread, are changed in one way after the other and read (balanced); prints the CER of each
bundle. Figures and what they brought: docs/experiments.md, "Lines cut otherwise".
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial import Recognizer
from uncial.image_file import Gray
from uncial.metrics import count_edits, pooled
from uncial.nn.batches import spread
from uncial.sources import read_samples, split_of
from uncial.text import graphemes, reading_text

Change = Callable[[Gray], Gray]


def with_paper(above: float, below: float, sides: float = 0.0) -> Change:
    """Paper around a line, as light as its own, in heights of the line."""

    def change(line: Gray) -> Gray:
        height = len(line)
        rows = round(above * height), round(below * height)
        columns = round(sides * height), round(sides * height)
        return np.pad(line, (rows, columns), constant_values=int(np.quantile(line, 0.9)))

    return change


def cut(share: float) -> Change:
    """A share of the height lost above and below."""
    return lambda line: line[round(share * len(line)) : round((1 - share) * len(line))]


def along_ink(line: Gray) -> Gray:
    """From the first to the last row where a hundredth of the pixels is dark."""
    _, dark = cv2.threshold(line, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    rows = np.flatnonzero(dark.mean(axis=1) > 0.01)
    return line[rows[0] : rows[-1] + 1] if len(rows) >= 8 else line


def warped(matrix: Callable[[int, int], NDArray[np.float32]]) -> Change:
    """An affine map, by (height, width) of the line."""

    def change(line: Gray) -> Gray:
        height, width = line.shape
        moved = cv2.warpAffine(line, matrix(height, width), (width, height), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    return change


def scaled(across: float, down: float) -> Change:
    """Another width and height."""
    return lambda line: np.asarray(cv2.resize(line, None, fx=across, fy=down, interpolation=cv2.INTER_AREA), np.uint8)


def black_and_white(line: Gray) -> Gray:
    """By the threshold of Otsu."""
    return np.asarray(cv2.threshold(line, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1], np.uint8)


def adaptive(around: Callable[[Gray], int]) -> Change:
    """Black is what is 12 levels darker than around it, within a square of so many pixels, an odd number."""
    how = cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY
    return lambda image: np.asarray(cv2.adaptiveThreshold(image, 255, *how, around(image), 12), np.uint8)


def noisy(levels: float) -> Change:
    """Noise of so many gray levels."""

    def change(image: Gray) -> Gray:
        noise = np.random.default_rng(0).normal(0, levels, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)

    return change


def jpeg(quality: int) -> Change:
    """What JPEG of a quality leaves."""

    def change(image: Gray) -> Gray:
        packed = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)

    return change


def shadow(line: Gray) -> Gray:
    """From full light to 0.4 of it."""
    return (line * np.linspace(1, 0.4, line.shape[1])).astype(np.uint8)


def faded(levels: float) -> Change:
    """Pencil that has faded: so many gray levels from paper to the darkest ink, grain of one, JPEG of quality 50."""

    def change(line: Gray) -> Gray:
        inside = line[line < 255] if (line < 255).any() else line  # masks are pure white
        paper, dark = np.quantile(inside, (0.6, 0.005))
        pale = 185 - levels * np.clip((paper - line.astype(float)) / max(1.0, paper - dark), -0.1, 1)
        pale += np.random.default_rng(0).normal(0, 1, line.shape)
        return jpeg(50)(pale.round().astype(np.uint8))

    return change


CHANGES: dict[str, Change] = {
    "as it is": lambda line: line,
    "three times its height of paper at both ends": with_paper(0, 0, 3),
    "a quarter of its height of paper above and below": with_paper(0.25, 0.25),
    "half of its height": with_paper(0.5, 0.5),
    "0.4 of its height below": with_paper(0, 0.4),
    "cut along its ink": along_ink,
    "a twelfth lost above and below": cut(0.08),
    "half of the resolution": scaled(0.5, 0.5),
    "JPEG, quality 20": jpeg(20),
    "black and white (Otsu)": black_and_white,
    "black and white (adaptive)": adaptive(lambda line: max(31, len(line) // 2 | 1)),
    "noise": noisy(20),
    "shadow": shadow,
    "faded to 16 gray levels": faded(16),
    "faded to 8 gray levels": faded(8),
    "out of focus": lambda line: np.asarray(cv2.GaussianBlur(line, (0, 0), len(line) / 50), np.uint8),
    "slanted to the left": warped(lambda h, _: np.array([[1, -0.3, 0.15 * h], [0, 1, 0]], np.float32)),
    "slanted to the right": warped(lambda h, _: np.array([[1, 0.3, -0.15 * h], [0, 1, 0]], np.float32)),
    "turned by 1.5 degrees": warped(lambda h, w: cv2.getRotationMatrix2D((w / 2, h / 2), 1.5, 1).astype(np.float32)),
    "1.3 times as wide": scaled(1.3, 1.0),
    "0.75 times as wide": scaled(0.75, 1.0),
}


def main() -> None:
    """Change, read and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, nargs="+", metavar="DATA")
    options.add_argument(
        "-m", "--model", action="append", help="bundle; may be given again (default: the one that ships)"
    )
    options.add_argument("--lines", type=int, default=300)
    chosen = options.parse_args()
    known = [
        s for s in read_samples(chosen.data) if split_of(s) == "val" and not (s.flaw or reading_text(s.text).reason)
    ]
    samples = [known[n] for n in spread(len(known), chosen.lines)]
    images = [sample.image() for sample in samples]
    texts = [graphemes(reading_text(sample.text).text) for sample in samples]
    readers = [Recognizer.load(model) for model in chosen.model or [None]]
    print(f"{len(samples)} lines, {sum(map(len, texts)):,} graphemes; CER")
    for name, change in CHANGES.items():
        changed = [np.ascontiguousarray(change(image)) for image in images]
        rates = []
        for reader in readers:
            read = [graphemes(transcript.text) for transcript in reader.read_lines(changed)]
            rates.append(pooled(map(count_edits, texts, read)).error_rate)
        print(f"{name:50s}" + "".join(f"  {rate:6.2%}" for rate in rates), flush=True)


if __name__ == "__main__":
    main()
