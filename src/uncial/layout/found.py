"""Found lines as a page: boundaries from heights, regions and reading order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uncial.document import Line, Page, Region
from uncial.geometry import Array, Box, Points, band, box_around
from uncial.layout.order import reading_order

ROOM = 1.15  # by so much boundaries reach farther than the heights, which say what nine tenths of the ink do
SPARSE = 12.0  # pixels between the points of a baseline


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line: (N, 2) points of its baseline from left to right, and heights above and below it, in page pixels."""

    points: Array
    above: float
    below: float


def page_of(found: Sequence[FoundLine], size: tuple[int, int], image: str = "") -> Page:
    """A page of the lines, in reading order, in a region for each column.

    Args:
        found: in any order.
        size: width and height of the page.
        image: its name.
    """
    lines = [(line, sparse(line.points)) for line in found]
    lines = [(line, points) for line, points in lines if points[0] != points[-1]]
    boxes = [_middle(points, line.above) for line, points in lines]
    regions = []
    for number, column in enumerate(reading_order(boxes), start=1):
        made = tuple(
            Line(f"r{number}l{n}", lines[i][1], _boundary(*lines[i], size)) for n, i in enumerate(column, start=1)
        )
        around = box_around(tuple(point for line in made for point in line.boundary))
        regions.append(Region(f"r{number}", around.corners, made, "paragraph"))
    return Page(image or "page", size[0], size[1], tuple(regions))


def sparse(points: Array) -> Points:
    """A baseline with few points, smoothed a little."""
    x, y = points[:, 0], points[:, 1]
    if len(y) > 9:
        padded = np.concatenate([np.full(4, y[:4].mean()), y, np.full(4, y[-4:].mean())])
        y = np.convolve(padded, np.full(9, 1 / 9), mode="valid")
    places = np.linspace(x[0], x[-1], max(2, round((x[-1] - x[0]) / SPARSE) + 1))
    return tuple((float(a), float(b)) for a, b in zip(places, np.interp(places, x, y), strict=True))


def _boundary(line: FoundLine, points: Points, size: tuple[int, int]) -> Points:
    room = band(points, ROOM * line.above, ROOM * line.below)
    return tuple((min(max(x, 0.0), size[0] - 1.0), min(max(y, 0.0), size[1] - 1.0)) for x, y in room)


def _middle(points: Points, above: float) -> Box:
    box = box_around(points)
    level = float(np.mean([y for _, y in points]))
    return Box(box.left, level - above, box.right, level)
