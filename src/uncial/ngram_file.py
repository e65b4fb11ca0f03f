"""Language models (`uncial.ngram`) as files: safetensors that hold an n-gram in some three bytes.

Logarithms take a byte each, the finer the nearer they are to 0, where a little more or less decides what is left for
other contexts. The back-off of a context behind which nothing is known is 0, and how contexts hang together is worked
out when the file is opened.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.errors import BundleError
from uncial.ngram import NGrams
from uncial.reliability import Calibration

FORMAT = "uncial n-grams 2"
LOWEST = -20.4  # nats; a probability below one in 700 million is stored as that
FARTHEST = 10.2  # nats that a back-off may lie from 0; a context may leave more than all, where it was pruned
_FIELDS = ("class", "log_prob", "children", "back_off")


@dataclass(frozen=True, slots=True)
class Language:
    """A language model as a bundle keeps it, with what was found best for it.

    Attributes:
        data: what `to_bytes` gave.
        about: its origin, as plain JSON.
        beam: weights of the beam search, as plain JSON; see `bundle.Bundle`.
        calibration: of confidences.
    """

    data: bytes
    about: Mapping[str, Any]
    beam: Mapping[str, Any]
    calibration: Calibration


def to_bytes(model: NGrams) -> bytes:
    """The file of a model.

    Raises:
        ValueError: a number of the model is not finite.
    """
    from safetensors.numpy import save

    if not (np.isfinite(model.log_prob).all() and np.isfinite(model.back_off).all()):
        raise ValueError("a language model holds a logarithm that is not finite")
    children = np.diff(model.first_child)
    log_prob = _rooted(model.log_prob / np.float32(LOWEST), 255).astype(np.uint8)
    back_off = _rooted(model.back_off[children > 0] / np.float32(FARTHEST), 127).astype(np.int8)
    # The root has every class; its children are not told, so that one byte does for most others.
    values = (_narrow(model.class_), log_prob, _narrow(children[1:]), back_off)
    # One entry: safetensors writes several in any order, and the same model is to become the same bytes.
    about = {"order": model.order, "size": model.size, "graphemes": model.graphemes}
    return save(dict(zip(_FIELDS, values, strict=True)), metadata={FORMAT: json.dumps(about)})


def load_ngrams(path: Path) -> NGrams:
    """Open what `to_bytes` gave.

    Raises:
        BundleError: no such file, damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = json.loads((file.metadata() or {})[FORMAT])
            class_, log_prob, told, back_off = (file.get_tensor(name) for name in _FIELDS)
        size, order = int(about["size"]), int(about["order"])
        children = np.append(size, told.astype(np.int64))
        first = np.cumsum(np.append(1, children))
        _check(size, class_, log_prob, first, back_off)
        shares = np.zeros(len(children), np.float16)
        shares[children > 0] = _squared(back_off, 127) * FARTHEST
        values = class_.astype(np.uint16), (_squared(log_prob, 255) * LOWEST).astype(np.float16), shares
        unlinked = np.zeros(len(children), np.uint32)
        model = NGrams(order, size, first, *values, unlinked, tuple(about["graphemes"]))
        _link(model)
        return model
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: is no language model, or damaged ({error}); make it anew") from error


def _rooted(shares: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    """Whole numbers from -most to most that stand for shares from -1 to 1, close together about 0."""
    numbers: NDArray[np.floating] = np.rint(np.sign(shares) * np.sqrt(np.minimum(np.abs(shares), 1)) * most)
    return numbers


def _squared(numbers: NDArray[np.integer], most: int) -> NDArray[np.float32]:
    """The shares that whole numbers of `_rooted` stand for."""
    shares: NDArray[np.float32] = (numbers / np.float32(most)).astype(np.float32)
    shares *= np.abs(shares)
    return shares


def _check(
    size: int,
    class_: NDArray[np.integer],
    log_prob: NDArray[np.integer],
    first: NDArray[np.int64],
    back_off: NDArray[np.integer],
) -> None:
    """See that tables are those of one trie; ValueError: they are not."""
    nodes, children = len(class_), np.diff(first)
    fit = first[-1] == nodes == len(log_prob) and np.count_nonzero(children) == len(back_off)
    # Children stand behind their parents, or following them would never end; siblings ascend.
    if not fit or children.min() < 0 or (first[:-1] <= np.arange(len(children))).any() or class_.max() >= size:
        raise ValueError("its tables do not fit together")
    ascends = class_[2:] > class_[1:-1]
    ascends[first[1:-1][first[1:-1] < nodes] - 2] = True  # between the last child of one and the first of the next
    if not ascends.all():
        raise ValueError("its tables do not fit together")


def _narrow(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """As few bytes each as the largest wants."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _link(model: NGrams) -> None:
    """Fill `shorter`, length by length: where one comes to from the shorter context of all but the last grapheme."""
    inner, shorter = len(model.back_off), model.shorter
    parents = np.repeat(np.arange(inner, dtype=np.uint32), np.diff(model.first_child))
    begin, end = 1, int(model.first_child[1])
    while end < inner:  # single graphemes have nothing shorter than the root
        begin, end = end, min(int(model.first_child[end]), inner)
        contexts = shorter[parents[begin - 1 : end - 1]].astype(np.int64)
        _, shorter[begin:end] = model.step(contexts, model.class_[begin:end].astype(np.int64))
