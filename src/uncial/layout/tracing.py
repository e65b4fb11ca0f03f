"""Lines traced in the maps of a network: peaks linked from column to column, cut at line ends, pieces joined."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.geometry import Array

LEAST = 0.15  # probability of a point of a baseline
SURE = 0.8  # mean probability of a line
LONGEST_GAP = 4  # columns of the map that a trace may leap over
FARTHEST_STEP = 1.6  # rows of the map between neighbouring columns
CUT = 0.95  # probability of a line end; lower ones stand within lines, too
END = 3  # columns of the map that the mark of a line end is wide
SHORTEST = 0.4  # of a line's height: what is shorter is a speck; cells of tables hold single figures
JOINED = 1.6  # of a line's height: pieces nearer than that, at one level, are one line
OVERLAP = 2  # columns of the map by which pieces of one line may overlap
ECHO = 0.35  # of a line's height: nearer to a line than that there is no other
LEVEL = 0.35  # of a line's height: what counts as one level


@dataclass(slots=True)
class Trace:
    """Points of a line from left to right, in places of the map, with their probabilities."""

    x: list[int] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    p: list[float] = field(default_factory=list)

    def ahead(self, x: int) -> float:
        """Where the line will be at this column, if it goes on as it did lately."""
        back = max(0, len(self.x) - 12)
        run = self.x[-1] - self.x[back]
        slope = (self.y[-1] - self.y[back]) / run if run >= 6 else 0.0
        return self.y[-1] + slope * (x - self.x[-1])


@dataclass(frozen=True, slots=True)
class TracedLine:
    """A line: (N, 2) points and heights above and below, all in places of the map; mean probability."""

    points: Array
    above: float
    below: float
    probability: float


def traced_lines(maps: NDArray[np.float32]) -> list[TracedLine]:
    """The lines in the maps of a page.

    Args:
        maps: float32 (4, H, W): probabilities of baseline and line end, heights above and below in places of the map.
    """
    baseline = cv2.GaussianBlur(maps[0], (3, 3), 0.6)
    pieces = [piece for trace in _traces(baseline) for piece in _cut(trace, maps[1])]
    lines = [_line(piece, maps) for piece in pieces]
    lines = _joined(_without_echoes(lines), maps[1])
    return [line for line in lines if _is_written(line)]


def _traces(baseline: NDArray[np.float32]) -> list[Trace]:
    """Peaks of each column, linked to those of the columns before."""
    peaks = (baseline >= LEAST) & (baseline >= cv2.dilate(baseline, np.ones((5, 1), np.uint8)))
    done: list[Trace] = []
    alive: list[Trace] = []
    columns, rows = np.nonzero(peaks.T)
    heights, sure = _between(baseline, rows, columns), baseline[rows, columns]
    starts = np.searchsorted(columns, np.arange(baseline.shape[1] + 1))
    for x in range(baseline.shape[1]):
        here = slice(starts[x], starts[x + 1])
        done += [trace for trace in alive if x - trace.x[-1] > LONGEST_GAP]
        alive = [trace for trace in alive if x - trace.x[-1] <= LONGEST_GAP]
        _link(alive, x, rows[here], heights[here], sure[here])
    return done + alive


def _link(alive: list[Trace], x: int, rows: NDArray[np.int64], heights: Array, sure: NDArray[np.float32]) -> None:
    """Give each peak of a column, the surest first, to the nearest trace that awaits one, or begin a new trace."""
    order, count = np.argsort(-sure, kind="stable"), len(alive)
    far = np.abs(np.array([trace.ahead(x) for trace in alive])[:, None] - rows)  # (traces, peaks)
    nearest = far.argmin(axis=0).tolist() if count else []
    free = np.ones(count, bool)
    for peak in order.tolist():
        best = nearest[peak] if count else None
        if best is not None and not free[best]:
            best = int(np.where(free, far[:, peak], np.inf).argmin()) if free.any() else None
        if best is not None and far[best, peak] <= FARTHEST_STEP + 0.5 * (x - alive[best].x[-1]):
            free[best] = False
            trace = alive[best]
        else:
            trace = Trace()
            alive.append(trace)
        trace.x.append(x)
        trace.y.append(float(heights[peak]))
        trace.p.append(float(sure[peak]))


def _between(baseline: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
    """(n,) heights of peaks, finer than a row: the middle of the mass around each."""
    around = rows + np.arange(-2, 3)[:, None]
    mass = np.pad(baseline, ((2, 2), (0, 0)))[around + 2, columns].astype(np.float64)
    heights: Array = (around * mass).sum(axis=0) / (mass.sum(axis=0) + 1e-6)
    return heights


def _cut(trace: Trace, ends: NDArray[np.float32]) -> list[Trace]:
    """The trace in pieces, cut where a line ends and the next one begins; what is shorter than three points is none.

    A mark of a line end is END places wide, and the end itself in its middle; where two cells nearly touch, their
    marks run together into a wider one.
    """
    columns = np.arange(trace.x[0], trace.x[-1] + 1)
    rows = np.rint(np.interp(columns, trace.x, trace.y)).astype(int).clip(0, ends.shape[0] - 1)
    marked = np.concatenate([[False], ends[rows, columns] >= CUT, [False]])
    first, last = np.flatnonzero(np.diff(marked.astype(np.int8))).reshape(-1, 2).T  # of each mark; last is outside
    half = np.minimum(END // 2, (last - first - 1) // 2)
    begins = [trace.x[0], *(columns[0] + last - 1 - half)]
    stops = [*(columns[0] + first + half), trace.x[-1]]
    pieces = []
    for begin, stop in zip(begins, stops, strict=True):
        low, high = np.searchsorted(trace.x, begin), np.searchsorted(trace.x, stop, side="right")
        if high - low >= 3:
            pieces.append(Trace(trace.x[low:high], trace.y[low:high], trace.p[low:high]))
    return pieces


def _line(trace: Trace, maps: NDArray[np.float32]) -> TracedLine:
    x, y = np.array(trace.x), np.array(trace.y)
    rows = np.rint(y).astype(int).clip(0, maps.shape[1] - 1)
    above, below = (float(np.median(maps[channel][rows, x])) for channel in (2, 3))
    return TracedLine(np.column_stack([x, y]), max(above, 2.0), max(below, 1.0), float(np.mean(trace.p)))


def _without_echoes(lines: list[TracedLine]) -> list[TracedLine]:
    """Lines without those that run beside a longer one, nearer than any writing could stand."""
    kept: list[TracedLine] = []
    reaches = np.empty((len(lines), 4))  # how far left, up, right and down the echoes of each kept line may lie
    for line in sorted(lines, key=lambda line: -len(line.points)):
        echoed = np.zeros(len(line.points), bool)
        first, last = line.points.min(axis=0), line.points.max(axis=0)
        reached = (reaches[: len(kept), :2] <= last).all(axis=1) & (reaches[: len(kept), 2:] >= first).all(axis=1)
        for other in (kept[n] for n in np.flatnonzero(reached)):
            x, y = other.points.T
            near = np.abs(np.interp(line.points[:, 0], x, y) - line.points[:, 1])
            inside = (line.points[:, 0] >= x[0] - 2) & (line.points[:, 0] <= x[-1] + 2)
            echoed |= inside & (near < _reach(other))
        if echoed.mean() < 0.5:
            reaches[len(kept)] = *(first - (2, _reach(line))), *(last + (2, _reach(line)))
            kept.append(line)
    return kept


def _reach(line: TracedLine) -> float:
    """How near to a line nothing else can stand."""
    return max(2.0, ECHO * (line.above + line.below))


def _joined(lines: list[TracedLine], ends: NDArray[np.float32]) -> list[TracedLine]:
    """Pieces of one line put together: close, at one level, and no line end between them."""
    lines = sorted(lines, key=lambda line: float(line.points[0, 0]))
    begins = [float(line.points[0, 0]) for line in lines]
    farthest = JOINED * max((line.above + line.below for line in lines), default=0.0)
    i = 0
    while i < len(lines):
        line, end = lines[i], float(lines[i].points[-1, 0])
        near = range(bisect_left(begins, end - OVERLAP), bisect_right(begins, end + farthest))
        fits = [(begins[j] - end, j) for j in near if j != i and _continues(line, lines[j], ends)]
        if fits:
            j = min(fits)[1]
            other = lines[j]
            weights = (len(line.points), len(other.points))
            above, below, p = (
                float(np.average(pair, weights=weights))
                for pair in (
                    (line.above, other.above),
                    (line.below, other.below),
                    (line.probability, other.probability),
                )
            )
            lines[i] = TracedLine(np.concatenate([line.points, other.points]), above, below, p)
            lines.pop(j)
            begins.pop(j)
            i -= j < i  # the same line again, since something may come after what was put to it
        else:
            i += 1
    return lines


def _continues(line: TracedLine, other: TracedLine, ends: NDArray[np.float32]) -> bool:
    """Whether the second line is what comes after the first."""
    (x, y), (next_x, next_y) = line.points[-1], other.points[0]
    height = max(line.above + line.below, other.above + other.below)
    if not -OVERLAP <= next_x - x <= JOINED * height:
        return False
    back = line.points[max(0, len(line.points) - 20)]
    slope = (y - back[1]) / (x - back[0]) if x - back[0] >= 10 else 0.0
    if abs(y + slope * (next_x - x) - next_y) > max(2.0, LEVEL * height):
        return False
    between = ends[int(min(y, next_y)) : int(max(y, next_y)) + 2, int(min(x, next_x)) : int(max(x, next_x)) + 1]
    return not between.size or float(between.max()) < CUT


def _is_written(line: TracedLine) -> bool:
    """Not a speck, and sure enough."""
    length = float(np.ptp(line.points[:, 0]))
    return length >= max(4.0, SHORTEST * (line.above + line.below)) and line.probability >= SURE
