"""Connectionist temporal classification: the loss.

Source: Graves et al. 2006, "Connectionist temporal classification". The network gives (N, T, C); only this module
turns it into PyTorch's (T, N, C).
"""

from torch import Tensor
from torch.nn import functional

from uncial.alphabet import BLANK


def ctc_loss(logits: Tensor, lengths: Tensor, classes: Tensor, counts: Tensor) -> Tensor:
    """Negative log-likelihood of each line's text, summed over all its alignments.

    Args:
        logits: (N, T, C), any float type; computed in float32.
        lengths: (N,) time steps of each line.
        classes: (sum of counts,) the texts one behind the other, classes 1..C-1.
        counts: (N,) graphemes of each text.

    Returns:
        (N,) losses in nats; infinite for a text that its time steps cannot spell.
    """
    log_probs = functional.log_softmax(logits.float(), dim=2).transpose(0, 1)
    return functional.ctc_loss(log_probs, classes, lengths, counts, blank=BLANK, reduction="none")
