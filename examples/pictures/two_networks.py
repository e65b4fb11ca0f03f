"""Two small networks of equally many weights that tell pictures apart: one convolves, one does not.

The convolutional one is put together from the parts that read whole lines (`uncial.nn`), without the recurrent layers:
the same backbone, the same maximum, the same head. It reads one letter instead of one for each slice, so the maximum is
taken over the whole map, not over each column.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from uncial.architecture import CRNNConfig
from uncial.nn.crnn import CRNN, parameters

BATCH = 32  # pictures
LEARNING_RATE = 3e-3
SHIFTS = (0, 1, 2, 3, 4, 6, 8)  # pixels that held-out letters are moved by; farther, and they would leave the picture


class Convolutional(nn.Module):
    """Filters that slide over the picture; of each, the strongest answer; and a weighted vote for each kind."""

    def __init__(self, kinds: int, side: int) -> None:
        """For pictures of `side` x `side` pixels, a multiple of 4."""
        super().__init__()
        self.crnn = CRNN(
            CRNNConfig(
                height=side,
                kernel=5,
                channels=(8, 24),
                blocks=(1,),
                strides_down=(2, 2),
                strides_across=(2, 2),
                steps_per_slice=1,
                recurrent="none",
                shortcut=False,
                dropout=0.1,
            ),
            kinds,
        )

    def features(self, pictures: Tensor) -> Tensor:
        """(N, 1, side, side) ink -> (N, 24) the strongest answer of each filter of the last layer, wherever it is."""
        widths = torch.full((len(pictures),), pictures.shape[3])
        return self.crnn.slices(pictures, widths)[0].amax(dim=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 1, side, side) ink -> (N, kinds) logits."""
        return self.crnn.head(self.crnn.dropout(self.features(pictures)))  # type: ignore[no-any-return]


class Dense(nn.Module):
    """Every pixel has a weight of its own for every unit."""

    def __init__(self, kinds: int, side: int, weights: int) -> None:
        """As few units as make at least so many weights."""
        super().__init__()
        pixels = side * side
        self.units = nn.Linear(pixels, -(-(weights - kinds) // (pixels + 1 + kinds)))
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(self.units.out_features, kinds)

    def features(self, pictures: Tensor) -> Tensor:
        """(N, 1, side, side) ink -> (N, units) answers, at least 0."""
        return functional.relu(self.units(pictures.flatten(1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 1, side, side) ink -> (N, kinds) logits."""
        return self.head(self.dropout(self.features(pictures)))  # type: ignore[no-any-return]


def networks(kinds: int, side: int, seed: int) -> tuple[Convolutional, Dense]:
    """Both of them, from the seed."""
    torch.manual_seed(seed)
    convolutional = Convolutional(kinds, side)
    return convolutional, Dense(kinds, side, parameters(convolutional))


def shifted(pictures: Tensor, down: int, right: int) -> Tensor:
    """(N, 1, H, W) pictures moved by so many pixels; blank paper comes in, what leaves the picture is gone."""
    height, width = pictures.shape[2:]
    moved = torch.zeros_like(pictures)
    to_rows, from_rows = _overlap(down, height)
    to_columns, from_columns = _overlap(right, width)
    moved[:, :, to_rows, to_columns] = pictures[:, :, from_rows, from_columns]
    return moved


def train(network: nn.Module, pictures: Tensor, kinds: Tensor, *, epochs: int, seed: int, farthest: int = 0) -> None:
    """Learn from pictures; the network ends in eval mode.

    Args:
        network: (N, 1, H, W) -> (N, K) logits.
        pictures: (N, 1, H, W) ink.
        kinds: (N,) in [0, K).
        epochs: how often each picture is seen.
        seed: of the order, the dropout and the shifts.
        farthest: the pictures of each batch are moved together, by up to so many pixels each way.
    """
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps = epochs * -(-len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for some in torch.randperm(len(pictures)).split(BATCH):
            down, right = torch.randint(-farthest, farthest + 1, (2,)).tolist()
            loss = functional.cross_entropy(network(shifted(pictures[some], down, right)), kinds[some])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, pictures: Tensor, kinds: Tensor, far: int = 0) -> float:
    """Share of pictures whose kind is told rightly, in [0, 1]; mean of all eight ways to shift them `far` pixels."""
    ways = [(down, right) for down in (-far, 0, far) for right in (-far, 0, far) if (down, right) != (0, 0)] or [(0, 0)]
    right = [(network(shifted(pictures, *way)).argmax(1) == kinds).float().mean() for way in ways]
    return float(torch.stack(right).mean())


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where what stays in the picture comes to lie, and where it lay."""
    return slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by))
