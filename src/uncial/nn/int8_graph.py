"""The reading graph with convolutions in int8, about twice as fast; it, too, holds no weights of its own.

Each convolution becomes QuantizeLinear - DequantizeLinear pairs around its input, its weights and its output, which
ONNX Runtime fuses into one int8 convolution. That of the images reads their cells (`nn.pixel_cells`); the maximum of
each column, where all maps have as many rows, is pooling in int8. The weights still lie in the bundle's
weights.safetensors, in fp16: batch normalisation is multiplied in and the product rounded to int8 by the graph itself,
once, when it is opened. What the graph adds are scales. They are fixed by measuring on real lines, so a line reads the
same whatever stands beside it; recurrent layers, whose int8 forms scale by the batch at hand, are for
`uncial.nn.int8_context`.

Weights use 7 of their 8 bits: on processors without VNNI instructions, products of full ones overflow 16 bits.
Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
inference".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from uncial.nn.pixel_cells import pixel_cells
from uncial.nn.single_line import IMAGES, SLICES

PREFIX = "network."  # before the names of the state dictionary, in the graph
GREATEST = 63  # of a weight in int8
LEVELS = 255  # of a feature in uint8
GREATEST_BIAS = 2**30  # in int32, with room for the sum of products

Range = tuple[float, float]  # lowest and highest value of a tensor
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A convolution of the graph with what follows it: batch normalisation and ReLU, where there are any."""

    conv: NodeProto
    norm: NodeProto | None
    relu: NodeProto | None

    @property
    def input(self) -> str:
        return str(self.conv.input[0])

    @property
    def output(self) -> str:
        return str((self.relu or self.norm or self.conv).output[0])


def tensors_to_measure(graph: bytes) -> list[str]:
    """The names of the tensors whose ranges `int8_graph` needs: what goes into convolutions and comes out of them."""
    found = _convolutions(onnx.load_from_string(graph))
    return list(dict.fromkeys(name for one in found for name in (one.input, one.output)))


def with_outputs(graph: bytes, names: Sequence[str]) -> bytes:
    """The graph with more outputs, to look at tensors inside it."""
    model = onnx.load_from_string(graph)
    known = {value.name for value in (*model.graph.input, *model.graph.output)}
    values = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names if n not in known]
    model.graph.output.extend(values)
    return model.SerializeToString()  # type: ignore[no-any-return]


def int8_graph(graph: bytes, weights: Mapping[str, Array], ranges: Mapping[str, Range]) -> bytes:
    """The graph with its convolutions in int8.

    Args:
        graph: as `nn.onnx_graph.onnx_graph` gives it, or `nn.single_line.up_to_slices` leaves it.
        weights: as the bundle stores them, by their names in the state dictionary.
        ranges: of each tensor of `tensors_to_measure`, on lines like those that will be read; with that of the slices,
            which are the maxima of columns, these are taken in int8, too, where the backbone is residual.

    Returns:
        A serialised ONNX model, to be stored beside the same weights.
    """
    model = onnx.load_from_string(graph)
    if SLICES in ranges:
        _pool_columns(model, ranges[SLICES])
    height = next(value for value in model.graph.input if value.name == IMAGES).type.tensor_type.shape.dim[2].dim_value
    found = {one.conv.name: one for one in _convolutions(model)}
    gone = {part.name for one in found.values() for part in (one.norm, one.relu) if part is not None}
    nodes: list[NodeProto] = []
    tensors = []
    rounded: dict[str, str] = {}  # what more than one convolution reads is rounded once
    for node in model.graph.node:
        if node.name in found:
            parts = _Parts(found[node.name], weights, ranges, height)
            nodes += parts.nodes(rounded)
            tensors += [numpy_helper.from_array(value, name) for name, value in parts.tensors.items()]
        elif node.name not in gone:
            nodes.append(node)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)
    return model.SerializeToString()  # type: ignore[no-any-return]


