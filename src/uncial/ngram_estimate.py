"""Estimates a character language model (`uncial.ngram`) from lines of text.

An interpolated Witten-Bell n-gram, pruned by what each n-gram brings.

Source: Witten and Bell 1991, "The zero-frequency problem", method C; interpolated as in Chen and Goodman 1998; pruned
as in Seymore and Rosenfeld 1996, "Scalable backoff language models".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uncial.errors import ConfigError
from uncial.ngram import EDGE, Floats, Ids, Level, NGrams, trie

_WINDOWS_AT_ONCE = 2**22  # n-grams sorted together: 32 MB


def longest_order(size: int) -> int:
    """Graphemes of the longest n-grams that can be counted, by the size of the alphabet: one is packed into 63 bits."""
    return 63 // int(size).bit_length()


@dataclass(frozen=True, eq=False)
class Counts:
    """How often the n-grams of some text occur; memory is bounded by the distinct ones.

    Attributes:
        order: graphemes of the longest.
        size: of the alphabet, with class 0.
        windows: (n,) n-grams of that length, packed with the last class in the lowest bits, ascending.
        counts: (n,) how often.
        once: what an n-gram that was seen once counts, where texts were weighted.
    """

    order: int
    size: int
    windows: Ids
    counts: Floats
    once: float = 1.0

    @cached_property
    def by_length(self) -> list[tuple[Ids, Floats]]:
        """The n-grams of lengths 1, 2, ... and how often they occur; a line begins with one edge."""
        bits = int(self.size).bit_length()
        lengths = [(self.windows, self.counts)]
        for length in range(self.order - 1, 0, -1):
            lengths.append(_added(lengths[-1][0] & ((1 << bits * length) - 1), lengths[-1][1]))
        found = lengths[:0]
        for length, (ngrams, counts) in enumerate(reversed(lengths), start=1):
            single = (ngrams >> bits * max(length - 2, 0) != 0) | (length == 1)  # more edges than one say nothing new
            found.append((ngrams[single], counts[single]))
        return found

    @classmethod
    def of(cls, lines: Iterable[Sequence[int] | Ids], order: int, size: int) -> "Counts":
        """Count the n-grams of lines, from one edge to the other.

        Args:
            lines: classes 1..size-1 of each line's graphemes; windows that hold `size` (an unknown grapheme) do not
                count.
            order: graphemes of a window.
            size: of the alphabet, with class 0.

        Raises:
            ConfigError: the order is too high to pack.
        """
        most = longest_order(size)
        if not 2 <= order <= most:
            raise ConfigError(f"order {order}: an alphabet of {size - 1} graphemes allows orders from 2 to {most}")
        edges, edge = np.full(order - 1, EDGE), np.full(1, EDGE)
        total = cls(order, size, np.empty(0, np.int64), np.empty(0, np.float32))
        parts: list[Ids] = []
        waiting = 0
        for line in lines:
            parts += (edges, np.asarray(line, np.int64), edge)
            waiting += order + len(line)
            if waiting >= _WINDOWS_AT_ONCE:
                total += _counted(np.concatenate(parts), order, size)
                parts, waiting = [], 0
        return total + _counted(np.concatenate(parts), order, size) if parts else total

    def __add__(self, other: "Counts") -> "Counts":
        """Both texts together."""
        together = np.append(self.windows, other.windows), np.append(self.counts, other.counts)
        return Counts(self.order, self.size, *_added(*together), max(self.once, other.once))

    def __mul__(self, weight: float) -> "Counts":
        """Each window counts so many times."""
        return Counts(self.order, self.size, self.windows, self.counts * np.float32(weight), self.once * weight)


def _counted(stream: Ids, order: int, size: int) -> Counts:
    """The windows of lines that stand one behind the other, `order` - 1 edges before each and one behind."""
    bits = int(size).bit_length()
    windows = np.zeros(max(len(stream) - order + 1, 0), np.int64)
    bad = np.zeros(len(windows), bool)
    for place in range(order):
        part = stream[place : place + len(windows)]
        windows = (windows << bits) | part
        bad |= part == size
    # A window that crosses from one line to the next holds an edge behind a grapheme, before its last place.
    ends = (stream == EDGE) & np.diff(stream == EDGE, prepend=True)
    crossing = np.convolve(ends, np.ones(order - 1, int))[: len(stream)] - ends > 0
    crossing = crossing[order - 1 :] | ((windows & ((1 << 2 * bits) - 1)) == 0)
    return Counts(order, size, *_added(windows[~(bad | crossing)], np.ones(int((~(bad | crossing)).sum()), np.float32)))


def _added(keys: Ids, counts: Floats) -> tuple[Ids, Floats]:
    """Sum the counts of equal keys."""
    if not len(keys):
        return keys, counts
    sorting = np.argsort(keys, kind="stable")
    keys, counts = keys[sorting], counts[sorting]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[starts], np.add.reduceat(counts, starts).astype(np.float32)


def estimate(counts: Counts, least: float = 0.0) -> NGrams:
    """Make a language model of counts.

    Args:
        counts: of all text.
        least: nats that an n-gram must add to the log-probability of the text, or it is dropped together with what
            goes on from it. Single graphemes all stay.
    """
    size = counts.size
    model = _unigrams(*counts.by_length[0], size)
    levels = [Level(np.arange(size), model.log_prob[1:].astype(np.float32), np.empty(0, np.float32))]
    for counted in counts.by_length[1:]:
        levels.append(_level(model, levels[-1].ngrams, counted, counts.once, least))
        model = trie(levels, size)
    return model


def _unigrams(classes: Ids, counts: Floats, size: int) -> NGrams:
    """The classes' own probabilities; each that was never seen counts as a tenth."""
    total = np.bincount(classes, counts, minlength=size) + 0.1
    return trie([Level(np.arange(size), np.log(total / total.sum()).astype(np.float32), np.empty(0, np.float32))], size)


