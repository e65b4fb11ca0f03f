"""The learner: what is not finite never enters it, and what is, it learns."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from drawn_samples import SMALL, samples, settings

from uncial.errors import TrainingError
from uncial.nn import learner as learner_module
from uncial.nn.batches import Batch, BatchMaker
from uncial.nn.crnn import CRNN, memory_format, shown
from uncial.nn.learner import Learner, move_average, one_cycle
from uncial.nn.parallel import Ranks
from uncial.training_lines import TrainingLines, gather


@pytest.fixture(scope="module")
def lines() -> TrainingLines:
    return gather(samples(8), settings(), None)


@pytest.fixture
def maker(lines: TrainingLines) -> BatchMaker:
    config = settings()
    return BatchMaker(lines.training, config.network, config.line_image, 2**20)


@pytest.fixture
def learner(lines: TrainingLines, maker: BatchMaker) -> Learner:
    """A learner that has taken two steps, so that optimiser and batch statistics hold something."""
    learner = Learner(settings(), lines.alphabet.size, Ranks())
    for step in range(2):
        assert math.isfinite(learner.learn(maker.batch(range(8), None), step, 0.1))
    return learner


def infinite_pixels(batch: Batch) -> Batch:
    images = batch.images.clone()
    images[0, 0, 3, 3] = math.inf
    return replace(batch, images=images)


def nan_pixels(batch: Batch) -> Batch:
    return replace(batch, images=batch.images * math.nan)


def unspellable_text(batch: Batch) -> Batch:
    counts = torch.tensor([100, *batch.counts.tolist()[1:]])
    return replace(batch, counts=counts, classes=torch.ones(int(counts.sum()), dtype=torch.long))


def flat(value: Any) -> list[Any]:
    """All that a nested state holds, in order."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in flat(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in flat(inner)]
    return [value.clone() if isinstance(value, torch.Tensor) else value]


def held(learner: Learner) -> list[Any]:
    """Weights, average, batch statistics and optimiser, but for the learning rate, which the schedule sets anew."""
    state = learner.state()
    for group in state["optimizer"]["param_groups"]:
        group.pop("lr")
    return flat(state)


def same(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(before, after, strict=True)
    )


@pytest.mark.parametrize("harm", [infinite_pixels, nan_pixels, unspellable_text])
def test_a_loss_that_is_not_finite_enters_nothing(
    learner: Learner, maker: BatchMaker, harm: Callable[[Batch], Batch]
) -> None:
    batch, before = maker.batch(range(4), None), held(learner)
    assert math.isnan(learner.learn(harm(batch), 2, 0.2))
    assert same(before, held(learner))
    assert math.isfinite(learner.learn(batch, 3, 0.2))
    assert not same(before, held(learner))
    assert all(value.isfinite().all() for value in held(learner) if isinstance(value, torch.Tensor))


def test_gradients_that_are_not_finite_enter_nothing_though_the_loss_is(learner: Learner, maker: BatchMaker) -> None:
    before = held(learner)
    hook = learner.network.head.bias.register_hook(lambda gradient: gradient * math.nan)
    assert math.isnan(learner.learn(maker.batch(range(4), None), 2, 0.2))
    hook.remove()
    assert same(before, held(learner))


def test_it_gives_up_with_a_cure_when_no_loss_is_finite_any_more(
    learner: Learner, maker: BatchMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner_module, "GIVE_UP_AFTER", 3)
    good, bad = maker.batch([0], None), nan_pixels(maker.batch([0], None))
    for step, batch in enumerate((bad, bad, good, bad, bad)):
        learner.learn(batch, step, 0.5)
    with pytest.raises(TrainingError, match=r"not finite 3 steps in a row \(step 5\).*lower learning_rate"):
        learner.learn(bad, 5, 0.5)


def test_a_few_lines_are_learned_by_heart() -> None:
    config = settings(network=replace(SMALL, channels=(8, 16), recurrent_size=24, dropout=0.0), learning_rate=2e-2)
    lines = gather(samples(4, 1), config, None)
    maker = BatchMaker(lines.training, config.network, config.line_image, 2**20)
    learner = Learner(config, lines.alphabet.size, Ranks())
    batch, steps = maker.batch(range(4), None), 250
    losses = [learner.learn(batch, step, step / steps) for step in range(steps)]
    assert losses[0] > 3
    assert losses[-1] < 0.1
    assert learner.read(maker, range(4)).error_rate == 0


def test_reading_counts_the_edits_of_the_chosen_lines_only(learner: Learner, maker: BatchMaker) -> None:
    counts = learner.read(maker, [1, 5])
    assert counts.reference == len(maker.lines[1].classes) + len(maker.lines[5].classes)
    whole = learner.read(maker, range(8))
    parts = [learner.read(maker, [n]) for n in range(8)]
    assert whole.errors == sum(part.errors for part in parts)


def test_the_same_seed_and_step_draw_the_same_dropout(lines: TrainingLines, maker: BatchMaker) -> None:
    first, again, other = (Learner(settings(seed=seed), lines.alphabet.size, Ranks()) for seed in (1, 1, 2))
    batch = maker.batch(range(4), None)
    assert first.learn(batch, 0, 0.1) == again.learn(batch, 0, 0.1) != other.learn(batch, 0, 0.1)
    torch.rand(3)  # whatever chance was used for in between
    assert first.learn(batch, 1, 0.1) == again.learn(batch, 1, 0.1)
    assert same(held(first), held(again))
    for network in (first.network, again.network):
        network.load_state_dict(other.network.state_dict())
    assert first.learn(batch, 2, 0.1) != again.learn(batch, 3, 0.1)