class _Parts:
    """The nodes and tensors of one int8 convolution."""

    def __init__(
        self, one: _Convolution, weights: Mapping[str, Array], ranges: Mapping[str, Range], height: int
    ) -> None:
        self.one = one
        self.name = one.conv.input[1]
        filters = weights[self.name.removeprefix(PREFIX)]
        self.cells = pixel_cells(one.conv, height) if one.input == IMAGES else None
        self.factor, self.bias = _affine(one, weights, len(filters))
        folded = filters * self.factor[:, None, None, None]
        greatest = np.abs(folded).reshape(len(folded), -1).max(axis=1)
        self.input_scale, self.input_zero = levels(ranges[one.input])
        finest = np.maximum(1e-8 / GREATEST, np.abs(self.bias) / (GREATEST_BIAS * self.input_scale))
        self.weight_scale = np.maximum(greatest / GREATEST, finest).astype(np.float32)
        self.output_scale, self.output_zero = levels(ranges[one.output])
        self.made: list[NodeProto] = []
        self.tensors: dict[str, NDArray[np.generic]] = {}

    def nodes(self, rounded: dict[str, str]) -> list[NodeProto]:
        """Input and weights into int8 and back, the convolution, ReLU, and its output into int8 and back.

        Args:
            rounded: tensors that were rounded already, and what their rounded forms are called; added to.
        """
        one, name = self.one, self.name
        bias_scale = self.weight_scale * self.input_scale
        zeros = np.zeros(len(self.factor))
        if one.input not in rounded:
            self.grid("input", self.input_scale, self.input_zero)
            x = self.round(one.input, "input")
            if self.cells:
                x = self.cells.image(x, f"{name}.input.zero", self.node, self.tensor)
            rounded[one.input] = self.back(x, "input", f"{name}.input")
        x = self.node("Mul", [name, self.tensor("factor", self.factor[:, None, None, None])], "norm")
        if self.cells:
            x = self.cells.filters(x, self.node, self.tensor)
        self.grid("weights", self.weight_scale, zeros.astype(np.int8))
        self.back(self.round(x, "weights", axis=0), "weights", f"{name}.weights", axis=0)
        self.grid("bias", bias_scale, zeros.astype(np.int32))
        self.back(
            self.tensor("bias.int32", np.rint(self.bias / bias_scale).astype(np.int32)), "bias", f"{name}.bias", axis=0
        )
        self.made.append(self.convolution([rounded[one.input], f"{name}.weights", f"{name}.bias"], f"{name}.conv"))
        x = f"{name}.conv"
        if one.relu is not None:
            x = self.node("Relu", [x], "relu")
        self.grid("output", self.output_scale, self.output_zero)
        self.back(self.round(x, "output"), "output", one.output)
        return self.made

    def convolution(self, inputs: list[str], output: str) -> NodeProto:
        if self.cells:
            return self.cells.convolution(inputs, output)
        conv = NodeProto()
        conv.CopyFrom(self.one.conv)
        conv.ClearField("input")
        conv.ClearField("output")
        conv.input.extend(inputs)
        conv.output.append(output)
        return conv

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; its output, named after the convolution."""
        self.made.append(helper.make_node(kind, inputs, [f"{self.name}.{output}"], **attributes))
        return f"{self.name}.{output}"

    def tensor(self, kind: str, value: ArrayLike) -> str:
        """Add a tensor, named after the convolution."""
        self.tensors[f"{self.name}.{kind}"] = np.asarray(value)
        return f"{self.name}.{kind}"

    def grid(self, kind: str, scale: ArrayLike, zero: ArrayLike) -> None:
        self.tensor(f"{kind}.scale", scale)
        self.tensor(f"{kind}.zero", zero)

    def round(self, source: str, kind: str, **attributes: Any) -> str:
        scale, zero = (f"{self.name}.{kind}.{n}" for n in ("scale", "zero"))
        return self.node("QuantizeLinear", [source, scale, zero], f"{kind}.int8", **attributes)

    def back(self, source: str, kind: str, target: str, axis: int | None = None) -> str:
        inputs = [source, *(f"{self.name}.{kind}.{n}" for n in ("scale", "zero"))]
        self.made.append(helper.make_node("DequantizeLinear", inputs, [target], axis=axis))
        return target


def _pool_columns(model: ModelProto, extent: Range) -> None:
    """Put pooling in int8, which is quick, in the place of the maxima of columns, in place.

    What is beyond the range of the slices is cut off, as it is by what reads them.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    rows = {value.name: value.type.tensor_type.shape.dim[2].dim_value for value in graph.value_info if _is_map(value)}
    nodes = list(model.graph.node)
    found = next((n for n in nodes if n.op_type == "ReduceMax" and rows.get(n.input[0])), None)
    if found is None:
        return
    scale, zero = levels(extent)
    tensors: dict[str, NDArray[Any]] = {"columns.scale": scale, "columns.zero": zero, "columns.axis": np.array([2])}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    grid, last, place = ["columns.scale", "columns.zero"], found.input[0], nodes.index(found)
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("QuantizeLinear", grid, {}),
        ("DequantizeLinear", grid, {}),
        ("MaxPool", [], {"kernel_shape": [rows[last], 1]}),
        ("QuantizeLinear", grid, {}),
        ("DequantizeLinear", grid, {}),
        ("Squeeze", ["columns.axis"], {}),
    ]
    made = []
    for number, (kind, inputs, about) in enumerate(steps, start=1):
        output = found.output[0] if number == len(steps) else f"columns.{number}"
        made.append(helper.make_node(kind, [last, *inputs], [output], **about))
        last = output
    model.graph.ClearField("node")
    model.graph.node.extend([*nodes[:place], *made, *nodes[place + 1 :]])


def _is_map(value: onnx.ValueInfoProto) -> bool:
    return len(value.type.tensor_type.shape.dim) == 4  # noqa: PLR2004 - (N, C, H, W)


def _affine(one: _Convolution, weights: Mapping[str, Array], channels: int) -> tuple[Array, Array]:
    """What batch normalisation and bias do to each channel: (factor, bias), (channels,) each."""
    factor, bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    if len(one.conv.input) > 2:
        bias = weights[one.conv.input[2].removeprefix(PREFIX)]
    if one.norm is not None:
        gamma, beta, mean, variance = (weights[name.removeprefix(PREFIX)] for name in one.norm.input[1:5])
        epsilon = next((a.f for a in one.norm.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + np.float32(epsilon))
        bias = beta + (bias - mean) * factor
    return factor, bias


def levels(extent: Range) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Scale and zero of the uint8 levels that span a range; 0 itself is always a level."""
    low, high = min(extent[0], 0.0), max(extent[1], 0.0)
    scale = max(high - low, 1e-8) / LEVELS
    return np.array(scale, np.float32), np.array(round(-low / scale), np.uint8)


def _convolutions(model: ModelProto) -> list[_Convolution]:
    """The convolutions of a graph, in its order."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def after(node: NodeProto, kind: str) -> NodeProto | None:
        reading = readers.get(node.output[0], [])
        return reading[0] if len(reading) == 1 and reading[0].op_type == kind else None

    found = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            norm = after(node, "BatchNormalization")
            found.append(_Convolution(node, norm, after(norm or node, "Relu")))
    return found
