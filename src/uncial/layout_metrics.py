"""How well baselines were found: precision, recall and F1 of the READ-BAD scheme.

Source: Grüning, Labahn, Diem, Kleber, Fiel 2018, "READ-BAD: a new dataset and evaluation scheme for baseline detection
in archival documents", section IV. A point of a baseline counts as found where another lies within the tolerance, and
fades out at three times of it. Recall asks how much of each true baseline is covered by whatever was found; precision
pairs each found baseline with at most one true one, so that split and merged lines cost precision.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from uncial.geometry import Array, Points

SAMPLED = 4.0  # pixels between the points by which a baseline is judged
SHARE = 0.25  # of the distance to the neighbouring line: the tolerance of a true baseline
LONE = 250.0  # pixels: the distance that a line without any neighbour is taken to have
FARTHEST = 1e9


@dataclass(frozen=True, slots=True)
class BaselineCounts:
    """Counts that can be added up.

    Attributes:
        covered: sum over true baselines of the share that was found.
        true: number of true baselines.
        right: sum over found baselines of the share that lies on the true one it was paired with.
        found: number of found baselines.
    """

    covered: float = 0.0
    true: int = 0
    right: float = 0.0
    found: int = 0

    def __add__(self, other: "BaselineCounts") -> "BaselineCounts":
        """Pool two pages."""
        return BaselineCounts(
            self.covered + other.covered, self.true + other.true, self.right + other.right, self.found + other.found
        )

    @property
    def recall(self) -> float:
        """In [0, 1]; 1 where nothing is to be found."""
        return self.covered / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        """In [0, 1]; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def count_baselines(true: Sequence[Points], found: Sequence[Points]) -> BaselineCounts:
    """Compare the baselines of a page.

    Args:
        true: of the ground truth, in pixels.
        found: what a line finder gave, in the same pixels.
    """
    truths, finds = [sampled(line) for line in true], [sampled(line) for line in found]
    limits = tolerances(truths)
    nearest, shares = [np.full(len(truth), FARTHEST) for truth in truths], np.zeros((len(finds), len(truths)))
    for g, h, distances in _near(truths, finds, limits):
        nearest[g] = np.minimum(nearest[g], distances.min(axis=1))
        shares[h, g] = closeness(distances.min(axis=0), limits[g]).mean()
    covered = sum(float(closeness(*pair).mean()) for pair in zip(nearest, limits, strict=True))
    return BaselineCounts(covered, len(truths), _paired(shares), len(finds))


def lying_on(found: Sequence[Points], marked: Sequence[Points]) -> Array:
    """How much of each found baseline lies on each marked one.

    Args:
        found: baselines, in pixels.
        marked: baselines, in the same pixels; it is their tolerance that counts.

    Returns:
        (found, marked) shares of the found lines' lengths, in [0, 1] each.
    """
    truths, finds = [sampled(line) for line in marked], [sampled(line) for line in found]
    limits, shares = tolerances(truths), np.zeros((len(finds), len(truths)))
    for g, h, distances in _near(truths, finds, limits):
        shares[h, g] = closeness(distances.min(axis=0), limits[g]).mean()
    return shares


def sampled(line: Points) -> Array:
    """Points along a polyline, some SAMPLED pixels apart, its ends included; (N, 2)."""
    points = np.array(line, float)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    places = np.linspace(0, along[-1], max(2, round(along[-1] / SAMPLED) + 1))
    return np.column_stack([np.interp(places, along, points[:, 0]), np.interp(places, along, points[:, 1])])


def tolerances(truths: Sequence[Array]) -> list[float]:
    """SHARE of the distance of each true baseline to its neighbour, or of the page's mean where that is less.

    A neighbour lies above or below, alongside at least a tenth of the line. The distance is the median along the line.
    """
    spacings = [_spacing(i, truths) for i in range(len(truths))]
    known = [spacing for spacing in spacings if spacing is not None]
    mean = float(np.mean(known)) if known else LONE
    return [max(1.0, SHARE * min(mean, mean if spacing is None else spacing)) for spacing in spacings]


def closeness(distances: Array, tolerance: float) -> Array:
    """1 up to the tolerance, 0 from three times of it, falling in between."""
    value: Array = np.clip((3 * tolerance - distances) / (2 * tolerance), 0, 1)
    return value


def _spacing(index: int, truths: Sequence[Array]) -> float | None:
    """Pixels from a baseline to the nearest one above or below it; None: there is none."""
    line = truths[index]
    chord = line[-1] - line[0]
    size = float(np.hypot(*chord))
    along = chord / size if size else np.array([1.0, 0.0])
    turn = np.array([[along[0], -along[1]], [along[1], along[0]]])
    own = line @ turn
    own = own[np.argsort(own[:, 0])]
    nearest: float | None = None
    for other in (truth for i, truth in enumerate(truths) if i != index):
        inner = other @ turn
        beside = inner[(inner[:, 0] >= own[0, 0]) & (inner[:, 0] <= own[-1, 0])]
        if len(beside) < 0.1 * len(own):
            continue
        distance = float(np.median(np.abs(beside[:, 1] - np.interp(beside[:, 0], own[:, 0], own[:, 1]))))
        if distance > 4 and (nearest is None or distance < nearest):  # nearer ones continue the same line
            nearest = distance
    return nearest


def _paired(shares: Array) -> float:
    """The sum over a greedy pairing: the best pair first, each line in one pair at most."""
    shares, total = shares.copy(), 0.0
    while shares.size and (best := float(shares.max())) > 0:
        h, g = np.unravel_index(int(shares.argmax()), shares.shape)
        total += best
        shares[h, :] = 0
        shares[:, g] = 0
    return total


def _near(truths: Sequence[Array], finds: Sequence[Array], limits: Sequence[float]) -> Iterator[tuple[int, int, Array]]:
    """Pairs of a true and a found line within reach, by their numbers, with the distances of their points."""
    for g, (truth, limit) in enumerate(zip(truths, limits, strict=True)):
        for h, find in enumerate(finds):
            if _apart(truth, find) < 3 * limit:
                yield g, h, np.hypot(*(truth[:, None] - find[None]).transpose(2, 0, 1))


def _apart(a: Array, b: Array) -> float:
    """How far two boxes are apart at least, along an axis."""
    gaps = np.maximum(a.min(axis=0) - b.max(axis=0), b.min(axis=0) - a.max(axis=0))
    return float(gaps.max())
