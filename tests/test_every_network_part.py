"""Any mix of parts builds, learns, exports, and reads the same in ONNX Runtime as in PyTorch."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import save_bundle
from uncial.lineimage import LineImageConfig
from uncial.nn.backbones import BACKBONES
from uncial.nn.crnn import COLUMNS, CRNN
from uncial.nn.ctc import ctc_loss
from uncial.nn.onnx_graph import onnx_graph
from uncial.nn.recurrent import RECURRENT
from uncial.runtime import Runtime

ALPHABET = Alphabet(("a", "b", "c"))
SMALL = {"channels": (4, 6), "blocks": (1,), "strides_down": (4, 4), "strides_across": (3, 2), "recurrent_size": 5}
SMALL |= {"dense_width": 26, "dense_hidden": 40}  # shorter and longer lines than that
WIDTHS = (41, 24, 1)  # of no common multiple with any stride, and the narrowest there is
MIXES = [
    *(CRNNConfig(backbone=b, recurrent=r, column=c, **SMALL) for b, r, c in product(BACKBONES, RECURRENT, COLUMNS)),
    CRNNConfig(bidirectional=False, **SMALL),
    CRNNConfig(kernel=5, recurrent_layers=1, shortcut=False, **SMALL),
    CRNNConfig(height=32, backbone="shi2015", **SMALL),
    *(CRNNConfig(recurrent=r, recurrent_layers=1, added_layers=2, **SMALL) for r in RECURRENT),
]


def name(config: CRNNConfig) -> str:
    ways = "" if config.bidirectional else "-forward"
    added = f"-{config.added_layers}-added" if config.added_layers else ""
    return f"{config.backbone}-{config.recurrent}-{config.column}-{config.height}px-{config.kernel}{ways}{added}"


@pytest.fixture(params=MIXES, ids=name)
def network(request: pytest.FixtureRequest) -> CRNN:
    torch.manual_seed(3)
    network = CRNN(request.param, ALPHABET.size)
    for module in network.modules():  # as if trained: statistics that are not those of an untouched layer
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    for share in network.recurrent.shares:
        torch.nn.init.uniform_(share, -1.0, 1.0)
    return network.eval()


def test_every_mix_of_parts_reads_the_same_exported_and_not(network: CRNN, tmp_path: Path) -> None:
    config = network.config
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    line_image = LineImageConfig(height=config.height)
    bundle = save_bundle(tmp_path / "mix", config, ALPHABET, line_image, {}, weights, onnx_graph(network))
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (config.height, width), dtype=np.uint8) for width in WIDTHS]
    exported, own = Runtime(bundle).log_probs(images), Runtime(bundle, "torch").log_probs(images)
    for width, ours, theirs in zip(WIDTHS, own, exported, strict=True):
        assert ours.shape == theirs.shape == (config.time_steps(width), ALPHABET.size)
        np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_every_mix_of_parts_gives_each_weight_a_gradient(network: CRNN) -> None:
    torch.manual_seed(5)
    images = torch.rand(3, 1, network.config.height, 24)
    logits, lengths = network.train()(images, torch.full((3,), 24))
    loss = ctc_loss(logits, lengths, torch.tensor([1, 2, 3]), torch.ones(3, dtype=torch.long)).sum()
    if network.shortcut is not None:
        loss = loss + network.shortcut_logits(network.slices(images, torch.full((3,), 24))[0]).square().mean()
    loss.backward()
    silent = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    # One channel leaves a sweep of one unit, whose maximum may stand at its first row, where nothing came before.
    excused = {"sweep.cell.weight_hh_l0_reverse"} if network.config.backbone == "none" else set()
    if network.config.backbone == "dense":  # one row: nothing came before
        excused = {"sweep.cell.weight_hh_l0", "sweep.cell.weight_hh_l0_reverse"}
    assert set(silent) <= excused


def test_every_mix_of_parts_gives_slices_of_zero_beyond_a_line(network: CRNN) -> None:
    images = torch.zeros(2, 1, network.config.height, 48)
    images[0], images[1, :, :, :13] = torch.rand(network.config.height, 48), torch.rand(network.config.height, 13)
    slices, lengths = network.slices(images, torch.tensor([48, 13]))
    steps = lengths * network.config.steps_per_slice
    assert steps.tolist() == [network.config.time_steps(width) for width in (48, 13)]
    assert not slices[1, lengths[1] :].any()
