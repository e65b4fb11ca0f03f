"""A bundle with an int8 graph: reads as the bundle does, whatever stands beside a line, or goes back to fp32."""

from collections.abc import Sequence
from itertools import pairwise
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
from uncial.quantise import costs_little, quantise
from uncial.recognizer import Recognizer
from uncial.runtime import TOGETHER_PIXELS, Runtime

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
    graphs = [onnx.load(str(path), load_external_data=False) for path in load_bundle(bundle.path).int8_graphs]
    slices, context = (model.graph for model in graphs)
    convolutions = [node for node in slices.node if node.op_type == "Conv"]
    makers = {name: node.op_type for node in slices.node for name in node.output}
    assert convolutions
    assert all(makers[name] == "DequantizeLinear" for node in convolutions for name in node.input)
    kinds, behind = ({node.op_type for node in graph.node} for graph in (slices, context))
    assert kinds & {"MaxPool", "ReduceMax"} == {"MaxPool"}
    assert behind & {"LSTM", "DynamicQuantizeLSTM"} == {"DynamicQuantizeLSTM"}
    assert behind & {"MatMul", "MatMulIntegerToFloat"} == {"MatMulIntegerToFloat"}
    assert "network.backbone.stem.conv.weight.filters.cells" in makers
    inside = sum(len(tensor.raw_data) for graph in (slices, context) for tensor in graph.initializer)
    assert inside < 0.1 * (bundle.path / "weights.safetensors").stat().st_size


def _only_convolutions(bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch) -> str:
    """Quantise, and find the first graph that is tried too bad."""
    found = iter([np.full(len(judged), 9), np.zeros(len(judged), int)])
    monkeypatch.setattr(module, "_errors_of", lambda *_: next(found))
    return quantise(bundle, [image for image, _ in judged], judged)


