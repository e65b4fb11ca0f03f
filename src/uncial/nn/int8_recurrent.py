"""LSTM layers in int8, for a graph that reads one line at a time.

Their weights are rounded by the graph itself, once, when it is opened: each row of a matrix has its own scale, its
greatest value over `GREATEST`. What goes in is rounded as it comes, by the extremes of the line (and, for the state of
an LSTM, of the step). So a line would read otherwise beside others; alone it always reads the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from uncial.nn.int8_graph import GREATEST

_DOMAIN = "com.microsoft"  # ONNX Runtime's own operators
_SMALLEST = 1e-8  # of a row's greatest weight


def int8_recurrent(model: ModelProto) -> None:
    """Replace LSTM layers of one direction by int8 ones, in place.

    Args:
        model: a graph for single lines, with int8 convolutions or without.

    Raises:
        ValueError: an LSTM layer with peepholes, which PyTorch does not have.
    """
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        one_way = not any(a.name == "direction" and a.s == b"bidirectional" for a in node.attribute)
        nodes += _int8_lstm(node) if node.op_type == "LSTM" and one_way else [node]
    constants: dict[str, NDArray[Any]] = {
        "rounding.greatest": np.array(GREATEST, np.float32),
        "rounding.smallest": np.array(_SMALLEST, np.float32),
        "rounding.first": np.array([0], np.int64),
    }
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))


def _int8_lstm(node: NodeProto) -> list[NodeProto]:
    """The layer with its two matrices, (1, 4H, I) and (1, 4H, H), rounded row by row."""
    made: list[NodeProto] = []
    matrices, scales = [], []
    for name in node.input[1:3]:
        rounded, scale, zero = _rounded(name, made)
        matrices.append(rounded)
        scales += [scale, zero]
    if len(node.input) > 7:
        raise ValueError(f"{node.name}: peepholes are not known")
    rest = (*node.input, *[""] * 7)[3:7]  # bias, lengths, first state, first cell
    inputs = [node.input[0], *matrices, *rest, "", *scales]
    layer = helper.make_node("DynamicQuantizeLSTM", inputs, list(node.output), node.name, domain=_DOMAIN)
    layer.attribute.extend(node.attribute)
    return [*made, layer]


def _rounded(name: str, made: list[NodeProto]) -> tuple[str, str, str]:
    """Nodes that round (1, rows, columns): names of (1, columns, rows) int8, (1, rows) scales, (1, rows) zeros."""

    def add(kind: str, inputs: list[str], result: str, **attributes: Any) -> str:
        made.append(helper.make_node(kind, inputs, [f"{name}.{result}"], **attributes))
        return f"{name}.{result}"

    greatest = add("ReduceMax", [add("Abs", [name], "size")], "greatest", axes=[2], keepdims=0)
    above = add("Max", [greatest, "rounding.smallest"], "above")
    scale = add("Div", [above, "rounding.greatest"], "scale")  # (1, rows)
    row_scale = add("Squeeze", [scale, "rounding.first"], "row_scale")
    row_zero = add("Cast", [add("Sub", [row_scale, row_scale], "none")], "row_zero", to=TensorProto.INT8)
    zero = add("Unsqueeze", [row_zero, "rounding.first"], "zero")
    rows = add("QuantizeLinear", [name, row_scale, row_zero], "rows", axis=1)
    return add("Transpose", [rows], "int8", perm=[0, 2, 1]), scale, zero
