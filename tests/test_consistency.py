"""Two views of a line show the same letters at the same places, and are drawn towards each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_line
from drawn_samples import samples, settings
from torch.nn import functional

from uncial import augment as augmenting
from uncial.augment import AugmentConfig, augment, views
from uncial.errors import ConfigError
from uncial.nn.batches import Batch, BatchMaker
from uncial.nn.consistency import disagreement
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.train import train
from uncial.train_config import TrainConfig
from uncial.training_lines import gather

LINE = draw_line("1 May 1862").image
ALWAYS = AugmentConfig(chance=1.0)


def two_views(**changed: float) -> TrainConfig:
    return replace(settings(), consistency_weight=0.2, **changed)


def makers() -> tuple[BatchMaker, BatchMaker, TrainConfig]:
    """The same six lines once and in two views."""
    config = two_views()
    lines = gather(samples(6), config, None)
    how = lines.training, config.network, config.line_image, 2**20
    return BatchMaker(*how), BatchMaker(*how, views=config.views), config


def test_views_differ_in_pen_and_paper_and_the_first_is_the_line_that_one_view_gives() -> None:
    first, second = views(LINE, np.random.default_rng(3), ALWAYS, 2)
    np.testing.assert_array_equal(first, augment(LINE, np.random.default_rng(3), ALWAYS))
    assert first.shape == second.shape
    assert (first != second).any()


def test_views_share_their_geometry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmenting, "AUGMENTATIONS", {})
    first, second = views(LINE, np.random.default_rng(3), ALWAYS, 2)
    assert first.shape != LINE.shape
    np.testing.assert_array_equal(first, second)


def test_a_batch_of_two_views_holds_all_first_ones_then_all_second_ones() -> None:
    single, double, _ = makers()
    once, twice = (maker.batch([0, 1, 2], ALWAYS, (1, 2)) for maker in (single, double))
    np.testing.assert_array_equal(twice.images[:3], once.images)
    assert twice.images.shape == (6, *once.images.shape[1:])
    assert (twice.images[3:] != once.images).any()
    assert twice.widths.tolist() == once.widths.tolist() * 2
    assert twice.counts.tolist() == once.counts.tolist() * 2
    assert twice.classes.tolist() == once.classes.tolist() * 2


def test_lines_that_are_not_varied_are_seen_once() -> None:
    assert len(makers()[1].batch([0, 1, 2], None).widths) == 3


def test_views_that_are_alike_do_not_disagree_and_padding_does_not_count() -> None:
    logits = torch.randn(2, 7, 5).repeat(2, 1, 1)
    logits[0, 4:] = 100 * torch.randn(3, 5)
    lengths = torch.tensor([4, 7, 4, 7])
    torch.testing.assert_close(disagreement(logits, lengths), torch.zeros(4))


def test_each_view_is_measured_from_the_other_which_gets_no_gradient() -> None:
    logits = torch.randn(2, 3, 5, requires_grad=True)
    apart = disagreement(logits, torch.tensor([3, 3]))
    first, second = logits.detach().log_softmax(2)
    torch.testing.assert_close(apart[0], functional.kl_div(first, second, reduction="sum", log_target=True))
    torch.testing.assert_close(apart[1], functional.kl_div(second, first, reduction="sum", log_target=True))
    apart[0].backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad[0], first.exp() - second.exp())
    assert not logits.grad[1].any()


def test_the_weight_of_consistency_enters_the_loss_and_each_line_has_one_of_its_own() -> None:
    _, double, config = makers()
    batch = double.batch([0, 1, 2], ALWAYS, (1, 2))
    losses = []
    for weight in (0.2, 1.2):
        learner = Learner(replace(config, consistency_weight=weight), len(set(batch.classes.tolist())) + 40, Ranks())
        torch.manual_seed(3)
        losses.append(learner.loss(batch).item())
        assert learner.line_losses.shape == (3,)
        torch.manual_seed(3)
        learner.network.train()
        with torch.no_grad():
            logits, _, _, lengths = learner.heads(batch.images, batch.widths)
    share = (disagreement(logits, lengths).sum() / batch.counts.sum()).item()
    assert share > 0
    assert losses[1] - losses[0] == pytest.approx(share, rel=0.1)  # where bf16 is quick, the loss is in bf16


def test_a_run_of_two_views_resumes_and_not_as_one_of_single_ones(tmp_path: Path) -> None:
    config = two_views(epochs=1)
    train(samples(12), tmp_path / "out", config)
    train(samples(12), tmp_path / "out", replace(config, epochs=2), resume=True)
    with pytest.raises(ConfigError, match="views of a line"):
        train(samples(12), tmp_path / "out", replace(config, consistency_weight=0.0), resume=True)


def test_an_epoch_sees_each_line_in_two_views_in_batches_no_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    learn = Learner.learn

    def watched(self: Learner, batch: Batch, step: int, done: float) -> float:
        seen.append(len(batch.widths))
        return learn(self, batch, step, done)

    monkeypatch.setattr(Learner, "learn", watched)
    batches = []
    for weight in (0.0, 0.2):
        seen.clear()
        config = replace(settings(), epochs=1, batch_lines=2, consistency_weight=weight)
        train(samples(24), tmp_path / f"{weight}", config)
        batches.append(tuple(seen))
    once, twice = batches
    assert sum(twice) == 2 * sum(once)
    assert max(twice) <= max(once)
