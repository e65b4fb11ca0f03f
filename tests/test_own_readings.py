"""Lines that nobody transcribed become ground truth by being read, and are learned."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import QUICK_OPTIONS, ROOT, Ran, uncial, write_pairs, written_sheet
from conftest import DrawnLine

from uncial import Recognizer
from uncial.bundle import Bundle, load_bundle
from uncial.errors import GroundTruthError, TrainingError
from uncial.own_readings import kept, own_readings
from uncial.sources import read_samples

Lines = Sequence[DrawnLine]


@pytest.fixture
def scans(tmp_path: Path, drawn_lines: Lines) -> Path:
    """A folder of line images without their texts."""
    folder = write_pairs(tmp_path / "scans", drawn_lines, repeat=4)
    for text in folder.glob("*.gt.txt"):
        text.unlink()
    return folder


def learn(out: Path, *more: object) -> Ran:
    return uncial("train", "-o", out, "--epochs", 1, *QUICK_OPTIONS[-6:], *more)


def test_each_line_has_the_text_that_is_read_there(tmp_path: Path, drawn_lines: Lines, tiny_bundle: Bundle) -> None:
    images = write_pairs(tmp_path / "lines", drawn_lines)
    truth = {sample.page: sample for sample in read_samples(images)}
    place = tmp_path / "own.zip"
    read = own_readings(tiny_bundle.path, [str(path) for path in sorted(images.glob("*.png"))], place)
    assert len(read) == len(drawn_lines)
    for sample in read:
        assert sample.text == truth[sample.page].text  # the bundle knows these lines by heart
        assert np.array_equal(sample.image(), truth[sample.page].image())
    assert {sample.split for sample in read} == {"train"}
    assert kept(place) == read


def test_lines_of_pages_are_found_cut_out_and_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "sheet.png"), written_sheet())
    read = own_readings(Path("default"), [str(tmp_path / "sheet.png")], tmp_path / "own.zip")
    assert len(read) >= 3
    assert {sample.page for sample in read} == {"sheet"}
    again = Recognizer.load(quality="best").read_lines([sample.image() for sample in read])
    assert [sample.text for sample in read] == [transcript.text for transcript in again]


def test_scans_of_one_name_and_such_that_cannot_be_read_do_not_stop_the_others(
    tmp_path: Path, drawn_lines: Lines, tiny_bundle: Bundle
) -> None:
    first, second = (write_pairs(tmp_path / name, drawn_lines[:1]) for name in ("a", "b"))
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = [*map(str, first.glob("*.png")), str(tmp_path / "torn.png"), *map(str, second.glob("*.png"))]
    told: list[str] = []
    read = own_readings(tiny_bundle.path, names, tmp_path / "own.zip", tell=told.append)
    assert len({sample.id for sample in read}) == 2
    assert len(told) == 1
    assert "torn.png" in told[0]


def test_where_nothing_is_read_nothing_is_written(tmp_path: Path, tiny_bundle: Bundle) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((64, 400), 255, np.uint8))
    with pytest.raises(GroundTruthError, match="no writing"):
        own_readings(tiny_bundle.path, [str(tmp_path / "empty.png")], tmp_path / "own.zip")
    assert not (tmp_path / "own.zip").exists()
    with pytest.raises(TrainingError, match="no own readings"):
        kept(tmp_path / "own.zip")


def test_transcribed_lines_and_own_readings_are_learned_together(
    tmp_path: Path, scans: Path, drawn_lines: Lines, tiny_bundle: Bundle
) -> None:
    folder, out = write_pairs(tmp_path / "lines", drawn_lines, repeat=16), tmp_path / "mine"
    ran = learn(out, folder, "--untranscribed", scans, "--from", tiny_bundle.path)
    assert ran.code == 0, ran.told
    images = len(list(scans.glob("*.png")))
    assert f"{images} as they were read" in ran.told
    assert load_bundle(out).provenance["lines"]["own_readings"] == images
    assert len(read_samples(tmp_path / "mine.run" / "own-readings.zip")) == images
    more = learn(out, folder, "--untranscribed", scans, "--from", tiny_bundle.path, "--resume", "--epochs", 2)
    assert more.code == 0, more.told
    assert "resumed at step" in more.told


def test_own_readings_alone_can_be_learned(tmp_path: Path, scans: Path, tiny_bundle: Bundle) -> None:
    ran = learn(tmp_path / "mine", "--untranscribed", scans, "--from", tiny_bundle.path)
    assert ran.code == 0, ran.told
    assert "compares with its own readings" in ran.told
    assert load_bundle(tmp_path / "mine").provenance["begun_with"] == tiny_bundle.path.name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing to learn from"),
        (("--untranscribed", ROOT / "examples"), "--from"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, words: tuple[object, ...], told: str) -> None:
    ran = learn(tmp_path / "mine", *words)
    assert ran.code == 2
    assert told in ran.told
    assert not (tmp_path / "mine.run").exists()


def test_several_processes_are_told_to_read_first(
    tmp_path: Path, scans: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = learn(tmp_path / "mine", "--untranscribed", scans, "--from", tiny_bundle.path)
    assert ran.code == 2
    assert "-f page" in ran.told
