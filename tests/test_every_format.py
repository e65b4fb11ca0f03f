"""Every format: what it writes is always the same, holds what was read, and survives whatever a page may hold."""

import dataclasses
import json
import re

import numpy as np
import pytest
from drawn_pages import boundary_box, line_at, lines, page_of, scan_of, texts, usual_page
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from uncial.document import Line, Page, Region
from uncial.formats import FORMATS
from uncial.formats.words import words_of
from uncial.geometry import Box
from uncial.text import graphemes

PLAIN = sorted(set(FORMATS) - {"pdf", "png"})  # those whose text can be looked for as it stands
XML = ("page", "alto", "tei", "hocr")


def written(name: str, page: Page) -> bytes:
    return FORMATS[name].write(page, scan_of(page))


def text_in(name: str, data: bytes) -> str:
    """All that is told, without the markup."""
    if name == "json":
        read = json.loads(data)
        return "\n".join(line["text"] or "" for region in read["regions"] for line in region["lines"])
    if name == "alto":
        read = etree.fromstring(data)
        return "\n".join(
            " ".join(s.get("CONTENT") for s in line.iterfind("{*}String")) for line in read.iter("{*}TextLine")
        )
    if name in XML:
        parts = etree.fromstring(data).iter("{*}Unicode") if name == "page" else [etree.fromstring(data)]
        return "\n".join("".join(part.itertext()) for part in parts)
    return data.decode()


@pytest.mark.parametrize("name", FORMATS)
def test_equal_pages_become_equal_files(name: str) -> None:
    first = written(name, usual_page())
    assert first
    assert first == written(name, usual_page())


@pytest.mark.parametrize("name", FORMATS)
def test_a_page_without_lines_becomes_a_file(name: str) -> None:
    for page in (page_of([]), page_of([[]])):
        assert isinstance(written(name, page), bytes)


@pytest.mark.parametrize("name", PLAIN)
def test_the_text_of_every_line_is_there_in_reading_order(name: str) -> None:
    page = usual_page()
    found = text_in(name, written(name, page))
    places = [found.index(line.transcript.text) for line in page.lines if line.transcript and line.transcript.text]
    assert len(places) == 5
    assert places == sorted(places)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"pdf"}))
@settings(max_examples=25, deadline=None)
@given(lines=st.lists(lines(), max_size=3), kind=texts, id_=texts, image=texts)
def test_nothing_that_a_page_may_hold_stops_a_format(
    name: str, lines: list[Line], kind: str, id_: str, image: str
) -> None:
    named = tuple(dataclasses.replace(line, id=f"{id_}{n}") for n, line in enumerate(lines))
    page = Page(image, 900, 700, (Region(id_, Box(-5, -5, 950, 650).corners, named, kind),))
    data = written(name, page)
    if name in XML:
        etree.fromstring(data)
    elif name != "png":
        data.decode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_line_that_was_read_outside_of_its_page_stops_no_format(name: str) -> None:
    assert written(name, page_of([[line_at("l", ((0.0, 0.0), (-8.0, -18.0)), "read")]]))


@settings(deadline=None)
@given(lines())
def test_each_word_and_each_letter_lies_in_the_box_of_its_line(line: Line) -> None:
    page = page_of([[line]])
    left, top, right, bottom = boundary_box(line)
    for word in words_of(line, page):
        for outline in (word.outline, *(grapheme.outline for grapheme in word.graphemes)):
            x, y = np.array(outline).reshape(-1, 2).T
            inside = (x >= min(left, 899)) & (x <= max(right, 0)) & (y >= min(top, 699)) & (y <= max(bottom, 0))
            assert inside.all()
            assert ((x >= 0) & (x < 900) & (y >= 0) & (y < 700)).all()


def test_words_stand_one_behind_the_other_along_their_line() -> None:
    line = line_at("l", ((40, 160), (560, 200)), "three small words")
    middles = [np.mean([x for x, _ in word.outline]) for word in words_of(line, page_of([[line]]))]
    assert len(middles) == 3
    assert middles == sorted(middles)
    first, *_, last = words_of(line, page_of([[line]]))
    assert min(x for x, _ in first.outline) < 60
    assert max(x for x, _ in last.outline) > 540


@settings(deadline=None)
@given(texts)
def test_words_spell_the_text_whether_places_are_known_or_not(text: str) -> None:
    plain = " ".join(text.split())
    assume(" " not in "".join(g for g in graphemes(plain) if g != " "))  # a mark on a space is one grapheme with it
    for spans in (True, False):
        line = line_at("l", ((40, 80), (560, 80)), plain, spans=spans)
        assert [word.text for word in words_of(line, page_of([[line]]))] == plain.split()


def test_a_suffix_begins_with_a_dot() -> None:
    for format_ in FORMATS.values():
        assert re.fullmatch(r"(\.[a-z]+)+", format_.suffix)
