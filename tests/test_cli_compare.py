"""`uncial compare` as people use it."""

import json
from pathlib import Path

import pytest
from commands import QUICK_OPTIONS, Ran, uncial, write_pairs
from conftest import DrawnLine

from uncial.bundle import Bundle
from uncial.screen import TrainingScreen


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: tuple[DrawnLine, ...]) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines, repeat=16)


def quick_comparison(folder: Path, out: Path, *more: object) -> Ran:
    return uncial("compare", folder, "-o", out, "--minutes", 0.003, *QUICK_OPTIONS, *more)


def test_lines_and_words_are_compared(folder: Path, tmp_path: Path, tiny_bundle: Bundle) -> None:
    more = ("--unit", "both", "--systems", "crnn-lstm,cnn", "-m", tiny_bundle.path)
    ran = quick_comparison(folder, tmp_path / "out", *more)
    assert ran.code == 0, ran.told
    assert str(tmp_path / "out" / "comparison.html") in ran.out
    assert "144 words cut from 64 lines; 0 lines left out" in ran.told
    assert ran.out.index("cnn") < ran.out.index("crnn-lstm")
    again = quick_comparison(folder, tmp_path / "out", *more, "--json")
    assert again.told.count("was finished before") == 4
    line, word = json.loads(again.out)["units"]
    assert (line["unit"], word["unit"]) == ("line", "word")
    assert word["lines_to_learn_from"] + word["systems"][0]["lines"] == 144


def test_what_a_part_is_worth_is_shown(folder: Path, tmp_path: Path) -> None:
    ran = quick_comparison(folder, tmp_path / "out", "--systems", "crnn-simple,crnn-lstm")
    assert ran.code == 0, ran.told
    assert "cells with gates (LSTM)" in ran.out


def test_a_system_that_does_not_exist_is_told(folder: Path, tmp_path: Path) -> None:
    ran = quick_comparison(folder, tmp_path / "out", "--systems", "cnn,transformer")
    assert ran.code == 2
    assert "no system named 'transformer'" in ran.told


def test_an_interrupted_comparison_tells_how_to_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: TrainingScreen, progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingScreen, "__call__", interrupt)
    ran = quick_comparison(folder, tmp_path / "out", "--systems", "cnn")
    assert ran.code == 130
    assert "give the same command again to go on" in ran.told
