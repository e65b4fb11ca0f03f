"""Language models (`uncial.ngram`) as files: safetensors that hold an n-gram in some three bytes.

Logarithms are rounded to a twelfth of a nat, the back-off of a context behind which nothing is known is 0, and how the
contexts hang together is worked out when the file is opened.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncial.errors import BundleError
from uncial.ngram import NGrams

FORMAT = "uncial n-grams 2"
STEP = np.float32(0.08)  # nats between two stored logarithms; what is below -20.4 is stored as that
_FIELDS = ("class", "log_prob", "children", "back_off")


def to_bytes(model: NGrams) -> bytes:
    """The file of a model."""
    from safetensors.numpy import save

    children = np.diff(model.first_child)
    # One byte each: unsigned and downwards from 0; a context may leave more than all, where it was pruned, so signed.
    log_prob = np.clip(np.rint(model.log_prob.astype(np.float32) / -STEP), 0, 255).astype(np.uint8)
    back_off = np.clip(np.rint(model.back_off[children > 0].astype(np.float32) / STEP), -128, 127).astype(np.int8)
    values = (_narrow(model.class_), log_prob, _narrow(children), back_off)
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
            class_, log_prob, children, told = (file.get_tensor(name) for name in _FIELDS)
        first_child = np.concatenate([[1], 1 + np.cumsum(children, dtype=np.int64)])
        if first_child[-1] != len(class_) or len(log_prob) != len(class_):
            raise ValueError("its tables do not fit together")
        back_off = np.zeros(len(children), np.float16)
        back_off[children > 0] = told * STEP
        values = first_child, class_.astype(np.uint16), (log_prob * -STEP).astype(np.float16), back_off
        shorter = np.zeros(len(children), np.uint32)
        model = NGrams(int(about["order"]), int(about["size"]), *values, shorter, tuple(about["graphemes"]))
        _link(model)
        return model
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise BundleError(f"{path}: is no language model, or damaged ({error}); make it anew") from error


def _narrow(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """As few bytes each as the largest wants."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _link(model: NGrams) -> None:
    """Fill `shorter`, length by length: where one comes to from the shorter context of all but the last grapheme."""
    inner, shorter = len(model.back_off), model.shorter
    parents = np.repeat(np.arange(inner), np.diff(model.first_child))
    begin, end = 1, int(model.first_child[1]) if inner else 1
    while end < inner:  # single graphemes have nothing shorter than the root
        begin, end = end, min(int(model.first_child[end]), inner)
        contexts = shorter[parents[begin - 1 : end - 1]].astype(np.int64)
        _, shorter[begin:end] = model.step(contexts, model.class_[begin:end].astype(np.int64))
