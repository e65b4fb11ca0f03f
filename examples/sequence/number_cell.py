"""A simple recurrent cell that continues number sequences.

The cell is the "simple" recurrent layer that `uncial train --set network.recurrent=simple` puts into a reader of lines
(Elman 1990), with a state of a few numbers and one way, from the first to the last. A linear layer reads the next
number off the state, as the head of a reader of lines reads letters off it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from uncial.nn.recurrent import RecurrentLayers

SCALE = 40.0  # numbers are divided by this, so that the cell works where tanh is nearly straight
STEPS_APART = tuple(range(-5, 6))  # from each number of a sequence to the next
FIRST = tuple(range(-10, 31))  # what sequences begin with
LENGTH = 6  # numbers of a sequence to learn from
HELD_OUT = 5  # one in so many sequences is never learned from
BATCH = 128  # sequences
LEARNING_RATE = 0.02


class NumberCell(nn.Module):
    """Numbers in, the next number out at each step."""

    def __init__(self, size: int) -> None:
        """A state of `size` numbers."""
        super().__init__()
        self.recurrent = RecurrentLayers("simple", 1, size, layers=1, bidirectional=False, dropout=0.0)
        self.head = nn.Linear(size, 1)

    def states(self, numbers: Tensor) -> Tensor:
        """(N, T) numbers -> (N, T, size) the state after each, in (-1, 1)."""
        lengths = torch.full((len(numbers),), numbers.shape[1])
        return self.recurrent(numbers[:, :, None] / SCALE, lengths)  # type: ignore[no-any-return]

    def forward(self, numbers: Tensor) -> Tensor:
        """(N, T) numbers -> (N, T) what comes next after each of them, by what it has seen so far."""
        return self.head(self.states(numbers))[:, :, 0] * SCALE  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The cell as it is folded: after each number x, scaled by SCALE, state = tanh(given x + kept state + bias).

    Attributes:
        given: (size,) what each number of the state takes from the input.
        kept: (size, size) what each (row) takes from each number of the state before (column).
        bias: (size,).
        told: (size,) what the answer takes from each number of the state; answer = told state + offset, times SCALE.
        offset: of the answer.
    """

    given: NDArray[np.float32]
    kept: NDArray[np.float32]
    bias: NDArray[np.float32]
    told: NDArray[np.float32]
    offset: float


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One step of the cell, unfolded in time.

    Attributes:
        before: (size,) the state before.
        number: the input.
        after: (size,) the state after.
        next: what the cell expects to follow.
        own: the input was not given, but is the cell's own last answer, rounded.
    """

    before: NDArray[np.float32]
    number: int
    after: NDArray[np.float32]
    next: float
    own: bool


def sequences() -> tuple[Tensor, Tensor]:
    """All sequences of FIRST and STEPS_APART: those to learn from and those held out, (N, LENGTH) each.

    What is held out is every fifth pair of first number and step, spread evenly over both; 2, 4, 6 is among them.
    """
    places = torch.arange(LENGTH)
    known: list[Tensor] = []
    held_out: list[Tensor] = []
    for row, first in enumerate(FIRST):
        for column, apart in enumerate(STEPS_APART):
            part = held_out if (row + 2 * column) % HELD_OUT == 1 else known
            part.append(first + apart * places)
    return torch.stack(known).float(), torch.stack(held_out).float()


def train(size: int, steps: int, seed: int) -> NumberCell:
    """A cell that has learned, in eval mode; its answer to the first number of a sequence, a guess, does not count."""
    torch.manual_seed(seed)
    cell, known = NumberCell(size), sequences()[0]
    optimizer = torch.optim.Adam(cell.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        some = known[torch.randint(len(known), (BATCH,))]
        loss = functional.mse_loss(cell(some[:, :-1])[:, 1:], some[:, 2:])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(cell.parameters(), SCALE)
        optimizer.step()
        schedule.step()
    return cell.eval()


@torch.no_grad()
def exact(cell: NumberCell, numbers: Tensor) -> float:
    """Share of sequences whose last number is told rightly, rounded, from those before it; in [0, 1]."""
    return float((cell(numbers[:, :-1])[:, -1].round() == numbers[:, -1]).float().mean())


@torch.no_grad()
def unfold(cell: NumberCell, numbers: list[int], more: int) -> list[Moment]:
    """Run over numbers, then over the cell's own answers; forward only.

    Args:
        cell: that has learned.
        numbers: at least one.
        more: how many answers to tell; all but the last become inputs.
    """
    fed, moments = list(numbers), []
    for _ in range(more):
        given = torch.tensor([fed], dtype=torch.float32)
        states, answers = cell.states(given)[0].numpy(), cell(given)[0].tolist()
        befores = np.concatenate([np.zeros_like(states[:1]), states[:-1]])
        rows = zip(befores, fed, states, answers, strict=True)
        moments = [Moment(*row, own=n >= len(numbers)) for n, row in enumerate(rows)]
        fed.append(round(answers[-1]))
    return moments


def weights(cell: NumberCell) -> Weights:
    """The numbers that the cell has learned."""
    of = {name: value.detach().numpy() for name, value in cell.recurrent.layers[0].onward.named_parameters()}
    return Weights(
        given=of["weight_ih_l0"][:, 0],
        kept=of["weight_hh_l0"],
        bias=of["bias_ih_l0"] + of["bias_hh_l0"],  # both are added; one would do
        told=cell.head.weight.detach().numpy()[0],
        offset=float(cell.head.bias.detach()),
    )
