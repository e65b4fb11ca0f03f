"""Recurrent layers: each slice of a line is read in the light of those before and after it.

Every layer maps (N, T, F) to (N, T, F'), T slices, knows the true number of slices of each line, and gives the same
result whatever a line is padded to: the backward direction starts at the line's last slice, not at the padding. New
kinds of layer go into `RECURRENT`.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from uncial.nn.linear_scan import linear_scan

KEPT = 1.0  # bias of the forget gate before training: states last some four slices


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

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, F) with lengths (N,) in time steps -> (N, T, directions x size)."""
        onward = self.onward(x)[0]
        if self.back is None:
            return onward  # type: ignore[no-any-return]
        order = reversal(lengths, x.shape[1])
        back = self.back(_reorder(x, order))[0]
        return torch.cat((onward, _reorder(back, order)), dim=2)


class SimpleRecurrentUnit(nn.Module):
    """A layer whose gates look at its input only, so that all its matrix products are made at once.

    The state is a weighted mean of what came before and the candidate of this slice, c = f c' + (1 - f) z; a second
    gate chooses between the state and the layer's input, h = r c + (1 - r) x. What is left to do slice by slice is one
    product and one sum, where an LSTM has a matrix product: several times quicker in training and in reading.

    Source: Lei et al. 2018, "Simple Recurrent Units for Highly Parallelizable Recurrence", without the terms of the
    gates that look at the state before (as in Bradbury et al. 2017, "Quasi-Recurrent Neural Networks").
    """

    def __init__(self, inputs: int, size: int, bidirectional: bool) -> None:
        """A state of `size` for each direction; where input and output differ in width, the input is projected."""
        super().__init__()
        self.bidirectional = bidirectional
        self.outputs = size * (2 if bidirectional else 1)
        self.gates = nn.Linear(inputs, 3 * self.outputs)
        self.skip = nn.Linear(inputs, self.outputs, bias=False) if inputs != self.outputs else None
        with torch.no_grad():
            self.gates.bias[: self.outputs] = KEPT

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, F) with lengths (N,) in time steps -> (N, T, directions x size)."""
        inside = torch.arange(x.shape[1], device=x.device)[:, None] < lengths[None, :]
        x = x.transpose(0, 1)
        keep, choose, candidate = self.gates(x).float().chunk(3, dim=2)
        keep = keep.sigmoid()
        # States stay 0 in the padding, where the way back begins.
        states = self._scan(keep, (1 - keep) * candidate * inside[:, :, None])
        choose = choose.sigmoid()
        given = x if self.skip is None else self.skip(x)
        mixed = choose * states + (1 - choose) * given
        return mixed.to(given.dtype).transpose(0, 1)  # type: ignore[no-any-return]

    def _scan(self, keep: Tensor, add: Tensor) -> Tensor:
        """(T, N, F') gates and additions -> states; the second half of the channels runs from last to first."""
        if not self.bidirectional:
            return linear_scan(keep, add)
        half = self.outputs // 2
        states = linear_scan(_half_reversed(keep, half), _half_reversed(add, half))
        return _half_reversed(states, half)


class RecurrentLayers(nn.Module):
    """Recurrent layers one upon the other, with dropout between them; the last ones may add to what they are given."""

    def __init__(  # noqa: PLR0917 - as the settings of a network have them
        self, kind: str, inputs: int, size: int, layers: int, bidirectional: bool, dropout: float, added: int = 0
    ) -> None:
        """`kind` is a name in RECURRENT; "none" makes this the identity."""
        super().__init__()
        make = RECURRENT[kind]
        self.size = inputs if make is None else size * (2 if bidirectional else 1)
        widths = () if make is None else (inputs, *[self.size] * (layers + added))
        self.layers = nn.ModuleList(make(i, size, bidirectional) for i, _ in pairwise(widths) if make)
        self.shares = nn.ParameterList(torch.zeros(self.size) for _ in range(added if make else 0))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, inputs) with lengths (N,) in time steps -> (N, T, self.size)."""
        plain = len(self.layers) - len(self.shares)
        for index, layer in enumerate(self.layers):
            made = layer(self.dropout(x) if index else x, lengths)
            x = made if index < plain else x + self.shares[index - plain] * made
        return x


class ColumnSweep(nn.Module):
    """A recurrent sweep down and up each column of the feature map, before the column is pooled."""

    def __init__(self, kind: str, channels: int) -> None:
        """Half the channels for each direction, so that the number of channels stays (rounded up to even)."""
        super().__init__()
        half = -(-channels // 2)
        self.cell = CELLS.get(kind, nn.GRU)(channels, half, batch_first=True, bidirectional=True)
        self.channels = 2 * half

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, H, W)."""
        n, c, h, w = x.shape
        columns = x.permute(0, 3, 2, 1).reshape(n * w, h, c)
        swept = self.cell(columns)[0]
        return swept.reshape(n, w, h, self.channels).permute(0, 3, 2, 1)  # type: ignore[no-any-return]


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


def _half_reversed(x: Tensor, half: int) -> Tensor:
    """(T, N, F) with the channels from `half` on in the reverse order of time."""
    return torch.cat((x[:, :, :half], x[:, :, half:].flip(0)), dim=2)


CELLS: dict[str, Callable[..., nn.Module]] = {
    "lstm": nn.LSTM,  # Hochreiter & Schmidhuber 1997
    "gru": nn.GRU,  # Cho et al. 2014
    "simple": nn.RNN,  # Elman 1990, tanh
}

# (width of the input, width of each direction's state, both ways?) -> layer
RECURRENT: dict[str, Callable[[int, int, bool], nn.Module] | None] = {
    **{name: partial(BothWays, cell) for name, cell in CELLS.items()},
    "sru": SimpleRecurrentUnit,
    "none": None,
}
