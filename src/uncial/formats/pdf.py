"""PDF that can be searched: the page as it was scanned, and over it what was read, which is found but not seen.

A page of a PDF stays as it is and gets the text added; any other scan becomes a page of its own size. pikepdf is loaded
when a PDF is written, since it takes longer to load than all other formats together.
"""

import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uncial.document import Page
from uncial.errors import ImageError
from uncial.formats.pdf_picture import picture_page
from uncial.formats.pdf_text import POINTS, Placement, add_text
from uncial.scan import PDF_MAGIC, Scan, start_of

if TYPE_CHECKING:
    import pikepdf

USUAL_DPI = 300.0  # of scans that do not tell
LONGEST = 14_400.0  # points; viewers show no longer pages (ISO 32000-1, annex C)


def write_pdf(page: Page, scan: Scan) -> bytes:
    """A PDF of one page, which is shown the way up in which its lines are read.

    A scan that came from a PDF file gives that page with its pictures and drawings untouched. Of JPEG and JPEG 2000 the
    bytes of the file are taken over as they are, of other files all pixels. What never was a file, and pages of a PDF
    that only its reader could mend, give their gray pixels.

    Args:
        page: what was read.
        scan: of the same page; its file, if it has one, is opened again.

    Raises:
        ImageError: the file of the scan is no longer there, or cannot be opened any more.
    """
    import pikepdf

    with ExitStack() as opened:
        pdf = opened.enter_context(pikepdf.Pdf.new())
        placement = None
        if scan.file is not None and PDF_MAGIC in start_of(scan.file):
            try:
                _take_page(pdf, scan.file, scan.number, opened)
                placement = _placement_on(pdf, page, scan.name)
            except (pikepdf.PdfError, IndexError, ImageError):
                del pdf.pages[:]
        if placement is None:
            placement = _add_picture(pdf, page, scan)
        add_text(pdf, page, placement)
        pdf.pages[0].rotate(_turn(page), relative=True)
        return _saved(pdf)


def _turn(page: Page) -> int:
    """By how many degrees clockwise a page is turned to be read: 0, 90, 180 or 270.

    Writing stands upon its baselines, so the middle of a line's boundary tells where its upper side is.
    """
    if not page.lines:
        return 0
    x, y = sum(np.mean(line.boundary, axis=0) - np.mean(line.baseline, axis=0) for line in page.lines)
    return (0 if y <= 0 else 180) if abs(y) >= abs(x) else (270 if x > 0 else 90)


def merge_pdfs(pages: Sequence[bytes]) -> bytes:
    """One PDF of several, in their order.

    Args:
        pages: whole PDF files, as `write_pdf` gives them.

    Raises:
        ImageError: one of them is damaged.
    """
    import pikepdf

    with ExitStack() as opened:
        merged = opened.enter_context(pikepdf.Pdf.new())
        for number, data in enumerate(pages, 1):
            try:
                part = opened.enter_context(pikepdf.Pdf.open(io.BytesIO(data)))
                merged.pages.extend(part.pages)
            except pikepdf.PdfError as error:
                raise ImageError(f"PDF {number} of {len(pages)} is damaged ({error}); write it anew") from error
        return _saved(merged)


def _take_page(pdf: "pikepdf.Pdf", file: Path | bytes, number: int, opened: ExitStack) -> None:
    """Take a page, counted from 1, out of a file, which stays open until the new one is saved."""
    import pikepdf

    source = opened.enter_context(pikepdf.Pdf.open(io.BytesIO(file) if isinstance(file, bytes) else file))
    pdf.pages.append(source.pages[number - 1])


def _placement_on(pdf: "pikepdf.Pdf", page: Page, name: str) -> Placement:
    """Where the pixels that were read lie on the PDF's only page, as `pdf_file` opens it, for the two must agree."""
    from uncial.pdf_file import place_of

    box, turn = place_of(_saved(pdf), 1, name)
    return Placement.in_box(box, turn, (page.width, page.height))


def _add_picture(pdf: "pikepdf.Pdf", page: Page, scan: Scan) -> Placement:
    height, width = scan.gray.shape
    unit = min(POINTS / (scan.dpi or USUAL_DPI), LONGEST / max(width, height))
    box = (0.0, 0.0, width * unit, height * unit)
    picture_page(pdf, scan, (box[2], box[3]))
    return Placement.in_box(box, 0, (page.width, page.height))


def _saved(pdf: "pikepdf.Pdf") -> bytes:
    """The file; what is compressed in any way stays as it is, and the same pages always give the same bytes."""
    import pikepdf

    file = io.BytesIO()
    pdf.save(
        file,
        deterministic_id=True,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
    )
    return file.getvalue()
