"""PDF as a source of pages: the scanned picture of a page itself where it is one, else the page drawn."""

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from uncial.errors import ImageError
from uncial.image_file import MOST_PIXELS, Gray, gigantic, gray_of

DRAWN_DPI = 300  # of pages that are not one picture
POINTS = 72  # a PDF's unit, an inch's part
WHOLE = 0.9  # share of the page's area that a picture covers which is the page


class PdfPages:
    """The pages of a PDF.

    Attributes:
        count: how many pages there are, at least 1.
    """

    def __init__(self, data: bytes, name: str) -> None:
        """Open, not draw.

        Args:
            data: of the whole file.
            name: for messages.

        Raises:
            ImageError: it has a password, is damaged, or holds no pages.
        """
        self.name = name
        try:
            self._pdf = pdfium.PdfDocument(data)
            self.count = len(self._pdf)
        except pdfium.PdfiumError as error:
            # PDFium keeps the error of an earlier file where it has none for this one, as for a PDF without pages.
            if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD and b"/Encrypt" in data:
                raise ImageError(f"{name}: the PDF asks for a password; save it without one, and read that") from error
            raise ImageError(f"{name}: the PDF is damaged or has no pages; copy it again, or print it anew") from error
        if not self.count:
            raise ImageError(f"{name}: the PDF has no pages; copy it again")

    def page(self, number: int) -> tuple[Gray, float | None]:
        """A page, counted from 0: uint8 (H, W), and its pixels per inch.

        Raises:
            ImageError: the page is damaged, or too large.
        """
        try:
            page = self._pdf[number]
            picture = _only_picture(page)
            return _own_pixels(page, picture) if picture is not None else self._drawn(page)
        except (pdfium.PdfiumError, OSError, ValueError) as error:
            raise ImageError(f"{self.name}: the page is damaged ({error}); copy the PDF again") from error
        except MemoryError as error:
            raise ImageError(f"{self.name}: no memory for the page; scale it down") from error

    def place(self, number: int) -> tuple[tuple[float, float, float, float], int]:
        """Where on a page, counted from 0, the pixels lie that `page` gives.

        Returns:
            Left, bottom, right, top in points, of the page before it is turned, and the degrees by which it is turned
            clockwise to be seen.

        Raises:
            ImageError: the page is damaged.
        """
        try:
            page = self._pdf[number]
            picture = _only_picture(page)
            return page.get_bbox() if picture is None else picture.get_bounds(), page.get_rotation()
        except pdfium.PdfiumError as error:
            raise ImageError(f"{self.name}: the page is damaged ({error}); copy the PDF again") from error

    def _drawn(self, page: pdfium.PdfPage) -> tuple[Gray, float | None]:
        width, height = page.get_size()
        scale = DRAWN_DPI / POINTS
        if width * height * scale * scale > MOST_PIXELS:
            scale = (MOST_PIXELS / (width * height)) ** 0.5 * 0.999
        if min(width, height) * scale < 1:
            raise gigantic(self.name, f"measures {width:.0f} x {height:.0f} points, which cannot be drawn,")
        drawn = page.render(scale=scale, grayscale=True)
        return gray_of(drawn.to_pil()), scale * POINTS


def _only_picture(page: pdfium.PdfPage) -> pdfium.PdfImage | None:
    """The upright picture that the page is, beside which there is at most text that is not seen."""
    pictures = []
    for part in page.get_objects(max_depth=3):
        if part.type == raw.FPDF_PAGEOBJ_IMAGE:
            pictures.append(part)
        elif part.type != raw.FPDF_PAGEOBJ_TEXT or raw.FPDFTextObj_GetTextRenderMode(part) not in (
            raw.FPDF_TEXTRENDERMODE_INVISIBLE,
            raw.FPDF_TEXTRENDERMODE_CLIP,
        ):
            return None
    if len(pictures) != 1 or pictures[0].level > 0:
        return None
    left, bottom, right, top = pictures[0].get_bounds()
    box = page.get_cropbox()
    paper = (box[2] - box[0]) * (box[3] - box[1])
    a, b, c, d, *_ = pictures[0].get_matrix().get()
    upright = a > 0 and d > 0 and abs(b) + abs(c) < 1e-3 * (a + d)
    whole = WHOLE * paper <= (right - left) * (top - bottom) <= 1.02 * paper
    width, height = pictures[0].get_px_size()
    return pictures[0] if upright and whole and 0 < width * height <= MOST_PIXELS else None


def _own_pixels(page: pdfium.PdfPage, picture: pdfium.PdfImage) -> tuple[Gray, float | None]:
    gray = gray_of(picture.get_bitmap(render=False, scale_to_original=False).to_pil())
    left, _, right, _ = picture.get_bounds()
    dpi = gray.shape[1] / max(1e-6, right - left) * POINTS
    return np.ascontiguousarray(np.rot90(gray, -(page.get_rotation() // 90))), dpi
