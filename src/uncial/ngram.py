"""A character language model: how likely each grapheme is behind those before it.

An interpolated Witten-Bell n-gram over an alphabet's classes, kept as a trie: a node is an n-gram, its children are the
classes seen behind it. Class 0, the blank in a network's output, stands for a line's edge here: before its first
grapheme and behind its last. What a context has not seen is left to the context without its first grapheme.

Source: Witten and Bell 1991, "The zero-frequency problem", method C; interpolated as in Chen and Goodman 1998.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncial.errors import BundleError

EDGE = 0  # before and behind a line
ROOT = 0  # the node of the empty context
_WINDOWS_AT_ONCE = 2**22  # n-grams sorted together: 32 MB
_FIELDS = ("first_child", "class", "log_prob", "back_off", "shorter")

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
    """

    order: int
    size: int
    first_child: Ids
    class_: NDArray[np.uint16]
    log_prob: NDArray[np.float16]
    back_off: NDArray[np.float16]
    shorter: NDArray[np.uint32]

    def __post_init__(self) -> None:
        """Build the sorted keys that `step` searches."""
        inner = len(self.back_off)
        parents = np.repeat(np.arange(inner), np.diff(self.first_child))
        object.__setattr__(self, "_keys", parents * self.size + self.class_[1:])

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
        keys: Ids = self._keys  # type: ignore[attr-defined]
        inner = len(self.back_off)
        log_probs, after = np.zeros(len(contexts), np.float32), np.full(len(contexts), -1)
        rows, nodes, told = np.arange(len(contexts)), np.asarray(contexts), np.zeros(len(contexts), bool)
        while len(rows):
            wanted = nodes * self.size + classes[rows]
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            found, child = keys[place] == wanted, place + 1
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

    def score(self, classes: Sequence[int]) -> float:
        """Natural-log probability of a whole line, its end included."""
        node, total = np.array([self.start]), 0.0
        for class_ in (*classes, EDGE):
            log_prob, node = self.step(node, np.array([class_]))
            total += float(log_prob[0])
        return total

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        from safetensors.numpy import save_file

        class_ = self.class_.astype(np.uint8) if self.size <= 256 else self.class_
        values = (self.first_child.astype(np.uint32), class_, self.log_prob, self.back_off, self.shorter)
        about = {"format": "uncial n-grams", "order": str(self.order), "size": str(self.size)}
        save_file(dict(zip(_FIELDS, values, strict=True)), path, metadata=about)


def load_ngrams(path: Path) -> NGrams:
    """Open what `NGrams.save` wrote.

    Raises:
        BundleError: no such file, damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = file.metadata() or {}
            first, class_, *others = [file.get_tensor(name) for name in _FIELDS]
        nodes = (first.astype(np.int64), class_.astype(np.uint16), *others)
        return NGrams(int(about["order"]), int(about["size"]), *nodes)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{path}: is no language model, or damaged ({error}); make it anew") from error


def count_windows(lines: Iterable[Sequence[int]], order: int, size: int, weight: float = 1.0) -> tuple[Ids, Floats]:
    """Count the n-grams of lines, from one edge to the other; memory is bounded by the distinct ones.

    Args:
        lines: classes 1..size-1 of each line's graphemes; windows that hold `size` (an unknown grapheme) do not count.
        order: graphemes of a window.
        size: of the alphabet, with class 0.
        weight: what each window counts.

    Returns:
        (n,) windows, packed with the last class in the lowest bits, ascending; (n,) their counts.

    Raises:
        ValueError: the order is too high to pack.
    """
    bits = int(size).bit_length()
    if bits * order > 63:
        raise ValueError(f"order {order} is too high for {size} classes; at most {63 // bits}")
    keys, counts = np.empty(0, np.int64), np.empty(0, np.float32)
    waiting: list[int] = []

    def counted() -> tuple[Ids, Floats]:
        stream = np.array(waiting, np.int64)
        windows = np.zeros(max(len(stream) - order + 1, 0), np.int64)
        bad = np.zeros(len(windows), bool)
        for place in range(order):
            part = stream[place : place + len(windows)]
            windows = (windows << bits) | part
            bad |= part == size
        # A window that crosses from one line to the next holds an edge behind a grapheme, before its last place.
        inside = np.diff(stream == EDGE, prepend=True)
        ends = (stream == EDGE) & inside
        crossing = np.convolve(ends, np.ones(order - 1, int))[: len(stream)] - ends > 0
        crossing = crossing[order - 1 :] | ((windows & ((1 << 2 * bits) - 1)) == 0)
        found, number = np.unique(windows[~(bad | crossing)], return_counts=True)
        return _added(np.append(keys, found), np.append(counts, number * np.float32(weight)))

    for line in lines:
        waiting += [EDGE] * (order - 1)
        waiting += line
        waiting.append(EDGE)
        if len(waiting) >= _WINDOWS_AT_ONCE:
            keys, counts = counted()
            waiting.clear()
    return counted()


def _added(keys: Ids, counts: Floats) -> tuple[Ids, Floats]:
    """Sum the counts of equal keys."""
    if not len(keys):
        return keys, counts
    sorting = np.argsort(keys, kind="stable")
    keys, counts = keys[sorting], counts[sorting]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[starts], np.add.reduceat(counts, starts).astype(np.float32)


def estimate(counted: Sequence[tuple[Ids, Floats]], order: int, size: int, least: Sequence[float] = ()) -> NGrams:
    """Make a language model of counts.

    Args:
        counted: as `count_windows` gives them, of the same order and size.
        order: graphemes of a window.
        size: of the alphabet, with class 0.
        least: count below which n-grams of length 2, 3, ... are dropped; 0 where it ends. Single ones all stay.
    """
    bits = int(size).bit_length()
    keys, counts = _added(np.concatenate([k for k, _ in counted]), np.concatenate([c for _, c in counted]))
    levels: list[tuple[Ids, Floats, Floats]] = []  # n-grams of a length, their log-probabilities, their parents' shares
    thresholds = dict(enumerate(least, start=2))
    model = _unigrams(keys & ((1 << bits) - 1), counts, size)
    levels.append((np.arange(size), model.log_prob[1:].astype(np.float32), np.empty(0, np.float32)))
    for length in range(2, order + 1):
        ngrams, total = _added(keys & ((1 << bits * length) - 1), counts)
        levels.append(_level(model, levels[-1][0], (ngrams, total), bits, thresholds.get(length, 0.0)))
        model = _trie(levels, bits, size)
    return model


def _unigrams(classes: Ids, counts: Floats, size: int) -> NGrams:
    """The classes' own probabilities; each that was never seen counts as a tenth."""
    total = np.bincount(classes, counts, minlength=size) + 0.1
    empty = np.zeros(1, np.float16)
    log_probs = np.append(empty, np.log(total / total.sum()).astype(np.float16))
    first, class_ = np.array([1, size + 1]), np.append(0, np.arange(size)).astype(np.uint16)
    return NGrams(1, size, first, class_, log_probs, empty, np.zeros(1, np.uint32))


