"""`uncial train` as people use it: a small run from ground truth to a bundle that reads, and what can go wrong."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import QUICK_OPTIONS, Ran, uncial, write_pairs
from conftest import DrawnLine, draw_line

from uncial.bundle import Bundle, load_bundle
from uncial.screen import TrainingScreen

Lines = Sequence[DrawnLine]


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines, repeat=16)


def quick_run(folder: Path, out: Path, *more: object) -> Ran:
    return uncial("train", folder, "-o", out, "--epochs", 1, *QUICK_OPTIONS, *more)


def test_a_run_makes_a_bundle_that_reads(folder: Path, tmp_path: Path) -> None:
    ran = quick_run(folder, tmp_path / "bundle")
    assert ran.code == 0, ran.told
    assert "lines to learn from" in ran.told
    assert "validation CER" in ran.told
    assert str(tmp_path / "bundle") in ran.out
    assert uncial("read", "-m", tmp_path / "bundle", folder / "line000.png").code == 0
    assert (tmp_path / "bundle.run" / "log.csv").read_text(encoding="utf-8").count("\n") >= 2


def test_settings_come_from_a_file_and_single_ones_win(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('batch_lines = 3\nseed = 5\n[network]\nrecurrent = "gru"\n', encoding="utf-8")
    ran = quick_run(folder, tmp_path / "bundle", "--config", tmp_path / "run.toml", "--set", "seed=6")
    assert ran.code == 0, ran.told
    bundle = load_bundle(tmp_path / "bundle")
    settings = bundle.provenance["training"]
    assert (settings["batch_lines"], settings["seed"], settings["epochs"]) == (3, 6, 1)
    assert bundle.architecture.recurrent == "gru"


def test_a_bundle_with_another_alphabet_is_taken_over_and_it_says_so(
    tmp_path: Path, drawn_lines: Lines, tiny_bundle: Bundle
) -> None:
    folder = write_pairs(tmp_path / "lines", [*drawn_lines, draw_line("by ship")], repeat=16)
    ran = quick_run(folder, tmp_path / "bundle", "--from", tiny_bundle.path)
    assert ran.code == 0, ran.told
    before, after = tiny_bundle.alphabet.graphemes, load_bundle(tmp_path / "bundle").alphabet.graphemes
    assert after[: len(before)] == before
    assert set(after) - set(before) == set("bps") - set(before)
    assert "graphemes" in ran.told


def test_a_finished_run_is_not_overwritten_and_goes_on_only_with_resume(folder: Path, tmp_path: Path) -> None:
    quick_run(folder, tmp_path / "bundle")
    again = quick_run(folder, tmp_path / "bundle")
    assert again.code == 8
    assert "--resume" in again.told
    resumed = uncial("train", folder, "-o", tmp_path / "bundle", "--epochs", 2, "--resume", *QUICK_OPTIONS)
    assert resumed.code == 0, resumed.told
    assert "resumed" in resumed.told
    ended = uncial("train", folder, "-o", tmp_path / "bundle", "--epochs", 2, "--resume", *QUICK_OPTIONS)
    assert (ended.code, "it had ended: give it more" in ended.told) == (0, True)


def test_a_place_that_is_taken_is_told_before_the_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    for command in ("train", "train-layout"):
        ran = uncial(command, tmp_path / "no lines", "-o", tmp_path / "bundle")
        assert (ran.code, "is there already; choose another -o" in ran.told) == (8, True), ran.told


@pytest.mark.parametrize(
    ("words", "code"), [(("--set", "learning_rat=0.1"), 2), (("--from", "none"), 6), (("--teacher", "none"), 6)]
)
def test_what_is_quickly_told_is_told_before_the_lines_are_read(
    words: tuple[str, str], code: int, tmp_path: Path
) -> None:
    assert uncial("train", tmp_path / "no lines", "-o", tmp_path / "bundle", *words).code == code


def test_resuming_without_a_checkpoint_is_told_before_the_lines_are_read(tmp_path: Path) -> None:
    for command in ("train", "train-layout"):
        ran = uncial(command, tmp_path / "no lines", "-o", tmp_path / "bundle", "--resume")
        assert (ran.code, "no checkpoint" in ran.told) == (9, True), ran.told
    assert not list(tmp_path.glob("bundle*"))


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (("--set", "learning_rat=0.1"), "did you mean 'learning_rate'"),
        (("--set", "network.recurent=gru"), "did you mean 'recurrent'"),
        (("--set", "learning_rate=quick"), "takes a number"),
        (("--set", "learning_rate"), "key=value"),
        (("--set", "network.recurrent=transformer"), "lstm"),
        (("--minutes", "1", "--epochs", "2"), "one budget"),
        (("--epochs", "0"), "--epochs 0: a budget is above 0"),
        (("--minutes", "0"), "--minutes 0: a budget is above 0"),
        (("--minutes", "nan"), "--minutes nan: a budget is above 0"),
        (("--config", "none.toml"), "no such file"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_written(
    words: tuple[str, ...], suggestion: str, folder: Path, tmp_path: Path
) -> None:
    ran = uncial("train", folder, "-o", tmp_path / "bundle", *words)
    assert ran.code == 2, ran.told
    assert suggestion in ran.told
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "bundle.run").exists()


def test_an_interrupted_run_tells_what_is_kept(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: TrainingScreen, progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingScreen, "__call__", interrupt)
    ran = quick_run(folder, tmp_path / "bundle")
    assert ran.code == 130
    assert "interrupted; there is no bundle yet; nothing else was kept" in ran.told


def test_lines_that_cannot_be_learned_are_left_out_and_listed(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_pairs(tmp_path / "lines", drawn_lines, repeat=16)
    (folder / "line000.gt.txt").write_text("", encoding="utf-8")
    (folder / "line001.gt.txt").write_text("far more text than time steps " * 9, encoding="utf-8")
    (folder / "line002.gt.txt").write_text("1 May 1862 ☞", encoding="utf-8")
    (folder / "line003.png").write_bytes(b"")
    ran = quick_run(folder, tmp_path / "bundle", "--set", "rarest=2")
    assert ran.code == 0, ran.told
    listed = (tmp_path / "bundle.run" / "left_out.tsv").read_text(encoding="utf-8")
    for name, reason in (("000", "empty"), ("001", "too narrow"), ("002", "☞"), ("003", "image")):
        assert any(f"line{name}" in row and reason in row for row in listed.splitlines()), (name, listed)
    assert json.loads((tmp_path / "bundle" / "bundle.json").read_text(encoding="utf-8"))["provenance"]


def test_a_run_goes_on_only_from_the_bundle_it_began_with(folder: Path, tmp_path: Path, tiny_bundle: Bundle) -> None:
    first, other = tmp_path / "first", tmp_path / tiny_bundle.path.name  # of the same name, with other weights
    assert quick_run(folder, other, "--from", tiny_bundle.path).code == 0
    assert quick_run(folder, first, "--from", tiny_bundle.path).code == 0
    ran = quick_run(folder, first, "--from", other, "--resume")
    assert ran.code == 9
    assert "bundle to begin with" in ran.told
