"""How sure a line was read, and whether that is right: lines by confidence, and how much of them was read rightly."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.metrics import EditCounts, pooled

BINS = 10  # of confidence, as many lines in each
LEAST_IN_BIN = 10  # lines; fewer say little
TEMPERATURES = np.geomspace(0.4, 4.0, 31).round(3)
SHIFTS = np.linspace(-3.0, 5.0, 41).round(3)


@dataclass(frozen=True, slots=True)
class Bin:
    """Lines of like confidence.

    Attributes:
        confidence: their mean confidence, in [0, 1].
        right: 1 - CER of all of them together, at least 0.
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
    if not posteriors:
        return probability(log_probs[:, BLANK].sum())
    with np.errstate(divide="ignore"):  # a posterior of zero is a confidence of zero
        return probability(np.log(posteriors).mean())


def probability(log: float) -> float:
    """exp, at most 1 where rounding would exceed it."""
    return min(1.0, math.exp(log))


def calibrated(confidence: float, temperature: float, shift: float) -> float:
    """A confidence in [0, 1] as it is told: its log-odds moved by `shift`, then divided by `temperature`.

    0 and 1 stay what they are. Where a language model has the last word, a temperature alone does not do: what it
    corrects the network thought unlikely, and yet it is mostly right.

    Source: Platt 1999, "Probabilistic outputs for support vector machines".
    """
    if confidence in (0.0, 1.0) or (temperature, shift) == (1.0, 0.0):
        return confidence
    return float(1 / (1 + np.exp(-(np.log(confidence) - np.log1p(-confidence) + shift) / temperature)))


def fit(lines: Sequence[tuple[float, EditCounts]]) -> tuple[float, float]:
    """Temperature and shift at which confidences are nearest to the share of graphemes that is right.

    Args:
        lines: confidence in [0, 1], and edits over graphemes, of each; long lines count for more.
    """
    known = [(sure, edits) for sure, edits in lines if edits.reference and 0 < sure < 1]
    if not known:
        return 1.0, 0.0
    right = np.array([max(0.0, 1 - edits.error_rate) for _, edits in known])
    weights = np.array([edits.reference for _, edits in known])
    odds = np.array([np.log(sure) - np.log1p(-sure) for sure, _ in known])

    def loss(setting: tuple[float, float]) -> float:
        told = 1 / (1 + np.exp(-(odds + setting[1]) / setting[0]))
        return float(np.average((told - right) ** 2, weights=weights))

    return min(((float(t), float(s)) for t in TEMPERATURES for s in SHIFTS), key=loss)


def bins_of(lines: Sequence[tuple[float, EditCounts]]) -> tuple[Bin, ...]:
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


def calibration(told: Sequence[tuple[float, EditCounts]], before: Sequence[tuple[float, EditCounts]]) -> dict[str, Any]:
    """Plain values for JSON: calibration errors with and without the bundle's calibration, and the bins; see `Bin`."""
    bins, others = bins_of(told), bins_of(before)
    errors = {"error": calibration_error(bins), "error_before": calibration_error(others)} if bins else {}
    return {**errors, "bins": [asdict(some) for some in bins]}
