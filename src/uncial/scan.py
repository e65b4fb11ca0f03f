"""Scans: images of pages as they come out of files of every usual kind, one after the other.

A TIFF may hold many pages, a PDF usually does. A page that cannot be opened becomes a `Failure`; the others are read.
Of a PDF page that is one scanned picture its own pixels are taken; any other page is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from uncial.document import Failure, Page
from uncial.errors import ImageError, UncialError
from uncial.image_file import Gray, ImageFrames, read_bytes
from uncial.pdf_file import PdfPages

# Files taken from a folder; what is named itself is opened whatever its name.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".pgm", ".heic", ".pdf")


@dataclass(frozen=True, slots=True)
class Scan:
    """One side of paper, opened.

    Attributes:
        name: what messages and results call it: the path as given, with #3 behind it for the third page of a file.
        stem: name for files written of it, such as "letter" or "letter-0003".
        gray: uint8 (H, W), upright, 0 black to 255 white.
        path: of the file it came from; None: standard input or memory.
        number: of the page in its file, from 1.
        pages: how many pages the file has.
        dpi: pixels per inch; None: the file does not tell.
        page: its lines, if somebody has marked them; in pixels of `gray`. None: they are to be looked for.
    """

    name: str
    stem: str
    gray: Gray
    path: Path | None = None
    number: int = 1
    pages: int = 1
    dpi: float | None = None
    page: Page | None = None


def open_scans(file: Path | bytes, name: str = "") -> Iterator[Scan | Failure]:
    """The pages of a file, each opened when it is asked for.

    Args:
        file: where it lies, or its bytes; its kind is told by what is in it.
        name: for messages and results; "" takes the path.

    Yields:
        A scan for each page in order, or why there is none.
    """
    path = None if isinstance(file, bytes) else Path(file)
    name = name or (str(path) if path else "image")
    try:
        data = file if isinstance(file, bytes) else read_bytes(Path(file), name)
        pages = PdfPages(data, name) if data[:1024].lstrip().startswith(b"%PDF") else ImageFrames(data, name)
    except UncialError as error:
        yield Failure(name, str(error))
        return
    stem = path.stem if path else "page"
    for number in range(1, pages.count + 1):
        several = pages.count > 1
        called = f"{name}#{number}" if several else name
        try:
            gray, dpi = pages.page(number - 1)
        except ImageError as error:
            reason = str(error)
            yield Failure(called, reason.replace(name, called, 1) if several else reason)
        else:
            kept = f"{stem}-{number:04d}" if several else stem
            yield Scan(called, kept, gray, path, number, pages.count, dpi)


def scan_names(arguments: Sequence[str]) -> list[str]:
    """The arguments, with each folder replaced by the scans in it, sorted by name.

    Hidden files are passed over. A folder that holds no scan stays, and fails when it is opened.
    """
    names: list[str] = []
    for argument in arguments:
        folder = Path(argument)
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        names += [str(f) for f in files if f.suffix.lower() in SUFFIXES and f.name[0] != "."] or [argument]
    return names
