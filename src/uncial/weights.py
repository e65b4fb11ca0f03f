"""The weights of a network as one safetensors file: what is stored in which precision, and where it lies.

Filters and matrices are stored in fp16, which halves the file and changes no reading (their relative error is below
0.05 %). Vectors (biases, batch statistics) stay in fp32: they are under one percent of the bytes, and a batch variance
may lie outside the range of fp16. The places are what lets the ONNX graph point into this file instead of holding the
weights a second time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

Weights = dict[str, NDArray[np.float32]]
_LENGTH_BYTES = 8  # a safetensors file begins with the length of its header, little-endian
_COUNTER = "num_batches_tracked"  # of batch normalisation in training; says nothing about reading


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tensor lies in the file.

    Attributes:
        dtype: "F16" or "F32".
        shape: of the tensor; the values are little-endian, in C order.
        offset: of its first byte, from the beginning of the file.
        length: in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int


def pack(weights: Mapping[str, NDArray[np.floating]]) -> bytes:
    """The safetensors file of these weights; names and shapes alone decide where each tensor lies.

    Args:
        weights: by their names in the network's state dictionary; counters of training are left out.

    Raises:
        ValueError: a weight is not finite, in the precision it is stored in.
    """
    stored = {}
    for name, value in weights.items():
        if name.endswith(_COUNTER):
            continue
        with np.errstate(over="ignore"):  # what fp16 cannot hold becomes infinite and is told below
            stored[name] = np.ascontiguousarray(value, dtype=np.float16 if np.ndim(value) > 1 else np.float32)
        if not np.isfinite(stored[name]).all():
            raise ValueError(f"the weights {name} are not all finite in {stored[name].dtype}")
    return save(stored)


def unpack(data: bytes) -> Weights:
    """All weights of a safetensors file, in fp32.

    Raises:
        ValueError: this is no whole safetensors file.
    """
    try:
        return {name: value.astype(np.float32) for name, value in load(data).items()}
    except SafetensorError as error:
        raise ValueError(f"not a whole safetensors file ({error})") from error


def places(data: bytes) -> dict[str, Place]:
    """Where each tensor lies in a safetensors file.

    Args:
        data: the file, or at least its header.

    Raises:
        ValueError: this is no safetensors file.
    """
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    try:
        header = json.loads(data[_LENGTH_BYTES:start])
        header.pop("__metadata__", None)
        return {name: _place(entry, start) for name, entry in header.items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a safetensors file ({error})") from error


def _place(entry: Mapping[str, object], start: int) -> Place:
    begin, end = entry["data_offsets"]  # type: ignore[misc]
    return Place(str(entry["dtype"]), tuple(entry["shape"]), start + begin, end - begin)  # type: ignore[arg-type, has-type]
