"""What PAGE and ALTO files tell of a page, before it is known to be of use: lines with or without place or text.

Boundaries that are far thinner than the page's others miss ascenders and descenders (automatic layout analysis leaves
such); they are widened to a band around the baseline, and lines without a boundary get one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from uncial.geometry import Points, band, baseline_of, mean_height, smooth_baseline

THIN = 0.4  # of the page's usual mean height of a boundary: those below are widened
ABOVE, BELOW = 0.85, 0.35  # of the usual mean height: the band that a thin boundary is widened to
FARTHEST = 100_000  # pixels; no image format in use holds wider pages
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """A line as a page file tells it.

    Attributes:
        id: within the file; "" where it has none.
        text: as transcribed; None: the file has no text for it.
        baseline: in reading direction; empty where the file has none.
        boundary: polygon; empty where the file has none.
        flaw: why it cannot be used; "" where nothing is wrong.
        confidence: in [0, 1]; None: not told.
    """

    id: str
    text: str | None
    baseline: Points = ()
    boundary: Points = ()
    flaw: str = ""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class WrittenRegion:
    """A region as a page file tells it: its id, what it is, its boundary (each may be empty), and its lines."""

    id: str
    kind: str
    boundary: Points
    lines: tuple[WrittenLine, ...]


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """A page file: the name of its image, its width and height in pixels (0: not told), and its regions in order."""

    image: str
    width: float
    height: float
    regions: tuple[WrittenRegion, ...]

    @property
    def lines(self) -> tuple[WrittenLine, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def flaws(self) -> tuple[str, ...]:
        """What is wrong with the lines that cannot be used, each with its id."""
        return tuple(f"line {line.id} {line.flaw}" for line in self.lines if line.flaw)

    def with_lines(self, lines: Sequence[WrittenLine]) -> "WrittenPage":
        """The same page with other lines, as many and in the same order."""
        waiting = iter(lines)
        regions = (replace(r, lines=tuple(next(waiting) for _ in r.lines)) for r in self.regions)
        return replace(self, regions=tuple(regions))


def points_of(text: str | None) -> Points:
    """Points of PAGE ("x,y x,y") or ALTO ("x,y x,y" or "x y x y"); ValueError for anything else."""
    numbers = re.split(r"[\s,]+", (text or "").strip()) if text and text.strip() else []
    if len(numbers) % 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise ValueError(f"'{(text or '')[:40]}' is no list of points")
    values = [float(number) for number in numbers]
    if any(abs(value) > FARTHEST for value in values):
        raise ValueError(f"'{max(values, key=abs):g}' is no place on a page")
    return tuple(zip(values[::2], values[1::2], strict=True))


def region_points(text: str | None) -> Points:
    """The same of a region, which may go without: its lines tell where it is."""
    try:
        return points_of(text)
    except ValueError:
        return ()


def number_of(text: str | None) -> float:
    """A number not below 0, or 0 where there is none."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) and float(text) > 0 else 0.0


def share_of(text: str | None) -> float | None:
    """A confidence in [0, 1]; None where there is none."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) and 0 <= float(text) <= 1 else None


def told_points(points: Points) -> str:
    """Points as both formats tell them, "x,y x,y", in whole pixels, since many programs read no others."""
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)


def in_order(regions: Sequence[WrittenRegion], rank: Mapping[str, int]) -> tuple[WrittenRegion, ...]:
    """Regions and their lines in the order that a file tells, those it does not tell of behind the others.

    Args:
        regions: as they stand in the file.
        rank: place of a region or a line by its id.
    """
    last = len(rank)

    def place(part: WrittenRegion | WrittenLine) -> int:
        own = rank.get(part.id, last) if part.id else last
        return min([own, *map(place, part.lines)]) if isinstance(part, WrittenRegion) else own

    ordered = (replace(region, lines=tuple(sorted(region.lines, key=place))) for region in regions)
    return tuple(sorted(ordered, key=place))


def widened(lines: Sequence[WrittenLine]) -> list[WrittenLine]:
    """The lines of a page, each with a boundary, those without or with a thin one as a band around the baseline.

    Lines without either are given a flaw.
    """
    heights = [_height(line) if len(line.boundary) > 2 else 0.0 for line in lines]
    known = [height for height in heights if height > 0]
    usual = median(known) if known else _spacing(lines)
    return [_with_boundary(line, height, usual) for line, height in zip(lines, heights, strict=True)]


def _with_boundary(line: WrittenLine, height: float, usual: float) -> WrittenLine:
    if line.flaw or height > THIN * usual:
        return line
    try:
        baseline = smooth_baseline(_baseline(line), 2 * usual)
        return replace(line, baseline=baseline, boundary=band(baseline, ABOVE * usual, BELOW * usual))
    except ValueError:
        return replace(line, flaw="has neither boundary nor baseline; draw one of them")


def _baseline(line: WrittenLine) -> Points:
    """The marked baseline, or that of the boundary, where one point is all that is marked.

    Raises:
        ValueError: there is neither.
    """
    return line.baseline if len(set(line.baseline)) > 1 else baseline_of(line.boundary)


def _height(line: WrittenLine) -> float:
    """How high the boundary is on the average; 0 where that cannot be told."""
    try:
        return mean_height(_baseline(line), line.boundary)
    except ValueError:
        return 0.0


def _spacing(lines: Sequence[WrittenLine]) -> float:
    """The usual distance from baseline to baseline on a page without boundaries."""
    middles = sorted(sum(y for _, y in line.baseline) / len(line.baseline) for line in lines if line.baseline)
    steps = [below - above for above, below in zip(middles, middles[1:], strict=False) if below - above > 4]
    return median(steps) if steps else 60.0
