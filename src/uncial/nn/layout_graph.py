"""The layout network as an ONNX graph that holds its weights, and the network that such a graph was made from."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from uncial.errors import BundleError
from uncial.nn.layout_net import MULTIPLE, LayoutNet, Reading

OWN = "network."  # names of weights that the export leaves as they are begin with it


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


def network_of(graph: Path, pages: Sequence[Tensor]) -> LayoutNet:
    """The network of a graph, to be trained further.

    The export has multiplied what each normalisation does into the convolution before it. So that the network learns
    as it did, its normalisations are set to what these convolutions give on some pages, and undo it: the maps of pages
    stay what they were.

    Args:
        graph: of `layout_graph`.
        pages: at least one, each (1, 1, H, W) as the network sees them.

    Raises:
        BundleError: the graph cannot be opened, or is of another network.
    """
    network = LayoutNet()
    try:
        model = onnx.load(graph)
    except Exception as error:  # noqa: BLE001 - the errors of onnx and protobuf have no class in common
        raise BundleError(f"{graph}: cannot be taken up ({error}); copy the folder again") from error
    values = {stored.name: _tensor(stored) for stored in model.graph.initializer}
    plain = {name.removeprefix(OWN): value for name, value in values.items() if name.startswith(OWN)}
    merged = [node for node in model.graph.node if node.op_type == "Conv" and not node.input[1].startswith(OWN)]
    pairs = _normalised(network)
    try:
        _, unknown = network.load_state_dict(plain, strict=False)
        if unknown or not plain:
            raise ValueError("other weights")
        with torch.no_grad():
            for (convolution, norm), node in zip(pairs, merged, strict=True):
                convolution.weight.copy_(values[node.input[1]])
                norm.bias.copy_(values[node.input[2]])
                norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr] # it hands on what it gets
    except (IndexError, KeyError, RuntimeError, ValueError) as error:
        raise BundleError(
            f"{graph}: is of another network than this Uncial trains ({error}); train without --from"
        ) from error
    _settle(network.eval(), [norm for _, norm in pairs], pages)
    return network


def _normalised(network: LayoutNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each normalisation and the convolution before it, in the order in which they run."""
    order: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    last: list[nn.Conv2d] = []
    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda m, _i, _o: last.append(m)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(lambda m, _i, _o: order.append((last[-1], m))))
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, MULTIPLE, MULTIPLE))
    for hook in hooks:
        hook.remove()
    return order


def _settle(network: LayoutNet, norms: Sequence[nn.BatchNorm2d], pages: Sequence[Tensor]) -> None:
    """Set normalisations that do nothing yet to the mean and variance of what they get, and let them undo that."""
    seen: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for norm in norms}
    hooks = [n.register_forward_pre_hook(lambda m, inputs: seen[m].append(_moments(inputs[0]))) for n in norms]
    with torch.no_grad():
        for page in pages:
            network(page)
        for hook in hooks:
            hook.remove()
        for norm, moments in seen.items():
            mean, square = torch.stack(moments).mean(dim=0)
            variance = (square - mean * mean).clamp(min=0)
            norm.running_mean.copy_(mean)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)


def _moments(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (2, C): mean and mean square of each channel."""
    return torch.stack([x.mean(dim=(0, 2, 3)), x.square().mean(dim=(0, 2, 3))])


def _tensor(stored: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(numpy_helper.to_array(stored).copy())