def test_where_recurrent_layers_lose_too_much_only_convolutions_are_int8(
    bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = _only_convolutions(bundle, judged, monkeypatch)
    assert "with int8 convolutions, " in told
    assert [path.name for path in load_bundle(bundle.path).int8_graphs] == ["model.int8.onnx"]


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_line_reads_the_same_alone_and_among_others(
    bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch, recurrent: bool
) -> None:
    images = [image for image, _ in judged]
    if recurrent:
        quantise(bundle, images, judged)
    else:
        _only_convolutions(bundle, judged, monkeypatch)
    runtime = Runtime(load_bundle(bundle.path), "onnx-int8")
    together = runtime.log_probs(images)
    for image, expected in zip(images, together, strict=True):
        np.testing.assert_allclose(runtime.log_probs([image])[0], expected, atol=1e-4)


def test_graphs_of_one_kind_take_the_place_of_those_of_the_other(
    bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantise(bundle, [image for image, _ in judged], judged)
    assert len(load_bundle(bundle.path).int8_graphs) == 2
    with monkeypatch.context() as patched:
        _only_convolutions(load_bundle(bundle.path), judged, patched)
    assert len(load_bundle(bundle.path).int8_graphs) == 1
    assert not list(bundle.path.glob("slices*"))


def test_threads_do_not_change_what_int8_reads(bundle: Bundle, judged: Judged) -> None:
    images = [image for image, _ in judged]
    quantise(bundle, images, judged)
    one, two = (Runtime(load_bundle(bundle.path), threads=threads) for threads in (1, 2))
    assert one._session.pixels == TOGETHER_PIXELS
    for ours, theirs in zip(one.log_probs(images), two.log_probs(images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_nobody_reads_with_a_graph_before_it_is_judged(
    bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = module._errors_of
    monkeypatch.setattr(
        module, "_errors_of", lambda *a: (seen.append(not load_bundle(bundle.path).int8_graphs), real(*a))[1]
    )
    quantise(bundle, [image for image, _ in judged], judged)
    assert seen == [True]
    assert load_bundle(bundle.path).int8_graphs


def test_without_lines_nothing_is_judged(bundle: Bundle, judged: Judged) -> None:
    with pytest.raises(ValueError, match="lines"):
        quantise(bundle, [image for image, _ in judged], [])


def test_a_graph_that_reads_worse_is_not_kept(bundle: Bundle, judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALLOWED", -1.0)  # no graph can be so much better
    assert "too much is lost" in quantise(bundle, [image for image, _ in judged], judged)
    after = load_bundle(bundle.path)
    assert not after.int8_graphs
    with pytest.raises(BundleError, match="no int8 graph"):
        Runtime(after, "onnx-int8")


SMALL = {"channels": (4, 8), "blocks": (2,), "strides_down": (4, 4), "strides_across": (4, 2), "recurrent_size": 8}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (CRNNConfig(backbone="shi2015", recurrent="gru", recurrent_size=8, recurrent_layers=1), "int8 convolutions,"),
        (CRNNConfig(column="stack", **SMALL), "int8 convolutions and recurrent layers,"),
        (CRNNConfig(column="sweep", bidirectional=False, **SMALL), "int8 convolutions and recurrent layers,"),
        (CRNNConfig(**SMALL | {"channels": (1, 8)}), "int8 convolutions and recurrent layers,"),
        (CRNNConfig(recurrent="sru", **SMALL), "int8 convolutions,"),
        (CRNNConfig(recurrent="none", **SMALL), "int8 convolutions,"),
        (CRNNConfig(backbone="none", recurrent_size=8), "no convolutions"),
    ],
    ids=["shi2015", "stack", "sweep", "one channel", "sru", "no recurrent", "no backbone"],
)
def test_any_network_can_be_given_to_it(config: CRNNConfig, said: str, tmp_path: Path, judged: Judged) -> None:
    torch.manual_seed(0)
    alphabet = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz"))
    network = CRNN(config, alphabet.size).eval()
    with torch.no_grad():
        network.head.weight.mul_(20.0)  # else all lines have nearly the same posteriors
        for weight in (*network.recurrent.parameters(), *(network.sweep.parameters() if network.sweep else ())):
            weight.mul_(3.0)  # else states are small beside the range from -1 to 1 that int8 spans
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    bundle = save_bundle(tmp_path / "b", config, alphabet, LineImageConfig(), {}, weights, onnx_graph(network))
    assert said in quantise(bundle, [image for image, _ in judged], judged)
    images = [image for image, _ in judged]
    whole, auto = (Runtime(load_bundle(bundle.path), b).log_probs(images) for b in ("onnx", "auto"))
    steps = min(map(len, whole))
    unlike = max(np.abs(np.exp(a[:steps]) - np.exp(b[:steps])).max() for a, b in pairwise(whole))
    for a, b in zip(whole, auto, strict=True):
        assert np.abs(np.exp(a) - np.exp(b)).max() < 0.75 * unlike


def test_what_chance_makes_of_few_lines_costs_no_speed_and_what_is_lost_on_many_does() -> None:
    few = np.zeros(38, np.int64)
    few[[3, 20]] = 1
    assert costs_little(few, 1_400)  # 0.14 points, two errors
    many = np.tile(few, 40)
    assert not costs_little(many, 56_000)  # as large a share, eighty errors
    assert costs_little(-many, 56_000)


def test_a_channel_of_nothing_but_its_bias_reads_as_before(bundle: Bundle, judged: Judged) -> None:
    weights = dict(bundle.weights)
    stem = "backbone.stem.norm"
    weights[f"{stem}.weight"], weights[f"{stem}.bias"] = (weights[f"{stem}.{n}"].copy() for n in ("weight", "bias"))
    weights[f"{stem}.weight"][0], weights[f"{stem}.bias"][0] = 0.0, 0.5
    parts = (bundle.architecture, bundle.alphabet, bundle.line_image, {})
    changed = save_bundle(bundle.path.parent / "changed", *parts, weights, bundle.graph.read_bytes())
    images = [image for image, _ in judged]
    quantise(changed, images, judged)
    whole, small = (Runtime(load_bundle(changed.path), b).log_probs(images) for b in ("onnx", "onnx-int8"))
    assert max(float(np.abs(np.exp(a) - np.exp(b)).max()) for a, b in zip(whole, small, strict=True)) < 0.1
