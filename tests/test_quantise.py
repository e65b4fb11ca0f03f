"""A bundle with an int8 graph: reads as the bundle does, whatever stands beside a line, or goes back to fp32."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import DrawnLine
from numpy.typing import NDArray

from uncial import quantise as module
from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, load_bundle, save_bundle
from uncial.errors import BundleError
from uncial.lineimage import LineImageConfig, line_image
from uncial.nn.crnn import CRNN
from uncial.nn.onnx_graph import onnx_graph
from uncial.quantise import quantise
from uncial.recognizer import Recognizer
from uncial.runtime import Runtime

Judged = list[tuple[NDArray[np.uint8], list[int]]]


@pytest.fixture
def judged(tiny_bundle: Bundle, drawn_lines: Sequence[DrawnLine]) -> Judged:
    config, alphabet = tiny_bundle.line_image, tiny_bundle.alphabet
    return [(line_image(line.image, config), alphabet.encode(line.text)) for line in drawn_lines]


@pytest.fixture
def bundle(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the tiny bundle, to be changed."""
    graph = tiny_bundle.graph.read_bytes()
    parts = (tiny_bundle.architecture, tiny_bundle.alphabet, tiny_bundle.line_image, tiny_bundle.provenance)
    return save_bundle(tmp_path / "bundle", *parts, tiny_bundle.weights, graph)


def test_lines_are_read_as_before_and_it_says_so(
    bundle: Bundle, judged: Judged, drawn_lines: Sequence[DrawnLine]
) -> None:
    told = quantise(bundle, [image for image, _ in judged], judged)
    assert "faster" in told
    assert "on 4 lines" in told
    texts = [t.text for t in Recognizer.load(bundle.path).read_lines([line.image for line in drawn_lines])]
    assert texts == [line.text for line in drawn_lines]


def test_posteriors_stay_near_those_of_full_precision(bundle: Bundle, judged: Judged) -> None:
    images = [image for image, _ in judged]
    quantise(bundle, images, judged)
    whole, small = (Runtime(load_bundle(bundle.path), b).log_probs(images) for b in ("onnx", "onnx-int8"))
    difference = max(float(np.abs(np.exp(a) - np.exp(b)).max()) for a, b in zip(whole, small, strict=True))
    assert 0 < difference < 0.1


def test_the_convolutions_are_int8_and_the_weights_are_not_stored_again(bundle: Bundle, judged: Judged) -> None:
    quantise(bundle, [image for image, _ in judged], judged)
    path = load_bundle(bundle.path).int8_graph
    assert path is not None
    model = onnx.load(str(path), load_external_data=False)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    assert convolutions
    assert all(makers[name] == "DequantizeLinear" for node in convolutions for name in node.input)
    inside = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    assert inside < 0.1 * (bundle.path / "weights.safetensors").stat().st_size


def test_a_line_reads_the_same_alone_and_among_others(bundle: Bundle, judged: Judged) -> None:
    images = [image for image, _ in judged]
    quantise(bundle, images, judged)
    runtime = Runtime(load_bundle(bundle.path), "onnx-int8")
    together = runtime.log_probs(images)
    for image, expected in zip(images, together, strict=True):
        np.testing.assert_allclose(runtime.log_probs([image])[0], expected, atol=1e-4)


def test_a_graph_that_reads_worse_is_not_kept(bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALLOWED", -1.0)  # no graph can be so much better
    assert "too much is lost" in quantise(bundle, [image for image, _ in judged], judged)
    after = load_bundle(bundle.path)
    assert after.int8_graph is None
    with pytest.raises(BundleError, match="no int8 graph"):
        Runtime(after, "onnx-int8")


@pytest.mark.parametrize(
    "config",
    [
        CRNNConfig(backbone="shi2015", recurrent="gru", recurrent_size=8, recurrent_layers=1),
        CRNNConfig(channels=(4, 8), blocks=(2,), strides_down=(4, 4), strides_across=(4, 2), column="stack"),
        CRNNConfig(backbone="none", recurrent_size=8),
    ],
    ids=["shi2015", "stack", "none"],
)
def test_any_network_can_be_given_to_it(config: CRNNConfig, tmp_path: Path, judged: Judged) -> None:
    torch.manual_seed(0)
    alphabet = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz"))
    network = CRNN(config, alphabet.size).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    bundle = save_bundle(tmp_path / "b", config, alphabet, LineImageConfig(), {}, weights, onnx_graph(network))
    quantise(bundle, [image for image, _ in judged], judged)
    images = [image for image, _ in judged]
    whole, auto = (Runtime(load_bundle(bundle.path), b).log_probs(images) for b in ("onnx", "auto"))
    for a, b in zip(whole, auto, strict=True):
        np.testing.assert_allclose(np.exp(a), np.exp(b), atol=0.05)
