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
    """

    write: Writer
    suffix: str


FORMATS: dict[str, Format] = {
    "text": Format(write_text, ".txt"),
    "json": Format(write_json, ".json"),
    "page": Format(write_page_xml, ".xml"),
    "alto": Format(write_alto, ".xml"),
    "hocr": Format(write_hocr, ".hocr"),
    "tei": Format(write_tei, ".tei.xml"),
    "csv": Format(write_csv, ".csv"),
    "tsv": Format(write_tsv, ".tsv"),
    "pdf": Format(write_pdf, ".pdf"),
    "png": Format(write_overlay, ".overlay.png"),
}
"""All formats by name. One is added as one file and one line here."""
