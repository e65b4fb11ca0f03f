"""Are confidences right? Lines sorted by confidence, and how much of them was read rightly."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from uncial.metrics import EditCounts, pooled

BINS = 10  # of confidence, as many lines in each
LEAST_IN_BIN = 10  # lines; fewer say little


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
    """Plain values for JSON: calibration errors with and without the bundle's temperature, and the bins; see `Bin`."""
    bins, others = bins_of(told), bins_of(before)
    errors = {"error": calibration_error(bins), "error_before": calibration_error(others)} if bins else {}
    return {**errors, "bins": [asdict(some) for some in bins]}
