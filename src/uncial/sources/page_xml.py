"""PAGE XML (2013 and 2019) with page images: lines with boundary (Coords), baseline and text.

Of several texts of a line that with the lowest index counts; a line without text of its own takes that of its words.
See Pletschacher and Antonacopoulos 2010, "The PAGE (Page Analysis and Ground-truth Elements) format framework".
"""

import unicodedata
from pathlib import Path

from lxml import etree

from uncial.sources.page_lines import WrittenLine, WrittenPage, number_of, points_of, read_pages
from uncial.sources.sample import Sample

ROOT = "PcGts"


def read_page_xml(path: Path) -> list[Sample]:
    """The lines of a PAGE file, or of all those under a folder.

    Raises:
        GroundTruthError: not well-formed, with a document type declaration, or not PAGE.
    """
    return read_pages(path, ROOT, _page)


def _page(root: etree._Element) -> WrittenPage:
    page = root.find("{*}Page")
    told = page.attrib if page is not None else {}
    lines = () if page is None else tuple(_line(line) for line in page.iter("{*}TextLine"))
    width, height = number_of(told.get("imageWidth")), number_of(told.get("imageHeight"))
    return WrittenPage(told.get("imageFilename", ""), width, height, lines)


def _line(line: etree._Element) -> WrittenLine:
    id_, text = line.get("id", ""), _text(line)
    try:
        return WrittenLine(id_, text, _points(line, "Baseline"), _points(line, "Coords"))
    except ValueError as error:
        return WrittenLine(id_, text, flaw=f"has wrong points: {error}; draw the line again")


def _points(line: etree._Element, name: str) -> tuple[tuple[float, float], ...]:
    element = line.find("{*}" + name)
    return () if element is None else points_of(element.get("points"))


def _text(line: etree._Element) -> str | None:
    """The line's text, or its words', NFC; None: it has neither."""
    text = _equivalent(line)
    if text is None:
        words = [word for word in map(_equivalent, line.findall("{*}Word")) if word]
        text = " ".join(words) if words else None
    return None if text is None else unicodedata.normalize("NFC", text).strip()


def _equivalent(element: etree._Element) -> str | None:
    texts = [(number_of(equiv.get("index")), equiv) for equiv in element.findall("{*}TextEquiv")]
    if not texts:
        return None
    unicode_ = min(texts, key=lambda pair: pair[0])[1].find("{*}Unicode")
    return "" if unicode_ is None else "".join(unicode_.itertext())
