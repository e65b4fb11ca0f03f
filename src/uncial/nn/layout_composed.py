"""More pages for the layout network: composed of single lines, cut out of pages, or two pages side by side.

Marked pages are few and mostly letters. A page composed of lines may be a table, whose cells stand at one level, or a
letter with notes between its lines and in its margin.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.image_file import Gray
from uncial.lineimage import ink
from uncial.nn.layout_targets import DrawnLine

Marked = tuple[Gray, list[DrawnLine]]  # a page, uint8 (H, W), and its lines in its pixels
Draw = Callable[[], Gray]  # a line image, uint8 (H, W), another one each time
CUT_OFF = 1.0  # of a line's height: what a cut leaves of a line, if it is shorter, is no line


def composed(draw: Draw, size: int, rng: np.random.Generator) -> Marked:
    """A page of lines, drawn on paper: every other time a table, else a letter.

    Args:
        draw: gives line images, straightened along their baselines.
        size: height of the page in pixels; its width is between two thirds of it and as much.
        rng: of all chance.
    """
    width = int(size * rng.uniform(0.67, 1.0))
    paper = cv2.resize(rng.uniform(185, 245, (5, 4)).astype(np.float32), (width, size), interpolation=cv2.INTER_CUBIC)
    page = np.clip(paper, 0, 255).astype(np.float32)
    lines = (_table if rng.random() < 0.5 else _letter)(page, draw, rng)
    return np.clip(page, 0, 255).astype(np.uint8), lines


def side_by_side(left: Marked, right: Marked, rng: np.random.Generator) -> Marked:
    """Two pages as one scan of an open book, the second at the first one's height, with a shadow between them."""
    (gray, lines), (other, others) = left, right
    scale = gray.shape[0] / other.shape[0]
    size = (max(1, round(other.shape[1] * scale)), gray.shape[0])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    both = np.hstack([gray, cv2.resize(other, size, interpolation=method)]).astype(np.float32)
    far = np.abs(np.arange(both.shape[1]) - gray.shape[1]) / (0.03 * both.shape[1])
    both *= 1 - rng.uniform(0, 0.7) * np.exp(-far).astype(np.float32)
    moved = [replace(x := line.scaled(scale), points=x.points + (gray.shape[1], 0)) for line in others]
    return both.astype(np.uint8), lines + moved


def cropped(page: Marked, rng: np.random.Generator) -> Marked:
    """A part of a page, between four and nine tenths of it each way; lines that reach beyond it are cut off."""
    gray, lines = page
    height, width = gray.shape
    high, wide = (max(1, int(side * rng.uniform(0.4, 0.9))) for side in (height, width))
    top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
    kept = (_inside(line, left, top, wide, high) for line in lines)
    return np.ascontiguousarray(gray[top : top + high, left : left + wide]), [line for line in kept if line]


