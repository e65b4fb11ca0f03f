"""The graph in two: the slices of a line alone, and what stands behind them, in int8, for many lines together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from test_every_network_part import MIXES, WIDTHS, name

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, save_bundle
from uncial.lineimage import LineImageConfig
from uncial.nn.crnn import CRNN
from uncial.nn.int8_context import int8_context
from uncial.nn.onnx_graph import onnx_graph
from uncial.nn.single_line import up_to_slices
from uncial.runtime import torch_network

SMALL = CRNNConfig(channels=(4, 8), blocks=(1,), strides_down=(4, 4), strides_across=(4, 2), recurrent_size=8)
KINDS = [SMALL, replace(SMALL, bidirectional=False), replace(SMALL, added_layers=2), replace(SMALL, steps_per_slice=3)]
CONVOLUTIONAL = "residual", "shi2015"  # others have nothing that int8 could make faster
EXTENT = -2.0, 3.0

Lines = Sequence[np.ndarray]


def _network(config: CRNNConfig) -> CRNN:
    torch.manual_seed(0)
    network = CRNN(config, 4).eval()
    with torch.no_grad():
        network.head.weight.mul_(20.0)  # else all lines have nearly the same posteriors
        for share in network.recurrent.shares:
            share.uniform_(-0.5, 0.5)
    return network


def _bundle(network: CRNN, path: Path) -> Bundle:
    config, alphabet = network.config, Alphabet(tuple("abc"))
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return save_bundle(path, config, alphabet, LineImageConfig(height=config.height), {}, weights, onnx_graph(network))


def _opened(bundle: Bundle, graph: bytes) -> onnxruntime.InferenceSession:
    (bundle.path / "tried.onnx").write_bytes(graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(bundle.path / "tried.onnx"), options, providers=["CPUExecutionProvider"])


def _context(config: CRNNConfig, path: Path, network: CRNN | None = None) -> tuple[CRNN, onnxruntime.InferenceSession]:
    network = network or _network(config)
    bundle = _bundle(network, path)
    shares = [share.detach().numpy() for share in network.recurrent.shares]
    whole = onnx.load(str(bundle.graph), load_external_data=False)
    return network, _opened(bundle, int8_context(whole, config, shares, EXTENT))


def _slices(count: int, features: int, lengths: Sequence[int]) -> Lines:
    rng = np.random.default_rng(0)
    return [rng.uniform(*EXTENT, (length, features)).astype(np.float32) for length in lengths[:count]]


def _read(session: onnxruntime.InferenceSession, lines: Lines, steps: int) -> list[np.ndarray]:
    lengths = np.array([len(line) for line in lines], np.int32)
    padded = np.zeros((len(lines), lengths.max(), lines[0].shape[1]), np.float32)
    for row, line in zip(padded, lines, strict=True):
        row[: len(line)] = line
    (found,) = session.run(["log_probs"], {"slices": padded, "lengths": lengths})
    assert found.shape[1] == steps * padded.shape[1]
    return [row[: steps * length] for row, length in zip(found, lengths, strict=True)]


@pytest.mark.parametrize(
    "config", [config for config in MIXES if config.recurrent == "lstm" and config.backbone in CONVOLUTIONAL], ids=name
)
def test_a_line_alone_has_the_slices_that_it_has_in_the_whole_network(config: CRNNConfig, tmp_path: Path) -> None:
    bundle = _bundle(_network(config), tmp_path / "b")
    network = torch_network(bundle)
    model = onnx.load(str(bundle.graph), load_external_data=False)
    up_to_slices(model)
    session = _opened(bundle, model.SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["images"]
    for width in WIDTHS:
        image = np.random.default_rng(width).random((1, 1, config.height, width), dtype=np.float32)
        with torch.inference_mode():
            expected, lengths = network.slices(torch.from_numpy(image), torch.tensor([width]))
        (found,) = session.run(["slices"], {"images": image})
        assert found.shape[1] == lengths.item()
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_no_mask_is_left_and_two_lines_at_once_are_refused(tmp_path: Path) -> None:
    bundle = _bundle(_network(SMALL), tmp_path / "b")
    model = onnx.load(str(bundle.graph), load_external_data=False)
    up_to_slices(model)
    assert not {"Mul", "LSTM"} & {node.op_type for node in model.graph.node}
    with pytest.raises(Exception, match="invalid dimensions"):
        _opened(bundle, model.SerializeToString()).run(None, {"images": np.zeros((2, 1, 64, 50), np.float32)})


@pytest.mark.parametrize("config", KINDS, ids=["usual", "one way", "added layers", "three steps"])
def test_a_line_reads_exactly_the_same_whatever_stands_beside_it(config: CRNNConfig, tmp_path: Path) -> None:
    _, session = _context(config, tmp_path / "b")
    lines = [*_slices(6, 8, (30, 3, 17, 1, 30, 44)), np.full((9, 8), 9.0, np.float32)]  # the last far beyond the extent
    together = _read(session, lines, config.steps_per_slice)
    for line, expected in zip(lines, together, strict=True):
        np.testing.assert_array_equal(_read(session, [line], config.steps_per_slice)[0], expected)


@pytest.mark.parametrize("config", KINDS, ids=["usual", "one way", "added layers", "three steps"])
def test_posteriors_stay_near_those_of_full_precision(config: CRNNConfig, tmp_path: Path) -> None:
    network, session = _context(config, tmp_path / "b")
    one, other = (torch.from_numpy(line)[None] for line in _slices(2, 8, (30, 30)))
    with torch.inference_mode():
        expected, unlike = (network.context_logits(x, torch.tensor([30])).softmax(2)[0].numpy() for x in (one, other))
    found = np.exp(_read(session, [one[0].numpy()], config.steps_per_slice)[0])
    assert 0 < np.abs(found - expected).max() < 0.25 * np.abs(expected - unlike).max()


def test_what_lies_beyond_the_extent_counts_as_its_end(tmp_path: Path) -> None:
    _, session = _context(SMALL, tmp_path / "b")
    beyond = np.full((5, 8), 50.0, np.float32)
    np.testing.assert_array_equal(*(_read(session, [x], 2)[0] for x in (beyond, np.minimum(beyond, EXTENT[1]))))


def test_sums_of_states_are_not_cut_off_before_the_head(tmp_path: Path) -> None:
    network = _network(KINDS[2])
    with torch.no_grad():
        network.head.weight.div_(20.0)
        for name, weight in network.recurrent.named_parameters():
            if "bias_ih" in name:
                weight.fill_(3.0)  # gates stand open, so all states come near 1
        for share in network.recurrent.shares:
            share.fill_(1.0)
    network, session = _context(KINDS[2], tmp_path / "b", network)
    line = torch.from_numpy(_slices(1, 8, (30,))[0])[None]
    lengths = torch.tensor([30])
    with torch.inference_mode():
        context = network.context(line, lengths)
        assert context.min() > 1.5
        expected = network.logits(context).softmax(2)[0].numpy()
        cut_off = network.logits(context.clamp(max=1.0)).softmax(2)[0].numpy()
    found = np.exp(_read(session, [line[0].numpy()], KINDS[2].steps_per_slice)[0])
    assert np.abs(found - expected).max() < 0.25 * np.abs(cut_off - expected).max()
