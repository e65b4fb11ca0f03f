"""PDF files opened page by page, and where on its page in the PDF an image lies.

A page that is nothing but one embedded scan gives that scan's own pixels; anything else is rendered. Both are turned
as the page says (/Rotate). PDFium goes on without a word where data are cut short, so files and images are looked at
more closely here; what it cannot open is repaired by qpdf as far as that goes.

PDFium must not be used by several threads at once.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from uncial.errors import ImageError
from uncial.image_file import Gray, check_size, opened, plain, reading, upright

Edges = tuple[float, float, float, float]  # left, bottom, right, top in points, y up

RENDERED_DPI = 300  # of pages that are rendered; as scanners usually have it
MOST_RENDERED = 40_000_000  # pixels of a page that is rendered; larger pages get fewer dpi
LEAST_COVER = 0.95  # share of the page's width and height that its only scan covers
TURNED = 0.001  # share of its size by which a scan that stands straight may lean
LAST_BYTES = 2048  # of a PDF, where a whole one tells that it ends
TRUE_BITS = {8: (2, 3, 4, 6), 24: (12, 16)}  # of a pixel, where PDFium tells the bits of its own picture
LINE_END = 2  # bytes that may stand behind an image's data
INVISIBLE = (3, 7)  # rendering modes of text that an earlier OCR laid on the page


@dataclass(frozen=True, slots=True)
class PdfFile:
    """A PDF that was opened.

    Attributes:
        document: as PDFium has it.
        damaged: it is cut short or had to be repaired, so that pages may be missing or empty.
        name: for messages.
    """

    document: pdfium.PdfDocument
    damaged: bool
    name: str

    def __len__(self) -> int:
        """How many pages there are, or are left."""
        return len(self.document)


@contextmanager
def open_pdf(file: Path | bytes, name: str) -> Iterator[PdfFile]:
    """Open a PDF.

    Args:
        file: where it lies, or its bytes.
        name: for messages.

    Raises:
        ImageError: it has a password or no pages, is damaged beyond repair, or no PDF at all.
    """
    try:
        damaged = not _is_whole(file)
        document = pdfium.PdfDocument(_repaired(file, name) if damaged else file)
    except pdfium.PdfiumError:
        # PDFium's reason may be that of an earlier file; qpdf, which repairs, finds passwords and missing pages, too.
        damaged = True
        document = _reopened(_repaired(file, name), name)
    except OSError as error:
        raise ImageError(
            f"{name}: cannot be opened ({error.strerror or error}); check the path and its rights"
        ) from error
    try:
        if not len(document):
            raise ImageError(f"{name}: the PDF has no pages; nothing can be read")
        yield PdfFile(document, damaged, name)
    finally:
        document.close()


def page_image(pdf: PdfFile, index: int, name: str) -> tuple[Gray, float]:
    """A page as it is shown, and its pixels per inch.

    Args:
        pdf: that was opened.
        index: of the page, from 0.
        name: of the page, for messages.

    Raises:
        ImageError: the page is damaged or too large.
    """
    with _page(pdf, index, name) as page:
        scan = _sole_scan(page)
        if scan is not None:
            gray = _embedded(page, scan, name)
            return gray, _dpi(page, scan, gray)
        if pdf.damaged and not any(page.get_objects(max_depth=1)):
            raise ImageError(f"{name}: nothing of this page is left in the damaged PDF; copy or scan it again")
        return _rendered(page, name)


def place_of(file: Path | bytes, number: int, name: str) -> tuple[Edges, int]:
    """Where on a page the upright image lies that `page_image` gives.

    Args:
        file: the PDF, or where it lies.
        number: of the page, from 1.
        name: of the page, for messages.

    Returns:
        The image's edges, of the page before it is turned, and the degrees by which the page is turned clockwise to be
        seen.

    Raises:
        ImageError: as `open_pdf` and `page_image`.
    """
    with open_pdf(file, name) as pdf, _page(pdf, number - 1, name) as page:
        return _edges(page, _sole_scan(page)), page.get_rotation()


def _is_whole(file: Path | bytes) -> bool:
    """Whether a file ends as a PDF does."""
    if isinstance(file, bytes):
        return b"%%EOF" in file[-LAST_BYTES:]
    with file.open("rb") as stream:
        stream.seek(-min(LAST_BYTES, file.stat().st_size), io.SEEK_END)
        return b"%%EOF" in stream.read()


def _repaired(file: Path | bytes, name: str) -> bytes:
    """The PDF with its table of objects written anew, as far as they are left."""
    import pikepdf  # takes long to load, and most files are whole

    whole = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(file) if isinstance(file, bytes) else file) as pdf:
            if not len(pdf.pages):
                raise ImageError(f"{name}: the PDF has no pages; nothing can be read")
            pdf.save(whole)
    except pikepdf.PasswordError as error:
        raise ImageError(f"{name}: the PDF has a password; save a copy without it, and read that") from error
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, OSError) as error:
        raise ImageError(f"{name}: the PDF is damaged, nothing in it can be found; copy or scan it again") from error
    return whole.getvalue()


def _reopened(repaired: bytes, name: str) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(repaired)
    except pdfium.PdfiumError as error:
        raise ImageError(f"{name}: the PDF is damaged ({error}); copy or scan it again") from error


@contextmanager
def _page(pdf: PdfFile, index: int, name: str) -> Iterator[pdfium.PdfPage]:
    """A page, closed at the end; whatever PDFium raises is told with the page's name."""
    try:
        page = pdf.document[index]
        try:
            yield page
        finally:
            page.close()
    except (pdfium.PdfiumError, IndexError, ValueError) as error:
        raise ImageError(f"{name}: the page is damaged ({error}); copy or scan it again") from error
    except MemoryError as error:
        raise ImageError(f"{name}: no memory to decode the page; scale it down") from error


