"""The first part of the reading graph, from a line alone to its slices: without padding there is nothing to mask.

A batch pads its lines to one width, so the network multiplies every feature map by masks made from the true widths. Of
a line alone a mask would be all ones: what is left without them makes the same slices.
"""

from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto, TensorProto, helper

IMAGES, WIDTHS, SLICES = "images", "widths", "slices"
_FIRST = "network.recurrent.layers.0.onward.weight_ih_l0"  # of the layer that reads the slices


def up_to_slices(model: ModelProto) -> None:
    """Leave of a graph what makes "slices" (1, S, F) out of "images" (1, 1, H, W), in place.

    Args:
        model: as `nn.onnx_graph.onnx_graph` gives it, with LSTM layers.
    """
    graph = model.graph
    of_ink = _reached(graph.node, {IMAGES}, through_shapes=False)
    of_widths = _reached(graph.node, {WIDTHS}, through_shapes=True) - of_ink
    same = dict(_masked(graph.node, of_ink, of_widths))
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in same:
                name = same[name]  # noqa: PLW2901 - one replacement may lead to the next
            node.input[place] = name
    graph.node.append(helper.make_node("Transpose", [_read_first(graph.node)], [SLICES], perm=[1, 0, 2]))
    images = next(value for value in graph.input if value.name == IMAGES)
    images.type.tensor_type.shape.dim[0].dim_value = 1
    for field, value in (("input", images), ("output", helper.make_tensor_value_info(SLICES, TensorProto.FLOAT, None))):
        graph.ClearField(field)
        getattr(graph, field).append(value)
    _drop_unused(model)


def _read_first(nodes: Iterable[NodeProto]) -> str:
    """What the first recurrent layer reads, (S, N, F)."""
    of_first = _reached(nodes, {_FIRST}, through_shapes=False)
    return str(next(node.input[0] for node in nodes if node.op_type == "LSTM" and node.input[1] in of_first))


def _masked(nodes: Iterable[NodeProto], of_ink: set[str], of_widths: set[str]) -> Iterator[tuple[str, str]]:
    """Each product of a feature map and a mask, and the feature map."""
    for node in nodes:
        ink = [name for name in node.input if name in of_ink]
        if node.op_type == "Mul" and len(ink) == 1 and any(name in of_widths for name in node.input):
            yield node.output[0], ink[0]


def _reached(nodes: Iterable[NodeProto], start: set[str], *, through_shapes: bool) -> set[str]:
    """All tensors that depend on some; the shape of a tensor counts as depending on it or not."""
    reached = set(start)
    for node in nodes:  # in the order in which they run
        if any(name in reached for name in node.input) and (through_shapes or node.op_type != "Shape"):
            reached.update(filter(None, node.output))  # an output that is left out has no name
    return reached


def _drop_unused(model: ModelProto) -> None:
    """Take out nodes and tensors that no output needs."""
    needed = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if any(name in needed for name in node.output):
            needed.update(filter(None, node.input))
            kept.append(node)
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    for field in ("node", "initializer"):
        model.graph.ClearField(field)
    model.graph.node.extend(reversed(kept))
    model.graph.initializer.extend(tensors)
