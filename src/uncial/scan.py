"""Scans: the image of a page as it comes from a file, with what a written result needs to know of that file.

Files are opened by what they hold, not by their names, one page after the other, so that a long file takes no more
memory than its largest page and itself. What cannot be opened gives a `Failure`, and does not stop the pages behind it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uncial.document import Failure, Page
from uncial.errors import ImageError, UncialError
from uncial.image_file import Gray, dpi_of, gray_of, is_folder, is_pipe, opened, pages_of, read_bytes, reading, size_of
from uncial.negative import positive

STDIN = "-"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".pgm", ".ppm", ".pbm"),
    *(".jpe", ".jfif", ".j2k", ".jpx", ".heic", ".heif", ".pdf"),
)  # of the files that are taken from folders
# How JPEG, PNG, TIFF, GIF, WebP, JPEG 2000 and PDF begin.
_SCAN = re.compile(rb"(?s)\xff\xd8\xff|\x89PNG\r\n|II\*\0|MM\0\*|GIF8|RIFF....WEBP|\0\0\0\x0cjP  |%PDF-")
PDF_MAGIC, FIRST_BYTES = b"%PDF-", 1024  # what a PDF begins with; some have a few other bytes before it


@dataclass(frozen=True, slots=True)
class Scan:
    """One side of paper, opened.

    Attributes:
        name: what messages and results call it: the path as given, with #3 behind it for the third page of a file.
        stem: name for files written of it, such as "letter" or "letter-0003".
        gray: uint8 (H, W), upright, 0 black to 255 white; of a negative the positive.
        path: of the file it came from; None: standard input or memory.
        number: of the page in its file, from 1.
        pages: how many pages the file has.
        dpi: pixels per inch; None: the file does not tell.
        page: its lines, if somebody has marked them; in pixels of `gray`. None: they are to be looked for.
        data: the file itself, where it has no path; None: it has one, or there never was a file.
    """

    name: str
    stem: str
    gray: Gray
    path: Path | None = None
    number: int = 1
    pages: int = 1
    dpi: float | None = None
    page: Page | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def file(self) -> Path | bytes | None:
        """The file it came from: its path or its bytes; None: there is none."""
        return self.data if self.path is None else self.path


@dataclass(frozen=True, slots=True)
class _Source:
    """A file whose pages are opened: where it lies or its bytes, and what it is called."""

    file: Path | bytes
    name: str

    def names(self, number: int, pages: int) -> tuple[str, str]:
        """What a page of it is called, and the stem of files written of it."""
        stem = "stdin" if isinstance(self.file, bytes) else self.file.stem
        return (self.name, stem) if pages == 1 else (f"{self.name}#{number}", numbered(stem, number))

    def scan(self, gray: Gray, number: int, pages: int, dpi: float | None) -> Scan:
        name, stem = self.names(number, pages)
        path, data = (None, self.file) if isinstance(self.file, bytes) else (self.file, None)
        return Scan(name, stem, positive(gray), path, number, pages, dpi, data=data)


def numbered(stem: str, number: int) -> str:
    """The stem of files written of one page of several in a file, from 1."""
    return f"{stem}-{number:04}"


def scan_names(arguments: Sequence[str]) -> list[str]:
    """The arguments, with each folder replaced by the scans in it, sorted.

    Of a folder files of known suffixes are taken, those without any that begin as a scan does, and nothing hidden;
    page files beside scans are left out, as the scans are to be read anew, and so are folders in it: see `passed_over`.
    A folder without scans stays, and fails when it is opened. `-` is standard input.

    Args:
        arguments: paths as they were given.
    """
    names: list[str] = []
    for argument in arguments:
        files = _within(argument)
        names += [str(f) for f in files if f.name[0] != "." and _is_scan(f)] or [argument]
    return names


def _is_scan(file: Path) -> bool:
    """Whether a file of a folder seems to be a scan: by its suffix, or, where it has none, by how it begins.

    Other suffixes are those of what lies beside scans and begins alike, such as raw images of cameras and copies.
    """
    if file.suffix:
        return file.suffix.lower() in SUFFIXES
    return file.is_file() and bool(_SCAN.match(start_of(file)))


def passed_over(arguments: Sequence[str], out: str | None = None) -> list[str]:
    """A note for each folder that has folders in it, which `scan_names` does not look into; hidden ones do not count.

    Args:
        arguments: paths as they were given.
        out: a folder that does not count, either: results go there.
    """
    notes = []
    for argument in arguments:
        others = (f for f in _within(argument) if out is None or f.resolve() != Path(out).resolve())
        inner = [f.name for f in others if f.name[0] != "." and is_folder(f)]
        if inner:
            first = inner[0] if len(inner) == 1 else f"{inner[0]}, …"
            notes.append(f"{argument}: folders in it that are passed over: {len(inner):,} ({first}); name them, too")
    return notes


def _within(argument: str) -> list[Path]:
    """What lies in the folder of this name, sorted; nothing, where it is none."""
    folder = Path(argument)
    return sorted(folder.iterdir()) if argument != STDIN and is_folder(folder) else []


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, as far as that can be told without decoding it.

    Attributes:
        pages: how many there are, at least 1.
        pixels: of its first page; None: not told.
        whole: nothing seems to be missing. Of other files only all pages together can tell what is lost.
    """

    pages: int = 1
    pixels: int | None = None
    whole: bool = False


