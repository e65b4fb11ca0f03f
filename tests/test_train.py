"""A training from its first step to its bundle: killed and resumed, on a full disk, from another bundle."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_samples import SMALL, sample, samples, settings
from test_bundle import full_disk

from uncial import train as training
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, load_bundle
from uncial.errors import BundleError, ConfigError, GroundTruthError, StorageError, TrainingError, UncialError
from uncial.lineimage import LineImageConfig
from uncial.recognizer import Recognizer
from uncial.train import Progress, train

LINES = 14  # four batches an epoch
LATER = {"checkpoint_minutes": 99.0, "validate_minutes": 99.0}  # only when the run ends
SETTINGS = {"epochs": 3, "batch_lines": 1, "averaging": 0.9}

# Validates at every step and writes a checkpoint after every third; is killed within the second epoch.
KILLED = """
import os, signal, sys
from pathlib import Path
from drawn_samples import samples, settings
from uncial import train as training
from test_train import LINES, SETTINGS

save = training._Run.save

def every_third(run):
    if run.course.step % 3 == 0:
        save(run)

def kill(progress):
    if progress.step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

training._Run.save = every_third
training.LOG_MINUTES = 0.0
config = settings(**SETTINGS, checkpoint_minutes=0.0, validate_minutes=0.0)
training.train(samples(LINES), Path(sys.argv[1]), config, watch=kill)
"""


def checkpoint_of(out: Path) -> dict[str, Any]:
    """What a run has left, but for the wall time."""
    whole = torch.load(out.with_name(out.name + ".run") / "checkpoint.pt", weights_only=True)
    whole["course"].pop("seconds")
    return whole  # type: ignore[no-any-return]


def log_of(out: Path) -> list[dict[str, str]]:
    with (out.with_name(out.name + ".run") / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_equal(one: Any, other: Any, where: str = "") -> None:
    """Nested values, tensors bit by bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of a run that nothing disturbed. Do not write into its folder."""
    return train(samples(LINES), tmp_path_factory.mktemp("unbroken") / "bundle", settings(**SETTINGS, **LATER))


def test_a_killed_run_that_is_resumed_ends_as_an_unbroken_one(tmp_path: Path, unbroken: Bundle) -> None:
    steps = checkpoint_of(unbroken.path)["course"]["step"]
    killed_at, out = steps // 2 + 2, tmp_path / "bundle"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, out, str(killed_at)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    left = checkpoint_of(out)["course"]
    assert 0 < left["step"] < killed_at
    assert left["epoch"] == 1
    assert left["batch"] > 0

    heard: list[Progress] = []
    train(samples(LINES), out, settings(**SETTINGS, **LATER), resume=True, watch=heard.append)
    assert any(f"resumed at step {left['step']}" in progress.note for progress in heard)
    ours, theirs = checkpoint_of(out), checkpoint_of(unbroken.path)
    for name in ("network", "average", "optimizer", "identity"):
        assert_equal(ours[name], theirs[name], name)
    for name in ("step", "epoch", "batch", "lines", "cer", "skipped"):
        assert ours["course"][name] == theirs["course"][name], name
    numbers = [int(row["step"]) for row in log_of(out)]
    assert numbers == sorted(numbers)
    assert set(range(1, left["step"] + 1)) <= set(numbers)
    assert numbers[-1] == steps


def test_the_bundle_is_the_averaged_network_and_reads(unbroken: Bundle) -> None:
    average = checkpoint_of(unbroken.path)["average"]
    for name, value in unbroken.weights.items():
        np.testing.assert_allclose(value, average[name].numpy(), rtol=1e-3, atol=1e-6, err_msg=name)
    course = unbroken.provenance["course"]
    assert course["lines"] == SETTINGS["epochs"] * LINES
    assert unbroken.provenance["lines"] == {"train": LINES, "val": 2, "synthetic": 0}
    assert unbroken.architecture == SMALL
    assert isinstance(Recognizer.load(unbroken.path).read_line(samples(1)[0].image()).text, str)


def test_whoever_watches_sees_the_budget_used_up_and_the_loss(tmp_path: Path) -> None:
    heard: list[Progress] = []
    train(samples(4), tmp_path / "bundle", settings(epochs=1, **LATER), watch=heard.append)
    assert "4 lines to learn from" in heard[0].note
    steps = [progress for progress in heard if not progress.note]
    assert [progress.step for progress in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].done == 1
    assert steps[-1].seconds_left == 0
    assert all(np.isfinite(progress.loss) and progress.lines_per_second > 0 for progress in steps)
    assert "validation CER" in heard[-1].note
    assert heard[-1].cer == heard[-1].best_cer is not None


def test_log_events_and_list_of_lines_left_out_stand_in_the_folder_of_the_run(tmp_path: Path) -> None:
    some = [*samples(4), sample(7, ""), sample(8, "no news", data=b"no image"), sample(9, "a ☞"), sample(10, "n" * 40)]
    some[-1] = replace(some[-1], source=some[0].source)
    heard: list[Progress] = []
    some += samples(8)[4:]  # every grapheme but one twice
    some = [replace(line, id=f"{line.id}/{n}") for n, line in enumerate(some)]
    train(some, tmp_path / "bundle", settings(epochs=1, rarest=2, **LATER), watch=heard.append)
    folder = tmp_path / "bundle.run"
    listed = (folder / "left_out.tsv").read_text(encoding="utf-8").splitlines()
    reasons = ("the text is empty", "has no usable image", "outside the alphabet: ☞", "79 time steps needed")
    assert listed[0] == "id\treason"
    for number, reason in zip((7, 8, 9, 10), reasons, strict=True):
        assert any(row.startswith(f"drawn/{number}/") and reason in row for row in listed), reason
    assert "left out: 1 the text is empty" in heard[0].note
    rows = log_of(tmp_path / "bundle")
    assert float(rows[-1]["cer"]) >= 0
    assert list((folder / "tensorboard").glob("events.*"))


def test_a_nan_on_the_way_is_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, calls = training.Learner.loss, []

    def sometimes_nan(learner: training.Learner, batch: Any) -> torch.Tensor:
        calls.append(batch)
        return loss(learner, batch) * (float("nan") if len(calls) == 2 else 1)

    monkeypatch.setattr(training.Learner, "loss", sometimes_nan)
    heard: list[str] = []
    bundle = train(samples(4), tmp_path / "bundle", settings(epochs=2, **LATER), watch=lambda p: heard.append(p.note))
    assert bundle.provenance["course"]["skipped"] == 1
    assert any("; 1 of" in note and "steps taught nothing" in note for note in heard)
    assert all(np.isfinite(value).all() for value in bundle.weights.values())


def test_the_best_bundle_is_kept_when_a_later_one_is_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are ruined half-way; what was best before stays the bundle."""
    learn, out = training.Learner.learn, tmp_path / "bundle"

    def ruined(learner: training.Learner, batch: Any, step: int, done: float) -> float:
        loss = learn(learner, batch, step, done)
        if step >= 4:
            learner.average.head.bias.data[1:] = 50.0 * torch.arange(1, len(learner.average.head.bias))
        return loss

    monkeypatch.setattr(training.Learner, "learn", ruined)
    train(samples(8), out, settings(epochs=3, validate_minutes=0.0))
    course = checkpoint_of(out)["course"]
    assert course["best_cer"] < course["cer"]
    assert load_bundle(out).provenance["course"]["step"] <= 4


