"""The report shows what was found, keeps to itself, and harms nobody."""

import base64
import errno
import os
import re

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from written_lines import PixelReader, Row, png, samples_of, written

from uncial.errors import ImageError, StorageError
from uncial.evaluate import evaluate
from uncial.report import (
    bars,
    check_report_path,
    lengths,
    percent,
    picture,
    reliability,
    render,
    report,
    ticks,
    visible,
)
from uncial.sources import Sample

SCRIPT = "<script>alert('ink')</script>"


def evaluation_of(tmp_path, *rows, **reader):
    return evaluate(PixelReader(**reader), samples_of(tmp_path, rows), about={"model": "tiny"})


@pytest.fixture
def misread(tmp_path):
    """Lines that are read with and without errors, left out, and not read at all."""
    rows = [
        Row("see the trees", page="1"),
        Row("hill", page="2"),
        Row("Dear [?]", page="2"),
        Row("gone", page="3", image=b""),
    ]
    return evaluation_of(tmp_path, *rows, mistakes={"e": "c", "t": "", "h": "hh"})


def text_of(page):
    return " ".join(html.fromstring(page).text_content().split())


def test_the_page_tells_rates_worst_lines_failures_and_what_was_left_out(misread):
    page = render(misread)
    tree = html.fromstring(page)
    told = tree.text_content()
    score = misread.overall.every_line
    for expected in (percent(score.cer.value), percent(score.wer.value), "drawn/002", "drawn/003", "tiny", "drawn"):
        assert expected in told
    assert tree.xpath("//ol[@class='worst']/li/header/code/text()") == ["drawn/000", "drawn/001"]


def test_the_page_is_complete_in_itself_and_runs_nothing(misread):
    page = render(misread)
    tree = html.fromstring(page)
    assert not re.search(r"https?:|url\(|@import|src=.//|href", page)
    assert not tree.xpath("//script | //link | //iframe | //object | //form")
    assert not [name for name in tree.xpath("//@*") if str(name).startswith("javascript:")]
    assert all(source.startswith("data:image/webp;base64,") for source in tree.xpath("//@src"))
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_markup_in_texts_names_and_reasons_is_shown_and_does_nothing(tmp_path):
    rows = [
        Row("script", document=SCRIPT, image=png(written(SCRIPT))),
        Row(f"[?] {SCRIPT}", document='" onload="alert(1)'),
        Row('" onload="alert(1)', document='" onload="alert(1)'),
    ]
    samples = samples_of(tmp_path, rows)
    page = render(evaluate(PixelReader({"o": SCRIPT}), samples, about={SCRIPT: SCRIPT, "model": "{{ 7 * 7 }}"}))
    tree = html.fromstring(page)
    assert not tree.xpath("//script | //*[@onload]")
    assert SCRIPT in tree.text_content()
    assert "{{ 7 * 7 }}" in tree.text_content()


def test_differing_graphemes_are_marked_by_more_than_colour(tmp_path):
    page = render(evaluation_of(tmp_path, Row("a hat"), mistakes={"h": "b", "t": "", " ": "  "}))
    tree = html.fromstring(page)
    truth, read = tree.xpath("//dl[@class='texts']/dd")
    assert [(mark.get("class"), mark.text) for mark in truth.xpath(".//mark")] == [("other", "h"), ("missing", "t")]
    assert [(mark.get("class"), mark.text) for mark in read.xpath(".//mark")] == [("other", "b")]
    assert read.xpath(".//*[@class='gap']/@aria-label") == ["not read"]
    for kind in ("other", "missing", "added"):
        assert re.search(rf"mark\.{kind} {{[^}}]*(border|outline)", page), f"{kind} has a shape of its own"


def test_the_pictures_of_the_worst_lines_are_inside(misread):
    sources = html.fromstring(render(misread)).xpath("//img/@src")
    assert len(sources) == 2
    data = np.frombuffer(base64.b64decode(sources[0].partition(",")[2]), np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(int)
    assert shown.shape == written("see the trees").shape
    assert abs(shown - written("see the trees"))[1:].mean() < 8


def test_a_picture_is_made_smaller_where_it_is_large():
    data = base64.b64decode(picture(np.full((400, 20_000), 200, np.uint8)).partition(",")[2])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE).shape == (48, 2400)


