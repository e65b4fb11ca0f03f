"""hOCR, TEI, JSON, tables and the overlay: what is told where, as other programs look for it."""

import csv
import io
import json
import re

import cv2
import numpy as np
import pytest
from drawn_pages import boundary_box, line_at, page_of, scan_of, usual_page
from lxml import etree, html

from uncial.document import Page
from uncial.formats import FORMATS
from uncial.formats.overlay import BLUE, LONGEST_SIDE, ORANGE
from uncial.scan import Scan

XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


def written(name: str, page: Page) -> bytes:
    return FORMATS[name].write(page, scan_of(page))


def titles(element: html.HtmlElement) -> dict[str, list[float]]:
    """The properties of a part of hOCR that are numbers."""
    parts = (part.split() for part in element.get("title").split(";") if "image" not in part)
    return {name: [float(value) for value in values] for name, *values in parts}


def test_hocr_is_html_whose_lines_words_and_letters_lie_within_one_another() -> None:
    page = usual_page()
    document = html.document_fromstring(written("hocr", page))  # as a browser reads it, not as XML
    assert [line.get("id") for line in document.find_class("ocr_line")] == [line.id for line in page.lines]
    for class_, above in (("ocr_line", "ocr_carea"), ("ocrx_word", "ocr_line"), ("ocrx_cinfo", "ocrx_word")):
        assert document.find_class(class_)
        assert {part.getparent().get("class") for part in document.find_class(class_)} == {above}
    for word in document.find_class("ocrx_word"):
        if "bbox" in titles(word):
            left, top, right, bottom = titles(word)["bbox"]
            line_left, line_top, line_right, line_bottom = titles(word.getparent())["bbox"]
            assert line_left <= left <= right <= line_right
            assert line_top <= top <= bottom <= line_bottom


def test_the_baseline_in_hocr_runs_where_the_line_does() -> None:
    page = page_of([[line_at("l", ((40, 160), (560, 200)), "a")]])
    (line,) = html.document_fromstring(written("hocr", page)).find_class("ocr_line")
    told, (slope, offset) = titles(line), titles(line)["baseline"]
    left, _, right, bottom = told["bbox"]
    assert bottom + offset == pytest.approx(160 + (left - 40) * 40 / 520, abs=1)
    assert bottom + offset + slope * (right - left) == pytest.approx(160 + (right - 40) * 40 / 520, abs=1)
    assert told["x_wconf"] == [88]


def test_an_upright_line_has_an_angle_in_hocr() -> None:
    ways = {"up": ((700, 600), (700, 40)), "down": ((800, 40), (800, 600)), "back": ((800, 40), (200, 40))}
    page = page_of([[line_at(name, baseline, "a") for name, baseline in ways.items()]])
    lines = html.document_fromstring(written("hocr", page)).find_class("ocr_line")
    assert [titles(line)["textangle"] for line in lines] == [[90], [270], [180]]


def test_each_line_of_tei_points_to_its_zone() -> None:
    page = usual_page()
    root = etree.fromstring(written("tei", page))
    zones = {zone.get(XML_ID): zone for zone in root.iter("{*}zone", "{*}surface")}
    beginnings = list(root.iter("{*}lb"))
    assert [lb.get("facs") for lb in beginnings] == [f"#{line.id}" for line in page.lines]
    assert all(element.get("facs")[1:] in zones for element in root.iter("{*}lb", "{*}pb", "{*}ab"))
    assert (beginnings[0].tail or "").strip() == "Dear Ann, ſo it was"
    assert beginnings[0].get("cert") == "0.8750"
    left, top, right, bottom = boundary_box(page.lines[0])
    told = [float(zones["l0"].get(name)) for name in ("ulx", "uly", "lrx", "lry")]
    assert told == pytest.approx([left, top, right, bottom], abs=0.51)


