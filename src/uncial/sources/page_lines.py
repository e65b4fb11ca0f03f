"""Lines of PAGE and ALTO files with page images: cut out of the page that the file was made for.

A page file gives each line a boundary and a baseline in pixels of an image of a stated size (see `formats.page_file`);
where the image is larger or smaller, the points are scaled.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from uncial.errors import GroundTruthError, ImageError
from uncial.formats.marked import WrittenPage
from uncial.formats.page_file import check_shape, image_beside, image_called, marked_page
from uncial.formats.xml_files import free_name, root_of
from uncial.geometry import Points
from uncial.image_file import Gray, load_image
from uncial.line_cut import cut_line
from uncial.sources.files import collection_of, files_of, folder_names, notes_in
from uncial.sources.sample import ImageSource, NoImage, Sample

PAGES_KEPT = 4  # decoded page images that stay in memory
ROOTS = {"PcGts": "page", "alto": "alto"}  # source by the name of the root element


def read_page_xml(path: Path) -> list[Sample]:
    """The lines of a PAGE file, or of all those under a folder; there a file that cannot be read is one flawed line.

    Raises:
        GroundTruthError: not well-formed, with a document type declaration, or no page file.
    """
    return _read_pages(path, "page")


def read_alto(path: Path) -> list[Sample]:
    """The lines of an ALTO file, or of all those under a folder; there a file that cannot be read is one flawed line.

    Raises:
        GroundTruthError: not well-formed, with a document type declaration, no page file, or not measured in pixels.
    """
    return _read_pages(path, "alto")


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line that is cut out of its page's image when it is asked for; see `formats.marked`."""

    path: Path
    width: float
    height: float
    baseline: Points
    boundary: Points

    def image(self, name: str) -> Gray:
        """Cut; see `ImageSource`."""
        try:
            state = self.path.stat()
            page = _page_image(self.path, state.st_mtime_ns, self.width, self.height)
            across, down = (
                page.shape[1] / (self.width or page.shape[1]),
                page.shape[0] / (self.height or page.shape[0]),
            )
            baseline, boundary = (
                tuple((x * across, y * down) for x, y in line) for line in (self.baseline, self.boundary)
            )
            return cut_line(page, baseline, boundary)
        except OSError as error:
            raise ImageError(f"{name}: {self.path}: cannot be read ({error.strerror or error})") from error
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from error

    def file(self) -> bytes | None:
        """None: it is part of a page."""
        return None

    def notes(self) -> str:
        """SOURCE.txt beside the page."""
        return notes_in(self.path.parent)


def page_kind(file: Path) -> str:
    """The source that reads an XML file, "" where it is no page file; what cannot be read is told by that of PAGE."""
    try:
        return ROOTS.get(root_of(file), "")
    except GroundTruthError:
        return "page"


def _read_pages(path: Path, source: str) -> list[Sample]:
    samples = []
    for file in files_of(path):
        if file == path or (file.suffix.lower() == ".xml" and page_kind(file) == source):
            root = path if path.is_dir() else path.parent
            try:
                samples += _samples(file, root, marked_page(file))
            except GroundTruthError as error:
                if file == path:
                    raise
                samples.append(_unread(file, root, f"its page file cannot be read: {error}"))
    return samples


def _unread(path: Path, root: Path, flaw: str) -> Sample:
    """What stands for all lines of a page file that cannot be read: the others of its folder can."""
    collection, folders = collection_of(root), folder_names(path, root)
    id_ = "/".join((collection, *folders, path.name))  # no line has that of a file
    return Sample(id_, "", collection, "/".join(folders), path.stem, "", NoImage(flaw), flaw)


def _samples(path: Path, root: Path, page: WrittenPage) -> list[Sample]:
    collection, folders = collection_of(root), [name for name in folder_names(path, root) if name not in INNER]
    image = image_beside(path, page.image)
    samples: list[Sample] = []
    ids: set[str] = set()
    for number, line in enumerate(page.lines, start=1):
        name = free_name(line.id or f"line-{number}", ids)
        flaw = line.flaw or ("has no text; transcribe it" if line.text is None else "")
        source: ImageSource = NoImage(flaw)
        if image is None:
            flaw = f"has a text but no image: {image_called(page.image, path)} lies neither beside {path} nor above"
            source = NoImage(flaw)
        elif not line.flaw:
            source = PageLine(image, page.width, page.height, line.baseline, line.boundary)
        id_ = "/".join((collection, *folders, path.stem, name))
        samples.append(Sample(id_, line.text or "", collection, "/".join(folders), path.stem, "", source, flaw))
    return samples


INNER = ("page", "alto")  # folders that Transkribus and eScriptorium put page files into, beside their images


@lru_cache(maxsize=PAGES_KEPT)
def _page_image(path: Path, _changed: int, width: float, height: float) -> Gray:
    """The page, of the size that its page file tells, or of the same shape and another size."""
    page = load_image(path)
    check_shape(str(path), page.shape, width, height)
    return page