def _level(model: NGrams, parents: Ids, counted: tuple[Ids, Floats], once: float, least: float) -> Level:
    """The n-grams of a length that stay."""
    ngrams, counts = counted
    bits = int(model.size).bit_length()
    contexts, starts, number = np.unique(ngrams >> bits, return_index=True, return_counts=True)
    # Witten-Bell: each kind of successor counts for what is new as much as if it were seen once.
    kinds = np.add.reduceat(np.minimum(counts, once), starts) if len(ngrams) else counts
    room = np.repeat(np.add.reduceat(counts, starts) + kinds, number) if len(ngrams) else counts
    known = np.repeat(np.isin(contexts, parents), number)
    ngrams, counts = ngrams[known], counts[known]
    room, kinds = room[known], np.repeat(kinds, number)[known]
    shorter = np.exp(lower_log_probs(model, ngrams, bits))
    stays = counts * np.log1p(counts / (kinds * shorter)) >= least
    ngrams, counts = ngrams[stays], counts[stays]
    room, kinds, shorter = room[stays], kinds[stays], shorter[stays]
    log_prob = np.log((counts + kinds * shorter) / room).astype(np.float16)
    place = np.searchsorted(parents, ngrams >> bits)
    taken = np.bincount(place, np.exp(log_prob.astype(np.float64)), minlength=len(parents))
    lower = np.bincount(place, shorter, minlength=len(parents))
    share = np.log(np.maximum(1 - taken, 1e-4) / np.maximum(1 - lower, 1e-4))
    return Level(ngrams, log_prob.astype(np.float32), share.astype(np.float32))


def lower_log_probs(model: NGrams, ngrams: Ids, bits: int, last: int = 0) -> NDArray[np.float64]:
    """Log-probability of each n-gram's last class behind all others but the first.

    Args:
        model: of the n-grams one shorter, where `last` is 0.
        ngrams: (n,) packed as in `Counts`.
        bits: of a class.
        last: graphemes at the end of each n-gram that are looked at, its last class included; 0: the model's order.
    """
    log_probs = np.empty(len(ngrams))
    for start in range(0, len(ngrams), _WINDOWS_AT_ONCE):
        some = ngrams[start : start + _WINDOWS_AT_ONCE]
        nodes = np.zeros(len(some), np.int64)
        for place in range((last or model.order) - 1, -1, -1):
            log_prob, nodes = model.step(nodes, (some >> bits * place) & ((1 << bits) - 1))
        log_probs[start : start + len(some)] = log_prob
    return log_probs
