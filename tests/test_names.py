"""Names of files that are no UTF-8: their lines are read, checked, converted and learned from as any others."""

import json
import os
from pathlib import Path

import pytest
from commands import QUICK_OPTIONS, uncial, write_pairs
from conftest import DrawnLine

from uncial.bundle import Bundle

LATIN = os.fsdecode(b"l\xe9a")  # as a Latin-1 system wrote it


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: tuple[DrawnLine, ...]) -> Path:
    """Lines in a folder of such a name, the first of such a name itself and the last damaged."""
    folder = write_pairs(tmp_path / "plain", drawn_lines[:4]).rename(tmp_path / LATIN)  # OpenCV writes no such name
    for suffix in (".png", ".gt.txt"):
        (folder / f"line000{suffix}").rename(folder / (LATIN + suffix))
    (folder / "line003.png").write_bytes(b"no image")
    return folder


def test_they_are_read_under_their_own_names(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder, "-o", tmp_path / "read.txt")
    assert ran.code == 3
    assert os.fsencode(f"\n{folder / LATIN}.png:") in (tmp_path / "read.txt").read_bytes()


def test_in_json_their_names_stay_what_they_are(folder: Path, tiny_bundle: Bundle) -> None:
    told = json.loads(uncial("read", "-m", tiny_bundle.path, folder, "-f", "json").out)
    assert {Path(entry["image"]) for entry in told} == set(folder.glob("*.png"))
    assert [Path(entry["image"]).name for entry in told if "error" in entry] == ["line003.png"]


@pytest.mark.parametrize("format_", ["page", "alto", "hocr", "tei", "csv", "pdf", "png", "text", "json"])
def test_they_become_files_of_every_format(format_: str, folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    image = folder / f"{LATIN}.png"
    ran = uncial("read", "-m", tiny_bundle.path, image, "--as", "page", "-f", format_, "-o", f"{tmp_path}/out/")
    assert ran.code == 0
    assert [file.name.startswith(LATIN) for file in (tmp_path / "out").iterdir()] == [True]


@pytest.mark.parametrize("suffix", ["", ".zip", ".parquet"])
def test_their_lines_are_checked_and_stored_in_every_form(suffix: str, folder: Path, tmp_path: Path) -> None:
    checked = json.loads(uncial("data", "check", folder, "--json").out)
    assert (checked["lines"], checked["usable"]) == (4, 3)
    assert uncial("data", "convert", folder, "-o", tmp_path / f"kept{suffix}").code == 0
    again = json.loads(uncial("data", "check", tmp_path / f"kept{suffix}", "--json").out)
    assert (again["lines"], again["graphemes"]) == (3, checked["graphemes"])


def test_a_bundle_is_measured_on_their_lines(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    ran = uncial("evaluate", "-m", tiny_bundle.path, folder, "--split", "all", "--json", "--report", report)
    assert ran.code == 0
    assert (json.loads(ran.out)["lines"], len(json.loads(ran.out)["failures"])) == (4, 1)
    assert r"l\xe9a" in report.read_text(encoding="utf-8").replace("udce9", "xe9")


def test_a_network_learns_from_their_lines_and_lists_those_left_out(folder: Path, tmp_path: Path) -> None:
    ran = uncial("train", folder, "-o", tmp_path / "bundle", "--epochs", 1, "--set", "held_out=0.2", *QUICK_OPTIONS)
    assert ran.code == 0, ran.told
    assert "line003" in (tmp_path / "bundle.run" / "left_out.tsv").read_text(encoding="utf-8")