def test_a_picture_that_is_gone_is_told(misread, monkeypatch):
    def gone(sample):
        raise ImageError(f"{sample.id}: no such file")

    monkeypatch.setattr(Sample, "image", gone)
    page = render(misread)
    assert "The picture cannot be opened: drawn/000: no such file" in page
    assert "<img" not in page


def test_lines_without_any_error_make_a_page(tmp_path):
    told = text_of(render(evaluation_of(tmp_path, Row("hill"))))
    assert "every line that could be read is without error" in told
    assert "The worst lines" not in told


def test_lines_of_which_none_could_be_read_make_a_page(tmp_path):
    told = text_of(render(evaluation_of(tmp_path, Row("hill", image=b""))))
    assert "1 line" in told
    assert "Is the confidence right?" not in told


def test_all_lines_repeated_make_a_page(tmp_path):
    rows = [Row("My dear Dyer", document=str(n), split="train") for n in range(9)]
    assert "–" in text_of(render(evaluation_of(tmp_path, *rows, Row("My dear Dyer"))))


def test_a_report_is_written_and_an_earlier_one_replaced(misread, tmp_path):
    path = tmp_path / "reports" / "out.html"
    report(misread, path)
    first = path.read_bytes()
    path.write_bytes(first.replace(b"Rates", b"Old"))
    report(misread, path)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["out.html"]


@pytest.mark.parametrize("there", [b"<!doctype html>\n<p>My thesis", b"", b"\x00\xff"])
def test_a_file_that_is_no_report_is_never_replaced(misread, tmp_path, there):
    path = tmp_path / "thesis.html"
    path.write_bytes(there)
    for write in (check_report_path, lambda path: report(misread, path)):
        with pytest.raises(StorageError, match="no report of Uncial; choose another"):
            write(path)
    assert path.read_bytes() == there


def test_a_folder_in_the_place_of_a_report_is_an_error(misread, tmp_path):
    with pytest.raises(StorageError, match="choose another"):
        report(misread, tmp_path)


def test_a_full_disk_leaves_the_earlier_report_whole(misread, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "out.html"
    report(misread, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        report(misread, path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["drawn.zip", "out.html"]


def test_rates_are_told_as_people_read_them():
    assert [percent(rate) for rate in (0, 0.04926, 0.0996, 0.126, 1.5)] == [
        "0.00\u202f%",
        "4.93\u202f%",
        "9.96\u202f%",
        "12.6\u202f%",
        "150.0\u202f%",
    ]
    assert percent(float("nan")) == percent(None) == "–"


def test_graphemes_without_ink_can_be_seen():
    assert [visible(unit) for unit in ("e", "", " ", "\u0303", "\u200b")] == ["e", "∅", "␣", "◌\u0303", "U+200B"]


@given(st.floats(1e-6, 1e6))
def test_ticks_are_few_and_reach_the_highest_value(highest):
    scale = ticks(highest)
    assert scale[0] == 0
    assert scale[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(scale) <= 8


def test_bars_stand_between_zero_and_the_end_of_the_axis(misread):
    chart = bars(misread.collections)
    (row,) = chart["rows"]
    rate, low, high = row["places"]
    assert 0 <= low <= rate <= high <= 100
    assert not row["differs"]


def test_reliability_puts_each_transcript_into_one_bin(tmp_path):
    rows = [Row("see") for _ in range(45)]
    found = reliability(evaluation_of(tmp_path, *rows, mistakes={"s": "z"}, confidence=0.75).lines)
    assert [one["lines"] for one in found["bins"]] == [11, 11, 11, 12]
    assert found["bins"][0]["right"] == pytest.approx(2 / 3)
    assert found["gap"] == found["mean"] == pytest.approx(0.75 - 2 / 3)
    assert all(0 <= one["x"] <= 100 and 0 <= one["y"] <= 100 for one in found["bins"])


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_a_histogram_of_lengths_holds_every_line(sizes):
    class Line:
        def __init__(self, size):
            self.reference, self.transcript = "a" * size, None

    chart = lengths([Line(size) for size in sizes])
    assert sum(bar["true"] for bar in chart["bars"]) == len(sizes)
    assert len(chart["bars"]) <= 26
    for size in sizes:
        assert any(bar["first"] <= size <= bar["last"] and bar["true"] for bar in chart["bars"])