@pytest.mark.parametrize("resume", [False, True])
def test_what_is_there_is_not_overwritten(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "scan.png").write_bytes(b"precious")
    told = "no checkpoint to resume" if resume else "is there already; choose another -o"
    with pytest.raises(TrainingError if resume else StorageError, match=told):
        train(samples(4), tmp_path / "letters", settings(), resume=resume)
    assert (tmp_path / "letters" / "scan.png").read_bytes() == b"precious"


def test_a_run_without_a_bundle_yet_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bundle.run").mkdir()
    (tmp_path / "bundle.run" / "checkpoint.pt").write_bytes(b"hours of work")
    with pytest.raises(StorageError, match="there is a run for it already; go on with --resume"):
        train(samples(4), tmp_path / "bundle", settings())
    assert (tmp_path / "bundle.run" / "checkpoint.pt").read_bytes() == b"hours of work"


@pytest.mark.parametrize(
    ("change", "count", "texts", "told"),
    [
        ({"network": replace(SMALL, recurrent_size=9)}, LINES, None, "another network"),
        ({}, LINES, ("no news", "a hill"), "another alphabet"),
        ({}, LINES + 1, None, "another set of training lines"),
        ({"batch_lines": 3, "seed": 9}, LINES, None, "another batch_lines, seed;"),
    ],
)
def test_resuming_with_another_training_is_refused_and_nothing_is_changed(
    unbroken: Bundle, change: dict[str, Any], count: int, texts: tuple[str, ...] | None, told: str
) -> None:
    files = {p: p.read_bytes() for p in unbroken.path.parent.rglob("*") if p.is_file() and p.name != "left_out.tsv"}
    some = samples(count, texts=texts) if texts else samples(count)
    with pytest.raises(TrainingError, match=told):
        train(some, unbroken.path, settings(**{**SETTINGS, **change}), resume=True)
    assert {path: path.read_bytes() for path in files} == files


