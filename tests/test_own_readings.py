"""Lines that nobody transcribed become ground truth by being read, and are learned."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import QUICK_OPTIONS, ROOT, Ran, uncial, write_pairs, written_sheet
from conftest import DrawnLine, draw_line
from rapidfuzz.distance import Levenshtein

from uncial import Recognizer, load_image
from uncial.bundle import Bundle, load_bundle
from uncial.checkpoint import alone
from uncial.errors import GroundTruthError, TrainingError
from uncial.own_readings import kept, own_readings, untranscribed
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
    assert kept(place) == read


def test_lines_of_pages_are_found_cut_out_and_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "sheet.png"), written_sheet())
    read = own_readings(Path("default"), [str(tmp_path / "sheet.png")], tmp_path / "own.zip")
    assert len(read) >= 3
    assert {sample.page for sample in read} == {"sheet"}
    recognizer = Recognizer.load(quality="best")
    page = recognizer.read_page(load_image(tmp_path / "sheet.png"))
    assert [sample.text for sample in read] == [t.text for line in page.lines if (t := line.transcript) and t.text]
    for sample, by_itself in zip(read, recognizer.read_lines(sample.image() for sample in read), strict=True):
        wrong = Levenshtein.distance(sample.text, by_itself.text)  # by itself it knows no neighbours
        assert wrong <= 0.1 * len(sample.text)


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
    with pytest.raises(TrainingError, match="not there"):
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
    ran = learn(tmp_path / "mine", "--untranscribed", scans, "--from", tiny_bundle.path, "--untranscribed", scans)
    assert ran.code == 0, ran.told
    assert "compares with its own readings" in ran.told
    made = load_bundle(tmp_path / "mine").provenance
    assert made["begun_with"] == tiny_bundle.path.name
    assert made["lines"]["own_readings"] == made["lines"]["train"] > 0
    assert made["lines"]["train"] + made["lines"]["val"] == len(list(scans.glob("*.png")))  # though named twice


def test_scans_that_are_transcribed_are_not_read(tmp_path: Path, drawn_lines: Lines, tiny_bundle: Bundle) -> None:
    folder = write_pairs(tmp_path / "lines", drawn_lines, repeat=16)
    more = write_pairs(tmp_path / "more", [draw_line("on a hill")])
    samples = read_samples(folder)
    (new,) = (path.rename(path.with_name("new.png")) for path in more.glob("*.png"))
    names = [*map(str, folder.glob("*.png")), str(new), f"{more}/./new.png"]
    assert untranscribed([*names, "-"], samples) == [str(new), "-"]
    ran = learn(tmp_path / "mine", folder, "--untranscribed", folder, "--from", tiny_bundle.path)
    assert ran.code == 2
    assert "DATA has texts of each of these scans" in ran.told
    ran = learn(tmp_path / "mine", folder, "--untranscribed", tmp_path / "none.png", "--from", tiny_bundle.path)
    assert (ran.code, "none.png: no such file" in ran.told) == (4, True)
    assert not (tmp_path / "mine.run").exists()


def test_a_single_transcribed_line_is_told_before_scans_are_read(
    tmp_path: Path, scans: Path, tiny_bundle: Bundle
) -> None:
    one = write_pairs(tmp_path / "one", [draw_line("on a hill")])
    ran = learn(tmp_path / "mine", one, "--untranscribed", scans, "--from", tiny_bundle.path)
    assert ran.code == 2
    assert "of 1 transcribed line in DATA 1 can be used, and one has to be held out to choose by" in ran.told
    assert not list(tmp_path.glob("mine.run/*"))


def test_pages_are_known_by_their_page_files_and_by_the_names_that_lines_tell(tmp_path: Path) -> None:
    pages = ROOT / "examples" / "pages"
    (tmp_path / "will.jpg").write_bytes((pages / "will.jpg").read_bytes())
    (tmp_path / "will.xml").write_bytes((pages / "will.xml").read_bytes())
    image, file = str(tmp_path / "will.jpg"), str(tmp_path / "will.xml")
    assert untranscribed([image, file], []) == [image]  # the same page
    assert untranscribed([file, image], read_samples(tmp_path / "will.xml")) == []
    done = uncial("data", "convert", file, "-o", tmp_path / "lines")
    assert done.code == 0, done.told
    assert untranscribed([image], read_samples(tmp_path / "lines")) == []
    empty = re.sub(r"(?s)<TextEquiv.*?</TextEquiv>", "", (tmp_path / "will.xml").read_text(encoding="utf-8"))
    (tmp_path / "will.xml").write_text(empty, encoding="utf-8")
    assert untranscribed([image], read_samples(tmp_path / "will.xml")) == [image]  # marked, and not transcribed


def test_origin_and_licence_of_scans_go_along(tmp_path: Path, scans: Path, tiny_bundle: Bundle) -> None:
    (scans / "SOURCE.txt").write_text("licence: CC BY 4.0\n", encoding="utf-8")
    ran = learn(tmp_path / "mine", "--untranscribed", scans, "--from", tiny_bundle.path)
    assert ran.code == 0, ran.told
    assert load_bundle(tmp_path / "mine").provenance["sources"]["own-readings"] == "licence: CC BY 4.0"


def test_names_that_are_no_utf8_and_a_collection_of_the_same_name(
    tmp_path: Path, drawn_lines: Lines, tiny_bundle: Bundle
) -> None:
    folder = write_pairs(tmp_path / "own-readings", drawn_lines, repeat=16)
    odd = tmp_path / "odd"
    odd.mkdir()
    for n, path in enumerate(sorted(folder.glob("*.png"))[:4]):
        (odd / os.fsdecode(b"\xe9crit%d.png" % n)).write_bytes(path.read_bytes())
    ran = learn(tmp_path / "mine", folder, "--untranscribed", odd, "--from", tiny_bundle.path)
    assert ran.code == 0, ran.told
    read = read_samples(tmp_path / "mine.run" / "own-readings_2.zip")
    assert [sample.page for sample in read] == [rf"\udce9crit{n}" for n in range(4)]


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


def test_a_run_that_is_at_work_keeps_what_it_learns_from(tmp_path: Path, scans: Path, tiny_bundle: Bundle) -> None:
    out = tmp_path / "mine"
    other = f"import sys\nfrom uncial.cli import app\napp(['train', '-o', {str(out)!r}, *sys.argv[1:]])"
    words = ["--untranscribed", str(scans), "--from", str(tiny_bundle.path)]
    with alone(out, resume=False):
        ran = subprocess.run([sys.executable, "-c", other, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 8, ran.stderr
    assert "another training" in ran.stderr
    assert not (tmp_path / "mine.run" / "own-readings.zip").exists()
