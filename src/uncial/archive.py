"""Many scans: the lines and pages of any number of files, read in order; a bad one does not stop the others."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from uncial.document import Failure, Line, Page, Region, Transcript, merged
from uncial.errors import ConfigError, ImageError, UncialError
from uncial.formats import FORMATS
from uncial.formats.page_file import fitted, image_beside, image_called, marked_page
from uncial.formats.page_file import page_of as page_of_file
from uncial.formats.plain import readings_and_words
from uncial.geometry import Box
from uncial.image_file import is_folder, load_image
from uncial.layout import is_strip, shows_line
from uncial.recognizer import Recognizer
from uncial.scan import STDIN, SUFFIXES, Scan, open_scans
from uncial.wording import count_of

LINES_AT_ONCE = 64  # line images held in memory together; they are read sooner beside their like
DOUBTFUL = 0.8  # mean confidence of a page; the three val pages of 71 that lie below have some 30 % CER
ENOUGH_LINES = 5  # for their mean to tell something


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


@dataclass(frozen=True, slots=True)
class Task:
    """How scans are read and what becomes of them; plain values, so that they can be sent to other processes.

    Attributes:
        format: name in `formats.FORMATS`. Line images have a JSON of their own, and as text one line.
        shows: what images show: "page", "line", "word" (a line without spaces), or "auto": told by each image itself.
        rotate: whether pages may lie on their side or stand on their head; see `layout.find_lines`.
        model: folder of the bundle; None: the one that ships.
        quality: see `Recognizer.load`.
        n_best: see `Recognizer.load`.
        backend: see `Recognizer.load`.
        words: see `Recognizer.load`.
        cut_off: whether lines of a facing page and the other side are read; see `layout.find_lines`.
        layout: see `Recognizer.load`.

    Raises:
        ConfigError: several readings are asked for in a format that does not tell them.
    """

    format: str = "text"
    shows: str = "auto"
    rotate: str = "none"
    model: Path | None = None
    quality: str = "auto"
    n_best: int = 1
    backend: str = "auto"
    words: tuple[str, ...] = ()
    cut_off: bool = False
    layout: Path | None = None

    def __post_init__(self) -> None:
        """See that what is asked for is told."""
        if self.n_best > 1 and self.format != "json":
            told = f"the format {self.format} tells one reading of a line, not {self.n_best}"
            raise ConfigError(f"{told}; choose json (-f json), or leave --n-best out")

    def recognizer(self) -> Recognizer:
        """Open what reads; see `Recognizer.load` for what is raised."""
        return Recognizer.load(
            self.model,
            quality=self.quality,
            backend=self.backend,
            n_best=self.n_best,
            words=self.words,
            layout=self.layout,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scan, ready to be written.

    Attributes:
        name: of the scan.
        file: name for a file of it; "": it could not be read.
        data: the whole of that file. JSON has something of scans that could not be read, too.
        unread: reasons why the scan, or lines of its page, could not be read.
        notes: what else is to be told.
        page: it shows a page, and not a line.
    """

    name: str
    file: str = ""
    data: bytes = b""
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    page: bool = False


def scans_of(names: Iterable[str], only: int | None = None) -> Iterator[Scan | Failure]:
    """The scans of some files, one after the other.

    Args:
        names: paths of scans or of PAGE or ALTO files, or `-` for a file on standard input.
        only: number of the page that is taken of each file of scans, from 1; None: all.
    """
    for name in names:
        if name == STDIN:
            yield from open_scans(sys.stdin.buffer.read(), "standard input")
        elif is_folder(Path(name)):
            cure = "name one that does, or PAGE and ALTO files by themselves"
            yield Failure(name, f"{name}: the folder holds no images ({', '.join(SUFFIXES)}); {cure}")
        elif name.lower().endswith(".xml"):
            yield marked_scan(Path(name), name)
        else:
            yield from open_scans(Path(name), name, only)


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
            where = f"its image {image_called(marked.image, path)} lies neither beside it nor above"
            return Failure(name, f"{name}: {where}; put it there, or read the image without its page file")
        gray = load_image(image)
        page = fitted(page, gray.shape, str(image))
    except UncialError as error:
        return Failure(name, str(error))
    flaws = tuple(Failure(name, f"{name}: {flaw}") for flaw in marked.flaws)
    return Scan(name, path.stem, gray, image, page=replace(page, failures=flaws))


def results(recognizer: Recognizer, scans: Iterable[Scan | Failure], task: Task) -> Iterator[Result]:
    """Read scans in order and write each as a file in memory.

    Args:
        recognizer: that reads; the task's own.
        scans: as `scans_of` gives them.
        task: how.
    """
    for reading in read_scans(recognizer, scans, task):
        try:
            yield _result(reading, task)
        except UncialError as error:  # such as a scan that is to be put in a PDF, and is not there any more
            yield failed(reading.name, str(error), task)


