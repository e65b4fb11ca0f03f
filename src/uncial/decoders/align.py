"""Where a known text stands: its likeliest alignment with a line's time steps.

Source: Graves et al. 2006, "Connectionist temporal classification", section 4, with the maximum in place of the sum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.decoders.spans import DecodedSpan


def align(log_probs: NDArray[np.floating], classes: Sequence[int]) -> list[DecodedSpan]:
    """The time steps of each grapheme of a text that CTC can spell in this line.

    Args:
        log_probs: (T, C) natural-log posteriors; class 0 is the blank.
        classes: 1..C-1.

    Returns:
        A span for each class, in order.

    Raises:
        ValueError: the time steps are too few to spell it.
    """
    if not classes:
        return []
    states = np.full(2 * len(classes) + 1, BLANK)  # a blank before, between and behind the graphemes
    states[1::2] = classes
    may_skip = np.append([False, False], (states[2:] != BLANK) & (states[2:] != states[:-2]))
    emitted = log_probs[:, states].astype(np.float64)
    score = np.full(len(states), -np.inf)
    score[:1] = 0.0  # before the first step; a state may be entered from the one before, so the first two can start
    back = np.zeros(emitted.shape, np.int8)
    for t, step in enumerate(emitted):
        before = np.append(-np.inf, score[:-1])
        skipped = np.where(may_skip, np.append([-np.inf, -np.inf], score[:-2]), -np.inf)
        ways = np.stack([score, before, skipped])
        back[t] = ways.argmax(axis=0)
        score = ways.max(axis=0) + step
    state = len(states) - 1 - int(score[-2] > score[-1])
    if not np.isfinite(score[state]):
        raise ValueError(f"{len(log_probs)} time steps are too few to spell {len(classes)} graphemes")
    path = np.empty(len(emitted), np.int64)
    for t in range(len(emitted) - 1, -1, -1):
        path[t] = state
        state -= int(back[t, state])
    first = np.searchsorted(path, np.arange(1, len(states), 2), side="left").tolist()
    last = np.searchsorted(path, np.arange(1, len(states), 2), side="right").tolist()
    return [DecodedSpan(int(c), start, end) for c, start, end in zip(classes, first, last, strict=True)]
