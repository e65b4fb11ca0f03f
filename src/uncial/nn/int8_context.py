"""What stands behind the slices in int8, for many lines at once, each of which reads as it would alone.

ONNX Runtime's int8 LSTM rounds what goes in by its extremes: a layer's input by those of the whole batch, the states of
a step by those of all its lines. So it would depend on the lines beside it how a line is rounded. Here the extremes are
always the same: to the input of a layer two features are added that hold the ends of its range, with weights of 0; and
to the state of each line two units whose gates stand open, so that they grow as fast as any unit can, one upward and
one downward. They are cut off what comes out.

The matrices of weights are read once for all lines, which is what a line alone spends its time on. They are rounded by
the graph itself, once, when it is opened: each row by its own scale, its greatest weight over `GREATEST`. So are those
of the head, whose input lies between the ends that the states of the last layer can reach.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from uncial.architecture import CRNNConfig
from uncial.nn.int8_graph import GREATEST, PREFIX, Range, levels
from uncial.nn.single_line import SLICES

LENGTHS, LOG_PROBS = "lengths", "log_probs"
_DOMAIN = "com.microsoft"  # ONNX Runtime's own operators
_OPSET, _IR_VERSION = 17, 8
_GUARDS = 2  # features or units that hold the extremes
_OPEN = 20.0  # a sum whose sigmoid and tanh are 1, as nearly as fp32 tells
_SMALLEST = 1e-8  # of a row's greatest weight
_GATES = (0, 3, 1, 2)  # where PyTorch has the gates that ONNX has in the order input, output, forget, candidate


def int8_context(model: ModelProto, config: CRNNConfig, shares: Sequence[NDArray[np.floating]], extent: Range) -> bytes:
    """The graph from "slices" (N, S, F) float32 and their "lengths" (N,) int32 to "log_probs" (N, T, C) float32.

    Args:
        model: the whole graph, as `nn.onnx_graph.onnx_graph` gives it; tells where the weights lie.
        config: the parts of the network, whose recurrent layers are LSTM.
        shares: of each added layer in what the next one is given.
        extent: lowest and highest value of the slices; what goes beyond is cut off.

    Returns:
        A serialised ONNX model, to be stored beside the same weights.
    """
    graph = _Graph(model, config)
    low, high = min(extent[0], 0.0), max(extent[1], 0.0)
    x = graph.node("Transpose", [SLICES], "steps", perm=[1, 0, 2])
    x = graph.node("Clip", [x, *(graph.tensor(f"slices.{n}", np.float32(n)) for n in (low, high))], "steps.clipped")
    for number in range(config.recurrent_layers):
        x, low, high = graph.layer(number, x, (low, high)), -1.0, 1.0
    for number, share in enumerate(shares):
        made = graph.layer(config.recurrent_layers + number, x, (low, high))
        part = graph.node("Mul", [made, graph.weight(f"recurrent.shares.{number}")], f"part.{number}")
        x = graph.node("Add", [x, part], f"added.{number}")
        high += float(np.abs(share).max())
        low = -high
    return graph.with_head(x, (low, high))


class _Graph:  # budget: a graph is made of all of these
    """A graph that is being made; what makes a node or tensor gives the name of it."""

    def __init__(self, model: ModelProto, config: CRNNConfig) -> None:
        self.whole, self.config = model.graph, config
        self.nodes: list[NodeProto] = []
        self.tensors: dict[str, TensorProto] = {}
        own = config.recurrent_size
        self.size = own + _GUARDS
        # Rows of matrices and biases, gate by gate, those of the guards behind them: row 4 * own has zeros.
        self.rows = np.array([row for g in _GATES for row in (*range(g * own, g * own + own), 4 * own, 4 * own)])

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def tensor(self, name: str, value: ArrayLike) -> str:
        self.tensors[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weight(self, name: str) -> str:
        """A weight by its name in the state dictionary; it points outside, and may be cast, as in the whole graph."""
        name = f"{PREFIX}{name}"
        self.nodes += [node for node in self.whole.node if name in node.output]
        self.tensors |= {t.name: t for t in self.whole.initializer if t.name in (name, f"{name}.stored")}
        return name

    def layer(self, number: int, x: str, extent: Range) -> str:
        """A recurrent layer, one way or both, (S, N, F) -> (S, N, F'); its input lies in the extent."""
        name, first, last = f"layer.{number}", self.tensor("0", [0]), self.tensor("2", [2])
        shape = self.node("Slice", [self.node("Shape", [x], f"{name}.shape"), first, last], f"{name}.lines")
        shape = self.node("Concat", [shape, self.tensor("guards", [_GUARDS])], f"{name}.guarded", axis=0)
        ends = self.tensor(f"{name}.extent", np.array(extent, np.float32))
        guards = self.node("Expand", [ends, shape], f"{name}.guards")
        x = self.node("Concat", [x, guards], f"{name}.input", axis=2)
        ways = {"onward": "forward", **({"back": "reverse"} if self.config.bidirectional else {})}
        made = [self.one_way(f"recurrent.layers.{number}.{way}", x, direction) for way, direction in ways.items()]
        return self.node("Concat", made, f"{name}.output", axis=2)

    def one_way(self, name: str, x: str, direction: str) -> str:
        """An LSTM in one direction."""
        matrices = [self.rounded(self.weight(f"{name}.{kind}_l0")) for kind in ("weight_ih", "weight_hh")]
        inputs = [x, *(rounded for rounded, _ in matrices), self.biases(name), LENGTHS, "", "", ""]
        inputs += [n for _, scale in matrices for n in (scale, "rounding.zeros")]
        about = {"direction": direction, "hidden_size": self.size, "domain": _DOMAIN}
        made = self.node("DynamicQuantizeLSTM", inputs, f"{name}.states", **about)
        made = self.node("Squeeze", [made, self.tensor("1", [1])], f"{name}.steps")
        own = self.tensor("own", [self.config.recurrent_size])
        return self.node("Slice", [made, self.tensor("0", [0]), own, self.tensor("2", [2])], f"{name}.own")

    def biases(self, name: str) -> str:
        """(1, 8H) biases of an LSTM, those of its input and of its state in one; the gates of the guards stand open."""
        both = self.node("Add", [self.weight(f"{name}.bias_{kind}_l0") for kind in ("ih", "hh")], f"{name}.bias")
        opened = self.tensor("open", np.array([_OPEN, -_OPEN], np.float32))
        both = self.node("Concat", [both, opened], f"{name}.bias.open", axis=0)
        rows = self.rows.copy()
        rows[-1] += 1  # the candidate of the unit that grows downward
        both = self.node("Gather", [both, self.tensor("rows.of_biases", rows)], f"{name}.bias.rows")
        nothing = self.tensor("no_biases", np.zeros(4 * self.size, np.float32))
        both = self.node("Concat", [both, nothing], f"{name}.bias.all", axis=0)
        return self.node("Unsqueeze", [both, self.tensor("0", [0])], f"{name}.biases")

    def rounded(self, name: str) -> tuple[str, str]:
        """A matrix (4H, F) with the guards' rows and columns: (1, columns, rows) int8, and (1, rows) scales."""
        matrix = self.node("Pad", [name, self.tensor("guards.pad", [0, 0, 1, _GUARDS])], f"{name}.padded")
        matrix = self.node("Gather", [matrix, self.tensor("rows", self.rows)], f"{name}.rows")
        zeros, first = np.zeros(4 * self.size, np.int8), self.tensor("0", [0])
        self.tensor("rounding.zeros", zeros[None])
        made = self.by_rows(matrix, name, self.tensor("rounding.zero", zeros))
        return tuple(self.node("Unsqueeze", [n, first], f"{n}.alone") for n in made)  # type: ignore[return-value]

    def by_rows(self, matrix: str, name: str, zeros: str) -> tuple[str, str]:
        """A matrix (rows, columns), each row by its own scale: (columns, rows) int8, and (rows,) scales."""
        greatest = self.node("ReduceMax", [self.node("Abs", [matrix], f"{name}.size")], f"{name}.greatest", axes=[1])
        above = self.node("Max", [greatest, self.tensor("smallest", np.float32(_SMALLEST))], f"{name}.above")
        column = self.node("Div", [above, self.tensor("levels", np.float32(GREATEST))], f"{name}.column")
        scale = self.node("Squeeze", [column, self.tensor("1", [1])], f"{name}.scale")
        matrix = self.node("QuantizeLinear", [matrix, scale, zeros], f"{name}.rounded", axis=0)
        return self.node("Transpose", [matrix], f"{name}.turned", perm=[1, 0]), scale

    def with_head(self, x: str, extent: Range) -> bytes:
        """The whole model: (S, N, F) of an extent -> log-probabilities of each time step."""
        weight, bias = self.weight("head.weight"), self.weight("head.bias")
        outputs = next(t.dims[0] for t in self.tensors.values() if t.name.startswith(f"{PREFIX}head.bias"))
        zeros = self.tensor("head.zeros", np.zeros(outputs, np.int8))
        matrix, scales = self.by_rows(weight, "head", zeros)
        scale, zero = levels(extent)
        grid = [self.tensor("head.input.scale", scale), self.tensor("head.input.zero", zero)]
        x = self.node("QuantizeLinear", [x, *grid], "head.input")
        inputs = [x, matrix, grid[0], scales, grid[1], zeros, bias]
        made = self.node("MatMulIntegerToFloat", inputs, "head.steps", domain=_DOMAIN)
        made = self.node("Transpose", [made], "head.lines", perm=[1, 0, 2])
        shape = self.tensor("classes", [0, -1, outputs // self.config.steps_per_slice])  # 0: as many as there are
        made = self.node("Reshape", [made, shape], "logits")
        self.node("LogSoftmax", [made], LOG_PROBS, axis=2)
        slices = helper.make_tensor_value_info(SLICES, TensorProto.FLOAT, ["N", "S", None])
        lengths = helper.make_tensor_value_info(LENGTHS, TensorProto.INT32, ["N"])
        log_probs = helper.make_tensor_value_info(LOG_PROBS, TensorProto.FLOAT, ["N", "T", None])
        tensors = list(self.tensors.values())
        graph = helper.make_graph(self.nodes, "context", [slices, lengths], [log_probs], tensors)
        opsets = [helper.make_opsetid(*opset) for opset in (("", _OPSET), (_DOMAIN, 1))]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return model.SerializeToString()  # type: ignore[no-any-return]
