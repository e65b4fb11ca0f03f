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
    return text_losses(functional.log_softmax(logits.float(), dim=2), lengths, classes, counts)


def text_losses(log_probs: Tensor, lengths: Tensor, classes: Tensor, counts: Tensor) -> Tensor:
    """The same from (N, T, C) natural-log posteriors in float32.

    On the CPU where they lie on an Apple GPU, for which PyTorch has no such loss (pytorch issue 160829).
    """
    there, steps = log_probs.device, log_probs.transpose(0, 1)
    if there.type == "mps":
        steps, lengths, classes, counts = steps.cpu(), lengths.cpu(), classes.cpu(), counts.cpu()
    return functional.ctc_loss(steps, classes, lengths, counts, blank=BLANK, reduction="none").to(there)
