"""The reading graph for one line at a time: without padding there is nothing to mask, and no order to look up.

A batch pads its lines to one width; so the network multiplies every feature map by masks made from the true widths, and
turns each line round by a table of its own for the layers that run backward. A line alone needs neither: a mask would
be all ones, and a recurrent layer can simply run in reverse. What is left reads the same and costs a tenth less.
"""

from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto, helper

IMAGES, WIDTHS = "images", "widths"
_RECURRENT = ("LSTM", "GRU", "RNN")


def for_single_lines(model: ModelProto) -> None:
    """Take out of a graph what only padded batches need, in place; afterwards it refuses batches of more than one.

    Args:
        model: as `nn.onnx_graph.onnx_graph` gives it.
    """
    graph = model.graph
    of_ink = _reached(graph.node, {IMAGES}, through_shapes=False)
    of_widths = _reached(graph.node, {WIDTHS}, through_shapes=True) - of_ink
    same = dict(_masked(graph.node, of_ink, of_widths))
    for first, layer, last in _turned(graph.node, of_widths):
        same[first.output[0]], same[last.output[0]] = first.input[0], last.input[0]
        layer.attribute.append(helper.make_attribute("direction", "reverse"))
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in same:
                name = same[name]  # noqa: PLW2901 - one replacement may lead to the next
            node.input[place] = name
    _drop_unused(model)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def _masked(nodes: Iterable[NodeProto], of_ink: set[str], of_widths: set[str]) -> Iterator[tuple[str, str]]:
    """Each product of a feature map and a mask, and the feature map."""
    for node in nodes:
        ink = [name for name in node.input if name in of_ink]
        if node.op_type == "Mul" and len(ink) == 1 and any(name in of_widths for name in node.input):
            yield node.output[0], ink[0]


def _turned(nodes: Iterable[NodeProto], of_widths: set[str]) -> list[tuple[NodeProto, NodeProto, NodeProto]]:
    """Each recurrent layer that a line is turned round for, with the two Gathers that turn it there and back."""
    made = {name: node for node in nodes for name in node.output}
    found = []
    for last in nodes:
        if last.op_type != "GatherElements" or last.input[1] not in of_widths:
            continue
        layer = _up(last.input[0], made, ("Transpose", "Squeeze"))
        if layer is None or layer.op_type not in _RECURRENT:
            continue
        first = _up(layer.input[0], made, ("Transpose",))
        if first is not None and first.op_type == "GatherElements" and first.input[1] in of_widths:
            found.append((first, layer, last))
    return found


def _up(name: str, made: dict[str, NodeProto], passed: tuple[str, ...]) -> NodeProto | None:
    """The node that made a tensor, looking through nodes of some kinds."""
    node = made.get(name)
    while node is not None and node.op_type in passed:
        node = made.get(node.input[0])
    return node


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