def read_scans(recognizer: Recognizer, scans: Iterable[Scan | Failure], task: Task) -> Iterator[Reading]:
    """Read scans in order; each gives a reading, and failures are passed on."""
    waiting: list[Scan] = []
    for scan in scans:
        page = _page_on(recognizer, scan, task) if isinstance(scan, Scan) else None
        line = isinstance(scan, Scan) and page is None
        if line:
            waiting.append(scan)  # type: ignore[arg-type]
        if waiting and (not line or len(waiting) == LINES_AT_ONCE):
            yield from _lines(recognizer, waiting, task)
            waiting.clear()
        if isinstance(scan, Failure):
            yield Reading(scan.id, scan)
        elif page is not None:
            yield Reading(scan.name, recognizer.read_page(scan.gray, Path(scan.name).name, page), scan)
    yield from _lines(recognizer, waiting, task)


def _page_on(recognizer: Recognizer, scan: Scan, task: Task) -> Page | None:
    """The page that a scan shows, with the lines that are marked or found on it; None: it shows a line."""
    if scan.page is not None:
        return scan.page
    if task.shows in ("line", "word") or (task.shows == "auto" and is_strip(scan.gray)):
        return None
    page = recognizer.find_lines(scan.gray, Path(scan.name).name, rotate=task.rotate, cut_off=task.cut_off)
    return None if task.shows == "auto" and shows_line(page) else page


def failed(name: str, reason: str, task: Task) -> Result:
    """The result of a scan that could not be read."""
    return Result(name, data=_file_of(Reading(name, Failure(name, reason)), task.format), unread=(reason,))


def _result(reading: Reading, task: Task) -> Result:
    outcome, kind = reading.outcome, FORMATS[task.format]
    if isinstance(outcome, Failure):
        return failed(reading.name, outcome.reason, task)
    assert reading.scan is not None, "what was read was opened"
    file, data = reading.scan.stem + kind.suffix, _file_of(reading, task.format)
    looked_for = task.rotate == "none" and reading.scan.page is None
    turned = "; if it does not stand upright: --rotate auto" if looked_for else ""
    page = "; if it shows a page: --as page" if task.shows in {"line", "word"} else ""
    if not isinstance(outcome, Page):
        silent = () if outcome.text else (f"{reading.name}: no writing was found{page}",)
        return Result(reading.name, file, data, (), silent)
    there = outcome.text or outcome.failures or outcome.shows_through
    notes = [] if there else [f"{reading.name}: no writing was found on this page{turned}"]
    sure = outcome.confidence if len(outcome.lines) >= ENOUGH_LINES else None
    if sure is not None and sure < DOUBTFUL:
        doubt = f"the model can hardly read this page: its lines' mean confidence is {sure:.0%}"
        notes.append(f"{reading.name}: {doubt}; compare them with the scan, or train on some of them first")
    if outcome.left_out:
        notes.append(
            f"{reading.name}: left out {outcome.left_out} pieces of lines that the picture's rim cuts off, of a facing "
            "page as it seems; to have them, --cut-off"
        )
    if outcome.shows_through:
        shown = f"left out {count_of(outcome.shows_through, 'line')} of the other side that show through"
        notes.append(f"{reading.name}: {shown}, which a mirror makes more legible; to have them, --cut-off")
    lost = tuple(failure.reason for failure in outcome.failures)
    return Result(reading.name, file, data, lost, tuple(notes), page=True)


def _file_of(reading: Reading, format_: str) -> bytes:
    """What was read of one scan, as a file of its own; of what could not be read only JSON tells."""
    if not isinstance(reading.outcome, Page):
        if format_ == "json":
            # A name that is no UTF-8 stays the name that it is: what is escaped is JSON's own spelling of it.
            return (json.dumps(_plain(reading), ensure_ascii=False) + "\n").encode(errors="backslashreplace")
        if isinstance(reading.outcome, Failure):
            return b""
        if format_ == "text":
            return f"{reading.outcome.text}\n".encode()
    return FORMATS[format_].write(*page_of(reading))


def _plain(reading: Reading) -> dict[str, Any]:
    """The JSON of a line image."""
    transcript = reading.outcome
    assert not isinstance(transcript, Page), "a page is written by its format"
    if isinstance(transcript, Failure):
        return {"image": reading.name, "error": transcript.reason}
    return {
        "image": reading.name,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 4),
        **readings_and_words(transcript),
        "graphemes": [
            {
                "grapheme": span.grapheme,
                "left": round(span.left, 1),
                "right": round(span.right, 1),
                "posterior": round(span.posterior, 4),
                "alternatives": [{"grapheme": g, "posterior": round(p, 4)} for g, p in span.alternatives],
            }
            for span in transcript.spans
        ],
    }


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


def _lines(recognizer: Recognizer, scans: Sequence[Scan], task: Task) -> Iterator[Reading]:
    """Line images read together; what is no line image does not stop those beside it."""
    for scan, read in zip(scans, recognizer.try_lines(scan.gray for scan in scans), strict=True):
        if isinstance(read, ImageError):
            yield Reading(scan.name, Failure(scan.name, f"{scan.name}: {read}"), scan)
        else:
            yield Reading(scan.name, _as_word(read) if task.shows == "word" else read, scan)


def _as_word(transcript: Transcript) -> Transcript:
    """The transcript of one word: without the spaces that the network saw between its letters."""
    spans = tuple(span for span in transcript.spans if not span.grapheme.isspace())
    readings = merged((text.replace(" ", ""), share) for text, share in transcript.readings)
    text, words = "".join(span.grapheme for span in spans), transcript.words if len(transcript.words) == 1 else ()
    return replace(transcript, text=text, spans=spans, readings=readings, words=words)
