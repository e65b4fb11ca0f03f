"""TEI P5: the text as an edition begins, each line tied to its zone on the facsimile.

`facsimile` has a zone for each region and line, with its polygon and, as a path, its baseline; `text` has a page
beginning and line beginnings that point to them. How sure a line is stands in `cert`. See the TEI Guidelines,
chapter 12, "Representation of Primary Sources".
"""

import os
from urllib.parse import quote

from lxml import etree

from uncial.document import Line, Page
from uncial.formats.marked import told_points
from uncial.formats.words import on_page
from uncial.formats.xml_files import SOFTWARE, child, clean, root_element, written, xml_name
from uncial.geometry import Points, box_around
from uncial.scan import Scan

NAMESPACE = "http://www.tei-c.org/ns/1.0"
_ID = "{http://www.w3.org/XML/1998/namespace}id"


def write_tei(page: Page, scan: Scan) -> bytes:
    """Header, facsimile and text of one page."""
    root = root_element("TEI", NAMESPACE)
    _add_header(root, page)
    surface = child(child(root, "facsimile"), "surface", ulx="0", uly="0", lrx=str(page.width), lry=str(page.height))
    surface.set(_ID, "page")
    child(surface, "graphic", url=quote(os.fsencode(page.image)), width=f"{page.width}px", height=f"{page.height}px")
    division = child(child(child(root, "text"), "body"), "div")
    child(division, "pb", n=str(scan.number), facs="#page")
    taken = {"page"}
    for region in page.regions:
        kind = {"type": "_".join(region.kind.split())} if region.kind else {}
        zone = _add_zone(surface, region.id, on_page(region.boundary, page), taken)
        block = child(division, "ab", facs=f"#{zone.get(_ID)}", **kind)
        for number, line in enumerate(region.lines, start=1):
            _add_line(block, zone, number, line, page, taken)
    _indent(root, division)
    return written(root, indented=False)


def _add_header(root: etree._Element, page: Page) -> None:
    description = child(child(root, "teiHeader"), "fileDesc")
    child(child(description, "titleStmt"), "title", f"Transcript of {page.image}")
    child(child(description, "publicationStmt"), "p", f"Read from the image by {SOFTWARE}; not proofread.")
    child(child(description, "sourceDesc"), "p", page.image)


def _add_zone(parent: etree._Element, id_: str, outline: Points, taken: set[str]) -> etree._Element:
    box = box_around(outline)
    corners = {"ulx": box.left, "uly": box.top, "lrx": box.right, "lry": box.bottom}
    zone = child(parent, "zone", points=told_points(outline), **{name: f"{v:.0f}" for name, v in corners.items()})
    zone.set(_ID, xml_name(id_, taken))
    return zone


def _add_line(  # noqa: PLR0917 - both places that a line stands at, and what it is
    block: etree._Element, region: etree._Element, number: int, line: Line, page: Page, taken: set[str]
) -> None:
    zone = _add_zone(region, line.id, on_page(line.boundary, page), taken)
    child(zone, "path", points=told_points(on_page(line.baseline, page)), type="baseline")
    cert = {"cert": f"{line.transcript.confidence:.4f}"} if line.transcript else {}
    beginning = child(block, "lb", n=str(number), facs=f"#{zone.get(_ID)}", **cert)
    beginning.tail = clean(line.transcript.text) if line.transcript else ""


def _indent(root: etree._Element, division: etree._Element) -> None:
    """Begin a line of the file with each element; white space at the end of a text line means nothing."""
    texts = [(beginning, beginning.tail) for beginning in division.iter("{*}lb")]
    for beginning, _ in texts:
        beginning.tail = None
    etree.indent(root, " ")
    for beginning, text in texts:
        beginning.tail = text + (beginning.tail or "")