def _inside(line: DrawnLine, left: int, top: int, wide: int, high: int) -> DrawnLine | None:
    """What a window shows of a line, in pixels of the window: from where it enters first to where it leaves last."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
    places = np.unique([*np.linspace(0, along[-1], max(2, int(along[-1] / 2) + 1)), *along])
    fine = np.column_stack([np.interp(places, along, side) for side in line.points.T]) - (left, top)
    seen = (fine >= 0).all(axis=1) & (fine <= (wide - 1, high - 1)).all(axis=1)
    places = places[seen]
    if len(places) < 2 or np.ptp(places) < min(along[-1], CUT_OFF * (line.above + line.below)):
        return None
    inner = fine[np.flatnonzero(seen)[0] : np.flatnonzero(seen)[-1] + 1]
    return replace(line, points=inner)


def _letter(page: NDArray[np.float32], draw: Draw, rng: np.random.Generator) -> list[DrawnLine]:
    """Lines below each other, with notes between them and numbers in the margin."""
    size, width = page.shape
    height = size * rng.uniform(0.018, 0.04)  # of a line image
    spacing, noted = height * rng.uniform(0.75, 1.6), rng.random() < 0.4
    left, right = width * rng.uniform(0.04, 0.3), width * rng.uniform(0.85, 0.98)
    lines: list[DrawnLine | None] = []
    y = size * rng.uniform(0.03, 0.15)
    while y < size - height:
        begin = left + (rng.uniform(0, 0.3) * (right - left) if rng.random() < 0.15 else 0)
        room = (right - begin) * (rng.uniform(0.1, 0.9) if rng.random() < 0.15 else 1)
        lines.append(_written(page, draw(), (begin, y), height, room, rng))
        if rng.random() < 0.12:
            lines.append(_written(page, draw(), (0.1 * left, y), height, min(0.6 * left, 2 * height), rng))
        if noted and spacing > 1.1 * height and rng.random() < 0.2:
            note = height * rng.uniform(0.5, 0.7)
            above = y + 0.75 * height + 0.5 * (spacing - note)
            lines.append(_written(page, draw(), (begin + rng.uniform(0, 0.7) * room, above), note, 0.3 * room, rng))
        y += spacing * rng.uniform(0.9, 1.15) * (2 if rng.random() < 0.05 else 1)
    return [line for line in lines if line]


def _table(page: NDArray[np.float32], draw: Draw, rng: np.random.Generator) -> list[DrawnLine]:
    """Rows of cells at one level, some empty, some with a few letters; columns mostly ruled off."""
    size, width = page.shape
    height = size * rng.uniform(0.014, 0.03)
    edges = np.cumsum([width * rng.uniform(0.01, 0.06), *(rng.choice([1.5, 2.5, 5, 10], 9) * height)])
    edges = edges[edges < 0.99 * width]
    if ruled := rng.random() < 0.8:
        for edge in edges:
            cv2.line(page, (int(edge), 0), (int(edge), size - 1), float(rng.uniform(60, 170)), int(rng.integers(1, 3)))
    spacing, few = height * rng.uniform(0.8, 1.8), rng.uniform(0, 0.7, len(edges))
    lines: list[DrawnLine | None] = []
    for y in np.arange(size * rng.uniform(0.03, 0.15), size - height, spacing):
        for column in range(len(edges) - 1):
            if rng.random() < 0.3:
                continue
            room = edges[column + 1] - edges[column] - 0.15 * height
            if rng.random() < few[column]:
                room = min(room, height * rng.uniform(0.5, 2))
            place = (edges[column] + 0.1 * height, y + rng.normal(0, 0.04) * height)
            lines.append(_written(page, draw(), place, height, room, rng))
        if ruled and rng.random() < 0.1:
            cv2.line(page, (0, int(y)), (width - 1, int(y)), 120.0, 1)
    return [line for line in lines if line]


def _written(
    page: NDArray[np.float32],
    image: Gray,
    place: tuple[float, float],
    height: float,
    room: float,
    rng: np.random.Generator,
) -> DrawnLine | None:
    """Write a line image, or as much of it as there is room for, and tell where it stands; None: nothing to see."""
    scale = height / image.shape[0]
    strokes = ink(image)
    if strokes.shape[1] * scale > room:
        wide = max(1, int(room / scale))
        first = int(rng.integers(0, strokes.shape[1] - wide + 1))
        strokes = strokes[:, first : first + wide]
    size = tuple(max(1, round(side * scale)) for side in strokes.shape[::-1])
    strokes = np.asarray(cv2.resize(strokes, size, interpolation=cv2.INTER_AREA))
    x, y = (round(value) for value in place)
    patch = page[max(0, y) : y + size[1], max(0, x) : x + size[0]]
    strokes = strokes[: patch.shape[0], : patch.shape[1]]
    columns = np.flatnonzero(strokes.max(axis=0, initial=0) > 0.4)
    if len(columns) < 3:
        return None
    patch *= 1 - rng.uniform(0.5, 0.9) * strokes
    base, above, below = standing(strokes)
    ends = np.array([[x + columns[0], y + base], [x + columns[-1] + 1.0, y + base]])
    return DrawnLine(ends, max(2.0, above), max(2.0, below), marked=False)  # a polygon reaches farther than most ink


def standing(strokes: NDArray[np.float32]) -> tuple[float, float, float]:
    """Where the letters of a straightened line stand: what is below has much less ink than what is above.

    Args:
        strokes: float32 (H, W), 0 paper to 1 ink; some ink.

    Returns:
        The row of the baseline, and the rows that nine tenths of the ink reach above and below it.
    """
    rows = strokes.sum(axis=1).astype(np.float64)
    reach = max(1, round(len(rows) / 16))
    above = np.convolve(np.pad(rows, (reach, 0)), np.ones(reach), "valid")[: len(rows)]  # the rows before each one
    below = np.convolve(np.pad(rows, (0, reach)), np.ones(reach), "valid")[: len(rows)]  # it and those after it
    lower = len(rows) // 3
    base = float(lower + np.argmax((above - below)[lower:]))
    share = np.cumsum(rows) / rows.sum()
    top, bottom = (float(np.searchsorted(share, part)) for part in (0.05, 0.95))
    return base, max(0.0, base - top), max(0.0, bottom - base)
