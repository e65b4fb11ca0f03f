"""What runs on the GPUs that are there; without one, these tests are passed over."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_samples import SMALL, samples, settings

from uncial.nn.batches import BatchMaker
from uncial.nn.ctc import ctc_loss
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.nn.takeover import take_over
from uncial.training_lines import gather

there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
devices = pytest.mark.parametrize(
    "device",
    [pytest.param(name, marks=pytest.mark.skipif(not is_there, reason=name)) for name, is_there in there.items()],
)


@devices
def test_the_loss_is_that_of_the_cpu_with_its_gradient(device: str) -> None:
    texts = torch.tensor([12, 9]), torch.tensor([1, 2, 2, 3]), torch.tensor([3, 1])
    told = []
    for place in ("cpu", device):
        logits = torch.linspace(-2, 2, 2 * 12 * 5, device=place).reshape(2, 12, 5).requires_grad_()
        loss = ctc_loss(logits, *(tensor.to(place) for tensor in texts)).sum()
        loss.backward()
        told.append((loss.item(), logits.grad.cpu()))
    assert told[0][0] == pytest.approx(told[1][0], rel=1e-4)
    assert torch.allclose(told[0][1], told[1][1], atol=1e-4)


@devices
@pytest.mark.parametrize("wider", [8, 12])
def test_a_network_takes_over_weights_and_learns(device: str, wider: int) -> None:
    config = settings(device=device)
    lines = gather(samples(8), config, None)
    weights = {
        n: np.asarray(v.cpu()) for n, v in Learner(config, lines.alphabet.size, Ranks()).network.state_dict().items()
    }
    config = settings(device=device, network=replace(SMALL, recurrent_size=wider))
    learner = Learner(config, lines.alphabet.size, Ranks())
    take_over(weights, lines.alphabet, learner.network, lines.alphabet)
    maker = BatchMaker(lines.training, config.network, config.line_image, 2**20)
    assert np.isfinite(learner.learn(maker.batch(range(8), None), 0, 0.1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_each_process_adds_up_on_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without GPUs: what PyTorch would be asked for."""
    asked: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", asked.append)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda backend, device_id: asked.append((backend, device_id))
    )
    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setitem(os.environ, name, value)
    assert Ranks.join("auto") == Ranks(1, 2)
    assert asked == [torch.device("cuda", 1), ("nccl", torch.device("cuda", 1))]
