"""Pages as files: what a page was read as, written in the formats that other programs take."""

from collections.abc import Callable
from dataclasses import dataclass

from uncial.document import Page
from uncial.formats.alto import write_alto
from uncial.formats.hocr import write_hocr
from uncial.formats.overlay import write_overlay
from uncial.formats.page_xml import write_page_xml
from uncial.formats.pdf import write_pdf
from uncial.formats.plain import write_json, write_text
from uncial.formats.tables import write_csv, write_tsv
from uncial.formats.tei import write_tei
from uncial.scan import Scan

Writer = Callable[[Page, Scan], bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """How a page becomes a file.

    Attributes:
        write: (page, its scan) to the whole file; the same page always gives the same bytes.
        suffix: of such a file's name, behind the stem of the scan.
        media_type: as HTTP calls it.
    """

    write: Writer
    suffix: str
    media_type: str


FORMATS: dict[str, Format] = {
    "text": Format(write_text, ".txt", "text/plain; charset=utf-8"),
    "json": Format(write_json, ".json", "application/json"),
    "page": Format(write_page_xml, ".xml", "application/xml"),
    "alto": Format(write_alto, ".xml", "application/xml"),
    "hocr": Format(write_hocr, ".hocr", "text/html; charset=utf-8"),
    "tei": Format(write_tei, ".tei.xml", "application/tei+xml"),
    "csv": Format(write_csv, ".csv", "text/csv; charset=utf-8"),
    "tsv": Format(write_tsv, ".tsv", "text/tab-separated-values; charset=utf-8"),
    "pdf": Format(write_pdf, ".pdf", "application/pdf"),
    "png": Format(write_overlay, ".overlay.png", "image/png"),
}
"""All formats by name. One is added as one file and one line here."""
