"""A strided convolution of one channel as one of cells: the same sums, whatever the width."""

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

from uncial.nn.pixel_cells import pixel_cells

HEIGHT = 16
WIDTHS = 1, 2, 3, 7, 8, 9, 30


def _conv(kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int], **more: int) -> NodeProto:
    return helper.make_node(
        "Conv", ["x", "w"], ["y"], kernel_shape=kernel, strides=strides, pads=[*pads, *pads], **more
    )


def _session(conv: NodeProto, filters: np.ndarray) -> onnxruntime.InferenceSession:
    """A graph of the convolution as one of cells."""
    cells = pixel_cells(conv, HEIGHT)
    assert cells is not None
    nodes: list[NodeProto] = []
    tensors = [numpy_helper.from_array(filters, "w"), numpy_helper.from_array(np.float32(0), "zero")]

    def make(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def keep(name: str, value: ArrayLike) -> str:
        tensors.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    inputs = [cells.image("x", "zero", make, keep), cells.filters("w", make, keep)]
    nodes.append(cells.convolution(inputs, "y"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph(nodes, "cells", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [
        ((3, 3), (2, 2), (1, 1)),
        ((3, 3), (4, 2), (1, 1)),
        ((5, 5), (2, 4), (2, 2)),
        ((1, 1), (2, 2), (0, 0)),
        ((3, 3), (2, 1), (1, 1)),
    ],
)
def test_the_results_are_those_of_the_convolution(
    kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    filters = rng.normal(size=(3, 1, *kernel)).astype(np.float32)
    session = _session(_conv(kernel, strides, pads), filters)
    for width in WIDTHS:
        image = rng.normal(size=(2, 1, HEIGHT, width)).astype(np.float32)
        expected = torch.conv2d(*map(torch.from_numpy, (image, filters)), stride=strides, padding=pads).numpy()
        (found,) = session.run(None, {"x": image})
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_convolutions_stay_as_they_are() -> None:
    assert pixel_cells(_conv((3, 3), (2, 2), (1, 1)), HEIGHT) is not None
    assert pixel_cells(_conv((3, 3), (1, 1), (1, 1)), HEIGHT) is None
    assert pixel_cells(_conv((3, 3), (2, 2), (1, 1), dilations=[2, 2]), HEIGHT) is None
