"""`uncial evaluate` as people use it."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import uncial, write_pairs
from conftest import TEXTS, DrawnLine

from uncial.bundle import Bundle

Lines = Sequence[DrawnLine]


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines)


def test_json_is_one_object_with_rates_as_fractions(folder: Path, tiny_bundle: Bundle) -> None:
    (folder / "line000.gt.txt").write_text("Dear Anx", encoding="utf-8")
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path, "--json")
    found = json.loads(ran.out)
    assert ran.code == 0
    assert (found["lines"], found["graphemes"]) == (4, sum(map(len, TEXTS)))
    assert found["cer"] == pytest.approx(1 / sum(map(len, TEXTS)))
    assert found["wer"] == pytest.approx(1 / sum(len(text.split()) for text in TEXTS))
    assert found["lines_per_second"] > 0


def test_the_screen_tells_rates_confusions_and_what_was_left_out(folder: Path, tiny_bundle: Bundle) -> None:
    (folder / "line000.gt.txt").write_text("Dear Anx", encoding="utf-8")
    (folder / "line001.gt.txt").write_text("a [?]", encoding="utf-8")
    (folder / "line002.png").write_bytes(b"")
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path)
    assert ran.code == 0, ran.told
    for told in ("CER", "WER, normalised", "'x' as 'n'", "1 line could not be read", "1 line left out"):
        assert told in ran.out


def test_the_report_is_written_beside_the_figures(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path, "--report", tmp_path / "page.html")
    assert ran.code == 0, ran.told
    assert "CER" in ran.out
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8").lower()


def test_report_and_table_are_two_files(folder: Path, tmp_path: Path) -> None:
    ran = uncial("evaluate", folder, "--report", tmp_path / "x", "--lines", tmp_path / "x")
    assert (ran.code, "name two files" in ran.told) == (2, True)


def test_a_report_does_not_overwrite_what_is_no_report(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path, "--report", folder / "line000.png")
    assert ran.code == 8
    assert ran.out == ""


def test_every_line_is_written_as_a_table(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (folder / "line000.gt.txt").write_text('Dear "Anx"', encoding="utf-8")
    table = tmp_path / "lines.tsv"
    for _ in range(2):  # an earlier table is written over
        assert uncial("evaluate", folder, "-m", tiny_bundle.path, "--lines", table).code == 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["transcript"] for row in rows] == list(TEXTS)
    assert rows[0]["reference"] == 'Dear "Anx"'
    assert [int(row["errors"]) > 0 for row in rows] == [True, False, False, False]
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)


def test_a_table_does_not_overwrite_what_is_none(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path, "--lines", folder / "line000.gt.txt")
    assert ran.code == 8
    assert (ran.out, "choose another --lines" in ran.told) == ("", True)


def test_a_split_without_lines_is_told_with_those_there_are(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("evaluate", folder, "-m", tiny_bundle.path, "--split", "test")
    assert ran.code == 5
    assert "--split" in ran.told


def test_graphemes_outside_the_alphabet_count_as_errors(folder: Path, tiny_bundle: Bundle) -> None:
    (folder / "line000.gt.txt").write_text("Dear ☞nn", encoding="utf-8")
    found = json.loads(uncial("evaluate", folder, "-m", tiny_bundle.path, "--json").out)
    assert found["cer"] == pytest.approx(1 / sum(map(len, TEXTS)))
