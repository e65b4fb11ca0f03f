"""The graph for one line at a time: the same log-probabilities with fewer nodes, and no batches."""

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
from uncial.nn.int8_recurrent import int8_recurrent
from uncial.nn.onnx_graph import onnx_graph
from uncial.nn.single_line import for_single_lines
from uncial.runtime import Runtime

SMALL = CRNNConfig(channels=(4, 8), blocks=(1,), strides_down=(4, 4), strides_across=(4, 2), recurrent_size=8)


def _bundle(config: CRNNConfig, path: Path) -> Bundle:
    torch.manual_seed(0)
    alphabet = Alphabet(tuple("abc"))
    network = CRNN(config, alphabet.size).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return save_bundle(path, config, alphabet, LineImageConfig(height=config.height), {}, weights, onnx_graph(network))


def _read(bundle: Bundle, model: onnx.ModelProto, images: np.ndarray, widths: list[int]) -> list[np.ndarray]:
    (bundle.path / "tried.onnx").write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(bundle.path / "tried.onnx"), providers=["CPUExecutionProvider"])
    return session.run(["log_probs", "lengths"], {"images": images, "widths": np.array(widths, np.int64)})


@pytest.mark.parametrize("config", MIXES, ids=name)
def test_a_line_reads_as_by_the_whole_graph(config: CRNNConfig, tmp_path: Path) -> None:
    bundle = _bundle(config, tmp_path / "b")
    whole = onnx.load(str(bundle.graph), load_external_data=False)
    single = onnx.load(str(bundle.graph), load_external_data=False)
    for_single_lines(single)
    for width in WIDTHS:
        image = np.random.default_rng(width).random((1, 1, config.height, width), dtype=np.float32)
        (expected, steps), (found, of_them) = (_read(bundle, model, image, [width]) for model in (whole, single))
        assert steps.tolist() == of_them.tolist()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_mask_and_no_table_of_a_reversal_is_left(tmp_path: Path) -> None:
    model = onnx.load(str(_bundle(SMALL, tmp_path / "b").graph), load_external_data=False)
    for_single_lines(model)
    kinds = [node.op_type for node in model.graph.node]
    assert "GatherElements" not in kinds
    assert kinds.count("Mul") == 1  # of the number of time steps
    ways = [a.s for node in model.graph.node if node.op_type == "LSTM" for a in node.attribute if a.name == "direction"]
    assert ways == [b"reverse"] * SMALL.recurrent_layers


def test_two_lines_at_once_are_refused(tmp_path: Path) -> None:
    bundle = _bundle(SMALL, tmp_path / "b")
    model = onnx.load(str(bundle.graph), load_external_data=False)
    for_single_lines(model)
    with pytest.raises(Exception, match="invalid dimensions"):
        _read(bundle, model, np.zeros((2, 1, 64, 50), np.float32), [50, 40])


def test_int8_lstm_layers_stay_near_full_precision(tiny_bundle: Bundle, tmp_path: Path) -> None:
    bundle = save_bundle(
        tmp_path / "b",
        tiny_bundle.architecture,
        tiny_bundle.alphabet,
        tiny_bundle.line_image,
        {},
        tiny_bundle.weights,
        tiny_bundle.graph.read_bytes(),
    )
    image = np.random.default_rng(0).random((1, 1, 64, 300), dtype=np.float32)
    model = onnx.load(str(bundle.graph), load_external_data=False)
    for_single_lines(model)
    int8_recurrent(model)
    kinds = [node.op_type for node in model.graph.node]
    assert "LSTM" not in kinds
    assert "DynamicQuantizeLSTM" in kinds
    found, _ = _read(bundle, model, image, [300])
    expected, _ = Runtime(bundle, "onnx")._session.run(image, np.array([300], np.int64))
    assert 0 < np.abs(np.exp(found) - np.exp(expected)).max() < 0.05
