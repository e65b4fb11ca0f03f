"""`uncial read` on pages: which line finder, what counts as a page, and what else is not to happen in silence."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import ROOT, uncial, written_sheet
from drawn_scans import stored

from uncial.archive import Reading, Task, _as_word, _result, read_scans
from uncial.bundle import Bundle
from uncial.document import GraphemeSpan, Line, Page, Region, Transcript
from uncial.errors import BundleError, ConfigError
from uncial.image_file import Gray, load_image
from uncial.layout.bundle import load_layout, save_layout
from uncial.layout.network import NetworkFinder
from uncial.recognizer import Recognizer
from uncial.scan import Scan


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    """A layout bundle that sees pages so small that it finds no line of them."""
    return save_layout(tmp_path / "coarse", load_layout().graph.read_bytes(), 64, {}).path


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "letter.png").write_bytes(stored(written_sheet(), "PNG"))
    return tmp_path / "letter.png"


def spread(high: int = 1000, wide: int = 1500) -> Gray:
    """A spread that bears nothing but a title."""
    sheet = np.full((high, wide), 235, np.uint8)
    title = load_image(sorted((ROOT / "examples" / "lines").glob("*.png"))[0])[:, :400]
    sheet[200:, 300:][: title.shape[0], : title.shape[1]] = title
    return sheet


def test_an_empty_page_empties_the_file_that_it_is_written_over(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "blank.png").write_bytes(stored(np.full((900, 700), 235, np.uint8), "PNG"))
    out = tmp_path / "out.txt"
    out.write_text("of an older page", encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "blank.png", "-o", out, "--force")
    assert (ran.code, out.read_text(encoding="utf-8")) == (0, "")


def test_a_page_on_which_the_other_side_alone_shows_through_says_so(tmp_path: Path) -> None:
    will = cv2.imread(str(ROOT / "examples" / "pages" / "will.jpg"), cv2.IMREAD_GRAYSCALE).astype(float)
    dark = np.clip((np.quantile(will, 0.9) - will) / 80, 0, 1)[:, ::-1]
    (tmp_path / "verso.png").write_bytes(stored(np.round(200 - 20 * cv2.blur(dark, (5, 5))).astype(np.uint8), "PNG"))
    ran = uncial("read", "--quality", "fast", tmp_path / "verso.png")
    assert (ran.out, ran.code) == ("", 0)
    assert re.search(r"verso.png: left out \d+ lines of the other side that show through", ran.told)
    assert "no writing was found" not in ran.told
    all_of_it = uncial("read", "--quality", "fast", "--cut-off", tmp_path / "verso.png")
    assert len(all_of_it.out.split("\n")) > 5


def test_lines_are_found_with_the_layout_bundle_that_is_named(page: Path, coarse: Path, tiny_bundle: Bundle) -> None:
    words = ("read", "-m", tiny_bundle.path, page)
    assert len(uncial(*words).out.splitlines()) >= 3
    assert uncial(*words, "--layout", "default").out == uncial(*words).out
    ran = uncial(*words, "--layout", coarse)
    assert (ran.out, ran.code) == ("", 0)
    assert "no writing was found on this page" in ran.told
    shared_out = uncial(*words, page, "--layout", coarse, "--processes", 2)
    assert shared_out.told.count("no writing was found on this page") == 2


def test_a_layout_bundle_that_cannot_be_used_is_told_before_anything_is_read(
    page: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "json", page, page, "--layout", tmp_path / "none")
    assert (ran.out, ran.code) == ("", 6)
    assert "none: no such folder; a layout bundle is" in ran.told
    with pytest.raises(BundleError, match="a layout bundle is what"):
        Recognizer.load(tiny_bundle.path, layout=tmp_path / "none")


def test_every_command_on_pages_takes_the_layout_bundle_by_the_same_name(coarse: Path) -> None:
    pages = ROOT / "examples" / "pages"
    for command, found in (("evaluate-layout", "f1"), ("evaluate-pages", "deleted")):
        words = (command, pages, "--split", "all", "--json")
        shipped, other = (json.loads(uncial(*words, *more).out)["groups"]["all"] for more in ((), ("--layout", coarse)))
        assert other[found] == (1 if found == "deleted" else 0) != shipped[found]


def test_without_a_split_all_pages_are_evaluated_where_none_is_of_val() -> None:
    ran, asked = (uncial("evaluate-layout", ROOT / "examples" / "pages", *more) for more in ((), ("--split", "all")))
    assert (ran.code, ran.out) == (0, asked.out)
    assert (ran.told, asked.told) == ("uncial: no page is of split val, so all pages are taken\n", "")
    assert uncial("evaluate-layout", ROOT / "examples" / "pages", "--split", "val").code != 0


def test_a_finder_that_takes_no_layout_bundle_is_told(coarse: Path) -> None:
    pages = ROOT / "examples" / "pages"
    ran = uncial("evaluate-layout", pages, "--split", "all", "--finder", "projection", "--layout", coarse)
    assert (ran.out, ran.code) == ("", 2)
    assert "line finder projection takes no layout bundle; leave out" in ran.told


def test_a_spread_that_bears_a_title_is_a_page(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "spread.png").write_bytes(stored(spread(), "PNG"))
    told = json.loads(uncial("read", "-m", tiny_bundle.path, "-f", "json", tmp_path / "spread.png").out)
    assert (told.get("width"), told.get("height")) == (1500, 1000)


@pytest.mark.parametrize("shows", ["auto", "page"])
def test_the_lines_of_a_landscape_page_are_found_once(shows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    find = NetworkFinder.__call__
    monkeypatch.setattr(NetworkFinder, "__call__", lambda self, gray: looks.append(gray.shape) or find(self, gray))
    sheet = np.hstack([written_sheet()] * 2)
    (reading,) = read_scans(Recognizer.load(quality="fast"), [Scan("a/spread.png", "spread", sheet)], Task(shows=shows))
    assert isinstance(reading.outcome, Page)
    assert (reading.outcome.image, len(reading.outcome.lines) >= 6, looks) == ("spread.png", True, [sheet.shape])


def test_a_page_that_the_model_can_hardly_read_is_told() -> None:
    def told(*confidences: float, calibrated: bool = True) -> str:
        spans = tuple(GraphemeSpan(letter, n, n + 1, 0.9, (), 0.0, 1.0) for n, letter in enumerate("abc"))
        points = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0))
        lines = tuple(
            Line(f"l{n}", points, points, Transcript("abc", sure, spans, uncalibrated=0.9 if calibrated else None))
            for n, sure in enumerate(confidences)
        )
        page = Page("a.png", 9, 9, (Region("r", points, lines),))
        return " ".join(_result(Reading("a.png", page, Scan("a.png", "a", spread())), Task()).notes)

    assert "a.png: the model can hardly read this page: its lines' mean confidence is 60%" in told(
        0.5, 0.5, 0.6, 0.7, 0.7
    )
    few, uncalibrated = told(0.5, 0.7), told(0.5, 0.5, 0.6, 0.7, 0.7, calibrated=False)
    assert told(0.7, 0.8, 0.8, 0.9, 0.95) == few == uncalibrated == ""


def test_where_results_go_is_no_folder_that_is_passed_over(page: Path, tiny_bundle: Bundle) -> None:
    command = ("read", "-m", tiny_bundle.path, page.parent, "-o", f"{page.parent}/text/")
    assert (uncial(*command).told, uncial(*command, "--force").told) == ("", "")


def test_hocr_may_be_called_html(page: Path, tiny_bundle: Bundle) -> None:
    assert uncial("read", "-m", tiny_bundle.path, page, "-o", page.with_name("letter.html")).code == 0
    assert b"ocr_page" in page.with_name("letter.html").read_bytes()


def test_folders_in_a_folder_are_told_and_not_looked_into(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    for name in ("1862", "1863", ".thumbnails"):
        (folder / name).mkdir(parents=True)
        shutil.copy(page, folder / name)
    shutil.copy(page, folder)
    ran = uncial("read", "-m", tiny_bundle.path, folder)
    assert ran.code == 0 and len(ran.out.splitlines()) >= 3
    assert ran.told == f"uncial: {folder}: folders in it that are passed over: 2 (1862, …); name them, too\n"


def test_readings_of_a_word_that_differ_in_spaces_only_are_one() -> None:
    read = _as_word(Transcript("a b", 0.5, (), (("a b", 0.5), ("ab", 0.25), ("d", 0.125), ("a  b", 0.125))))
    assert read.readings == (("ab", 0.875), ("d", 0.125))
    assert _as_word(Transcript("a b", 0.5, words=(0.5, 0.25))).words == ()  # neither is that of the one word
    assert _as_word(Transcript("a", 0.5, words=(0.25,))).words == (0.25,)


def test_several_readings_are_refused_by_formats_that_do_not_tell_them(page: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "--n-best", 3, page)
    assert (ran.out, ran.code) == ("", 2)
    assert "the format text tells one reading of a line, not 3; choose json (-f json)" in ran.told
    with pytest.raises(ConfigError, match="the format page tells one reading"):
        Task("page", n_best=2)