def test_a_state_taken_up_goes_on_exactly(learner: Learner, lines: TrainingLines, maker: BatchMaker) -> None:
    other = Learner(settings(seed=9), lines.alphabet.size, Ranks())
    other.load(deepcopy(learner.state()))
    other.config = learner.config
    batch = maker.batch(range(4), None)
    assert learner.learn(batch, 2, 0.2) == other.learn(batch, 2, 0.2)
    assert same(held(learner), held(other))


def test_the_average_moves_by_its_share_and_takes_counters_as_they_are() -> None:
    torch.manual_seed(1)
    average, network = CRNN(SMALL, 5), CRNN(SMALL, 5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.num_batches_tracked.fill_(7)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    move_average(average, network, 0.75)
    theirs = network.state_dict()
    for name, value in average.state_dict().items():
        expected = 0.75 * before[name] + 0.25 * theirs[name] if value.is_floating_point() else theirs[name]
        torch.testing.assert_close(value, expected, msg=name)
    assert any(name.endswith("num_batches_tracked") and value == 7 for name, value in average.state_dict().items())


def test_the_learning_rate_rises_to_its_peak_while_warming_up_and_falls_to_almost_nothing() -> None:
    rates = [one_cycle(done / 100, 0.1) for done in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert rates[10] == max(rates) == pytest.approx(1)
    assert rates[-1] == pytest.approx(0.001)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert one_cycle(0.0, 0.0) == pytest.approx(1)


def test_filters_and_matrices_decay_and_biases_and_norms_do_not(learner: Learner) -> None:
    decay = {id(p): group["weight_decay"] for group in learner.optimizer.param_groups for p in group["params"]}
    for name, parameter in learner.network.named_parameters():
        assert decay[id(parameter)] == (learner.config.weight_decay if parameter.ndim > 1 else 0), name


def test_a_shortcut_without_weight_still_gives_each_parameter_a_gradient(
    lines: TrainingLines, maker: BatchMaker
) -> None:
    """Ranks that train together wait for all of them."""
    plain, weighted = (Learner(settings(shortcut_weight=weight), lines.alphabet.size, Ranks()) for weight in (0.0, 0.5))
    batch = maker.batch(range(4), None)
    torch.manual_seed(1)
    loss = plain.loss(batch)
    loss.backward()
    assert all(parameter.grad is not None for parameter in plain.network.parameters())
    torch.manual_seed(1)
    assert weighted.loss(batch).item() > loss.item()


def test_hidden_slices_fall_in_spans_and_as_often_as_the_share_says() -> None:
    torch.manual_seed(4)
    mask = shown(torch.Size((400, 300)), 0.2)
    assert mask.shape == (400, 300, 1)
    assert abs(float((~mask).float().mean()) - 0.2) < 0.01
    hidden = (~mask[:, :, 0]).int()
    alone = (hidden[:, 1:-1] == 1) & (hidden[:, :-2] == 0) & (hidden[:, 2:] == 0)
    assert float(alone.float().sum() / hidden.sum()) < 0.1  # a third of all slices would be, if each fell by itself
    assert bool(shown(torch.Size((2, 1)), 0.5).any())


def test_slices_are_hidden_in_training_alone() -> None:
    network = CRNN(replace(SMALL, dropout=0.0, hidden_slices=0.5), 5)
    images, widths = torch.rand(2, 1, SMALL.height, 64), torch.tensor([64, 64])
    network.eval()
    torch.testing.assert_close(network(images, widths)[0], network(images, widths)[0])
    network.train()
    assert not torch.equal(network(images, widths)[0], network(images, widths)[0])


@pytest.mark.parametrize(
    ("channels", "layout"), [((8, 16), torch.contiguous_format), ((16, 24), torch.channels_last), ((4,), None)]
)
def test_thin_networks_are_laid_out_so_that_their_gradients_stay_in_their_place(
    channels: tuple[int, ...], layout: torch.memory_format | None
) -> None:
    stages = len(channels)
    parts = {"blocks": (1,) * (stages - 1), "strides_down": (2,) * stages, "strides_across": (2,) * stages}
    config = replace(SMALL, channels=channels, **parts)
    # Without a stage there is no 1 x 1 convolution.
    assert memory_format(CRNN(config, 5)) is (layout or torch.channels_last)


def test_a_thin_network_learns_from_lines_of_many_widths_and_lives() -> None:
    config = replace(SMALL, channels=(8, 16), blocks=(1,), strides_down=(2, 2), strides_across=(2, 2))
    network = CRNN(config, 5)
    layout = memory_format(network)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    for width in range(40, 700, 33):
        images = torch.rand(3, 1, config.height, width).to(memory_format=layout)
        network(images, torch.full((3,), width))[0].sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in network.backbone.parameters() if p.grad is not None)


def test_a_batch_of_blank_paper_alone_teaches_too(learner: Learner, maker: BatchMaker) -> None:
    batch = maker.batch(range(4), replace(settings().augment, blank=0.999), (1, 0))
    assert not batch.counts.any()
    first = learner.learn(batch, 2, 0.1)
    assert math.isfinite(first)
    assert all(learner.learn(batch, step, 0.1) < first for step in range(8, 12))
