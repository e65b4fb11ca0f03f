"""Recurrent layers: each slice of a line is read in the light of those before and after it.

Every layer maps (N, T, F) to (N, T, F'), T slices, knows the true number of slices of each line, and gives the same
result whatever a line is padded to: the backward direction starts at the line's last slice, not at the padding. New
kinds of cell go into `RECURRENT`.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

RECURRENT: dict[str, Callable[..., nn.Module] | None] = {
    "lstm": nn.LSTM,  # Hochreiter & Schmidhuber 1997
    "gru": nn.GRU,  # Cho et al. 2014
    "simple": nn.RNN,  # Elman 1990, tanh
    "none": None,
}


def reversal(lengths: Tensor, steps: int) -> Tensor:
    """For each line the order of time steps that reverses it and leaves its padding in place.

    Args:
        lengths: (N,) time steps of each line.
        steps: T of the padded batch.

    Returns:
        (N, T) indices; applying them twice gives back the original order.
    """
    forward = torch.arange(steps, device=lengths.device)[None, :]
    backward = lengths[:, None] - 1 - forward
    return torch.where(backward >= 0, backward, forward)


class BothWays(nn.Module):
    """One recurrent layer, forward and (if asked) backward over the true length of each line."""

    def __init__(self, cell: Callable[..., nn.Module], inputs: int, size: int, bidirectional: bool) -> None:
        """A cell of `size` for each direction."""
        super().__init__()
        self.onward = cell(inputs, size, batch_first=True)
        self.back = cell(inputs, size, batch_first=True) if bidirectional else None

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """(N, T, F) and the (N, T) order of `reversal` -> (N, T, directions x size)."""
        onward = self.onward(x)[0]
        if self.back is None:
            return onward  # type: ignore[no-any-return]
        back = self.back(_reorder(x, order))[0]
        return torch.cat((onward, _reorder(back, order)), dim=2)


class RecurrentLayers(nn.Module):
    """Recurrent layers one upon the other, with dropout between them."""

    def __init__(self, cell: str, inputs: int, size: int, layers: int, bidirectional: bool, dropout: float) -> None:
        """`cell` is a name in RECURRENT; "none" makes this the identity."""
        super().__init__()
        make = RECURRENT[cell]
        self.size = inputs if make is None else size * (2 if bidirectional else 1)
        widths = () if make is None else (inputs, *[self.size] * layers)
        self.layers = nn.ModuleList(BothWays(make, i, size, bidirectional) for i, _ in pairwise(widths) if make)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, inputs) with lengths (N,) in time steps -> (N, T, self.size)."""
        order = reversal(lengths, x.shape[1])
        for index, layer in enumerate(self.layers):
            x = layer(self.dropout(x) if index else x, order)
        return x


class ColumnSweep(nn.Module):
    """A recurrent sweep down and up each column of the feature map, before the column is pooled."""

    def __init__(self, cell: str, channels: int) -> None:
        """Half the channels for each direction, so that the number of channels stays (rounded up to even)."""
        super().__init__()
        make = RECURRENT[cell] or nn.GRU
        half = -(-channels // 2)
        self.cell = make(channels, half, batch_first=True, bidirectional=True)
        self.channels = 2 * half

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, H, W)."""
        n, c, h, w = x.shape
        columns = x.permute(0, 3, 2, 1).reshape(n * w, h, c)
        swept = self.cell(columns)[0]
        return swept.reshape(n, w, h, self.channels).permute(0, 3, 2, 1)  # type: ignore[no-any-return]


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))
