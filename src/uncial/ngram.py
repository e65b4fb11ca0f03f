"""A character language model: how likely each grapheme is behind those before it.

A back-off n-gram over an alphabet's classes, kept as a trie: a node is an n-gram, its children are the classes seen
behind it. Class 0, the blank in a network's output, stands for a line's edge here: before its first grapheme and behind
its last. What a context has not seen is left to the context without its first grapheme.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EDGE = 0  # before and behind a line
ROOT = 0  # the node of the empty context
NOTHING = -1  # no class: a text has ended
RAREST = np.float32(-9.0)  # nats: one in 8,000. What is rarer, half of the shipped alphabet, is too rare to tell apart

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NGrams:
    """A language model.

    Attributes:
        order: the longest n-gram, in graphemes.
        size: of the alphabet, with class 0.
        first_child: (inner + 1,) where the children of each inner node begin; inner nodes are the first ones.
        class_: (nodes,) last class of each n-gram; children of a node ascend.
        log_prob: (nodes,) natural logarithm of its probability behind the others.
        back_off: (inner,) natural logarithm of the share that is left to the shorter context.
        shorter: (inner,) node of the same n-gram without its first grapheme.
        graphemes: of the alphabet, in the order of their classes from 1; () they are not known.
    """

    order: int
    size: int
    first_child: Ids
    class_: NDArray[np.uint16]
    log_prob: NDArray[np.float16]
    back_off: NDArray[np.float16]
    shorter: NDArray[np.uint32]
    graphemes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Build the sorted keys that `step` searches."""
        inner = len(self.back_off)
        # Half the bytes to make and to search through, where the numbers allow it.
        narrow = np.dtype(np.uint32 if inner * self.size < 2**32 else np.int64)
        keys = np.repeat(np.multiply(np.arange(inner), self.size).astype(narrow), np.diff(self.first_child))
        keys += self.class_[1:].astype(narrow)
        object.__setattr__(self, "_keys", keys)

    @property
    def start(self) -> int:
        """The context at the beginning of a line."""
        node = np.zeros(1, np.int64)
        for _ in range(self.order - 1):
            _, node = self.step(node, np.array([EDGE]))
        return int(node[0])

    def step(self, contexts: Ids, classes: Ids) -> tuple[Floats, Ids]:
        """Write a class behind each context.

        Args:
            contexts: (n,) nodes, as `start` or this function gives them.
            classes: (n,) one class each; `EDGE` ends the line.

        Returns:
            (n,) natural-log probabilities, and (n,) contexts with the class behind them.
        """
        keys: NDArray[np.integer] = self._keys  # type: ignore[attr-defined]
        inner = len(self.back_off)
        log_probs, after = np.zeros(len(contexts), np.float32), np.full(len(contexts), -1)
        rows, nodes, told = np.arange(len(contexts)), np.asarray(contexts), np.zeros(len(contexts), bool)
        while len(rows):
            wanted = (nodes * self.size + classes[rows]).astype(keys.dtype)
            place, found = looked_up(keys, wanted)
            child = place + 1
            first = found & ~told[rows]
            log_probs[rows[first]] += self.log_prob[child[first]]
            told[rows[first]] = True
            reached = found & (child < inner)
            after[rows[reached]] = child[reached]
            ended = ~reached & (nodes == ROOT)
            after[rows[ended]] = ROOT
            going = ~reached & ~ended
            rows, nodes = rows[going], nodes[going]
            unseen = ~told[rows]
            log_probs[rows[unseen]] += self.back_off[nodes[unseen]]
            nodes = self.shorter[nodes].astype(np.int64)
        return log_probs, after

    def single(self) -> Floats:
        """(size,) natural-log probabilities of classes without a context, none below `RAREST`.

        Of a model smoothed by Kneser and Ney's way, such as many in ARPA, these tell behind how many others a class
        stands rather than how often.
        """
        log_probs, _ = self.step(np.full(self.size, ROOT), np.arange(self.size))
        return np.maximum(log_probs, RAREST)

    def write(self, contexts: Ids, texts: Sequence[Sequence[int] | Ids]) -> tuple[NDArray[np.float64], Ids]:
        """Write a text behind each context.

        Args:
            contexts: (n,) nodes, as `start` or this function gives them.
            texts: n of them, as classes; `EDGE` ends a line, and stands only where it is to.

        Returns:
            (n,) natural-log probabilities of the texts, and (n,) contexts with them behind.
        """
        table = np.full((len(texts), max(map(len, texts), default=0)), NOTHING)
        for row, text in zip(table, texts, strict=True):
            row[: len(text)] = text
        log_probs, after = np.zeros(len(texts)), contexts.copy()
        for column in table.T:
            rows = np.flatnonzero(column != NOTHING)
            told, after[rows] = self.step(after[rows], column[rows])
            log_probs[rows] += told
        return log_probs, after

    def score(self, classes: Sequence[int]) -> float:
        """Natural-log probability of a whole line, its end included."""
        log_probs, _ = self.write(np.array([self.start]), [(*classes, EDGE)])
        return float(log_probs[0])


