"""Easy lines are passed over, hard and unknown ones never; a stopped run knows what it knew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_samples import samples, settings
from numpy.testing import assert_array_equal

from uncial.checkpoint import FILE, run_folder
from uncial.nn.hard_lines import HardLines
from uncial.nn.parallel import Ranks
from uncial.train import train


@pytest.fixture
def hard() -> HardLines:
    """A hundred lines: the first half easy, then ten hard ones, the rest never seen."""
    hard = HardLines(100, Ranks())
    hard.note(range(50), torch.full((50,), 0.1))
    hard.note(range(50, 60), torch.full((10,), 2.0))
    hard.settle()
    return hard


def test_a_share_of_the_easy_lines_is_skipped_and_no_other(hard: HardLines) -> None:
    chosen = [hard.choose(range(100), 0.5, np.random.default_rng(seed)) for seed in range(40)]
    for lines in chosen:
        assert set(range(50, 100)) <= set(lines)
        assert lines == sorted(lines)
    easy = [len(lines) - 50 for lines in chosen]
    assert 20 < np.mean(easy) < 30
    assert set().union(*chosen) == set(range(100))  # others in each epoch


def test_nothing_is_skipped_before_anything_is_known_or_without_a_share(hard: HardLines) -> None:
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    assert HardLines(9, Ranks()).choose(range(9), 0.9, rng) == list(range(9))
    assert hard.choose(range(100), 0.0, rng) == list(range(100))
    assert rng.bit_generator.state == before


def test_a_loss_that_is_not_finite_makes_no_line_easy() -> None:
    hard = HardLines(4, Ranks())
    hard.note(range(4), torch.tensor([0.1, float("nan"), float("inf"), 3.0]))
    hard.settle()
    assert_array_equal(hard.known, np.array([0.1, 0, 0, 3.0], np.float32))


def test_what_was_seen_before_a_stop_counts_once_afterwards(hard: HardLines) -> None:
    hard.note([3, 70], torch.tensor([5.0, 6.0]))
    other = HardLines(100, Ranks())
    other.load(hard.state())
    for lines in (hard, other):
        lines.settle()
    assert_array_equal(hard.known, other.known)
    assert (hard.known[3], hard.known[70], hard.known[4]) == (5.0, 6.0, np.float32(0.1))


def test_a_training_that_skips_easy_lines_sees_fewer_and_keeps_what_it_knows(tmp_path: Path) -> None:
    config = settings(epochs=4)
    whole = train(samples(12), tmp_path / "whole", config)
    fewer = train(samples(12), tmp_path / "fewer", replace(config, easy_skipped=0.9))
    steps = [bundle.provenance["course"]["epoch"] for bundle in (whole, fewer)]
    assert steps[1] > steps[0]  # its epochs are shorter, so the same number of lines takes more of them
    state = torch.load(run_folder(tmp_path / "fewer") / FILE, weights_only=True)["hard_lines"]
    assert bool((state["known"] > 0).all())
