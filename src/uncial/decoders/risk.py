"""Among the readings that a search has found, the one with the fewest expected errors.

The likeliest reading is the one most likely to be right as a whole, which few long lines are; the one that differs
least from all likely ones, on average, has fewer wrong graphemes.

Source: Goel and Byrne 2000, "Minimum Bayes-risk automatic speech recognition".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncial.decoders.beam import Hypothesis

SURE = 1.5  # scores tell readings apart too surely by this factor; see docs/experiments.md


def shares_of(readings: Sequence[Hypothesis]) -> NDArray[np.float64]:
    """(n,) how likely readings of a line are beside the likeliest, which has 1."""
    scores = np.array([reading.score for reading in readings])
    return np.exp((scores - scores.max()) / SURE)  # type: ignore[no-any-return]


def fewest_errors_first(readings: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The readings of a line, the one with the fewest expected errors first, then the others as they were.

    Args:
        readings: best first; what others there may be is taken to be unlikely.
    """
    if len(readings) < 3:  # of two, the likelier one has fewer
        return list(readings)
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    texts = [reading.classes for reading in readings]
    errors = cdist(texts, texts, scorer=Levenshtein.distance) @ shares_of(readings)
    first = int(np.argmin(errors))
    return [readings[first], *readings[:first], *readings[first + 1 :]]