def test_json_tells_each_grapheme_with_its_place_and_runners_up() -> None:
    page = usual_page()
    lines = [line for region in json.loads(written("json", page))["regions"] for line in region["lines"]]
    assert [line["text"] for line in lines] == [line.transcript and line.transcript.text for line in page.lines]
    first = lines[0]["graphemes"]
    assert "".join(grapheme["grapheme"] for grapheme in first) == "Dear Ann, ſo it was"
    assert first[0]["alternatives"][0] == {"grapheme": "o", "posterior": 0.05}
    assert len(first[0]["outline"]) >= 4
    assert "graphemes" not in lines[3]  # put in by hand
    assert (lines[4]["text"], lines[6]["text"], lines[6]["confidence"]) == ("", None, None)


@pytest.mark.parametrize(
    ("name", "delimiter", "quoting"), [("csv", ",", csv.QUOTE_MINIMAL), ("tsv", "\t", csv.QUOTE_NONE)]
)
def test_a_table_has_one_row_for_each_line(name: str, delimiter: str, quoting: int) -> None:
    text = 'said "no",\tand\nleft'
    page = page_of([[line_at("a", ((40, 80), (560, 80)), text), line_at("b", ((40, 180), (560, 180)), None)]])
    rows = list(csv.DictReader(io.StringIO(written(name, page).decode(), ""), delimiter=delimiter, quoting=quoting))
    assert [row["text"] for row in rows] == [text if name == "csv" else 'said "no", and left', ""]
    assert [row["confidence"] for row in rows] == ["0.8750", ""]
    assert [rows[0][name] for name in ("page", "region", "line", "left", "bottom")] == [
        "sheet.png",
        "r0",
        "a",
        "40",
        "98",
    ]
    assert rows[0]["baseline"] == "40,80 560,80"


def test_regions_of_text_are_parted_by_an_empty_line() -> None:
    lines = [line_at(str(n), ((40, 80 * n), (500, 80 * n)), f"line {n}") for n in (1, 2, 3)]
    assert written("text", page_of([lines[:2], lines[2:]])) == b"line 1\nline 2\n\nline 3\n"
    assert written("text", page_of([])) == b""


def picture(page: Page, scan: Scan | None = None) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(FORMATS["png"].write(page, scan or scan_of(page)), np.uint8), cv2.IMREAD_COLOR)


def test_the_overlay_draws_lines_on_the_page_and_their_text_beside_it() -> None:
    page = usual_page()
    drawn = picture(page)
    assert drawn.shape == (page.height, 2 * page.width, 3)
    assert tuple(drawn[80, 300]) == BLUE  # the first baseline
    assert tuple(drawn[400, 300]) == ORANGE  # the fourth
    assert (drawn[:, page.width :].max(axis=2) < 60).sum() > 500  # letters
    assert re.fullmatch(r"\.overlay\.png", FORMATS["png"].suffix)


def test_neighbouring_lines_have_different_colours_in_the_overlay() -> None:
    page = page_of([[line_at(str(n), ((60, 100 * n), (500, 100 * n)), None) for n in (1, 2)]])
    drawn = picture(page)
    assert drawn.shape == (page.height, page.width, 3)  # nothing was read: no sheet of text
    assert (tuple(drawn[100, 300]), tuple(drawn[200, 300])) == (BLUE, ORANGE)


def test_the_overlay_of_a_large_page_is_scaled_down() -> None:
    page = page_of([[line_at("a", ((60, 100), (500, 100)), "a")]])
    large = Scan("a", "a", np.full((4200, 5400), 230, np.uint8))
    height, width, _ = picture(page, large).shape
    assert (width, height) == (2 * LONGEST_SIDE, round(LONGEST_SIDE * 700 / 900))


def test_letters_that_fonts_seldom_have_are_drawn_in_the_overlay() -> None:
    def ink(text: str) -> np.ndarray:
        return picture(page_of([[line_at("a", ((60, 100), (500, 100)), text)]]))[60:110, 960:]

    unknown = ink("\ue000")
    for letter in "éſœßαжאع漢":
        assert (ink(letter) != unknown).any(), letter
