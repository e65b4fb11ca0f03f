"""What a viewer finds in a PDF, for the tests of what is written: words with their boxes, and the picture."""

import ctypes
import io
import itertools
from typing import Any

import pikepdf
import pypdfium2 as pdfium
from drawn_pages import boundary_box
from pypdfium2 import raw

from uncial.document import Page

KEPT_OPEN: list[pikepdf.Pdf] = []


def words_in(data: bytes, size: tuple[int, int]) -> list[tuple[str, tuple[float, float, float, float]]]:
    """The words that PDFium finds, and their boxes in pixels of the page as it is shown."""
    page = pdfium.PdfDocument(data)[0]
    text = page.get_textpage()
    scale = 1000  # PDFium's places on the screen are whole numbers

    def shown(x: float, y: float) -> tuple[float, float]:
        across, down = ctypes.c_int(), ctypes.c_int()
        width, height = size[0] * scale, size[1] * scale
        raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
        return across.value / scale, down.value / scale

    found = []
    letters = [(chr(raw.FPDFText_GetUnicode(text, n)), n) for n in range(text.count_chars())]
    for blank, group in itertools.groupby(letters, key=lambda letter: letter[0].isspace()):
        if not blank:
            word = list(group)
            boxes = [text.get_charbox(n) for _, n in word]
            x, y = zip(*(shown(*place) for box in boxes for place in (box[:2], box[2:])), strict=True)
            found.append(("".join(letter for letter, _ in word), (min(x), min(y), max(x), max(y))))
    return found


def text_in(data: bytes, number: int = 0) -> str:
    return " ".join(pdfium.PdfDocument(data)[number].get_textpage().get_text_range().split())


def assert_words_lie_in_their_lines(data: bytes, page: Page) -> None:
    found = iter(words_in(data, (page.width, page.height)))  # in reading order, some more than once
    for line in page.lines:
        left, top, right, bottom = boundary_box(line)
        for word in line.transcript.text.split() if line.transcript else ():
            box = next(box for text, box in found if text == word)
            assert left - 0.1 <= box[0] <= box[2] <= right + 0.1, (word, box)
            assert top - 0.1 <= box[1] <= box[3] <= bottom + 0.1, (word, box)


def picture_of(data: bytes) -> Any:
    """The only picture; an object of pikepdf's keeps no file open, so that one is kept with it."""
    pdf = pikepdf.Pdf.open(io.BytesIO(data))
    KEPT_OPEN.append(pdf)
    (picture,) = dict(pdf.pages[0].resources.XObject.items()).values()
    return picture
