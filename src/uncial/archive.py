"""Many scans: the lines and pages of any number of files, read in order; a bad one does not stop the others."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from uncial.document import Failure, Line, Page, Region, Transcript
from uncial.errors import ImageError, UncialError
from uncial.formats.page_file import fitted, image_beside, marked_page
from uncial.formats.page_file import page_of as page_of_file
from uncial.geometry import Box
from uncial.image_file import load_image
from uncial.layout import shows_line
from uncial.lineimage import line_image
from uncial.recognizer import Recognizer
from uncial.scan import SUFFIXES, Scan, open_scans

STDIN = "-"
LINES_AT_ONCE = 64  # line images held in memory together; they are read sooner beside their like


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one scan.

    Attributes:
        name: of the scan.
        outcome: its transcript if it shows a line, its page if it shows one, or why it could not be read.
        scan: None where it could not be opened.
    """

    name: str
    outcome: Transcript | Page | Failure
    scan: Scan | None = None


def scans_of(names: Iterable[str]) -> Iterator[Scan | Failure]:
    """The scans of some files, one after the other.

    Args:
        names: paths of scans or of PAGE or ALTO files, or `-` for a file on standard input.
    """
    for name in names:
        if name == STDIN:
            yield from open_scans(sys.stdin.buffer.read(), "standard input")
        elif Path(name).is_dir():
            yield Failure(name, f"{name}: the folder holds no images ({', '.join(SUFFIXES)})")
        elif name.lower().endswith(".xml"):
            yield marked_scan(Path(name), name)
        else:
            yield from open_scans(Path(name), name)


def marked_scan(path: Path, name: str) -> Scan | Failure:
    """The image of a PAGE or ALTO file, with the lines that the file marks on it; what it holds of text is not used.

    Args:
        path: of the page file; its image lies beside it.
        name: for messages and results.
    """
    try:
        marked = marked_page(path)
        page, image = page_of_file(marked, path), image_beside(path, marked.image)
        if image is None:
            where = f"its image {marked.image or path.stem} lies neither beside it nor above"
            return Failure(name, f"{name}: {where}; put it there, or read the image without its page file")
        gray = load_image(image)
        page = fitted(page, gray.shape, str(image))
    except UncialError as error:
        return Failure(name, str(error))
    flaws = tuple(Failure(name, f"{name}: {flaw}") for flaw in marked.flaws)
    return Scan(name, path.stem, gray, image, page=replace(page, failures=flaws))


def read_scans(recognizer: Recognizer, scans: Iterable[Scan | Failure], shows: str = "auto") -> Iterator[Reading]:
    """Read scans in order; each gives a reading.

    Args:
        recognizer: that reads.
        scans: as `scans_of` gives them; failures are passed on.
        shows: "page", "line" (a word is one, too), or "auto": told by each image itself.
    """
    waiting: list[Scan] = []
    for scan in scans:
        line = isinstance(scan, Scan) and _is_line(scan, shows)
        if line:
            waiting.append(scan)  # type: ignore[arg-type]
        if waiting and (not line or len(waiting) == LINES_AT_ONCE):
            yield from _lines(recognizer, waiting)
            waiting.clear()
        if isinstance(scan, Failure):
            yield Reading(scan.id, scan)
        elif not line:
            yield Reading(scan.name, recognizer.read_page(scan.gray, Path(scan.name).name, scan.page), scan)
    yield from _lines(recognizer, waiting)


def _is_line(scan: Scan, shows: str) -> bool:
    return scan.page is None and (shows == "line" or (shows == "auto" and shows_line(scan.gray)))


def page_of(reading: Reading) -> tuple[Page, Scan]:
    """A reading as a page with its scan; that of a line becomes a page of one line.

    Raises:
        ValueError: it could not be read.
    """
    if reading.scan is None or isinstance(reading.outcome, Failure):
        raise ValueError(f"{reading.name} was not read")
    if isinstance(reading.outcome, Page):
        return reading.outcome, reading.scan
    height, width = reading.scan.gray.shape
    whole = Box(0, 0, width, height).corners
    stands = ((0.0, 0.75 * height), (float(width), 0.75 * height))
    line = Line("line-1", stands, whole, reading.outcome)
    return Page(Path(reading.name).name, width, height, (Region("region-1", whole, (line,)),)), reading.scan


def _lines(recognizer: Recognizer, scans: Sequence[Scan]) -> Iterator[Reading]:
    """Line images read together; what is no line image is known before, so that it does not stop those beside it."""
    flaws: dict[int, str] = {}
    for n, scan in enumerate(scans):
        try:
            line_image(scan.gray, recognizer.bundle.line_image)
        except ImageError as error:
            flaws[n] = f"{scan.name}: {error}"
    good = [n for n in range(len(scans)) if n not in flaws]
    read = dict(zip(good, recognizer.read_lines(scans[n].gray for n in good), strict=True))
    for n, scan in enumerate(scans):
        yield Reading(scan.name, read[n] if n in read else Failure(scan.name, flaws[n]), scan)
