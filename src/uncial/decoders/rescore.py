"""How likely whole texts are: the sum over all alignments, for several texts of many lines at once.

Source: Graves et al. 2006, "Connectionist temporal classification", section 4.1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK

NEVER = -1e30  # log of zero that may be added to others
CELLS = 2_000_000  # time steps by states of all texts of a group at most, unless one line has more; beyond, caches miss
LEAST = -87.0  # log-posteriors below count as this, near the least that fp32 holds the exponential of
SCALED = 4  # time steps after which sums are scaled: four times LEAST stays above what float64 holds
NOTHING = -1  # class of states behind a text's end, which emit nothing; otherwise they outgrow the text's own

Array = NDArray[np.floating]
Texts = Sequence[Sequence[int]]


def text_log_probs(lines: Sequence[Array], texts: Sequence[Texts]) -> list[NDArray[np.float64]]:
    """Natural-log probabilities of texts under the posteriors of their lines.

    Args:
        lines: (T, C) natural-log posteriors of each; class 0 is the blank.
        texts: of each line, as classes 1..C-1; one that the time steps are too few for, or that lies some
            700 nats behind what the image shows, gets less than -1e29.

    Returns:
        For each line (n,), one for each of its texts.
    """
    found: list[NDArray[np.float64]] = [np.zeros(0)] * len(lines)
    for group in _groups(lines, texts):
        for n, likely in zip(group, _likely([lines[n] for n in group], [texts[n] for n in group]), strict=True):
            found[n] = likely
    return found


def _groups(lines: Sequence[Array], texts: Sequence[Texts]) -> list[list[int]]:
    """Lines that are summed in one go, longest first."""
    groups: list[list[int]] = []
    steps, rows, states = 0, 0, 0  # of the last group
    for n in sorted(range(len(lines)), key=lambda n: -len(lines[n])):
        own = 1 + 2 * max(map(len, texts[n]), default=0)
        rows, states = rows + len(texts[n]), max(states, own)
        if not groups or steps * rows * states > CELLS:
            groups.append([])
            steps, rows, states = len(lines[n]), len(texts[n]), own
        groups[-1].append(n)
    return groups


def _likely(lines: Sequence[Array], texts: Sequence[Texts]) -> list[NDArray[np.float64]]:
    """The same of lines that fit into memory together, the longest first."""
    every = [text for some in texts for text in some]
    first = np.cumsum([0, *map(len, texts)])  # row of each line's first text
    states = np.full((len(every), 2 * max(map(len, every), default=0) + 1), NOTHING)
    for row, text in zip(states, every, strict=True):
        row[: 2 * len(text) + 1] = BLANK
        row[1 : 2 * len(text) : 2] = text
    may_skip = np.zeros(states.shape)
    may_skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    may_skip[:, 1:2] = 1  # into the first grapheme from before the first time step
    emitted = np.zeros((len(lines[0]), *states.shape), np.float32)
    for line, a, b in zip(lines, first[:-1], first[1:], strict=True):
        emitted[: len(line), a:b] = np.pad(np.exp(np.maximum(line, LEAST)), ((0, 0), (0, 1)))[:, states[a:b]]
    # Probabilities, scaled now and then, not their logarithms: five times as quick.
    sums = np.zeros((len(every), states.shape[1] + 2))  # two columns before the first state
    sums[:, 1] = 1  # before the first time step
    log_scale = np.zeros(len(every))
    with np.errstate(divide="ignore", invalid="ignore"):
        for t, step in enumerate(emitted):
            rows = first[sum(len(line) > t for line in lines)]  # of lines that go on
            now = sums[:rows]
            now[:, 2:] = (now[:, 2:] + now[:, 1:-1] + may_skip[:rows] * now[:, :-2]) * step[:rows]
            now[:, :2] = 0
            if t % SCALED == 0:
                scale = now.max(axis=1)
                now /= np.where(scale > 0, scale, 1)[:, None]
                log_scale[:rows] += np.log(scale)
        ends = np.array([2 * len(text) + 2 for text in every], int)
        total = sums[np.arange(len(every)), ends] + sums[np.arange(len(every)), ends - 1]
        likely: NDArray[np.float64] = np.maximum(np.log(total) + log_scale, NEVER)
    return np.split(likely, first[1:-1])
