"""Lines -> batches: each line once an epoch, in bounded memory, the same again for the same seed."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_samples import SMALL, sample, samples, settings
from hypothesis import given
from hypothesis import strategies as st

from uncial.alphabet import Alphabet
from uncial.augment import AugmentConfig
from uncial.errors import ImageError
from uncial.nn.batches import TYPICAL_WIDTH, BatchMaker, TrainingLine, plan_batches
from uncial.nn.crnn import CRNN
from uncial.training_lines import gather

VARIED = AugmentConfig(chance=0.9)


def plan(widths: list[int], lines: int, seed: int | None) -> list[list[int]]:
    return plan_batches(widths, lines, None if seed is None else np.random.default_rng(seed))


@pytest.fixture(scope="module")
def maker() -> BatchMaker:
    """Twelve drawn lines of four widths."""
    config = settings()
    lines = gather(samples(12), config, None).training
    return BatchMaker(lines, config.network, config.line_image, memory=2**20)


@given(st.lists(st.integers(20, 4000), max_size=60), st.integers(1, 9), st.one_of(st.none(), st.integers(0, 2**32 - 1)))
def test_every_line_stands_once_in_a_plan_and_no_batch_is_too_large(
    widths: list[int], lines: int, seed: int | None
) -> None:
    batches = plan(widths, lines, seed)
    assert sorted(index for batch in batches for index in batch) == list(range(len(widths)))
    for batch in batches:
        padded = len(batch) * max(widths[index] for index in batch)
        assert len(batch) == 1 or padded <= lines * TYPICAL_WIDTH
        assert len(batch) <= 4 * lines


def test_batches_are_as_large_as_memory_allows() -> None:
    assert [len(batch) for batch in plan([TYPICAL_WIDTH] * 12, 4, None)] == [4, 4, 4]
    assert [len(batch) for batch in plan([TYPICAL_WIDTH // 2] * 16, 4, 1)] == [8, 8]
    assert [len(batch) for batch in plan([20] * 32, 4, 1)] == [16, 16]
    assert [len(batch) for batch in plan([4000] * 2, 4, 1)] == [1, 1]


def test_little_of_a_batch_is_padding() -> None:
    widths = np.random.default_rng(5).integers(100, 2000, 600).tolist()
    padded = sum(len(batch) * max(widths[i] for i in batch) for batch in plan(widths, 8, 1))
    assert padded < 1.1 * sum(widths)


def test_the_same_seed_gives_the_same_plan_and_another_epoch_another() -> None:
    widths = np.random.default_rng(5).integers(100, 2000, 60).tolist()
    first, again, other = (plan_batches(widths, 4, np.random.default_rng((1, epoch))) for epoch in (0, 0, 1))
    assert first == again
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in other}
    assert plan(widths, 4, None) == plan(widths, 4, None)


@given(st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_batches_that_are_learned_from_at_once_are_of_like_width(count: int, at_once: int, seed: int) -> None:
    widths = [round(30 * 1.08**n) for n in range(count)]  # too far apart for chance to change their order
    batches = plan_batches(widths, 1, np.random.default_rng(seed), at_once)
    assert sorted(index for batch in batches for index in batch) == list(range(count))
    order = sorted(batches, key=lambda batch: min(widths[i] for i in batch))
    for start in range(0, len(batches) // at_once * at_once, at_once):
        places = sorted(order.index(batch) for batch in batches[start : start + at_once])
        assert places[-1] - places[0] <= 2 * (at_once - 1)  # those left over may stand between them


@given(st.integers(0, 80), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_the_first_lines_stand_from_narrow_to_wide(rising: int, at_once: int, seed: int) -> None:
    widths = [round(30 * 1.08**n) for n in range(60)]  # too far apart for chance to change their order
    batches = plan_batches(widths, 1, np.random.default_rng(seed), at_once, rising)
    assert sorted(index for batch in batches for index in batch) == list(range(60))
    groups = [sum(batches[n : n + at_once], []) for n in range(0, len(batches) // at_once * at_once, at_once)]
    first = groups[: int((np.cumsum(list(map(len, groups))) <= rising).sum())]
    assert first == sorted(first)
    assert rising < 60 or len(first) == len(groups)


def test_the_lines_that_stand_first_are_drawn_from_all() -> None:
    widths = list(range(800, 2800, 20))  # a batch each
    plans = [plan_batches(widths, 1, np.random.default_rng(seed), 1, 10) for seed in range(40)]
    assert max(plan[9] for plan in plans) == [99]
    assert min(plan[0] for plan in plans) == [0]
    assert len({plan[9][0] for plan in plans}) > 5


def test_batches_left_over_are_of_any_width() -> None:
    widths = [200 * n for n in range(1, 12)]
    last = {max(widths[i] for i in plan_batches(widths, 1, np.random.default_rng(s), 2)[-1]) for s in range(60)}
    assert len(last) > 4


def test_without_chance_the_widest_come_first() -> None:
    assert plan([500, 300, 600], 1, None) == [[2], [0], [1]]


@pytest.mark.parametrize("variation", [None, VARIED])
def test_the_widths_that_are_planned_are_those_of_the_images(
    maker: BatchMaker, variation: AugmentConfig | None
) -> None:
    seeds = (7, 3)
    batch = maker.batch(range(12), variation, seeds)
    assert batch.widths.tolist() == maker.widths(variation, seeds)
    assert batch.images.shape == (12, 1, 16, -(-max(batch.widths.tolist()) // 4) * 4)
    for image, width in zip(batch.images, batch.widths.tolist(), strict=True):
        assert not image[:, :, width:].any()
        assert 0.9 < image.max() <= 1


def test_a_line_that_would_become_too_narrow_for_its_text_stays_as_it_is(maker: BatchMaker) -> None:
    """A text that just fits leaves no room for squeezing; what is planned knows that, too."""
    line = maker.lines[0]
    steps = maker.network.time_steps(line.width)
    tight = replace(line, classes=tuple(1 + n % 2 for n in range(steps)))
    maker = BatchMaker([tight] * 40, maker.network, maker.image, 0)
    widths = maker.widths(VARIED, (1, 0))
    assert min(maker.network.time_steps(width) for width in widths) == steps
    assert len(set(widths)) > 5
    assert maker.batch(range(40), VARIED, (1, 0)).widths.tolist() == widths


def test_texts_stand_one_behind_the_other(maker: BatchMaker) -> None:
    batch = maker.batch([3, 0], None)
    alphabet = Alphabet.from_texts(line.sample.text for line in maker.lines)
    texts = [alphabet.decode(part.tolist()) for part in batch.classes.split(batch.counts.tolist())]
    assert texts == [maker.lines[3].sample.text, maker.lines[0].sample.text]


def test_a_line_is_varied_the_same_way_in_whatever_batch_it_stands_and_differently_in_another_epoch(
    maker: BatchMaker,
) -> None:
    alone, among = maker.batch([5], VARIED, (1, 0)), maker.batch([2, 5, 7], VARIED, (1, 0))
    width = int(alone.widths[0])
    assert among.widths[1] == width
    torch.testing.assert_close(among.images[1, :, :, :width], alone.images[0, :, :, :width], rtol=0, atol=0)
    later = maker.batch([5], VARIED, (1, 1))
    assert later.images.shape != alone.images.shape or (later.images != alone.images).any()


def test_a_batch_of_one_is_read_as_in_a_padded_batch_of_eight(maker: BatchMaker) -> None:
    torch.manual_seed(1)
    network = CRNN(SMALL, 9).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
    eight = maker.batch(range(8), None)
    with torch.no_grad():
        logits, lengths = network(eight.images, eight.widths)
        for index in range(8):
            one = maker.batch([index], None)
            alone, length = network(one.images, one.widths)
            assert lengths[index] == length[0]
            torch.testing.assert_close(logits[index, : length[0]], alone[0], rtol=1e-4, atol=1e-5)


def test_an_epoch_brings_the_planned_batches_in_order(maker: BatchMaker) -> None:
    planned = [[0, 4], [1], [2, 3], [5], [6], [7], [8], [9]]
    for batch, indices in zip(maker.epoch(planned, VARIED, (1, 2)), planned, strict=True):
        torch.testing.assert_close(batch.images, maker.batch(indices, VARIED, (1, 2)).images, rtol=0, atol=0)


def test_an_epoch_that_is_left_early_leaves_no_thread_behind(maker: BatchMaker) -> None:
    before = threading.active_count()
    batches = maker.epoch([[0]] * 50, None)
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before


def test_images_are_kept_up_to_the_memory_that_is_allowed() -> None:
    config = settings()
    lines = gather(samples(12), config, None).training
    sizes = [16 * line.width for line in lines]
    roomy, tight = (BatchMaker(lines, config.network, config.line_image, room) for room in (10**6, sum(sizes[:3])))
    for maker in (roomy, tight):
        maker.batch(range(12), None)
    assert all(roomy.line_image(n) is roomy.line_image(n) for n in range(12))
    assert [tight.line_image(n) is tight.line_image(n) for n in range(12)] == [True] * 3 + [False] * 9


def test_an_image_that_has_become_unreadable_is_told_by_its_id() -> None:
    config = settings()
    line = TrainingLine(sample(3, "a hill", data=b"no image"), (1,), 40)
    maker = BatchMaker([line], config.network, config.line_image, 0)
    with pytest.raises(ImageError, match="drawn/3"):
        list(maker.epoch([[0]], None))


def test_some_lines_become_blank_paper_without_text_others_in_each_epoch(maker: BatchMaker) -> None:
    variation = replace(VARIED, blank=0.5)
    epochs = [maker.batch(range(12), variation, (1, epoch)) for epoch in (0, 0, 1)]
    blank = [(batch.counts == 0).tolist() for batch in epochs]
    assert blank[0] == blank[1] != blank[2]
    assert 0 < sum(blank[0]) < 12
    assert epochs[0].widths.tolist() == maker.widths(variation, (1, 0))
    assert len(epochs[0].classes) == int(epochs[0].counts.sum())
    assert torch.equal(epochs[0].images, epochs[1].images)
    plain = maker.batch(range(12), AugmentConfig(chance=0, blank=0.9), (1, 0))
    assert not plain.images[:, 0, :, :4].any()  # margins stay, or blank lines could be told by them
    assert plain.images[:, 0, :, 4:].any()
    assert (maker.batch(range(12), None).counts > 0).all()
    assert (maker.batch(range(12), VARIED, (1, 0)).counts > 0).all()
