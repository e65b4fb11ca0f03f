"""Two views of a line are to be read alike, step by step: another pen, other stains, and other parts hidden.

Each view learns from what the other makes of the same place. Where a part is hidden in one, it learns to tell from its
neighbours what the other sees; and since each is drawn towards a mixture, posteriors grow less peaked and less sure of
lines that are known by heart.

Source: Yao et al. 2024, "CR-CTC: Consistency regularization on CTC for improved speech recognition".
"""

import torch
from torch import Tensor
from torch.nn import functional


def disagreement(logits: Tensor, lengths: Tensor) -> Tensor:
    """How far the two views of each line are apart: Kullback-Leibler divergence, each from the other, which stays.

    Args:
        logits: (2 N, T, C), first views of all lines, then the second ones; any float type, computed in float32.
        lengths: (2 N,) time steps of each view, equal for the two of a line.

    Returns:
        (2 N,) divergences in nats, summed over the steps of each view.
    """
    ours = functional.log_softmax(logits.float(), dim=2)
    theirs = ours.detach().roll(len(ours) // 2, dims=0)  # no gradient: the other view is what is to be reached
    apart = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(2)
    inside = torch.arange(apart.shape[1], device=apart.device) < lengths[:, None]
    return (apart * inside).sum(1)