def contents(file: Path) -> Contents:
    """Look into a file. What cannot be opened counts as one page; why, `open_scans` tells."""
    try:
        if is_folder(file):
            return Contents()
        if PDF_MAGIC in start_of(file):
            from uncial.pdf_file import open_pdf

            with open_pdf(file, str(file)) as pdf:
                return Contents(len(pdf), None, not pdf.damaged)
        return Contents(*size_of(file, str(file)))
    except UncialError:
        return Contents()


def open_scans(file: Path | bytes, name: str = "", only: int | None = None) -> Iterator[Scan | Failure]:
    """Open the pages of a file, one after the other.

    Args:
        file: where it lies, or its bytes.
        name: what messages and results call it; "" takes the path.
        only: number of the one page to open, from 1; None: all.

    Yields:
        A scan for each page in order, or a failure with its reason for a page, or for the file, that cannot be opened.
    """
    source = _Source(file, name or ("standard input" if isinstance(file, bytes) else str(file)))
    try:
        if isinstance(file, Path) and is_folder(file):
            raise ImageError(f"{source.name}: the folder holds no scans ({', '.join(SUFFIXES)})")
        if isinstance(file, Path) and is_pipe(file):
            file = read_bytes(file, source.name)
            source = _Source(file, source.name)
        yield from (_pdf_scans if PDF_MAGIC in start_of(file) else _image_scans)(source, only)
    except UncialError as error:
        yield Failure(source.name, str(error))


def start_of(file: Path | bytes) -> bytes:
    """The first bytes of a file, which tell what it is; none where it cannot be read."""
    if isinstance(file, bytes):
        return file[:FIRST_BYTES]
    try:
        with file.open("rb") as stream:
            return stream.read(FIRST_BYTES)
    except (OSError, ValueError):
        return b""  # why it cannot be read is told by what opens images


def _pdf_scans(source: _Source, only: int | None) -> Iterator[Scan | Failure]:
    from uncial.pdf_file import open_pdf, page_image  # reading images goes without PDFium, which takes its time to load

    with open_pdf(source.file, source.name) as pdf:
        whole, pages = not pdf.damaged or only is not None, len(pdf)
        for number in [only] if only else range(1, pages + 1):
            name, _ = source.names(number, pages)
            try:
                gray, dpi = page_image(pdf, number - 1, name)
            except ImageError as error:
                whole = True  # that something is lost will have been said
                yield Failure(name, str(error))
            else:
                yield source.scan(gray, number, pages, dpi)
    if not whole:
        name = f"{source.name}#{pages + 1}"
        yield Failure(name, f"{name}: the PDF is cut short here; if it had more pages, copy or scan it again")


def _image_scans(source: _Source, only: int | None) -> Iterator[Scan | Failure]:
    data = source.file if isinstance(source.file, bytes) else read_bytes(source.file, source.name)
    with opened(data, source.name) as image:
        frames, damage = pages_of(image, source.name)
        pages = len(frames) + (damage is not None)
        for number, frame in [(only, frames[only - 1])] if only else enumerate(frames, 1):
            name, _ = source.names(number, pages)
            try:
                with reading(name):
                    image.seek(frame)
                gray = gray_of(image, name)
            except ImageError as error:
                yield Failure(name, str(error))
            else:
                yield source.scan(gray, number, pages, dpi_of(image))
    if damage is not None and only is None:
        name, _ = source.names(pages, pages)
        yield Failure(name, str(damage).replace(source.name, name, 1))
