"""In which order a training sees its lines: from nothing, narrow ones first."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from drawn_samples import samples, settings

from uncial import train as training
from uncial.nn.batches import plan_batches
from uncial.train import train


def rises(widths: Sequence[int]) -> bool:
    """Whether lines stand from narrow to wide, those of nearly the same width in any order."""
    return all(before <= 1.07 * after for before, after in pairwise(widths))


def test_a_run_from_nothing_begins_with_narrow_lines_and_one_from_a_bundle_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[tuple[bool, int]] = []  # whether the lines of an epoch rise in width, and how many were asked to

    def plan(widths: list[int], *how: Any) -> list[list[int]]:
        batches = plan_batches(widths, *how)
        plans.append((rises([widths[index] for batch in batches for index in batch]), how[-1]))
        return batches

    monkeypatch.setattr(training, "plan_batches", plan)
    config = settings(epochs=3, batch_lines=1, narrow_first=16, splice_share=0.0)
    first = train(samples(8), tmp_path / "first", config)
    assert plans[0] == (True, 16)
    assert [asked for _, asked in plans] == [16, 0, 0]
    plans.clear()
    second = train(samples(8), tmp_path / "second", config, start=first.path)
    assert [asked for _, asked in plans] == [0, 0, 0]
    assert second.provenance["training"]["narrow_first"] == 0