def test_a_damaged_checkpoint_is_told_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "bundle.run" / "checkpoint.pt"
    file.parent.mkdir()
    file.write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt: is no checkpoint or is damaged"):
        train(samples(4), tmp_path / "bundle", settings(), resume=True)
    assert file.read_bytes() == b"damaged"


def test_a_disk_that_fills_up_leaves_the_earlier_checkpoint_and_the_run_goes_on_from_it(
    tmp_path: Path, unbroken: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, out = training._Run.save, tmp_path / "bundle"

    def full_after_four(run: Any) -> None:
        if run.course.step > 4:
            with full_disk(5_000):
                save(run)
        save(run)

    with monkeypatch.context() as patched:
        patched.setattr(training._Run, "save", full_after_four)
        with pytest.raises(StorageError, match=r"checkpoint\.pt: could not be written.*before is whole.*--resume"):
            train(samples(LINES), out, settings(**SETTINGS, checkpoint_minutes=0.0, validate_minutes=99.0))
    assert checkpoint_of(out)["course"]["step"] == 4
    train(samples(LINES), out, settings(**SETTINGS, **LATER), resume=True)
    assert_equal(checkpoint_of(out)["network"], checkpoint_of(unbroken.path)["network"])


def test_a_bundle_with_another_alphabet_is_begun_with_and_it_says_so(tmp_path: Path, unbroken: Bundle) -> None:
    heard: list[Progress] = []
    texts = ("no zip", "by Ann", "no hill", "and")
    config = settings(network=replace(SMALL, recurrent="gru"), epochs=1, learning_rate=0.0, averaging=0.0, **LATER)
    bundle = train(samples(8, texts=texts), tmp_path / "new", config, start=unbroken.path, watch=heard.append)
    old = unbroken.alphabet.graphemes
    assert bundle.architecture == unbroken.architecture
    assert bundle.alphabet.graphemes == (*old, "b", "d", "p", "z")
    assert bundle.provenance["begun_with"] == unbroken.path.name
    assert f"{len(old)} graphemes keep their weights, 4 new: b d p z" in [progress.note for progress in heard]
    for name in ("head.weight", "shortcut.weight", "head.bias"):  # at a learning rate of 0 nothing has moved
        np.testing.assert_array_equal(bundle.weights[name][: len(old) + 1], unbroken.weights[name], err_msg=name)


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (GroundTruthError, lambda: {"samples": []}),
        # No lines either: a part that does not exist is told before any line is looked at.
        (ConfigError, lambda: {"samples": [], "config": settings(network=replace(SMALL, backbone="resnet"))}),
        (ConfigError, lambda: {"config": settings(network=replace(SMALL, recurrent="transformer"))}),
        (ConfigError, lambda: {"out": Path()}),
        (BundleError, lambda: {"start": Path("none")}),
    ],
)
def test_a_training_that_cannot_begin_is_told_before_anything_is_written(
    tmp_path: Path, error: type[UncialError], wrong: Callable[[], dict[str, Any]]
) -> None:
    chosen: dict[str, Any] = {"samples": samples(4), "out": tmp_path / "bundle", "config": settings(), **wrong()}
    with pytest.raises(error):
        train(chosen.pop("samples"), chosen.pop("out"), chosen.pop("config"), **chosen)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"network": {"recurrent": "gru"}}, {"line_image": {"stretch": 1.5}}])
def test_the_bundle_to_begin_with_decides_all_but_what_is_changed(
    tmp_path: Path, unbroken: Bundle, changes: dict[str, dict[str, Any]]
) -> None:
    config = settings(network=CRNNConfig(), line_image=LineImageConfig(), epochs=1, **LATER)
    bundle = train(samples(4), tmp_path / "new", config, start=unbroken.path, changes=changes)
    assert bundle.architecture == replace(unbroken.architecture, **changes.get("network", {}))
    assert bundle.line_image == replace(unbroken.line_image, **changes.get("line_image", {}))
