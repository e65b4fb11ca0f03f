"""Trains a recurrent language model (`uncial.recurrent_language`) on lines of text, for as long as it is given."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from uncial.ngram import EDGE
from uncial.recurrent_language import RecurrentLanguage

TOLD_EVERY = 120  # seconds
JUDGED = 4000  # lines held out that the notes tell the perplexity of
IGNORED = -100  # a target that does not count

# Where the tables of `RecurrentLanguage` stand here, which has them the other way round, but for the first.
_PLACES = ("embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "out.weight", "out.bias")
_BIAS, _SECOND_BIAS = 3, "lstm.bias_hh_l0"  # PyTorch has two that are added up

Line = NDArray[np.integer]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LanguageTraining:
    """How a recurrent language model learns.

    Attributes:
        minutes: for how long.
        width: cells of the LSTM.
        embedding: numbers that stand for a grapheme.
        lines: in a batch.
        rate: of learning at its peak; it falls to nothing along a cosine.
        averaging: share of the average of the weights that stays at each step; the average is what is kept.
        seed: of weights and of the order of lines.
    """

    minutes: float = 60.0
    width: int = 384
    embedding: int = 96
    lines: int = 128
    rate: float = 3e-3
    averaging: float = 0.998
    seed: int = 1


class LanguageNetwork(nn.Module):
    """Embedding, one LSTM, and a linear layer."""

    def __init__(self, size: int, width: int, embedding: int) -> None:
        """For an alphabet of `size` classes, and one more for what it lacks."""
        super().__init__()
        self.embedding = nn.Embedding(size + 1, embedding)
        self.lstm = nn.LSTM(embedding, width, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.out = nn.Linear(width, size)

    def forward(self, classes: Tensor) -> Tensor:
        """(N, T, size) scores of the class behind each of (N, T)."""
        hidden, _ = self.lstm(self.embedding(classes))
        return self.out(self.dropout(hidden))  # type: ignore[no-any-return]

    def tables(self) -> RecurrentLanguage:
        """The weights as reading wants them."""
        state = self.state_dict()
        parts = [state[_PLACES[0]], *(state[name].t() for name in _PLACES[1:])]
        parts[_BIAS] = parts[_BIAS] + state[_SECOND_BIAS]
        return RecurrentLanguage(*(part.float().cpu().numpy().copy() for part in parts))

    def take(self, model: RecurrentLanguage) -> None:
        """Begin with the weights of a model of the same shapes."""
        tables = [torch.from_numpy(getattr(model, field.name)) for field in fields(model)]
        state = dict(zip(_PLACES, (tables[0], *(table.t() for table in tables[1:])), strict=True))
        self.load_state_dict(state | {_SECOND_BIAS: torch.zeros_like(tables[_BIAS])})


def begin(size: int, training: LanguageTraining, start: RecurrentLanguage | None = None) -> RecurrentLanguage:
    """What a training begins with: a model that is there, or one of chance.

    Args:
        size: of the alphabet, with class 0.
        training: gives width, embedding and seed.
        start: a model of the same alphabet.
    """
    torch.manual_seed(training.seed)
    return start or LanguageNetwork(size, training.width, training.embedding).tables()


def learn_language(
    lines: Sequence[Line],
    held_out: Sequence[Line],
    training: LanguageTraining,
    start: RecurrentLanguage,
    note: Note = lambda _: None,
) -> RecurrentLanguage:
    """Train a recurrent language model; Ctrl-C ends the training early and keeps what was learned.

    Args:
        lines: classes of each, the model's size for a grapheme that it lacks; one that counts twice stands twice.
        held_out: the same, to tell how well it guesses.
        training: how.
        start: to go on from.
        note: is called now and then with a sentence on how it goes.
    """
    torch.manual_seed(training.seed)
    size = len(start.out_bias)
    network, average = (LanguageNetwork(size, len(start.hidden), len(start.into)) for _ in range(2))
    network.take(start)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), training.rate, betas=(0.9, 0.98), weight_decay=0.01)
    judged = _drawn(held_out, JUDGED)
    began = told = monotonic()
    try:
        for step, batch in enumerate(_batches(lines, training)):
            now = monotonic()
            done = (now - began) / (60 * training.minutes)
            if done >= 1:
                break
            rising, falling = min(1.0, (step + 1) / 100), 0.5 + 0.5 * math.cos(math.pi * done)
            optimizer.param_groups[0]["lr"] = training.rate * rising * falling
            _step(network, optimizer, *_padded(batch, size))
            kept = min(training.averaging, (step + 1) / (step + 10))
            with torch.no_grad():
                for old, new in zip(average.parameters(), network.parameters(), strict=True):
                    old.lerp_(new, 1 - kept)
            if now - told > TOLD_EVERY:
                told = now
                wavers = recurrent_perplexity(average, judged)
                note(f"{done:.0%} of the recurrent model: {step + 1:,} steps, perplexity {wavers:.2f}, held out")
    except KeyboardInterrupt:
        note("stopped early: the recurrent language model keeps what it has learned")
    return average.tables()


def _step(network: LanguageNetwork, optimizer: torch.optim.Optimizer, before: Tensor, wanted: Tensor) -> None:
    network.train()
    loss = functional.cross_entropy(network(before).flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def recurrent_perplexity(network: LanguageNetwork, lines: Sequence[Line]) -> float:
    """How many graphemes it wavers between, on average; as `language.perplexity`. Without lines nan."""
    network.eval()
    total, count = 0.0, 0
    for start in range(0, len(lines), 128):
        before, wanted = _padded(lines[start : start + 128], len(network.out.bias))
        counted = int((wanted != IGNORED).sum())
        scores = network(before).flatten(0, 1)
        total += float(functional.cross_entropy(scores, wanted.flatten(), ignore_index=IGNORED)) * counted
        count += counted
    return math.exp(total / count) if count else math.nan


def _drawn(lines: Sequence[Line], most: int) -> list[Line]:
    """So many lines, always the same, ordered by length."""
    places = np.random.default_rng(0).permutation(len(lines))[:most]
    return sorted((lines[n] for n in places.tolist()), key=len)


def _batches(lines: Sequence[Line], training: LanguageTraining) -> Iterator[list[Line]]:
    """Lines of about the same length together, over and over, in random order."""
    rng = np.random.default_rng(training.seed)
    lengths = np.array([len(line) for line in lines])
    while len(lines):
        order = np.argsort(lengths + 8 * rng.random(len(lengths)))
        starts = range(0, len(order), training.lines)
        for batch in rng.permutation(len(starts)).tolist():
            yield [lines[n] for n in order[starts[batch] : starts[batch] + training.lines].tolist()]


def _padded(lines: Sequence[Line], size: int) -> tuple[Tensor, Tensor]:
    """(N, T) classes before each place, and (N, T) those that stand there; what the alphabet lacks is not asked for."""
    before = np.full((len(lines), max(map(len, lines)) + 1), EDGE, np.int64)
    wanted = np.full(before.shape, IGNORED, np.int64)
    for row, asked, line in zip(before, wanted, lines, strict=True):
        row[1 : len(line) + 1] = line
        asked[: len(line)] = line
        asked[len(line)] = EDGE
    wanted[wanted == size] = IGNORED
    return torch.from_numpy(before), torch.from_numpy(wanted)
