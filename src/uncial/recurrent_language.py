"""A recurrent character language model: it remembers the line so far, where n-grams know a few graphemes.

One layer of LSTM over an alphabet's classes, run by numpy; `nn.language_learner` trains it. It is too slow to weigh
every prefix of a search, so it ranks the readings that the search has found. Class 0 stands for a line's edge, as in
`ngram`.

Source: Mikolov et al. 2010, "Recurrent neural network based language model"; states of equal recent history are
shared, as in Liu et al. 2014, "Efficient lattice rescoring using recurrent neural network language models".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

FORMAT = "recurrent."  # before the names of its tensors in a language model's file
RECENT = 12  # graphemes: texts of a line that agree in so many at the same place go on with one state
UNKNOWN = -3.0  # nats of a grapheme that came into the alphabet later: neither welcome nor ruled out

Floats = NDArray[np.float32]
Text = Sequence[int]


@dataclass(frozen=True, eq=False)
class RecurrentLanguage:
    """The weights, in PyTorch's order of gates: input, forget, cell, output.

    Attributes:
        embedding: (size + 1, E) of each class; the last row is that of all graphemes it does not know.
        into: (E, 4H) from there into the gates.
        hidden: (H, 4H) from the state before into the gates.
        bias: (4H,) of the gates.
        out: (H, size) from the state to the classes.
        out_bias: (size,) of the classes.
    """

    embedding: Floats
    into: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    out_bias: Floats

    def __post_init__(self) -> None:
        """See that the shapes fit together, and work out what each class adds to the gates.

        Raises:
            ValueError: they do not.
        """
        size, width = len(self.out_bias), len(self.hidden)
        wanted = ((size + 1, len(self.into)), (len(self.into), 4 * width), (width, 4 * width), (4 * width,))
        given = tuple(getattr(self, field.name).shape for field in fields(self))
        if given != (*wanted, (width, size), (size,)) or not size:
            raise ValueError("the tables of the recurrent language model do not fit together")
        object.__setattr__(self, "_gates", self.embedding @ self.into + self.bias)

    def log_probs(self, lines: Sequence[Sequence[Text]]) -> list[NDArray[np.float64]]:
        """How likely the readings of lines are.

        Args:
            lines: for each, its readings: classes from 1; those that are beyond its own are unknown to it.

        Returns:
            For each line, (n,) natural-log probabilities of its readings, their ends included.
        """
        texts = [text for line in lines for text in line]
        if not texts:
            return [np.zeros(0) for _ in lines]
        bounds = np.cumsum([len(line) for line in lines])
        owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
        lengths = np.array([len(text) for text in texts])
        order = np.argsort(-lengths, kind="stable")  # so that those that have ended stand last
        padded = np.zeros((len(texts), int(lengths.max()) + 1), np.int64)  # 0 ends the line
        for row, text in zip(padded, texts, strict=True):
            row[: len(text)] = text
        total = np.empty(len(texts))
        total[order] = self._summed(padded[order], lengths[order], owner[order])
        return np.split(total, bounds[:-1])

    def _summed(self, padded: NDArray[np.int64], lengths: NDArray[np.int64], owner: NDArray[np.int64]) -> Floats:
        """(n,) log-probabilities of texts (n, T + 1), the longest first."""
        size, width = len(self.out_bias), len(self.hidden)
        state, cell = np.zeros((1, width), np.float32), np.zeros((1, width), np.float32)
        node = np.zeros(len(padded), np.int64)
        total = np.zeros(len(padded), np.float32)
        for place in range(padded.shape[1]):
            going = int((lengths >= place).sum())
            recent = padded[:going, max(0, place - RECENT) : place]
            first, shared = _alike(np.column_stack([owner[:going], recent]))
            before = np.minimum(padded[first, place - 1], size) if place else np.zeros(len(first), np.int64)
            state, cell = self._step(state[node[first]], cell[node[first]], before)
            node[:going] = shared
            wanted = padded[:going, place]
            given = self._classes(state)[shared, np.minimum(wanted, size - 1)]
            total[:going] += np.where(wanted < size, given, np.float32(UNKNOWN))
        return total

    def _step(self, state: Floats, cell: Floats, classes: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """States (n, H) behind one class more each."""
        gates = self._gates[classes] + state @ self.hidden  # type: ignore[attr-defined]
        enter, keep, new, leave = np.split(gates, 4, axis=1)
        cell = _sigmoid(keep) * cell + _sigmoid(enter) * np.tanh(new)
        return _sigmoid(leave) * np.tanh(cell), cell

    def _classes(self, state: Floats) -> Floats:
        """(n, size) natural-log probabilities of the next class."""
        scores = state @ self.out + self.out_bias
        scores -= scores.max(axis=1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return scores


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * np.tanh(0.5 * values) + 0.5  # type: ignore[no-any-return]


def _alike(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of equal rows (n, k), where the first of each kind stands, and (n,) which kind each row is."""
    keys = np.ascontiguousarray(rows.astype(np.uint16)).view(np.dtype((np.void, 2 * rows.shape[1]))).ravel()
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    return first, kind


def bytes_of(model: RecurrentLanguage) -> int:
    """How much of a file its tables take."""
    return sum(table.nbytes for table in tensors_of(model).values())


def tensors_of(model: RecurrentLanguage) -> dict[str, NDArray[np.float16]]:
    """What a file keeps of it, by name."""
    return {FORMAT + field.name: getattr(model, field.name).astype(np.float16) for field in fields(model)}


def from_tensors(tensors: Mapping[str, NDArray[np.floating]]) -> RecurrentLanguage:
    """The model of what `tensors_of` gave.

    Raises:
        KeyError: a table is missing.
        ValueError: the tables do not fit together.
    """
    return RecurrentLanguage(*(tensors[FORMAT + field.name].astype(np.float32) for field in fields(RecurrentLanguage)))
