"""How sure lines and words were read, and whether that is right: by confidence, how much was read rightly.

What stands in a bin, or is fitted, is any (confidence, edits): of a line the edits over its graphemes, of a word one
hit or one substitution, see `of_words`.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.metrics import EditCounts, pooled, rightly

BINS = 10  # of confidence, as many lines in each
LEAST_IN_BIN = 10  # lines; fewer say little
TEMPERATURES = np.geomspace(0.4, 4.0, 31).round(3)
SHIFTS = np.linspace(-5.0, 5.0, 51).round(3)

Scale = tuple[float, float]  # temperature, above 0, and shift; see `calibrated`
AS_IT_IS: Scale = (1.0, 0.0)
Told = tuple[float, EditCounts]  # a confidence in [0, 1], and what was right


@dataclass(frozen=True, slots=True)
class Calibration:
    """What makes confidences mean something.

    Attributes:
        line: for lines: near the share of the graphemes that is right.
        word: for words: near the chance that the whole word is right.
        fast_word: the same where the network alone decides (quality fast): of words it is too sure by far.
    """

    line: Scale = AS_IT_IS
    word: Scale = AS_IT_IS
    fast_word: Scale = AS_IT_IS

    @classmethod
    def of(cls, kept: Any) -> "Calibration":
        """From the plain JSON of `plain`, or from a line's temperature and shift alone, as older bundles have them.

        Raises:
            TypeError, ValueError, AttributeError: it is neither.
        """
        if isinstance(kept, Sequence):
            kept = {"line": kept}
        pairs = (kept.get(scale.name, AS_IT_IS) for scale in fields(cls))
        scales = [(float(temperature), float(shift)) for temperature, shift in pairs]
        if not all(scale[0] > 0 and np.isfinite(scale).all() for scale in scales):
            raise ValueError("a calibration is a temperature above 0 and a shift")
        return cls(*scales)

    def plain(self) -> dict[str, list[float]]:
        """As JSON keeps it."""
        return {name: list(scale) for name, scale in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Bin:
    """Lines, or words, of like confidence.

    Attributes:
        confidence: their mean confidence, in [0, 1].
        right: 1 - error rate of all of them together, at least 0.
        lines: how many.
    """

    confidence: float
    right: float
    lines: int


def confidence(log_probs: NDArray[np.floating], posteriors: Sequence[float]) -> float:
    """How sure the network is of a line, not yet calibrated.

    The geometric mean of the graphemes' posteriors: unlike their product it does not fall with the length of the line,
    and unlike their mean one hopeless grapheme is felt. An empty text has no graphemes; CTC spells it in one way only,
    all blanks, so its confidence is the probability of that.

    Args:
        log_probs: (T, C) of the line.
        posteriors: of its graphemes, in [0, 1].

    Returns:
        A number in [0, 1].
    """
    return geometric_mean(posteriors) if posteriors else probability(log_probs[:, BLANK].sum())


def geometric_mean(posteriors: Sequence[float]) -> float:
    """Of one or more numbers in [0, 1]."""
    if not all(posteriors):  # a posterior of zero is a confidence of zero
        return 0.0
    return probability(math.fsum(map(math.log, posteriors)) / len(posteriors))


def words_among(spaces: Sequence[bool]) -> list[slice]:
    """Where words stand among graphemes, which are spaces or not."""
    edges = [-1, *(n for n, space in enumerate(spaces) if space), len(spaces)]
    return [slice(before + 1, after) for before, after in pairwise(edges) if after > before + 1]


def of_words(reference: Sequence[Hashable], transcript: Sequence[Hashable], sure: Sequence[float]) -> list[Told]:
    """The words of a transcript with their confidences, and whether each is right as a whole."""
    hits = rightly(reference, transcript)
    counts = (EditCounts(hits=1) if hit else EditCounts(substitutions=1) for hit in hits)
    return list(zip(sure, counts, strict=True))


def probability(log: float) -> float:
    """exp, at most 1 where rounding would exceed it."""
    return min(1.0, math.exp(log))


def calibrated(confidence: float, temperature: float, shift: float) -> float:
    """A confidence in [0, 1] as it is told: its log-odds moved by `shift`, then divided by `temperature`.

    0 and 1 stay what they are. Where a language model has the last word, a temperature alone does not do: what it
    corrects the network thought unlikely, and yet it is mostly right.

    Source: Platt 1999, "Probabilistic outputs for support vector machines".
    """
    if confidence in (0.0, 1.0) or (temperature, shift) == AS_IT_IS:
        return confidence
    return float(1 / (1 + np.exp(-(np.log(confidence) - np.log1p(-confidence) + shift) / temperature)))


def fit(lines: Sequence[Told]) -> Scale:
    """Temperature and shift at which confidences are nearest to the share that is right.

    Args:
        lines: or words; long lines count for more.
    """
    known = [(sure, edits) for sure, edits in lines if edits.reference and 0 < sure < 1]
    if not known:
        return AS_IT_IS
    right = np.array([max(0.0, 1 - edits.error_rate) for _, edits in known])
    weights = np.array([edits.reference for _, edits in known])
    odds = np.array([np.log(sure) - np.log1p(-sure) for sure, _ in known])

    def loss(setting: tuple[float, float]) -> float:
        told = 1 / (1 + np.exp(-(odds + setting[1]) / setting[0]))
        return float(np.average((told - right) ** 2, weights=weights))

    return min(((float(t), float(s)) for t in TEMPERATURES for s in SHIFTS), key=loss)


def bins_of(lines: Sequence[Told]) -> tuple[Bin, ...]:
    """Sort lines by confidence into bins of as many lines each.

    Args:
        lines: confidence in [0, 1], and edits over graphemes, of each.
    """
    lines = sorted(lines, key=lambda line: line[0])
    count = min(BINS, max(1, len(lines) // LEAST_IN_BIN))
    parts = (lines[n * len(lines) // count : (n + 1) * len(lines) // count] for n in range(count))
    return tuple(
        Bin(float(np.mean([c for c, _ in some])), max(0.0, 1 - pooled(e for _, e in some).error_rate), len(some))
        for some in parts
        if some
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean of |confidence - share right| over the lines; nan without bins.

    Source: Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning".
    """
    if not bins:
        return float("nan")
    return float(np.average([abs(b.confidence - b.right) for b in bins], weights=[b.lines for b in bins]))


def calibration(told: Sequence[Told], before: Sequence[Told] = ()) -> dict[str, Any]:
    """Plain values for JSON: calibration errors with and without the bundle's calibration, and the bins; see `Bin`."""
    kinds = {"error": bins_of(told), "error_before": bins_of(before)}
    errors = {name: calibration_error(bins) for name, bins in kinds.items() if bins}
    return {**errors, "bins": [asdict(some) for some in kinds["error"]]}
