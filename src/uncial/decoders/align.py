"""Where a known text stands: its likeliest alignment with a line's time steps.

Source: Graves et al. 2006, "Connectionist temporal classification", section 4, with the maximum in place of the sum.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.decoders.spans import DecodedSpan

TOGETHER = 64  # lines laid along their texts in one go; more would gain nothing but take more memory
CELLS = 20_000_000  # time steps by states of all of them at most, five bytes each, unless one line has more

Array = NDArray[np.floating]


def steps_needed(text: Sequence[object]) -> int:
    """Fewest time steps that CTC can spell a text in, graphemes or classes: one each, a blank between equal ones."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def align(log_probs: Array, classes: Sequence[int]) -> list[DecodedSpan]:
    """The time steps of each grapheme of a text that CTC can spell in this line.

    Args:
        log_probs: (T, C) natural-log posteriors; class 0 is the blank.
        classes: 1..C-1.

    Returns:
        A span for each class, in order.

    Raises:
        ValueError: the time steps are too few to spell it.
    """
    return align_all([log_probs], [classes])[0]


def align_all(lines: Sequence[Array], texts: Sequence[Sequence[int]]) -> list[list[DecodedSpan]]:
    """As `align`, for many lines and their texts; much quicker than one by one.

    Raises:
        ValueError: the time steps of a line are too few to spell its text.
    """
    found: list[list[DecodedSpan]] = [[] for _ in lines]
    order = sorted((n for n, text in enumerate(texts) if text), key=lambda n: -len(lines[n]))
    while order:
        states = 1 + 2 * max(len(texts[n]) for n in order[:TOGETHER])
        count = max(1, min(TOGETHER, CELLS // (len(lines[order[0]]) * states)))
        chosen, order = order[:count], order[count:]
        paths = _paths([lines[n] for n in chosen], [texts[n] for n in chosen])
        for n, path in zip(chosen, paths, strict=True):
            places = np.arange(1, 2 * len(texts[n]), 2)
            first, behind = (np.searchsorted(path, places, side=side).tolist() for side in ("left", "right"))
            found[n] = [DecodedSpan(int(c), a, b) for c, a, b in zip(texts[n], first, behind, strict=True)]
    return found


def _paths(lines: Sequence[Array], texts: Sequence[Sequence[int]]) -> list[NDArray[np.int64]]:
    """The state in which each line is at each of its time steps: 2 k + 1 at grapheme k, even ones at blanks.

    Args:
        lines: (T, C) each, the longest first.
        texts: none empty.
    """
    count, lengths = len(lines), np.array([len(line) for line in lines])
    ends = np.array([2 * len(text) for text in texts])  # the last state: the blank behind the text
    states = np.full((count, ends.max() + 1), BLANK)  # a blank before, between and behind the graphemes
    emitted = np.full((lengths.max(), *states.shape), -np.inf, np.float32)
    for n, (line, text) in enumerate(zip(lines, texts, strict=True)):
        states[n, 1 : ends[n] : 2] = text
        emitted[: len(line), n, : ends[n] + 1] = line[:, states[n, : ends[n] + 1]]
    skips = np.where((states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2]), 0.0, -np.inf)
    score = np.full(states.shape, -np.inf)
    score[:, 0] = 0.0  # before the first step; a state may be entered from the one before, so the first two can start
    back = np.zeros(emitted.shape, np.int8)
    going = [int((lengths > t).sum()) for t in range(len(emitted))]
    for t, n in enumerate(going):
        best = score[:n].copy()
        for steps, reached in ((1, score[:n, :-1]), (2, score[:n, :-2] + skips[:n])):
            better = reached > best[:, steps:]
            back[t, :n, steps:][better] = steps
            np.maximum(best[:, steps:], reached, out=best[:, steps:])
        score[:n] = best + emitted[t, :n]
    rows = np.arange(count)
    state = ends - (score[rows, ends - 1] > score[rows, ends])
    if len(lost := np.flatnonzero(~np.isfinite(score[rows, state]))):
        raise ValueError(f"{lengths[lost[0]]} time steps are too few to spell {len(texts[lost[0]])} graphemes")
    path = np.empty((len(emitted), count), np.int64)
    for t in range(len(emitted) - 1, -1, -1):
        n = going[t]
        path[t, :n] = state[:n]
        state[:n] -= back[t, rows[:n], state[:n]]
    return [path[:length, n] for n, length in enumerate(lengths.tolist())]
