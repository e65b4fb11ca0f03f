"""What every decoder gives: graphemes and the time steps they were read at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncial.reliability import probability


@dataclass(frozen=True, slots=True)
class DecodedSpan:
    """One grapheme that was read.

    Attributes:
        class_: of the alphabet, never the blank.
        start: first time step.
        end: the time step after the last; `start` < `end`.
    """

    class_: int
    start: int
    end: int


def peak_posteriors(log_probs: NDArray[np.floating], decoded: Sequence[DecodedSpan]) -> tuple[list[int], list[float]]:
    """Where each span is surest, and its posterior there.

    Args:
        log_probs: (T, C) of the line.
        decoded: its spans.

    Returns:
        For each span the time step and the posterior in [0, 1].
    """
    peaks = [span.start + int(log_probs[span.start : span.end, span.class_].argmax()) for span in decoded]
    return peaks, [probability(log_probs[peak, span.class_]) for peak, span in zip(peaks, decoded, strict=True)]
