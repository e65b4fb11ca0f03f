"""PAGE and ALTO: where lines lie, which text is theirs, where their image is, and files that cannot be read."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import TEXTS, DrawnLine
from PIL import Image
from written_sources import (
    alto_xml,
    page_line,
    page_of,
    page_xml,
    write_alto,
    write_page,
    write_sheet,
)

from uncial.errors import GroundTruthError, ImageError
from uncial.formats.marked import WrittenLine, points_of, widened
from uncial.geometry import Box, Points
from uncial.sources import Sample, page_lines, read_samples

Lines = Sequence[DrawnLine]


def samples_of(folder: Path, lines: Lines, xml: str) -> list[Sample]:
    return read_samples([write_sheet(folder / "letters", lines, xml)])


def one_line(lines: Lines, boundary: Points | str | None = None, baseline: Points | str | None = None) -> str:
    """The first of the drawn lines; its own points unless others are given."""
    _, baselines, boundaries = page_of(lines)
    own, level = boundaries[0], baselines[0]
    return page_line("l0", own if boundary is None else boundary, level if baseline is None else baseline, "Dear Ann")


def stands_on(sample: Sample, line: DrawnLine) -> float:
    """How alike a cut and what was drawn there are, at most 1."""
    return float(cv2.matchTemplate(sample.image(), line.image[4:-4, 4:-4], cv2.TM_CCOEFF_NORMED).max())


@pytest.mark.parametrize("write", [write_page, write_alto])
@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_lines_are_found_on_an_image_of_another_size(
    scale: float, write: object, tmp_path: Path, drawn_lines: Lines
) -> None:
    folder = write(tmp_path, drawn_lines)
    before = read_samples([folder])[0].image().shape
    page = cv2.imread(str(folder / "sheet.png"))
    cv2.imwrite(str(folder / "sheet.png"), cv2.resize(page, None, fx=scale, fy=scale))
    after = read_samples([folder])[0].image().shape
    assert np.allclose(after, np.array(before) * scale, atol=5)


def test_an_image_of_another_shape_is_refused(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path, drawn_lines)
    Image.new("L", (500, 700), 255).save(folder / "sheet.png")
    with pytest.raises(ImageError, match="is 500 x 700 pixels, but its page file was made for 700 x 500"):
        read_samples([folder])[0].image()


@pytest.mark.parametrize("place", ["page", "alto", "deeper"])
def test_the_image_may_lie_above_the_page_file(place: str, tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path / "letters", drawn_lines)
    (folder / place).mkdir()
    (folder / "sheet.xml").rename(folder / place / "sheet.xml")
    sample = read_samples([folder])[0]
    assert (sample.flaw, sample.document) == ("", "deeper" if place == "deeper" else "")
    assert stands_on(sample, drawn_lines[0]) > 0.99


@pytest.mark.parametrize("name", ["sheet.tif", r"C:\scans\sheet.jp2", "../../etc/sheet", "", "other.png", "a" * 5_000])
def test_an_image_is_found_by_the_page_file_s_name_if_what_is_told_is_not_there(
    name: str, tmp_path: Path, drawn_lines: Lines
) -> None:
    assert samples_of(tmp_path, drawn_lines, page_xml(one_line(drawn_lines), image=name))[0].flaw == ""


def test_an_image_is_found_by_the_stem_that_is_told(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_sheet(tmp_path, drawn_lines, page_xml(one_line(drawn_lines), image="sheet.tif"))
    (folder / "sheet.xml").rename(folder / "0001.xml")
    assert read_samples([folder])[0].flaw == ""


def test_a_page_file_without_its_image_is_told_line_by_line(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path, drawn_lines)
    (folder / "sheet.png").unlink()
    samples = read_samples([folder])
    assert all("has a text but no image: sheet.png lies neither beside" in sample.flaw for sample in samples)
    with pytest.raises(ImageError, match="has a text but no image"):
        samples[0].image()


def test_a_truncated_page_image_is_told(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path, drawn_lines)
    (folder / "sheet.png").write_bytes((folder / "sheet.png").read_bytes()[:3_000])
    with pytest.raises(ImageError, match=rf"{folder.name}/sheet/l0: .*sheet.png: the image is damaged or truncated"):
        read_samples([folder])[0].image()


PAGE_TEXTS = {
    '<T index="1"><Unicode>no</Unicode></T><T index="0"><Unicode>yes</Unicode></T>': "yes",
    "<Word><T><Unicode>a</Unicode></T></Word><Word><T><Unicode>b</Unicode></T></Word>": "a b",
    "<Word><T><Unicode>a</Unicode></T></Word><T><Unicode>all</Unicode></T>": "all",
    "<T><Unicode> de\u0301ce\u0300s &amp; c\n</Unicode></T>": "d\xe9c\xe8s & c",
    "<T><Unicode/></T>": "",
    "<T><PlainText>a</PlainText></T>": "",
}


@pytest.mark.parametrize(("texts", "text"), PAGE_TEXTS.items())
def test_the_text_of_a_page_line(texts: str, text: str, tmp_path: Path, drawn_lines: Lines) -> None:
    own = "<TextEquiv><Unicode>Dear Ann</Unicode></TextEquiv>"
    xml = page_xml(one_line(drawn_lines).replace(own, re.sub(r"(?<=[</])T(?=[ >])", "TextEquiv", texts)))
    (sample,) = samples_of(tmp_path, drawn_lines, xml)
    assert (sample.text, sample.flaw) == (text, "")


@pytest.mark.parametrize(
    ("strings", "text"),
    [
        ('<String CONTENT="a"/><SP/><String CONTENT="hill"/>', "a hill"),
        ('<String CONTENT="a"/><String CONTENT="hill"/>', "a hill"),
        ('<String CONTENT="a hill"/>', "a hill"),
        ('<String CONTENT="a"/><SP/><String CONTENT="hi"/><HYP CONTENT="\xad"/>', "a hi-"),
        ('<String CONTENT=""/>', ""),
    ],
)
def test_the_text_of_an_alto_line(strings: str, text: str, tmp_path: Path, drawn_lines: Lines) -> None:
    line = f'<TextLine ID="l" HPOS="30" VPOS="54" WIDTH="120" HEIGHT="64">{strings}<!-- seen --></TextLine>'
    (sample,) = samples_of(tmp_path, drawn_lines, alto_xml(line))
    assert (sample.text, sample.flaw) == (text, "")


@pytest.mark.parametrize("xml", [page_xml, alto_xml])
def test_a_line_without_text_is_told(xml: object, tmp_path: Path, drawn_lines: Lines) -> None:
    boundary = page_of(drawn_lines)[2][0]
    page, alto = page_line("l", boundary, "", None), '<TextLine ID="l" HPOS="9" VPOS="9" WIDTH="90" HEIGHT="60"/>'
    (sample,) = samples_of(tmp_path, drawn_lines, xml(page if xml is page_xml else alto))
    assert sample.flaw == "has no text; transcribe it"


@pytest.mark.parametrize("baseline", ["", "100", "30,100 145,100", "30 100 145 100", "30.0,100.0 145.0,100.0"])
def test_an_alto_line_has_a_box_and_a_baseline_in_any_notation(
    baseline: str, tmp_path: Path, drawn_lines: Lines
) -> None:
    box = 'HPOS="30" VPOS="54" WIDTH="151" HEIGHT="64"' + (f" BASELINE='{baseline}'" if baseline else "")
    line = f'<TextLine ID="l" {box}><String CONTENT="Dear Ann"/></TextLine>'
    (sample,) = samples_of(tmp_path, drawn_lines, alto_xml(line))
    assert stands_on(sample, drawn_lines[0]) > 0.99


@pytest.mark.parametrize("points", ["30,54 30,54", "3", "1,2 3", "a,b c,d", "1;2 3;4", "1,2 nan,4", "9e9,1 5,5 1,9"])
def test_points_that_are_none_are_told(points: str, tmp_path: Path, drawn_lines: Lines) -> None:
    flaws = [s.flaw for s in samples_of(tmp_path, drawn_lines, page_xml(one_line(drawn_lines, points, "")))]
    assert len(flaws) == 1
    assert "has wrong points" in flaws[0] or "has neither boundary nor baseline; draw one of them" in flaws[0]


def test_points_are_read_in_every_notation() -> None:
    assert points_of(" 1,2  3,4 ") == points_of("1 2 3 4") == points_of("1.0,2.0 3.0,4.0") == ((1, 2), (3, 4))
    assert points_of(None) == points_of(" ") == ()


def test_lines_without_a_boundary_get_a_band_around_their_baseline(tmp_path: Path, drawn_lines: Lines) -> None:
    lines = [
        page_line(f"l{n}", boundary if n else "", baseline, text)
        for n, (boundary, baseline, text) in enumerate(zip(*page_of(drawn_lines)[:0:-1], TEXTS, strict=True))
    ]
    sample = samples_of(tmp_path, drawn_lines, page_xml("".join(lines)))[0]
    assert 60 <= sample.image().shape[0] <= 90
    assert stands_on(sample, drawn_lines[0]) > 0.9


def test_boundaries_far_thinner_than_the_others_are_widened() -> None:
    tall = [WrittenLine("", "", ((0, y), (500, y)), Box(0, y - 40, 500, y + 20).corners) for y in (100, 200, 300)]
    thin = WrittenLine("", "", ((0, 400), (500, 400)), Box(0, 395, 500, 402).corners)
    *same, wide = widened([*tall, thin])
    assert same == tall
    assert (min(y for _, y in wide.boundary), max(y for _, y in wide.boundary)) == (400 - 51, 400 + 21)


def test_a_baseline_of_two_equal_points_is_none() -> None:
    tall = WrittenLine("", "", ((20, 100), (500, 100)), ((20, 60), (500, 60), (500, 120), (20, 120)))
    (line,) = widened([replace(tall, baseline=((20, 100), (20, 100)))])
    assert not line.flaw and line.boundary == tall.boundary


def test_baselines_alone_tell_the_height_by_their_distance() -> None:
    lines = widened([WrittenLine("", "", ((0, y), (500, y))) for y in (100, 180, 260, 340)])
    assert {round(max(y for _, y in line.boundary) - min(y for _, y in line.boundary)) for line in lines} == {96}


def test_lines_of_the_same_id_are_numbered(tmp_path: Path, drawn_lines: Lines) -> None:
    samples = samples_of(
        tmp_path, drawn_lines, page_xml(one_line(drawn_lines) * 2 + one_line(drawn_lines).replace("l0", ""))
    )
    assert [s.id for s in samples] == [f"letters/sheet/{name}" for name in ("l0", "l0_2", "line-3")]
    named = one_line(drawn_lines).replace("l0", "line-2") + one_line(drawn_lines).replace("l0", "")
    assert [s.id for s in samples_of(tmp_path, drawn_lines, page_xml(named))] == [
        f"letters/sheet/{name}" for name in ("line-2", "line-2_2")
    ]


NO_PAGES = {
    "cut off": ("<PcGts><Page>", "not well-formed XML .*export it again"),
    "another root": ("<html/>", "is neither PAGE .root PcGts. nor ALTO .root alto."),
    "document type": ("<!DOCTYPE a [<!ENTITY b 'c'>]><PcGts/>", "has a document type declaration"),
    "millimetres": (alto_xml("", unit="mm10"), "measures in mm10; export it in pixels"),
    "two pages": ("<alto><Layout><Page/><Page/></Layout></alto>", "holds 2 pages; export one file for each page"),
    "no lines": (page_xml(""), "holds no line; transcribe some"),
    "no page": ("<PcGts/>", "holds no line; transcribe some"),
    "no ALTO page": ("<alto/>", "holds no line; transcribe some"),
}


@pytest.mark.parametrize(("xml", "finding"), NO_PAGES.values(), ids=NO_PAGES)
def test_a_file_that_is_no_page_is_told(xml: str, finding: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(xml, encoding="utf-8")
    with pytest.raises(GroundTruthError, match=f"a.xml: .*{finding}"):
        read_samples([tmp_path / "a.xml"])


def test_entities_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    doctype = f"<!DOCTYPE PcGts [<!ENTITY x SYSTEM '{(tmp_path / 'secret').as_uri()}'>]>"
    (tmp_path / "a.xml").write_text(f"{doctype}<PcGts><Page>&x;</Page></PcGts>", encoding="utf-8")
    with pytest.raises(GroundTruthError, match="document type"):
        read_samples([tmp_path / "a.xml"])


def test_a_page_file_that_cannot_be_read_does_not_stop_those_beside_it(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path, drawn_lines)
    whole = (folder / "sheet.xml").read_text(encoding="utf-8")
    for name, text in {"cut.xml": whole[:-30], "empty.xml": "", "a.xml": "no XML"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    cv2.imwrite(str(folder / "a.png"), drawn_lines[0].image)
    (folder / "a.gt.txt").write_text("of the same name", encoding="utf-8")
    samples = read_samples([folder])
    assert len(samples) == len(TEXTS) + 4
    flaws = {Path(sample.id).name: sample.flaw for sample in samples if sample.flaw}
    assert list(flaws) == ["a.xml", "cut.xml", "empty.xml"]
    assert all("its page file cannot be read" in flaw and "not well-formed" in flaw for flaw in flaws.values())


def test_points_of_old_page_files_are_elements(tmp_path: Path, drawn_lines: Lines) -> None:
    def as_elements(told: re.Match[str]) -> str:
        points = "".join('<Point x="{}" y="{}"/>'.format(*point.split(",")) for point in told[2].split())
        return f"<{told[1]}>{points}</{told[1]}>"

    new = read_samples([write_page(tmp_path / "new", drawn_lines)])
    xml = (tmp_path / "new" / "sheet.xml").read_text(encoding="utf-8")
    old = re.sub(r'<(Coords|Baseline) points="([^"]*)"/>', as_elements, xml)
    assert "points=" not in old
    for one, other in zip(samples_of(tmp_path, drawn_lines, old), new, strict=True):
        assert not one.flaw
        np.testing.assert_array_equal(one.image(), other.image())


def test_xml_files_of_other_kinds_in_a_folder_are_passed_over(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path, drawn_lines)
    (folder / "mets.xml").write_text("<mets/>", encoding="utf-8")
    assert len(read_samples([folder])) == len(TEXTS)


def test_a_line_drawn_upright_is_read_upright(tmp_path: Path, drawn_lines: Lines) -> None:
    """Turned by a quarter, page and points: the cut is the same."""
    _, baselines, boundaries = page_of(drawn_lines)
    lines = [
        page_line(f"l{n}", *(tuple((499 - y, x) for x, y in points) for points in both), "a")
        for n, both in enumerate(zip(boundaries, baselines, strict=True))
    ]
    folder = write_sheet(tmp_path / "turned", drawn_lines, page_xml("".join(lines), size=(500, 700)))
    page = cv2.imread(str(folder / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / "sheet.png"), np.rot90(page, -1))
    for cut, line in zip(read_samples([folder]), drawn_lines, strict=True):
        assert stands_on(cut, line) > 0.99


def test_a_page_is_decoded_once_for_all_its_lines(tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_page(tmp_path, drawn_lines)])
    before = page_lines._page_image.cache_info().misses
    for sample in samples:
        sample.image()
    assert page_lines._page_image.cache_info().misses == before + 1