class Remembered:
    """A language model that remembers what it was asked: a search asks it the same thing over and over."""

    BITS = 13  # of the number of answers kept; a line asks again what it asked some steps before, hardly ever others
    MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Knuth 1998, section 6.4

    def __init__(self, model: NGrams) -> None:
        self.model = model
        self._asked = np.full(1 << self.BITS, -1)
        self._log_probs, self._after = np.zeros(1 << self.BITS, np.float32), np.zeros(1 << self.BITS, np.int64)

    def step(self, contexts: Ids, classes: Ids) -> tuple[Floats, Ids]:
        """The same as that of the model."""
        asked = contexts * self.model.size + classes
        place = (asked.astype(np.uint64) * self.MIX >> np.uint64(64 - self.BITS)).astype(np.int64)
        log_probs, after = self._log_probs[place], self._after[place]
        if len(new := np.flatnonzero(self._asked[place] != asked)):
            each, which = np.unique(asked[new], return_inverse=True)
            told, behind = self.model.step(*np.divmod(each, self.model.size))
            log_probs[new], after[new] = told[which], behind[which]
            kept = place[new]  # of several that belong there, the last one stays
            self._asked[kept], self._log_probs[kept], self._after[kept] = asked[new], log_probs[new], after[new]
        return log_probs, after


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one length.

    Attributes:
        ngrams: (n,) packed as in `Counts`, ascending.
        log_prob: (n,) natural logarithm of each one's probability behind its context.
        share: (m,) of the m n-grams one shorter: natural logarithm of what each leaves to shorter contexts.
    """

    ngrams: Ids
    log_prob: Floats
    share: Floats


def trie(levels: Sequence[Level], size: int) -> NGrams:
    """Put levels together; the first holds every class, and what the n-grams of one go on from stands in the one above.

    Nodes are numbered level by level; all but those of the last level are inner ones.
    """
    bits = int(size).bit_length()
    numbers = np.cumsum([1, *(len(level.ngrams) for level in levels)])
    class_ = np.concatenate([[0], *(level.ngrams & ((1 << bits) - 1) for level in levels)]).astype(np.uint16)
    log_prob = np.concatenate([[0], *(level.log_prob for level in levels)]).astype(np.float16)
    children, shorter = [np.array([size])], [np.zeros(1, np.int64)]
    for above, level in enumerate(levels[:-1]):
        below = levels[above + 1].ngrams
        children.append(np.bincount(np.searchsorted(level.ngrams, below >> bits), minlength=len(level.ngrams)))
        shorter.append(_shorter(level.ngrams, levels[:above], numbers, bits))
    first = np.append(1, 1 + np.cumsum(np.concatenate(children)))
    back_off = np.concatenate([[0], *(level.share for level in levels[1:])]).astype(np.float16)
    return NGrams(len(levels), size, first, class_, log_prob, back_off, np.concatenate(shorter).astype(np.uint32))


def _shorter(ngrams: Ids, below: Sequence[Level], numbers: Ids, bits: int) -> Ids:
    """The node of each n-gram without its first graphemes: the longest that is there."""
    nodes = np.zeros(len(ngrams), np.int64)
    for length, level in enumerate(below, start=1):
        place, found = looked_up(level.ngrams, ngrams & ((1 << bits * length) - 1))
        nodes = np.where(found, numbers[length - 1] + place, nodes)
    return nodes


def looked_up(known: NDArray[np.integer], wanted: NDArray[np.integer]) -> tuple[Ids, NDArray[np.bool_]]:
    """Where numbers stand among ascending ones, (n,) each: their places, and whether they are there at all."""
    if not len(known):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return place, known[place] == wanted
