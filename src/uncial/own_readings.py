"""Lines that nobody transcribed, with what a bundle reads there: from its own readings it learns a hand.

Much of what the network alone misreads its language model puts right, so that it learns more than it knew; see Kahn,
Lee and Hannun 2020, "Self-training for end-to-end speech recognition".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path, PurePosixPath

import cv2

from uncial.archive import Reading, Task, page_of, read_scans, scans_of
from uncial.atomic import written_whole
from uncial.bundle import load_bundle
from uncial.checkpoint import run_folder
from uncial.document import Failure, Page
from uncial.errors import GroundTruthError, ImageError, TrainingError
from uncial.formats.page_file import image_beside, marked_page
from uncial.formats.xml_files import free_name
from uncial.image_file import Gray
from uncial.line_cut import cut_line
from uncial.scan import STDIN
from uncial.sources import Sample
from uncial.sources.archive import read_archives
from uncial.sources.files import notes_in, some_of
from uncial.sources.sample import NoImage
from uncial.sources.writing import StoredLine, write_archive

COLLECTION = "own-readings"


def place_for(out: Path, beside: Iterable[Sample] = ()) -> Path:
    """Where the lines stand that a run for this bundle learns as they were read: a line archive in the run's folder.

    Args:
        out: folder of the bundle.
        beside: what else it learns from; none of their collections has the archive's name.
    """
    return run_folder(out) / f"{free_name(COLLECTION, {sample.collection for sample in beside})}.zip"


def kept(place: Path) -> list[Sample]:
    """The lines that a run that goes on learns as they were read.

    Raises:
        TrainingError: they are not there.
        GroundTruthError: the archive is damaged.
    """
    if not place.is_file():
        raise TrainingError(f"{place}: what was read is not there to go on with; put it back, or begin with another -o")
    return read_archives(place)


def untranscribed(scans: Sequence[str], samples: Iterable[Sample]) -> list[str]:
    """The scans, each once, without those of which ground truth has texts, as they would be learned as misread, too.

    A scan is known by its path, a page file by that of its image; and by its name, where lines in a folder, an archive
    or a table tell which page they were cut out of.

    Args:
        scans: paths of scans or of page files, or `-`.
        samples: ground truth.

    Raises:
        ImageError: a scan does not exist.
    """
    texts = [sample for sample in samples if not sample.flaw and sample.text.strip()]
    known = {path.resolve() for sample in texts if (path := getattr(sample.source, "path", None))}
    # The page of a line that stands for itself is the line.
    pages = {PurePosixPath(sample.page).name for sample in texts if sample.page != PurePosixPath(sample.id).name}
    named: dict[Path | str, str] = {}
    for name in scans:
        named.setdefault(_shown(name), name)
    return [name for path, name in named.items() if path not in known and Path(name).stem not in pages]


def _shown(name: str) -> Path | str:
    """The image that a scan or a page file shows."""
    path = Path(name)
    if name == STDIN:
        return name
    if not path.exists():
        raise ImageError(f"{name}: no such file")
    if path.suffix.lower() == ".xml":
        with suppress(GroundTruthError):  # why, it is told when it is read
            return (image_beside(path, marked_page(path).image) or path).resolve()
    return path.resolve()


def own_readings(
    model: Path,
    scans: Sequence[str],
    place: Path,
    *,
    tell: Callable[[str], None] = lambda note: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Sample]:
    """Read scans as well as a bundle can, and store their lines with what was read as ground truth to learn from.

    Args:
        model: folder of the bundle, or the name of one that ships.
        scans: pages and lines, as `archive.scans_of` takes them; of page files the lines are taken, not the texts.
        place: of the line archive that is written, which replaces one that is there; its name is their collection's.
        tell: is called with what could not be read.
        progress: is called with the scans read so far and how many there are.

    Returns:
        The lines in which something was read, with what SOURCE.txt beside the scans tells of origin and licence.

    Raises:
        BundleError: no such bundle, or a damaged one.
        GroundTruthError: nothing was read in any of them.
        StorageError: the archive cannot be written.
    """
    bundle = load_bundle(model)
    task = Task(model=bundle.path, quality="best" if bundle.language_model else "fast")
    readings = read_scans(task.recognizer(), scans_of(scans), task)
    folders = dict.fromkeys(Path(name).parent for name in scans if name != STDIN)
    notes = "\n\n".join(dict.fromkeys(told for folder in folders if (told := notes_in(folder).strip())))
    with written_whole(place, "free some space") as beside:
        lines = _lines(readings, len(scans), tell, progress)
        first = next(lines, None)
        if first is None:
            raise GroundTruthError(f"{some_of(scans)}: no writing was read there to learn from; look at them with read")
        write_archive(chain((first,), lines), beside, notes, single=True)
    return read_archives(place)


def _lines(
    readings: Iterable[Reading], total: int, tell: Callable[[str], None], progress: Callable[[int, int], None]
) -> Iterator[StoredLine]:
    """The lines in which something was read, scan by scan; what could not be read is told."""
    taken: set[str] = set()
    for number, reading in enumerate(readings, start=1):
        progress(number, max(number, total))
        if isinstance(reading.outcome, Failure):
            tell(reading.outcome.reason)
            continue
        page, scan = page_of(reading)
        for failure in page.failures:
            tell(failure.reason)
        name = free_name(scan.stem, taken)
        for line in page.lines:
            if line.transcript is not None and line.transcript.text:
                is_page = isinstance(reading.outcome, Page)
                image = cut_line(scan.gray, line.baseline, line.boundary) if is_page else scan.gray
                yield _stored(name, line.id, line.transcript.text, image)


def _stored(page: str, line: str, text: str, image: Gray) -> StoredLine:
    """A line of a page as it is stored, to learn from."""
    sample = Sample(f"{COLLECTION}/{page}/{line}", text, COLLECTION, "", page, "", NoImage("is stored"))
    data = cv2.imencode(".png", image)[1].tobytes()
    return StoredLine(sample, f"{sample.page}/{line}", data, ".png")  # a sample's page is escaped, where it is no UTF-8