def _level(
    model: NGrams, parents: Ids, counted: tuple[Ids, Floats], bits: int, least: float
) -> tuple[Ids, Floats, Floats]:
    """The n-grams of a length that stay, their log-probabilities, and what each parent leaves to shorter contexts."""
    ngrams, counts = counted
    contexts, starts, number = np.unique(ngrams >> bits, return_index=True, return_counts=True)
    seen = np.add.reduceat(counts, starts)
    room = np.repeat(seen + number, number)  # Witten-Bell: each kind of successor counts once for what is new
    stays = (counts >= least) & np.isin(ngrams >> bits, parents)
    ngrams, counts, room, kinds = ngrams[stays], counts[stays], room[stays], np.repeat(number, number)[stays]
    shorter = np.exp(_lower(model, ngrams, bits))
    probability = (counts + kinds * shorter) / room
    log_prob = np.log(probability).astype(np.float16)
    place = np.searchsorted(parents, ngrams >> bits)
    taken = np.bincount(place, np.exp(log_prob.astype(np.float64)), minlength=len(parents))
    lower = np.bincount(place, shorter, minlength=len(parents))
    share = np.log(np.maximum(1 - taken, 1e-4) / np.maximum(1 - lower, 1e-4))
    return ngrams, log_prob.astype(np.float32), share.astype(np.float32)


def _lower(model: NGrams, ngrams: Ids, bits: int) -> NDArray[np.float64]:
    """Log-probability of each n-gram's last class behind all others but the first."""
    log_probs = np.empty(len(ngrams))
    for start in range(0, len(ngrams), _WINDOWS_AT_ONCE):
        some = ngrams[start : start + _WINDOWS_AT_ONCE]
        nodes = np.zeros(len(some), np.int64)
        for place in range(model.order - 1, -1, -1):
            log_prob, nodes = model.step(nodes, (some >> bits * place) & ((1 << bits) - 1))
        log_probs[start : start + len(some)] = log_prob
    return log_probs


def _trie(levels: Sequence[tuple[Ids, Floats, Floats]], bits: int, size: int) -> NGrams:
    """Number the nodes level by level; all but the last level are inner."""
    numbers = np.cumsum([1, *(len(ngrams) for ngrams, _, _ in levels)])
    inner = int(numbers[-2])
    class_ = np.concatenate([[0], *(ngrams & ((1 << bits) - 1) for ngrams, _, _ in levels)]).astype(np.uint16)
    log_prob = np.concatenate([[0], *(values for _, values, _ in levels)]).astype(np.float16)
    children, shorter = [np.array([size])], [np.zeros(1, np.int64)]
    for above, (ngrams, _, _) in enumerate(levels[:-1]):
        below = levels[above + 1][0]
        children.append(np.bincount(np.searchsorted(ngrams, below >> bits), minlength=len(ngrams)))
        shorter.append(_shorter(ngrams, levels[:above], numbers, bits))
    first = np.append(1, 1 + np.cumsum(np.concatenate(children)))
    back_off = np.concatenate([[0], *(share for _, _, share in levels[1:])]).astype(np.float16)
    assert len(back_off) == inner
    return NGrams(len(levels), size, first, class_, log_prob, back_off, np.concatenate(shorter).astype(np.uint32))


def _shorter(ngrams: Ids, below: Sequence[tuple[Ids, Floats, Floats]], numbers: Ids, bits: int) -> Ids:
    """The node of each n-gram without its first graphemes: the longest that is there."""
    nodes = np.zeros(len(ngrams), np.int64)
    for level, (known, _, _) in enumerate(below):
        wanted = ngrams & ((1 << bits * (level + 1)) - 1)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        nodes = np.where(known[place] == wanted, numbers[level] + place, nodes)
    return nodes
