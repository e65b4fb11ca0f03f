"""The exported graph: right for any width and batch size, and free of whatever depends on weights alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, save_bundle
from uncial.lineimage import LineImageConfig
from uncial.nn.crnn import CRNN
from uncial.nn.onnx_graph import onnx_graph

ALPHABET = Alphabet(tuple("abcdefgh"))


@pytest.fixture(scope="module")
def network() -> CRNN:
    """The default network but narrow, as if trained, in training mode."""
    torch.manual_seed(11)
    network = CRNN(CRNNConfig(channels=(8, 12, 16, 24), recurrent_size=20), ALPHABET.size)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.3, 3.0)
    return network.train()


@pytest.fixture(scope="module")
def bundle(network: CRNN, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Its bundle."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("graph") / "bundle"
    return save_bundle(path, network.config, ALPHABET, LineImageConfig(), {}, weights, onnx_graph(network))


@pytest.fixture(scope="module")
def rounded(network: CRNN, bundle: Bundle) -> CRNN:
    """The network with the weights as the bundle stores them, in eval mode."""
    rounded = CRNN(network.config, ALPHABET.size)
    rounded.load_state_dict({name: torch.from_numpy(value) for name, value in bundle.weights.items()}, strict=False)
    return rounded.eval()


def lines(count: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Seeded noise: a padded batch, (N, 1, 64, width), and true widths from half of it to all of it."""
    torch.manual_seed(count * 1000 + width)
    widths = torch.linspace(width, width // 2, count).long()
    return torch.rand(count, 1, 64, width) * (torch.arange(width) < widths[:, None])[:, None, None, :], widths


@pytest.mark.parametrize("width", [57, 200, 707])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_graph_reads_as_pytorch_does(bundle: Bundle, rounded: CRNN, count: int, width: int) -> None:
    images, widths = lines(count, width)
    with torch.no_grad():
        logits, steps = rounded(images, widths)
    session = onnxruntime.InferenceSession(str(bundle.graph))
    log_probs, lengths = session.run(["log_probs", "lengths"], {"images": images.numpy(), "widths": widths.numpy()})
    assert lengths.tolist() == steps.tolist() == [rounded.config.time_steps(w) for w in widths.tolist()]
    for ours, theirs, length in zip(logits.log_softmax(2).numpy(), log_probs, lengths, strict=True):
        np.testing.assert_allclose(theirs[:length], ours[:length], atol=1e-3)


def test_rounding_the_weights_to_half_precision_hardly_changes_the_posteriors(network: CRNN, rounded: CRNN) -> None:
    full = CRNN(network.config, ALPHABET.size)
    full.load_state_dict(network.state_dict())
    images, widths = lines(3, 400)
    with torch.no_grad():
        before, after = (n(images, widths)[0].softmax(2) for n in (full.eval(), rounded))
    assert (before - after).abs().max() < 5e-3


def test_whatever_depends_on_weights_alone_is_computed_when_the_graph_is_opened(bundle: Bundle, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "opened.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(bundle.graph), options)
    opened = onnx.load(str(tmp_path / "opened.onnx"), load_external_data=False).graph
    kinds = Counter(node.op_type for node in opened.node)
    assert kinds["BatchNormalization"] == 0
    assert kinds["Slice"] == 0  # the reordering of LSTM gates
    assert kinds["LSTM"] == 4
    constants = {tensor.name for tensor in opened.initializer}
    assert [n.name for n in opened.node if n.op_type == "Cast" and n.input[0] in constants] == []
    assert not any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in opened.initializer)


def test_exporting_leaves_the_network_and_the_chance_of_training_alone(network: CRNN) -> None:
    before, chance = {name: value.clone() for name, value in network.state_dict().items()}, torch.get_rng_state()
    graph = onnx_graph(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert graph == onnx_graph(network)


def test_the_graph_tells_nothing_of_the_machine_it_was_made_on(network: CRNN) -> None:
    graph = onnx_graph(network)
    assert str(Path(__file__).parents[1]).encode() not in graph
    assert b".py" not in graph


@pytest.mark.parametrize("recurrent", ["lstm", "sru"])
def test_exporting_says_nothing(recurrent: str, capfd: pytest.CaptureFixture[str]) -> None:
    config = CRNNConfig(channels=(4, 6, 8, 8), recurrent=recurrent, recurrent_size=8)
    onnx_graph(CRNN(config, ALPHABET.size))
    assert capfd.readouterr() == ("", "")