def _sole_scan(page: pdfium.PdfPage) -> pdfium.PdfImage | None:
    """The image that is all there is to see on a page; None: there is more, or less, or it leans."""
    seen = [item for item in page.get_objects(max_depth=1) if not _is_invisible(item)]
    if len(seen) != 1 or not isinstance(seen[0], pdfium.PdfImage):
        return None
    image = seen[0]
    a, b, c, d, *_ = image.get_matrix().get()
    straight = max(abs(b), abs(c)) <= TURNED * min(abs(a), abs(d))
    lying = max(abs(a), abs(d)) <= TURNED * min(abs(b), abs(c))
    if not straight and not lying:
        return None
    colours = image.get_metadata().colorspace
    stencil = colours == raw.FPDF_COLORSPACE_UNKNOWN and "JPXDecode" not in image.get_filters()
    if stencil or raw.FPDFPageObj_HasTransparency(image) or not _covers(image.get_bounds(), page.get_bbox()):
        return None
    return image


def _is_invisible(item: pdfium.PdfObject) -> bool:
    is_text: bool = item.type == raw.FPDF_PAGEOBJ_TEXT
    return is_text and raw.FPDFTextObj_GetTextRenderMode(item) in INVISIBLE


def _covers(image: Edges, page: Edges) -> bool:
    """Whether an image fills its page, and does not reach far beyond, where it would be cut off."""
    slack = (1 - LEAST_COVER) * max(page[2] - page[0], page[3] - page[1])
    return all(abs(a - b) <= slack for a, b in zip(image, page, strict=True))


def _edges(page: pdfium.PdfPage, scan: pdfium.PdfImage | None) -> Edges:
    edges: Edges = page.get_bbox() if scan is None else scan.get_bounds()
    return edges


def _dpi(page: pdfium.PdfPage, scan: pdfium.PdfImage, gray: Gray) -> float:
    left, bottom, right, top = _edges(page, scan)
    points = right - left if page.get_rotation() % 180 == 0 else top - bottom
    return float(gray.shape[1]) * 72 / max(points, 1.0)


def _embedded(page: pdfium.PdfPage, scan: pdfium.PdfImage, name: str) -> Gray:
    """The pixels of a scan, turned as the page shows them."""
    width, height = scan.get_px_size()
    check_size(width, height, name)
    _check_whole(scan, width, height, name)
    with reading(name):
        gray = np.asarray(plain(scan.get_bitmap().to_pil()).convert("L"))
    a, b, c, d, *_ = scan.get_matrix().get()
    if abs(a) > abs(b):
        gray = gray[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
    else:
        gray = gray.T[:: -1 if b > 0 else 1, :: -1 if c > 0 else 1]
    return np.ascontiguousarray(np.rot90(gray, -page.get_rotation() // 90))


def _check_whole(scan: pdfium.PdfImage, width: int, height: int, name: str) -> None:
    """Refuse an image whose data end too early; PDFium would leave the rest black, white or gray."""
    data, filters = bytes(scan.get_data(decode_simple=True)), scan.get_filters(skip_simple=True)
    if filters == ["DCTDecode"]:
        with opened(data, name) as jpeg:
            upright(jpeg, name)
    elif not filters and not _fills(len(data), width, height, scan.get_metadata().bits_per_pixel):
        raise ImageError(f"{name}: the image of the page is damaged or truncated; copy or scan it again")


def _fills(size: int, width: int, height: int, bits: int) -> bool:
    """Whether bytes are as many as pixels need, of the bits that PDFium tells or of others that it tells wrongly."""

    def beyond(of: int) -> int:
        return size - height * math.ceil(width * of / 8)

    return beyond(bits) >= 0 or any(0 <= beyond(of) <= LINE_END for of in TRUE_BITS.get(bits, ()))


def _rendered(page: pdfium.PdfPage, name: str) -> tuple[Gray, float]:
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ImageError(f"{name}: the page is {width:g} x {height:g} points large; nothing can be seen on it")
    scale = min(RENDERED_DPI / 72, math.sqrt(MOST_RENDERED / (width * height)))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    return np.array(bitmap.to_pil().convert("L")), 72 * scale
