"""The layout network as an ONNX graph that holds its weights."""

import io
import warnings

import torch

from uncial.nn.layout_net import MULTIPLE, LayoutNet, Reading


def layout_graph(network: LayoutNet) -> bytes:
    """The graph of a trained network: `pages` (N, 1, H, W) -> `maps` (N, 4, H / 2, W / 2), any sizes."""
    copy = LayoutNet()
    copy.load_state_dict(network.state_dict())
    file = io.BytesIO()
    axes = {"pages": {0: "N", 2: "H", 3: "W"}, "maps": {0: "N", 2: "H2", 3: "W2"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants; a test reads pages of other sizes
        torch.onnx.export(
            Reading(copy).eval(),
            (torch.zeros(1, 1, 2 * MULTIPLE, 3 * MULTIPLE),),
            file,  # type: ignore[arg-type] # the TorchScript exporter writes into open files
            dynamo=False,
            opset_version=17,
            input_names=["pages"],
            output_names=["maps"],
            dynamic_axes=axes,
        )
    return file.getvalue()
