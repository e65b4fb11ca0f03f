"""Points, polylines, polygons and boxes in page pixels; pure functions.

Points are (x, y), origin top left, y down. A line of text is seen in a frame of its own: x runs along the chord of
its baseline in reading direction, y down across it, and a level curve tells how far the baseline leaves the chord.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Point: TypeAlias = tuple[float, float]
Points: TypeAlias = tuple[Point, ...]
Array: TypeAlias = NDArray[np.float64]

FINEST = 64  # places on either side of the one whose level is taken, at least; see `level_curve`


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle, left <= x <= right and top <= y <= bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def corners(self) -> Points:
        """The four corners, clockwise from the top left."""
        return (
            (self.left, self.top),
            (self.right, self.top),
            (self.right, self.bottom),
            (self.left, self.bottom),
        )


def box_around(points: Points) -> Box:
    """The smallest box around some points; ValueError where there are none."""
    x, y = zip(*points, strict=True)
    return Box(min(x), min(y), max(x), max(y))


def area(polygon: Points) -> float:
    """The area of a polygon without crossings, in square pixels (the shoelace formula)."""
    x, y = np.array(polygon, float).reshape(-1, 2).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def length(polyline: Points) -> float:
    """The length of a polyline in pixels; 0 for fewer than two points."""
    steps = np.diff(np.array(polyline, float).reshape(-1, 2), axis=0)
    return float(np.hypot(*steps.T).sum()) if len(steps) else 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The axes of a text line: x along its baseline's chord, y down across it.

    Attributes:
        origin: page place of (0, 0).
        direction: page vector of length 1 that points along x.
    """

    origin: Point
    direction: Point

    def inside(self, points: Points) -> Array:
        """Page points in this frame, float64 (N, 2)."""
        along = np.array(points, float).reshape(-1, 2) - self.origin
        dx, dy = self.direction
        turned: Array = along @ np.array([[dx, -dy], [dy, dx]])
        return turned

    def page(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Page coordinates (x, y) of places in this frame; any shapes that broadcast."""
        dx, dy = self.direction
        return self.origin[0] + x * dx - y * dy, self.origin[1] + x * dy + y * dx


def frame_of(baseline: Points) -> Frame:
    """The frame of a baseline: begins at its first point and looks toward its last.

    Raises:
        ValueError: fewer than two different points, so that there is no direction.
    """
    first, last = np.array(baseline[0], float), np.array(baseline[-1], float)
    chord = last - first
    size = float(np.hypot(*chord))
    if size == 0:
        raise ValueError("a baseline needs two different ends")
    return Frame((float(first[0]), float(first[1])), (float(chord[0] / size), float(chord[1] / size)))


def level_curve(baseline: Array, x: Array, smoothing: float) -> Array:
    """How far a baseline lies below its chord at some places, without its jitter.

    Args:
        baseline: (N, 2) in the line's frame, in any order.
        x: (W,) equally spaced and ascending.
        smoothing: pixels along which it is averaged; straightening must bend no single letter.

    Returns:
        (W,) offsets across the line; beyond the baseline's ends as at its ends.
    """
    order = np.argsort(baseline[:, 0], kind="stable")
    level: Array = np.interp(x, baseline[order, 0], baseline[order, 1])
    if len(x) < 3:
        return level
    reach = max(1, round(smoothing / 2))
    # On large lines every few pixels are enough, and windows stay small.
    step = max(1, reach // FINEST)
    coarse = np.linspace(x[0], x[-1], max(2, -(-len(x) // step)))
    reach = max(1, round(reach / step))
    # A median first: a single point that was drawn amiss must not bend the line.
    windows = sliding_window_view(np.pad(np.interp(coarse, x, level), reach, mode="edge"), 2 * reach + 1)
    padded = np.pad(np.median(windows, axis=1), reach, mode="edge")
    weights = np.hanning(2 * reach + 3)[1:-1]
    smooth: Array = np.interp(x, coarse, np.convolve(padded, weights / weights.sum(), mode="valid"))
    return smooth


def smooth_baseline(baseline: Points, smoothing: float) -> Points:
    """A baseline without jitter and stray points, from left end to right end of its frame; see `level_curve`.

    Raises:
        ValueError: the baseline has no direction.
    """
    frame = frame_of(baseline)
    inner = frame.inside(baseline)
    x = np.linspace(inner[:, 0].min(), inner[:, 0].max(), max(2, round(np.ptp(inner[:, 0])) + 1))
    chosen = np.unique([*range(0, len(x), 16), len(x) - 1])
    page_x, page_y = frame.page(x[chosen], level_curve(inner, x, smoothing)[chosen])
    return tuple((float(a), float(b)) for a, b in zip(page_x, page_y, strict=True))


def mean_height(baseline: Points, boundary: Points) -> float:
    """How high a line's boundary is on the average along its baseline, in pixels.

    Raises:
        ValueError: the baseline has no direction.
    """
    extent = float(np.ptp(frame_of(baseline).inside(boundary)[:, 0]))
    return area(boundary) / extent if extent > 0 else 0.0


def baseline_of(boundary: Points) -> Points:
    """A straight baseline for a line that has a boundary only, from left to right (upright lines: from top to bottom).

    It follows the polygon's long axis and lies at three quarters of its height, about where letters stand between
    ascenders and descenders. Boundaries that are hardly longer than high say nothing of slope: theirs is level.

    Raises:
        ValueError: fewer than three points.
    """
    if len(boundary) < 3:
        raise ValueError("a boundary needs three points")
    box = box_around(boundary)
    outline = np.array(finely(boundary))
    after = np.roll(outline, -1, axis=0)
    weights = np.hypot(*(after - outline).T) + 1e-9  # so that corners that crowd together weigh no more
    centre = np.average((outline + after) / 2, axis=0, weights=weights)
    spread, axes = np.linalg.eigh(np.cov((outline + after).T / 2, aweights=weights, ddof=0) + 1e-9 * np.eye(2))
    along = axes[:, 1] if spread[1] > 4 * spread[0] else np.array([1.0, 0.0])
    if along[0] < -1e-6 or (abs(along[0]) <= 1e-6 and along[1] < 0):
        along = -along
    frame = Frame((float(centre[0]), float(centre[1])), (float(along[0]), float(along[1])))
    inner = frame.inside(boundary)
    (left, top), (right, bottom) = inner.min(axis=0), inner.max(axis=0)
    if right == left:
        return ((box.left, box.bottom), (box.right + 1, box.bottom))
    x, y = frame.page(np.array([left, right]), np.full(2, top + 0.75 * (bottom - top)))
    return ((float(x[0]), float(y[0])), (float(x[1]), float(y[1])))


def band(baseline: Points, above: float, below: float) -> Points:
    """The boundary of a line that has a baseline only: so many pixels above it and below it."""
    frame = frame_of(baseline)
    inner = frame.inside(baseline)
    x = np.concatenate([inner[:, 0], inner[::-1, 0]])
    y = np.concatenate([inner[:, 1] - above, inner[::-1, 1] + below])
    page_x, page_y = frame.page(x, y)
    return tuple((float(a), float(b)) for a, b in zip(page_x, page_y, strict=True))


def finely(polygon: Points) -> Points:
    """The same polygon with more points, so that no edge is longer than some eight pixels and bends with its line."""
    corners = [*polygon, polygon[0]]
    fine: list[Point] = []
    for (x, y), (next_x, next_y) in pairwise(corners):
        steps = max(1, min(4096, round(hypot(next_x - x, next_y - y) / 8)))
        fine += [(x + (next_x - x) * n / steps, y + (next_y - y) * n / steps) for n in range(steps)]
    return tuple(fine)
