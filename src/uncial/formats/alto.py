"""ALTO, in (2 to 4) and out (4.3).

Only files that measure in pixels can be laid upon their image. A baseline that is a single number (before ALTO 4.2)
lies level at that height. See the Library of Congress, "ALTO: Technical Metadata for Layout and Text Objects".
"""

import unicodedata
from collections.abc import Iterable

from lxml import etree

from uncial import __version__
from uncial.document import Line, Page
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
from uncial.formats.words import PlacedGrapheme, PlacedWord, on_page, words_of
from uncial.formats.xml_files import child, clean, root_element, written, xml_name
from uncial.geometry import Box, Points, box_around
from uncial.scan import Scan

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-3.xsd"
LONGEST_VARIANT = 3  # characters of a runner-up that the schema has room for


def write_alto(page: Page, scan: Scan) -> bytes:
    """Blocks in reading order, lines, strings and glyphs, each with its place and confidence, glyphs with runners-up.

    The schema demands a string in each line: lines that are empty or not read have one without content, with WC if it
    was read.
    """
    root = root_element("alto", NAMESPACE, SCHEMA, SCHEMAVERSION="4.3")
    description = child(root, "Description")
    child(description, "MeasurementUnit", "pixel")
    child(child(description, "sourceImageInformation"), "fileName", page.image)
    taken = {"page", "uncial", "reading_order"}
    software = child(child(description, "Processing", ID="uncial"), "processingSoftware")
    child(software, "softwareName", "Uncial")
    child(software, "softwareVersion", __version__)
    tags = _add_tags(root, page, taken)
    names = [xml_name(region.id, taken) for region in page.regions]
    if names:
        order = child(child(root, "ReadingOrder"), "OrderedGroup", ID="reading_order")
        for name in names:
            child(order, "ElementRef", ID=xml_name(f"order_{name}", taken), REF=name)
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    sheet = child(child(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR=str(scan.number), **size)
    space = child(sheet, "PrintSpace", HPOS="0", VPOS="0", **size)
    for name, region in zip(names, page.regions, strict=True):
        tag = {"TAGREFS": tags[region.kind]} if region.kind else {}
        outline = on_page(region.boundary, page)
        block = child(space, "TextBlock", ID=name, **tag, **_place(outline))
        _add_shape(block, outline)
        for line in region.lines:
            _add_line(block, line, page, taken)
    return written(root)


def _add_tags(root: etree._Element, page: Page, taken: set[str]) -> dict[str, str]:
    """Tell what kinds of regions there are; their ids by kind."""
    kinds = dict.fromkeys(region.kind for region in page.regions if region.kind)
    ids = {kind: xml_name(f"kind_{kind}", taken) for kind in kinds}
    if ids:
        tags = child(root, "Tags")
        for kind, id_ in ids.items():
            child(tags, "OtherTag", ID=id_, TYPE="region", LABEL=kind)
    return ids


def _add_shape(element: etree._Element, outline: Points) -> None:
    child(child(element, "Shape"), "Polygon", POINTS=told_points(outline))


def _place(outline: Points) -> dict[str, str]:
    """The box around a polygon; nothing for none."""
    if not outline:
        return {}
    box = box_around(tuple((round(x), round(y)) for x, y in outline))
    values = {"HPOS": box.left, "VPOS": box.top, "WIDTH": box.right - box.left, "HEIGHT": box.bottom - box.top}
    return {name: f"{value:.0f}" for name, value in values.items()}


def _add_line(block: etree._Element, line: Line, page: Page, taken: set[str]) -> None:
    outline, baseline = on_page(line.boundary, page), told_points(on_page(line.baseline, page))
    name = xml_name(line.id, taken)
    element = child(block, "TextLine", ID=name, BASELINE=baseline, **_place(outline))
    _add_shape(element, outline)
    words = words_of(line, page)
    for number, word in enumerate(words, start=1):
        if number > 1:
            child(element, "SP")
        _add_string(element, f"{name}_w{number}", word, taken)
    if not words:
        child(element, "String", CONTENT="", **({"WC": f"{line.transcript.confidence:.4f}"} if line.transcript else {}))


def _add_string(line: etree._Element, wish: str, word: PlacedWord, taken: set[str]) -> None:
    name = xml_name(wish, taken)
    string = child(line, "String", ID=name, CONTENT=word.text, WC=f"{word.confidence:.4f}", **_place(word.outline))
    if word.outline:
        _add_shape(string, word.outline)
    for grapheme in word.graphemes:
        _add_glyphs(string, grapheme)


def _add_glyphs(string: etree._Element, grapheme: PlacedGrapheme) -> None:
    """A glyph, which has room for one character: letters with marks that Unicode does not compose get several."""
    place, confidence = _place(grapheme.outline), f"{grapheme.span.posterior:.4f}"
    characters = unicodedata.normalize("NFC", grapheme.span.grapheme)
    for character in characters:
        glyph = child(string, "Glyph", CONTENT=character, GC=confidence, **place)
        if len(characters) == 1:
            for text, posterior in grapheme.span.alternatives:
                if len(clean(text)) <= LONGEST_VARIANT:
                    child(glyph, "Variant", CONTENT=text, VC=f"{posterior:.4f}")


def marked_in_alto(root: etree._Element) -> WrittenPage:
    """What an ALTO file tells of its page.

    Raises:
        ValueError: not measured in pixels, or of several pages.
    """
    image = (root.findtext("{*}Description/{*}sourceImageInformation/{*}fileName") or "").strip()
    unit = (root.findtext("{*}Description/{*}MeasurementUnit") or "pixel").strip()
    if unit != "pixel":
        raise ValueError(f"measures in {unit}; export it in pixels")
    pages = root.findall("{*}Layout/{*}Page")
    if len(pages) > 1:
        raise ValueError(f"holds {len(pages)} pages; export one file for each page")
    if not pages:
        return WrittenPage(image, 0, 0, ())
    width, height = number_of(pages[0].get("WIDTH")), number_of(pages[0].get("HEIGHT"))
    kinds = {tag.get("ID"): tag.get("LABEL", "") for tag in root.iterfind("{*}Tags/*")}
    blocks = [_block(element, kinds) for element in pages[0].iter(etree.Element) if _is_block(element)]
    refs = [ref for element in root.iterfind("{*}ReadingOrder//*") for ref in element.get("REF", "").split()]
    rank = {ref: place for place, ref in reversed(list(enumerate(refs)))}
    return WrittenPage(image, width, height, in_order(blocks, rank))


def _is_block(element: etree._Element) -> bool:
    return etree.QName(element).localname == "TextBlock" or element.find("{*}TextLine") is not None


def _block(block: etree._Element, kinds: dict[str, str]) -> WrittenRegion:
    kind = next((kinds[tag] for tag in block.get("TAGREFS", "").split() if tag in kinds), "")
    polygon = block.find("{*}Shape/{*}Polygon")
    boundary = region_points(polygon.get("POINTS")) if polygon is not None else _box(block)
    return WrittenRegion(block.get("ID", ""), kind, boundary, tuple(map(_line, block.iterfind("{*}TextLine"))))


def _line(line: etree._Element) -> WrittenLine:
    id_, text, confidence = line.get("ID", ""), _text(line), _confidence(line.iterfind("{*}String"))
    try:
        box = _box(line)
        polygon = line.find("{*}Shape/{*}Polygon")
        boundary = points_of(polygon.get("POINTS")) if polygon is not None else box
        return WrittenLine(id_, text, _baseline(line.get("BASELINE"), box or boundary), boundary, "", confidence)
    except ValueError as error:
        return WrittenLine(id_, text, flaw=f"has wrong points: {error}; draw the line again", confidence=confidence)


def _box(line: etree._Element) -> Points:
    """The corners of the line's box; none where it is not told."""
    left, top, width, height = (number_of(line.get(name)) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
    return Box(left, top, left + width, top + height).corners if width and height else ()


def _baseline(text: str | None, box: Points) -> Points:
    """The baseline; a single number is its height, and spans the box."""
    if not text:
        return ()
    if len(text.split()) == 1 and "," not in text and box:
        level = number_of(text)
        return ((min(x for x, _ in box), level), (max(x for x, _ in box), level))
    return points_of(text)


def _text(line: etree._Element) -> str | None:
    """The line's strings, NFC; None: it has none. Where no spaces are told, strings are words."""
    parts = [(etree.QName(part).localname, part) for part in line if isinstance(part.tag, str)]
    if not any(name == "String" for name, _ in parts):
        return None
    gap = "" if any(name == "SP" for name, _ in parts) else " "
    text = ""
    for name, part in parts:
        if name == "String":
            text += (gap if text else "") + part.get("CONTENT", "")
        elif name == "SP":
            text += " "
        elif name == "HYP":
            text += part.get("CONTENT", "-").replace("\u00ad", "-")
    return unicodedata.normalize("NFC", text).strip()


def _confidence(strings: Iterable[etree._Element]) -> float | None:
    """The mean of its strings' confidences, by their length; None where one does not tell."""
    pairs = [(share_of(string.get("WC")), max(1, len(string.get("CONTENT", "")))) for string in strings]
    told = [(share, size) for share, size in pairs if share is not None]
    if not told or len(told) < len(pairs):
        return None
    return min(1.0, sum(share * size for share, size in told) / sum(size for _, size in told))
