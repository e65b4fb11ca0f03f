"""Best-path decoding: at each time step the likeliest class, for itself."""

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.decoders.spans import DecodedSpan


def best_path(log_probs: NDArray[np.floating]) -> list[DecodedSpan]:
    """The likeliest class at each time step, repeats merged, blanks dropped.

    Logits give the same result as log-probabilities. Between equally likely classes the lower one is taken.

    Args:
        log_probs: (T, C) natural-log posteriors of one line; class 0 is the blank.

    Returns:
        The spans in reading order; none for an empty line.

    Source: Graves et al. 2006, "Connectionist temporal classification", section 3.2.
    """
    if not len(log_probs):
        return []
    path = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts[1:], len(path))
    runs = zip(path[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    return [DecodedSpan(class_, start, end) for class_, start, end in runs if class_ != BLANK]
