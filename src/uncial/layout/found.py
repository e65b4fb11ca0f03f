"""Found lines as a page: boundaries from heights, regions and reading order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uncial.document import Line, Page, Region
from uncial.geometry import Array, Box, Points, band, box_around
from uncial.layout.order import reading_order

ROOM = 1.15  # by so much boundaries reach farther than the heights, which say what nine tenths of the ink do
RIM = 0.15  # heights of a line: what begins or ends nearer to the picture's rim is cut off by it
SCRAPS = 4  # at least so many lines cut off at one rim are what shows of a facing page
SCRAP_WIDTH = 2.0  # heights of a line: scraps are at least so wide; numbers in a margin or a table are not
SCRAP_SPACING = 1.7  # of the spacing of long lines: scraps are nearer to each other, as lines of running text are
SCRAPPED = (
    0.75  # of the lines beside the text on that side: so many are cut off; a note may reach the rim here and there
)
SHORT = 0.6  # of the width of long lines: scraps are shorter
SPARSE = 12.0  # pixels between the points of a baseline


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line: (N, 2) points of its baseline from left to right, and heights above and below it, in page pixels."""

    points: Array
    above: float
    below: float


def page_of(found: Sequence[FoundLine], size: tuple[int, int], image: str = "", *, cut_off: bool = False) -> Page:
    """A page of the lines, in reading order, in a region for each column.

    Args:
        found: in any order.
        size: width and height of the page.
        image: its name.
        cut_off: keep scraps of a facing page, too.
    """
    kept = found if cut_off else without_scraps(found, size[0])
    lines = [(line, sparse(line.points)) for line in kept]
    lines = [(line, points) for line, points in lines if points[0] != points[-1]]
    boxes = [_middle(points, line.above) for line, points in lines]
    regions = []
    for number, column in enumerate(reading_order(boxes), start=1):
        made = tuple(
            Line(f"r{number}l{n}", lines[i][1], _boundary(*lines[i], size)) for n, i in enumerate(column, start=1)
        )
        around = box_around(tuple(point for line in made for point in line.boundary))
        regions.append(Region(f"r{number}", around.corners, made, "paragraph"))
    return Page(image or "page", size[0], size[1], tuple(regions), left_out=len(found) - len(kept))


def without_scraps(found: Sequence[FoundLine], width: int) -> list[FoundLine]:
    """The lines without scraps: pieces of a facing page's lines that the picture's rim cuts off.

    Scraps are several lines in one margin, wider than numbers and as near to each other as lines of running text, and
    nearly all that stands in this margin is cut off. Where long lines are cut off at the same rim, the picture is
    narrower than its page, and nothing is left out.

    Args:
        found: lines of a page, in pixels.
        width: of the picture in pixels.

    Returns:
        What is kept, in the order given.
    """
    if len(found) <= SCRAPS:
        return list(found)
    heights = np.array([line.above + line.below for line in found])
    ends = np.array([[line.points[:, 0].min(), width - 1 - line.points[:, 0].max()] for line in found])
    widths = np.array([np.ptp(line.points[:, 0]) for line in found])
    levels = np.array([line.points[:, 1].mean() for line in found])
    short = widths < SHORT * np.quantile(widths, 0.9)
    left_out = np.zeros(len(found), bool)
    for side in (0, 1):
        cut = ends[:, side] <= RIM * heights
        beside = short & (ends[:, side] + widths <= np.quantile(ends[~short, side], 0.1) + RIM * heights)
        scraps = cut & beside
        if scraps.sum() >= max(SCRAPS, SCRAPPED * beside.sum(), SCRAPS * (cut & ~short).sum()):
            height = float(np.median(heights[scraps]))
            wide = np.median(widths[scraps]) >= SCRAP_WIDTH * height
            if wide and _spacing(levels[scraps], height) <= SCRAP_SPACING * _spacing(levels[~short], height):
                # Longer ones were run together with a line of the page itself.
                left_out |= scraps & (widths <= 2 * np.median(widths[scraps]))
    return [line for line, out in zip(found, left_out, strict=True) if not out]


def _spacing(levels: Array, height: float) -> float:
    """Pixels from one line to the next below it; 0 where there is none. What is nearer than half a height is level."""
    steps = np.diff(np.sort(levels))
    steps = steps[steps > 0.5 * height]
    return float(np.median(steps)) if len(steps) else 0.0


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
