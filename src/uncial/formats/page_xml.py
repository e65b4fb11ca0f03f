"""PAGE XML, in (2010 to 2019) and out (2019-07-15).

Of several texts of a line that with the lowest index counts; a line without text of its own takes that of its words.
See Pletschacher and Antonacopoulos 2010, "The PAGE (Page Analysis and Ground-truth Elements) format framework".
"""

import re
import unicodedata
from collections.abc import Iterator

from lxml import etree

from uncial.document import GraphemeSpan, Line, Page, Region
from uncial.formats.marked import (
    WrittenLine,
    WrittenPage,
    WrittenRegion,
    in_order,
    number_of,
    points_of,
    region_points,
    share_of,
    told_points,
)
from uncial.formats.words import PlacedWord, on_page, words_of
from uncial.formats.xml_files import NO_TIME, SOFTWARE, child, root_element, written, xml_name
from uncial.geometry import Points
from uncial.scan import Scan

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
# Kinds of regions that the schema knows; others are told as most programs do, in `custom`.
KINDS = (
    *("paragraph", "heading", "caption", "header", "footer", "page-number", "drop-capital", "credit", "floating"),
    *("signature-mark", "catch-word", "marginalia", "footnote", "footnote-continued", "endnote", "TOC-entry"),
    *("list-label", "other"),
)
_KIND = re.compile(r"structure\s*\{[^}]*\btype:\s*([^;}]*)")
_INDEX = re.compile(r"readingOrder\s*\{[^}]*\bindex:\s*(\d{1,6})\b")


def write_page_xml(page: Page, scan: Scan) -> bytes:
    """Regions in reading order, lines, words and glyphs, each with its place and confidence, glyphs with runners-up."""
    root = root_element("PcGts", NAMESPACE, f"{NAMESPACE}/pagecontent.xsd")
    metadata = child(root, "Metadata")
    for tag, text in (("Creator", SOFTWARE), ("Created", NO_TIME), ("LastChange", NO_TIME)):
        child(metadata, tag, text)
    size = {"imageWidth": str(page.width), "imageHeight": str(page.height)}
    dpi = f"{scan.dpi:g}" if scan.dpi else ""
    resolution = {"imageXResolution": dpi, "imageYResolution": dpi, "imageResolutionUnit": "PPI"} if dpi else {}
    sheet = child(root, "Page", imageFilename=page.image, **size, **resolution)
    taken: set[str] = set()
    names = [xml_name(region.id, taken) for region in page.regions]
    if names:
        order = child(child(sheet, "ReadingOrder"), "OrderedGroup", id=xml_name("reading_order", taken))
        for index, name in enumerate(names):
            child(order, "RegionRefIndexed", index=str(index), regionRef=name)
    for index, (name, region) in enumerate(zip(names, page.regions, strict=True)):
        _add_region(sheet, name, index, region, page, taken)
    return written(root)


def _add_region(  # noqa: PLR0917 - what is written, where, and under which names
    sheet: etree._Element, name: str, index: int, region: Region, page: Page, taken: set[str]
) -> None:
    kind = {"type": region.kind} if region.kind in KINDS else {}
    custom = f"readingOrder {{index:{index};}}"
    if region.kind and not kind:
        custom += f" structure {{type:{re.sub('[{};]', '_', region.kind)};}}"
    element = child(sheet, "TextRegion", id=name, **kind, custom=custom)
    child(element, "Coords", points=told_points(on_page(region.boundary, page)))
    for number, line in enumerate(region.lines):
        _add_line(element, number, line, page, taken)


def _add_line(region: etree._Element, index: int, line: Line, page: Page, taken: set[str]) -> None:
    name = xml_name(line.id, taken)
    element = child(region, "TextLine", id=name, custom=f"readingOrder {{index:{index};}}")
    child(element, "Coords", points=told_points(on_page(line.boundary, page)))
    child(element, "Baseline", points=told_points(on_page(line.baseline, page)))
    for number, word in enumerate(words_of(line, page), start=1):
        if word.outline:  # without a place the schema has no room for a word
            _add_word(element, f"{name}_w{number}", word, taken)
    if line.transcript:
        _add_text(element, line.transcript.text, line.transcript.confidence)


