"""ALTO (2 to 4) with page images: lines with Shape or box, BASELINE and the strings on them.

Only files that measure in pixels can be laid upon their image. A baseline that is a single number (before ALTO 4.1)
lies level at that height. See the Library of Congress, "ALTO: Technical Metadata for Layout and Text Objects".
"""

import unicodedata
from pathlib import Path

from lxml import etree

from uncial.geometry import Box, Points
from uncial.sources.page_lines import WrittenLine, WrittenPage, number_of, points_of, read_pages
from uncial.sources.sample import Sample

ROOT = "alto"


def read_alto(path: Path) -> list[Sample]:
    """The lines of an ALTO file, or of all those under a folder.

    Raises:
        GroundTruthError: not well-formed, with a document type declaration, not ALTO, or not measured in pixels.
    """
    return read_pages(path, ROOT, _page)


def _page(root: etree._Element) -> WrittenPage:
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
    return WrittenPage(image, width, height, tuple(_line(line) for line in pages[0].iter("{*}TextLine")))


def _line(line: etree._Element) -> WrittenLine:
    id_, text = line.get("ID", ""), _text(line)
    try:
        box = _box(line)
        polygon = line.find("{*}Shape/{*}Polygon")
        boundary = points_of(polygon.get("POINTS")) if polygon is not None else box
        return WrittenLine(id_, text, _baseline(line.get("BASELINE"), box or boundary), boundary)
    except ValueError as error:
        return WrittenLine(id_, text, flaw=f"has wrong points: {error}; draw the line again")


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
