"""hOCR 1.2: the page as an HTML document whose titles tell where each part stands.

Confidences are per cent, as the format has them. Lines that run down the page or upside down have no baseline in hOCR,
which tells it as slope and height, but an angle. See Breuel 2007, "The hOCR Microformat for OCR Workflow and Results".
"""

import math

from lxml import etree

from uncial.document import Line, Page
from uncial.formats.words import PlacedWord, line_box, on_page, words_of
from uncial.formats.xml_files import SOFTWARE, child, root_element, written, xml_name
from uncial.geometry import Box, Points, box_around
from uncial.scan import Scan

NAMESPACE = "http://www.w3.org/1999/xhtml"
CAPABILITIES = "ocr_page ocr_carea ocr_line ocrx_word ocrx_cinfo"


def write_hocr(page: Page, scan: Scan) -> bytes:
    """Page, areas, lines, words and letters, each with its box; lines also with baseline and polygon."""
    root = root_element("html", NAMESPACE)
    head = child(root, "head")
    child(head, "title", page.image)
    child(head, "meta", charset="utf-8")
    child(head, "meta", name="ocr-system", content=SOFTWARE)
    child(head, "meta", name="ocr-capabilities", content=CAPABILITIES)
    taken = {"page"}
    image = page.image.replace('"', "%22")
    title = f'image "{image}"; bbox 0 0 {page.width} {page.height}; ppageno {scan.number - 1}'
    title += f"; scan_res {scan.dpi:.0f} {scan.dpi:.0f}" if scan.dpi else ""
    sheet = _child(child(root, "body"), "div", "ocr_page", title, "", id="page")
    for region in page.regions:
        name, outline = xml_name(region.id, taken), on_page(region.boundary, page)
        area = _child(sheet, "div", "ocr_carea", f"{_bbox(outline)}; {_poly(outline)}", "", id=name)
        for line in region.lines:
            _add_line(area, line, page, taken)
    _break_lines(root)
    return written(root, doctype="<!DOCTYPE html>", indented=False)


def _child(  # noqa: PLR0917 - a part of hOCR in the order it is written
    parent: etree._Element, tag: str, class_: str, title: str, text: str | None = None, **more: str
) -> etree._Element:
    return child(parent, tag, text, **{"class": class_, "title": title}, **more)


def _bbox(outline: Points) -> str:
    box = box_around(outline)
    return f"bbox {box.left:.0f} {box.top:.0f} {box.right:.0f} {box.bottom:.0f}"


def _poly(outline: Points) -> str:
    return "poly " + " ".join(f"{x:.0f} {y:.0f}" for x, y in outline)


def _add_line(area: etree._Element, line: Line, page: Page, taken: set[str]) -> None:
    outline, name = on_page(line.boundary, page), xml_name(line.id, taken)
    title = f"{_bbox(outline)}; {_slope(line.baseline, line_box(line, page))}; {_poly(outline)}"
    title += f"; x_wconf {100 * line.transcript.confidence:.0f}" if line.transcript else ""
    element = _child(area, "span", "ocr_line", title, "", id=name)  # a text, since HTML knows no <span/>
    words = words_of(line, page)
    for number, word in enumerate(words, start=1):
        _add_word(element, xml_name(f"{name}_w{number}", taken), word)
    for word_element in element[:-1]:
        word_element.tail = " "


def _slope(baseline: Points, box: Box) -> str:
    """The baseline as its slope and its height at the box's lower left corner; steep and backward ones as an angle."""
    (x, y), (end_x, end_y) = baseline[0], baseline[-1]
    if end_x - x <= abs(end_y - y):
        return f"textangle {math.degrees(math.atan2(y - end_y, end_x - x)) % 360:.1f}"
    slope = (end_y - y) / (end_x - x)
    return f"baseline {slope:.4f} {y + slope * (box.left - x) - box.bottom:.1f}"


def _add_word(line: etree._Element, name: str, word: PlacedWord) -> None:
    place = f"{_bbox(word.outline)}; " if word.outline else ""
    title = f"{place}x_wconf {100 * word.confidence:.0f}"
    if not word.graphemes or not word.outline:
        _child(line, "span", "ocrx_word", title, word.text, id=name)
        return
    element = _child(line, "span", "ocrx_word", title, id=name)
    for grapheme in word.graphemes:
        box = _bbox(grapheme.outline).replace("bbox", "x_bboxes")
        told = f"{box}; x_conf {100 * grapheme.span.posterior:.1f}"
        _child(element, "span", "ocrx_cinfo", told, grapheme.span.grapheme)


def _break_lines(root: etree._Element) -> None:
    """Begin a line of the file with each part down to the text lines; within those, white space is text."""
    for element in root.iter(etree.Element):
        if element.get("class") in (None, "ocr_page", "ocr_carea") and len(element):
            element.text = "\n"
        if element.get("class") not in ("ocrx_word", "ocrx_cinfo"):
            element.tail = "\n"
    root.tail = None