def _add_word(line: etree._Element, wish: str, word: PlacedWord, taken: set[str]) -> None:
    name = xml_name(wish, taken)
    element = child(line, "Word", id=name)
    child(element, "Coords", points=told_points(word.outline))
    for number, grapheme in enumerate(word.graphemes, start=1):
        glyph = child(element, "Glyph", id=xml_name(f"{name}_g{number}", taken))
        child(glyph, "Coords", points=told_points(grapheme.outline))
        _add_readings(glyph, grapheme.span)
    _add_text(element, word.text, word.confidence)


def _add_readings(glyph: etree._Element, span: GraphemeSpan) -> None:
    """What was read first, then the runners-up."""
    for index, (text, posterior) in enumerate(((span.grapheme, span.posterior), *span.alternatives)):
        _add_text(glyph, text, posterior, index=str(index))


def _add_text(element: etree._Element, text: str, confidence: float, **index: str) -> None:
    child(child(element, "TextEquiv", **index, conf=f"{confidence:.4f}"), "Unicode", text)


def marked_in_page_xml(root: etree._Element) -> WrittenPage:
    """What a PAGE file tells of its page; without a <Page> it is empty."""
    page = root.find("{*}Page")
    if page is None:
        return WrittenPage("", 0, 0, ())
    width, height = number_of(page.get("imageWidth")), number_of(page.get("imageHeight"))
    regions = [_region(element) for element in page.iter(etree.Element) if _is_region(element)]
    rank = {ref: place for place, ref in reversed(list(enumerate(_references(page.find("{*}ReadingOrder")))))}
    return WrittenPage(page.get("imageFilename", ""), width, height, in_order(regions, rank))


def _is_region(element: etree._Element) -> bool:
    """Whether it has lines of its own: text regions, within others too, cells of tables, and what else has lines."""
    return etree.QName(element).localname == "TextRegion" or element.find("{*}TextLine") is not None


def _references(order: etree._Element | None) -> Iterator[str]:
    """The ids of regions in reading order, out of groups within groups."""
    for element in sorted(order if order is not None else (), key=lambda e: number_of(e.get("index"))):
        if element.get("regionRef"):
            yield element.get("regionRef")
        yield from _references(element)


def _region(element: etree._Element) -> WrittenRegion:
    custom = _KIND.search(element.get("custom", ""))
    kind = custom[1].strip() if custom else element.get("type", "")
    coords = element.find("{*}Coords")
    boundary = () if coords is None else region_points(_told_points(coords))
    lines = sorted(element.findall("{*}TextLine"), key=_place)
    return WrittenRegion(element.get("id", ""), kind, boundary, tuple(map(_line, lines)))


def _place(line: etree._Element) -> float:
    """Its number among the lines of its region; 0 where none is told, which leaves the order of the file."""
    index = _INDEX.search(line.get("custom", ""))
    return float(index[1]) if index else number_of(line.get("index"))


def _line(line: etree._Element) -> WrittenLine:
    id_, (text, confidence) = line.get("id", ""), _text(line)
    try:
        return WrittenLine(id_, text, _points(line, "Baseline"), _points(line, "Coords"), confidence=confidence)
    except ValueError as error:
        return WrittenLine(id_, text, flaw=f"has wrong points: {error}; draw the line again", confidence=confidence)


def _points(line: etree._Element, name: str) -> Points:
    element = line.find("{*}" + name)
    return () if element is None else points_of(_told_points(element))


def _told_points(element: etree._Element) -> str | None:
    """The points of an element in the notation of today; before PAGE 2013 each was an element of its own."""
    points = element.findall("{*}Point")
    return " ".join(f"{point.get('x')},{point.get('y')}" for point in points) if points else element.get("points")


def _text(line: etree._Element) -> tuple[str | None, float | None]:
    """The line's text, or its words', NFC, and its confidence; None: it has neither, or it is not told."""
    text, confidence = _equivalent(line)
    if text is None:
        words = [word for word, _ in map(_equivalent, line.findall("{*}Word")) if word]
        text = " ".join(words) if words else None
    return None if text is None else unicodedata.normalize("NFC", text).strip(), confidence


def _equivalent(element: etree._Element) -> tuple[str | None, float | None]:
    texts = [(number_of(equiv.get("index")), equiv) for equiv in element.findall("{*}TextEquiv")]
    if not texts:
        return None, None
    chosen = min(texts, key=lambda pair: pair[0])[1]
    unicode_ = chosen.find("{*}Unicode")
    return "" if unicode_ is None else "".join(unicode_.itertext()), share_of(chosen.get("conf"))
