"""How a training ends: when its budget is used up, and with what."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_samples import samples, settings

from uncial.bundle import load_bundle
from uncial.checkpoint import FILE, run_folder
from uncial.interrupts import interrupts_wait
from uncial.train import Progress, train

ONLY_LAST = {"checkpoint_minutes": 99.0, "validate_minutes": 99.0}


def test_a_finished_run_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    config = settings(epochs=1, batch_lines=1, **ONLY_LAST)
    train(samples(4), tmp_path / "bundle", config)
    bundle = train(samples(4), tmp_path / "bundle", replace(config, epochs=2), resume=True)
    whole = torch.load(run_folder(bundle.path) / FILE, weights_only=True)
    assert whole["course"]["lines"] == 8


def test_training_for_minutes_ends_when_they_are_over(tmp_path: Path) -> None:
    heard: list[Progress] = []
    config = settings(minutes=0.01, epochs=0, **ONLY_LAST)
    train(samples(8), tmp_path / "bundle", config, watch=heard.append)
    steps = [progress for progress in heard if progress.step and not progress.note]
    assert all(progress.done < 1 for progress in steps[:-1])
    assert steps[-1].done == 1
    assert load_bundle(tmp_path / "bundle").provenance["course"]["seconds"] >= 0.6


def test_passes_end_a_training_whose_minutes_are_not_over(tmp_path: Path) -> None:
    config = settings(minutes=9.0, most_epochs=2, batch_lines=1, **ONLY_LAST)
    course = train(samples(8), tmp_path / "bundle", config).provenance["course"]
    assert course["lines"] == 16
    assert course["seconds"] < 60 * 9


def test_minutes_end_a_training_whose_passes_are_not_done(tmp_path: Path) -> None:
    config = settings(minutes=0.01, most_epochs=9_999, batch_lines=1, **ONLY_LAST)
    course = train(samples(8), tmp_path / "bundle", config).provenance["course"]
    assert course["lines"] < 8 * 9_999
    assert course["seconds"] >= 0.6


def test_passes_alone_are_the_budget_of_a_training_without_minutes(tmp_path: Path) -> None:
    config = settings(epochs=3, most_epochs=1, batch_lines=1, **ONLY_LAST)
    assert train(samples(8), tmp_path / "bundle", config).provenance["course"]["lines"] == 24


def test_a_finished_run_gives_its_bundle_an_int8_graph(tmp_path: Path) -> None:
    heard: list[Progress] = []
    train(samples(4), tmp_path / "bundle", settings(epochs=1, int8_lines=2, **ONLY_LAST), watch=heard.append)
    assert "int8" in heard[-1].note
    assert json.loads((tmp_path / "bundle" / "bundle.json").read_text(encoding="utf-8"))["files"]


def test_a_checkpoint_knows_the_bundle_that_was_kept(tmp_path: Path) -> None:
    out, seen = tmp_path / "bundle", list[int]()

    def look(progress: Progress) -> None:
        if "validation CER" in progress.note:
            seen.append(progress.step)
            if len(seen) > 1:  # killed before the next checkpoint is due
                raise RuntimeError

    with pytest.raises(RuntimeError):
        train(samples(8), out, settings(epochs=9, validate_minutes=0.0, checkpoint_minutes=60.0), watch=look)
    course = torch.load(run_folder(out) / FILE, weights_only=True)["course"]
    assert course["step"] == seen[0]
    assert load_bundle(out).provenance["course"]["best_cer"] <= course["best_cer"]


def test_a_run_that_is_interrupted_between_checkpoints_goes_on_from_its_last_step(tmp_path: Path) -> None:
    out, plan = tmp_path / "bundle", settings(epochs=3, validate_minutes=60.0, checkpoint_minutes=60.0)

    def press(progress: Progress) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(samples(8), out, plan, watch=press)
    assert torch.load(run_folder(out) / FILE, weights_only=True)["course"]["step"] == 3
    notes: list[str] = []
    train(samples(8), out, plan, resume=True, watch=lambda progress: notes.append(progress.note))
    assert any(note.startswith("resumed at step 3,") for note in notes)


def test_ctrl_c_waits_for_the_end_of_what_belongs_together() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
