"""The network as an ONNX graph that holds no weights of its own.

Each weight of the graph is ONNX external data: it points, by offset and length, into the bundle's weights.safetensors,
and a Cast to fp32 follows where it is stored in fp16. So weights are stored once. When ONNX Runtime opens the graph it
computes everything that depends on weights alone: the casts, the reordering of LSTM gates, batch normalisation folded
into the convolutions. What is left runs exactly as fast as an export with its own fp32 weights
(measured: 35.9 against 36.1 lines per CPU-second, and equal within what the clock can tell).

The exporter is PyTorch's TorchScript one: it keeps the names of the weights and lets width and batch size vary.
"""

import copy
import io
import warnings

import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from torch import Tensor, nn

from uncial.nn.crnn import CRNN
from uncial.nn.linear_scan import DOMAIN, MARK
from uncial.weights import Place, pack, places

OPSET = 17
WEIGHTS_FILE = "weights.safetensors"  # ONNX looks for it beside the graph
_AXES = {"images": {0: "N", 3: "W"}, "widths": {0: "N"}, "log_probs": {0: "N", 1: "T"}, "lengths": {0: "N"}}
_ONNX_TYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}


class _LogProbs(nn.Module):
    """The network with log-softmax, as it reads."""

    def __init__(self, network: CRNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        logits, lengths = self.network(images, widths)
        return logits.log_softmax(dim=2), lengths


def onnx_graph(network: CRNN) -> bytes:
    """The graph of a network, to be stored beside the weights that `uncial.weights.pack` writes for it.

    Inputs are "images" (N, 1, H, W) float32 ink and "widths" (N,) int64 true widths in pixels; outputs are "log_probs"
    (N, T, C) float32 and "lengths" (N,) int64 time steps. N, W and T vary.

    Args:
        network: on any device, in any mode; it is not changed.

    Returns:
        A serialised ONNX model.
    """
    model = _traced(network)
    state = {name: value.float().cpu().numpy() for name, value in network.state_dict().items()}
    _point_outside(model, places(pack(state)))
    return model.SerializeToString()  # type: ignore[no-any-return]


def _traced(network: CRNN) -> ModelProto:
    """The network as ONNX with its own weights, none of them folded."""
    reading = _LogProbs(copy.deepcopy(network).float().cpu().eval())
    config = network.config
    # Two lines of unequal width; the numbers leave no trace in the graph.
    width = 8 * config.slice_width + 1
    example = (torch.zeros(2, 1, config.height, width), torch.tensor([width, width - config.slice_width]))
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The tracer warns of every constant shape and of recurrent layers without initial state; the tests prove that
        # other widths and batch sizes read right.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            reading,
            example,
            file,  # type: ignore[arg-type] # the TorchScript exporter writes into open files
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # else the exporter itself folds batch normalisation
            do_constant_folding=False,
            opset_version=OPSET,
            input_names=["images", "widths"],
            output_names=["log_probs", "lengths"],
            dynamic_axes=_AXES,  # DOMAIN is not named: where no scan uses it, PyTorch would complain on standard error
        )
    model = onnx.load_from_string(file.getvalue())
    _with_scans(model)
    return model


def _point_outside(model: ModelProto, where: dict[str, Place]) -> None:
    """Replace each weight by a pointer into the weights file, and a Cast where it is stored in fp16."""
    casts, tensors = [], []
    for tensor in model.graph.initializer:
        place = where.get(tensor.name.removeprefix("network."))
        if place is None:
            tensors.append(tensor)
            continue
        outside, cast = _outside(tensor.name, place)
        tensors.append(outside)
        casts += cast
    nodes = [*casts, *model.graph.node]
    for field in ("initializer", "node"):
        model.graph.ClearField(field)
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)


def _outside(name: str, place: Place) -> tuple[TensorProto, list[NodeProto]]:
    stored = name if place.dtype == "F32" else f"{name}.stored"
    tensor = TensorProto(name=stored, data_type=_ONNX_TYPES[place.dtype], dims=place.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", WEIGHTS_FILE), ("offset", place.offset), ("length", place.length)):
        tensor.external_data.add(key=key, value=str(value))
    cast = [] if stored == name else [helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT)]
    return tensor, cast


def _with_scans(model: ModelProto) -> None:
    """Replace the marks of linear scans by Scan nodes, in place."""
    for node in model.graph.node:
        if node.op_type == MARK:
            node.CopyFrom(_scan(node))
    standard = [opset for opset in model.opset_import if opset.domain != DOMAIN]
    model.ClearField("opset_import")
    model.opset_import.extend(standard)


def _scan(mark: NodeProto) -> NodeProto:
    """Scan over time with one state; `mark` has the inputs start, keep, add and one output."""
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["keep", "before"], ["kept"]),
            helper.make_node("Add", ["kept", "add"], ["state"]),
            helper.make_node("Identity", ["state"], ["told"]),
        ],
        "step",
        _values("before", "keep", "add"),
        _values("state", "told"),
    )
    name = mark.name or mark.output[0]
    return helper.make_node(
        "Scan", list(mark.input), [f"{mark.output[0]}.last", mark.output[0]], name, body=body, num_scan_inputs=2
    )


def _values(*names: str) -> list[ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
