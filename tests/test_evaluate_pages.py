"""Pages that are read and compared with their text, on a real page."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uncial.cli import app
from uncial.document import Line, Page, Region, Transcript
from uncial.errors import GroundTruthError
from uncial.evaluate_pages import WAYS, _compared, _truth, evaluate_pages, match_lines
from uncial.recognizer import Recognizer
from uncial.sources.marked_pages import marked_pages
from uncial.text import graphemes

PAGES = Path(__file__).parents[1] / "examples" / "pages"


def test_a_page_is_read_as_well_as_its_lines() -> None:
    done: list[tuple[int, int]] = []
    evaluation = evaluate_pages(
        marked_pages([PAGES]), Recognizer.load(), split="all", progress=lambda n, of: done.append((n, of))
    )
    (page,) = evaluation.pages
    true, found, ordered, marked = (counts.error_rate for counts in page.counts)
    assert 0 < true < 0.35
    assert true * 0.7 < found < true + 0.1
    assert abs(ordered - found) < 0.05
    assert marked <= ordered
    assert done == [(1, 1)]
    assert page.seconds > 0


def test_a_line_that_is_not_found_counts_as_deleted(tmp_path: Path) -> None:
    whole = evaluate_pages(marked_pages([PAGES]), Recognizer.load(), split="all").pages[0]
    (tmp_path / "will.jpg").symlink_to(PAGES / "will.jpg")
    marked = (PAGES / "will.xml").read_text(encoding="utf-8")
    lines = re.findall(r"<TextLine.*?</TextLine>", marked, re.DOTALL)
    (tmp_path / "will.xml").write_text(marked.replace(lines[4], ""), encoding="utf-8")
    less = evaluate_pages(marked_pages([tmp_path]), Recognizer.load(), split="all").pages[0]
    assert less.counts[1].insertions >= whole.counts[1].insertions + 30  # that line is read, and nobody has marked it
    assert less.counts[2].insertions >= whole.counts[2].insertions + 30
    assert less.counts[3].insertions <= whole.counts[3].insertions + 3  # which is judged no more
    assert less.counts[0].reference < whole.counts[0].reference


def test_a_line_marked_without_a_text_is_left_out_with_what_is_read_there(tmp_path: Path) -> None:
    whole = evaluate_pages(marked_pages([PAGES]), Recognizer.load(), split="all").pages[0]
    (tmp_path / "will.jpg").symlink_to(PAGES / "will.jpg")
    marked = (PAGES / "will.xml").read_text(encoding="utf-8")
    line = re.findall(r"<TextLine.*?</TextLine>", marked, re.DOTALL)[4]
    empty = re.sub(r"<TextEquiv.*?</TextEquiv>", "", line, flags=re.DOTALL)
    assert empty != line
    (tmp_path / "will.xml").write_text(marked.replace(line, empty), encoding="utf-8")
    less = evaluate_pages(marked_pages([tmp_path]), Recognizer.load(), split="all").pages[0]
    assert less.counts[0].reference <= whole.counts[0].reference - 30
    assert less.counts[1].insertions <= whole.counts[1].insertions
    assert less.counts[2].insertions <= whole.counts[2].insertions + 3


def piece(name: str, start: tuple[float, float], end: tuple[float, float], text: str = "") -> Line:
    (left, top), (right, bottom) = start, end
    upright = abs(bottom - top) > abs(right - left)
    wide, high = (15.0, 0.0) if upright else (0.0, 15.0)
    around = ((left - wide, top - high), (right - wide, bottom - high), (right + wide, bottom + high),
              (left + wide, top + high))  # fmt: skip
    return Line(name, (start, end), around, Transcript(text, 1.0) if text else None)


def unknown(*lines: Line) -> set[str]:
    region = Region("r", ((0.0, 0.0), (600.0, 0.0), (600.0, 900.0), (0.0, 900.0)), lines)
    return {line.id for line in _truth(Page("p", 600, 900, (region,))).unknown}


def test_of_a_line_in_pieces_one_without_a_text_leaves_its_neighbours_out() -> None:
    lines = [piece(name, (100 * n, 100), (100 * n + 90, 100), text) for n, (name, text) in enumerate(
        (("a", "one"), ("b", ""), ("c", "two"), ("d", "three")))]  # fmt: skip
    assert unknown(*lines) == {"a", "b", "c"}


def test_a_line_at_another_level_or_farther_on_is_judged() -> None:
    empty = piece("empty", (100, 100), (200, 100))
    below, far = piece("below", (205, 112), (300, 112), "one"), piece("far", (230, 100), (300, 100), "two")
    upright = piece("upright", (20, 50), (20, 850))
    beside = [piece(f"line {y}", (40, y), (500, y), "three") for y in range(150, 800, 50)]
    assert unknown(empty, below, far, upright, *beside) == {"empty", "upright"}


@pytest.mark.parametrize("kind", ["page-number", "NumberingZone:page"])
def test_a_page_number_may_come_anywhere_in_the_order(kind: str) -> None:
    lines = [piece(name, (50, y), (300, y), text) for name, y, text in (
        ("a", 100, "the first line"), ("b", 150, "the second"), ("n", 30, "317"))]  # fmt: skip
    around = ((0.0, 0.0), (600.0, 0.0), (600.0, 900.0), (0.0, 900.0))
    marked = Page("p", 600, 900, (Region("r", around, tuple(lines[:2])), Region("m", around, (lines[2],), kind)))
    read = Page("p", 600, 900, (Region("r", around, (lines[2], *lines[:2])),))
    _, found, ordered, _ = _compared(_truth(marked), marked, read)
    assert found.errors == ordered.errors == 0
    assert (found.reference, ordered.reference) == (27, 25)  # with the space between two lines
    _, found, ordered, _ = _compared(_truth(marked), marked, replace(read, regions=()))
    assert (found.deletions, ordered.deletions) == (27, 25)


def test_lines_are_matched_by_what_they_say() -> None:
    truths = [graphemes(text) for text in ("first line", "another one", "3")]
    reads = [graphemes(text) for text in ("anothr one", "frst lime", "something else", "")]
    assert sorted(match_lines(truths, reads))[:2] == [(0, 1), (1, 0)]
    assert match_lines(truths, []) == []
    assert match_lines([graphemes("abc")], [graphemes("xyz")]) == []


def test_the_command_tells_each_collection() -> None:
    told = CliRunner().invoke(app, ["evaluate-pages", str(PAGES), "--split", "all", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert set(found["groups"]) == {"all", "pages"}
    assert set(WAYS) <= set(found["pages"]["pages/will"])
    table = CliRunner().invoke(app, ["evaluate-pages", str(PAGES), "--split", "all"])
    assert "true lines" in table.stdout


def test_a_split_without_pages_is_an_error() -> None:
    with pytest.raises(GroundTruthError, match="split test"):
        evaluate_pages(marked_pages([PAGES]), Recognizer.load(), split="test")
