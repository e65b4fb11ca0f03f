"""The reading graph with convolutions in int8, about twice as fast; it, too, holds no weights of its own.

Each convolution becomes QuantizeLinear - DequantizeLinear pairs around its input, its weights and its output, which
ONNX Runtime fuses into one int8 convolution. The weights still lie in the bundle's weights.safetensors, in fp16: batch
normalisation is multiplied in and the product rounded to int8 by the graph itself, once, when it is opened. What the
graph adds are scales. They are fixed by measuring on real lines, so a line reads the same whatever stands beside it;
recurrent layers, whose int8 forms scale by the batch at hand, are for `uncial.nn.int8_context`.

Weights use 7 of their 8 bits: on processors without VNNI instructions, products of full ones overflow 16 bits.
Source: Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
inference".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

PREFIX = "network."  # before the names of the state dictionary, in the graph
GREATEST = 63  # of a weight in int8
LEVELS = 255  # of a feature in uint8

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
        ranges: of each tensor of `tensors_to_measure`, on lines like those that will be read.

    Returns:
        A serialised ONNX model, to be stored beside the same weights.
    """
    model = onnx.load_from_string(graph)
    found = {one.conv.name: one for one in _convolutions(model)}
    gone = {part.name for one in found.values() for part in (one.norm, one.relu) if part is not None}
    nodes: list[NodeProto] = []
    tensors = []
    rounded: dict[str, str] = {}  # what more than one convolution reads is rounded once
    for node in model.graph.node:
        if node.name in found:
            parts = _Parts(found[node.name], weights, ranges)
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

    def __init__(self, one: _Convolution, weights: Mapping[str, Array], ranges: Mapping[str, Range]) -> None:
        self.one = one
        name = one.conv.input[1]
        filters = weights[name.removeprefix(PREFIX)]
        self.factor, self.bias = _affine(one, weights, len(filters))
        folded = filters * self.factor[:, None, None, None]
        greatest = np.abs(folded).reshape(len(folded), -1).max(axis=1)
        self.weight_scale = (np.maximum(greatest, 1e-8) / GREATEST).astype(np.float32)
        self.input_scale, self.input_zero = _grid(ranges[one.input])
        self.output_scale, self.output_zero = _grid(ranges[one.output])
        self.name = name
        self.tensors: dict[str, NDArray[np.generic]] = {}

    def nodes(self, rounded: dict[str, str]) -> list[NodeProto]:
        """Input and weights into int8 and back, the convolution, ReLU, and its output into int8 and back.

        Args:
            rounded: tensors that were rounded already, and what their rounded forms are called; added to.
        """
        one, name = self.one, self.name
        bias_scale = self.weight_scale * self.input_scale
        zeros = np.zeros(len(self.factor))
        made = []
        if one.input not in rounded:
            rounded[one.input] = f"{name}.input"
            made = self._pair(one.input, f"{name}.input", self.input_scale, self.input_zero)
        made += [
            helper.make_node("Mul", [name, self._tensor("factor", self.factor[:, None, None, None])], [f"{name}.norm"]),
            *self._pair(f"{name}.norm", f"{name}.weights", self.weight_scale, zeros.astype(np.int8), axis=0),
        ]
        self._tensor("bias.int32", np.rint(self.bias / bias_scale).astype(np.int32))
        scale, zero = self._tensor("bias.scale", bias_scale), self._tensor("bias.zero", zeros.astype(np.int32))
        made.append(helper.make_node("DequantizeLinear", [f"{name}.bias.int32", scale, zero], [f"{name}.bias"], axis=0))
        conv = NodeProto()
        conv.CopyFrom(one.conv)
        conv.ClearField("input")
        conv.ClearField("output")
        conv.input.extend([rounded[one.input], f"{name}.weights", f"{name}.bias"])
        conv.output.append(f"{name}.conv")
        made.append(conv)
        if one.relu is not None:
            made.append(helper.make_node("Relu", [f"{name}.conv"], [f"{name}.relu"]))
        last = str(made[-1].output[0])
        return [*made, *self._pair(last, one.output, self.output_scale, self.output_zero, "output")]

    def _pair(  # noqa: PLR0913, PLR0917 - a pair of nodes has these
        self,
        source: str,
        target: str,
        scale: NDArray[np.generic],
        zero: NDArray[np.generic],
        kind: str = "",
        axis: int | None = None,
    ) -> list[NodeProto]:
        kind = kind or target.removeprefix(f"{self.name}.")
        grid = [self._tensor(f"{kind}.scale", scale), self._tensor(f"{kind}.zero", zero)]
        middle = f"{self.name}.{kind}.int8"
        made = [
            helper.make_node("QuantizeLinear", [source, *grid], [middle]),
            helper.make_node("DequantizeLinear", [middle, *grid], [target]),
        ]
        if axis is not None:
            for node in made:
                node.attribute.append(helper.make_attribute("axis", axis))
        return made

    def _tensor(self, kind: str, value: NDArray[np.generic]) -> str:
        self.tensors[f"{self.name}.{kind}"] = value
        return f"{self.name}.{kind}"


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


def _grid(extent: Range) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
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
