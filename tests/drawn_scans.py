"""Drawn pages in files of every kind, for the tests of what opens scans and of what writes PDF."""

import io
import zlib
from collections.abc import Sequence

import numpy as np
import pikepdf
from pikepdf import Dictionary, Name, Stream
from PIL import Image

from uncial.image_file import Gray

WIDTH, HEIGHT = 60, 90  # pixels of the drawn pages; not square, so that turns are found out
POINTS = (144, 216)  # of the same pages in PDF: 30 pixels per inch


def drawn_page(number: int = 1) -> Gray:
    """A page unlike any other, in any turn: noise in its upper left part, a shade of its own elsewhere."""
    page = np.full((HEIGHT, WIDTH), 140 + 20 * (number % 5), np.uint8)
    page[: HEIGHT // 2, : WIDTH // 2] = np.random.default_rng(number).integers(0, 256, (HEIGHT // 2, WIDTH // 2))
    return page


def stored(image: Gray | Image.Image, form: str, **options: object) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, form, **options)
    return file.getvalue()


def tiff(count: int, **options: object) -> bytes:
    """A TIFF of several pages."""
    first, *others = (Image.fromarray(drawn_page(n + 1)) for n in range(count))
    return stored(first, "TIFF", save_all=True, append_images=others, **options)


def flat(gray: Gray) -> tuple[bytes, str]:
    """Pixels for `pdf`, packed without loss."""
    return zlib.compress(gray.tobytes()), "/FlateDecode"


def pdf(
    images: Sequence[tuple[bytes, str]], matrix: str = "144 0 0 216 0 0", *, extra: bytes = b"", **page: object
) -> bytes:
    """A PDF with a gray scan on each page.

    Args:
        images: pixels as `flat` packs them, or a JPEG and "/DCTDecode".
        matrix: that puts the scan on its page.
        extra: what is drawn behind it.
        page: entries of the pages, such as Rotate.
    """
    document = pikepdf.new()
    for data, packing in images:
        scan = Stream(document, data)
        scan.Type, scan.Subtype, scan.Filter = Name.XObject, Name.Image, Name(packing)
        scan.Width, scan.Height, scan.BitsPerComponent, scan.ColorSpace = WIDTH, HEIGHT, 8, Name.DeviceGray
        side = document.add_blank_page(page_size=POINTS)
        side.obj.Resources = Dictionary(
            XObject=Dictionary(Scan=scan),
            Font=Dictionary(F=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)),
        )
        side.obj.Contents = Stream(document, b"q %s cm /Scan Do Q " % matrix.encode() + extra)
        for key, value in page.items():
            side.obj[f"/{key}"] = value
    return saved(document)


def saved(document: pikepdf.Pdf, **options: object) -> bytes:
    """A PDF as a file."""
    file = io.BytesIO()
    document.save(file, **options)
    return file.getvalue()
