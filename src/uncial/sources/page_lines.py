"""What PAGE and ALTO files have in common: safe XML, the page's image beside it, and lines cut out of it.

A page file gives each line a boundary and a baseline in pixels of an image of a stated size; where the image is
larger or smaller, the points are scaled. Boundaries that are far thinner than the page's others miss ascenders and
descenders (automatic layout analysis leaves such); they are widened to a band around the baseline.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import median

from lxml import etree

from uncial.errors import GroundTruthError, ImageError
from uncial.geometry import Points, band, baseline_of, mean_height, smooth_baseline
from uncial.line_cut import cut_line
from uncial.lineimage import Gray, load_image
from uncial.sources.files import IMAGE_SUFFIXES, collection_of, files_of, folder_names, notes_in
from uncial.sources.sample import ImageSource, NoImage, Sample

THIN = 0.4  # of the page's usual mean height of a boundary: those below are widened
ABOVE, BELOW = 0.85, 0.35  # of the usual mean height: the band that a thin boundary is widened to
LARGEST_FILE = 100_000_000  # bytes of an XML file
PAGES_KEPT = 4  # decoded page images that stay in memory
FARTHEST = 100_000  # pixels; no image format in use holds wider pages
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class WrittenLine:
    """A line as a page file tells it.

    Attributes:
        id: within the file; "" where it has none.
        text: as transcribed; None: the file has no text for it.
        baseline: in reading direction; empty where the file has none.
        boundary: polygon; empty where the file has none.
        flaw: why it cannot be used; "" where nothing is wrong.
    """

    id: str
    text: str | None
    baseline: Points = ()
    boundary: Points = ()
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """A page file's lines, and the image they stand on: its name, and its width and height in pixels (0: not told)."""

    image: str
    width: float
    height: float
    lines: tuple[WrittenLine, ...]


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line that is cut out of its page's image when it is asked for; see `WrittenPage` and `WrittenLine`."""

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


def root_of(path: Path) -> str:
    """The name of an XML file's root element without namespace: PcGts is PAGE, alto is ALTO.

    Raises:
        GroundTruthError: not XML.
    """
    try:
        with path.open("rb") as file:
            for _, element in etree.iterparse(file, ("start",), resolve_entities=False, no_network=True):
                return str(etree.QName(element).localname)
    except (etree.XMLSyntaxError, OSError) as error:
        raise GroundTruthError(f"{path}: not well-formed XML ({error}); export it again, or remove it") from error
    return ""


def read_pages(path: Path, root: str, read: Callable[[etree._Element], WrittenPage]) -> list[Sample]:
    """The lines of a page file, or of all those under a folder.

    Args:
        path: file or folder.
        root: name of the root element of files to read.
        read: takes the root element; raises ValueError with finding and cure for what it cannot use.

    Raises:
        GroundTruthError: not well-formed, with a document type declaration, or not of the kind that is read.
    """
    samples = []
    for file in files_of(path):
        if file == path or (file.suffix.lower() == ".xml" and root_of(file) == root):
            element = _parsed(file, root)
            try:
                page = read(element)
            except ValueError as error:
                raise GroundTruthError(f"{file}: {error}") from error
            samples += _samples(file, path if path.is_dir() else path.parent, page)
    return samples


def points_of(text: str | None) -> Points:
    """Points of PAGE ("x,y x,y") or ALTO ("x,y x,y" or "x y x y"); ValueError for anything else."""
    numbers = re.split(r"[\s,]+", (text or "").strip()) if text and text.strip() else []
    if len(numbers) % 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise ValueError(f"'{(text or '')[:40]}' is no list of points")
    values = [float(number) for number in numbers]
    if any(abs(value) > FARTHEST for value in values):
        raise ValueError(f"'{max(values, key=abs):g}' is no place on a page")
    return tuple(zip(values[::2], values[1::2], strict=True))


def number_of(text: str | None) -> float:
    """A number not below 0, or 0 where there is none."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) and float(text) > 0 else 0.0


def widened(lines: Sequence[WrittenLine]) -> list[WrittenLine]:
    """The lines of a page, each with a boundary, those without or with a thin one as a band around the baseline.

    Lines without either are given a flaw.
    """
    heights = [_height(line) if len(line.boundary) > 2 else 0.0 for line in lines]
    known = [height for height in heights if height > 0]
    usual = median(known) if known else _spacing(lines)
    return [_with_boundary(line, height, usual) for line, height in zip(lines, heights, strict=True)]


def _with_boundary(line: WrittenLine, height: float, usual: float) -> WrittenLine:
    if line.flaw or height > THIN * usual:
        return line
    try:
        baseline = line.baseline if len(line.baseline) > 1 else baseline_of(line.boundary)
        baseline = smooth_baseline(baseline, 2 * usual)
        return replace(line, baseline=baseline, boundary=band(baseline, ABOVE * usual, BELOW * usual))
    except ValueError:
        return replace(line, flaw="has neither boundary nor baseline; draw one of them")


def _height(line: WrittenLine) -> float:
    """How high the boundary is on the average; 0 where that cannot be told."""
    try:
        baseline = line.baseline if len(line.baseline) > 1 else baseline_of(line.boundary)
        return mean_height(baseline, line.boundary)
    except ValueError:
        return 0.0


def _spacing(lines: Sequence[WrittenLine]) -> float:
    """The usual distance from baseline to baseline on a page without boundaries."""
    middles = sorted(sum(y for _, y in line.baseline) / len(line.baseline) for line in lines if line.baseline)
    steps = [below - above for above, below in zip(middles, middles[1:], strict=False) if below - above > 4]
    return median(steps) if steps else 60.0


def _samples(path: Path, root: Path, page: WrittenPage) -> list[Sample]:
    collection, folders = collection_of(root), [name for name in folder_names(path, root) if name not in _INNER]
    image = _image_beside(path, page.image)
    samples, ids = [], set()
    for number, line in enumerate(widened(page.lines), start=1):
        name = line.id if line.id and line.id not in ids else f"line-{number}"
        ids.add(name)
        flaw = line.flaw or ("has no text; transcribe it" if line.text is None else "")
        source: ImageSource = NoImage(flaw)
        if image is None:
            flaw = f"has a text but no image: {page.image or path.stem} lies neither beside {path} nor above"
            source = NoImage(flaw)
        elif not line.flaw:
            source = PageLine(image, page.width, page.height, line.baseline, line.boundary)
        id_ = "/".join((collection, *folders, path.stem, name))
        samples.append(Sample(id_, line.text or "", collection, "/".join(folders), path.stem, "", source, flaw))
    return samples


_INNER = ("page", "alto")  # folders that Transkribus and eScriptorium put page files into, beside their images


def _image_beside(path: Path, told: str) -> Path | None:
    """The page's image: the file that is told, or one of its or the page file's name; nearby."""
    name = re.split(r"[/\\]", told)[-1]
    stems = dict.fromkeys((Path(name).stem, path.stem))
    for folder in (path.parent, path.parent.parent, path.parent / "images", path.parent.parent / "images"):
        names = [stem + s for stem in stems if stem for suffix in IMAGE_SUFFIXES for s in (suffix, suffix.upper())]
        for candidate in (folder / n for n in (name, *names) if n):
            if candidate.suffix.lower() != ".xml" and _is_file(candidate):
                return candidate
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name longer than a file's may be
        return False


def _parsed(path: Path, root: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise GroundTruthError(f"{path}: larger than {LARGEST_FILE:,} bytes, no page file of one page; split it")
        tree = etree.parse(str(path), parser)
    except etree.XMLSyntaxError as error:
        raise GroundTruthError(f"{path}: not well-formed XML ({error.msg}); export it again") from error
    except OSError as error:
        raise GroundTruthError(f"{path}: cannot be read ({error.strerror or error})") from error
    if tree.docinfo.doctype:
        raise GroundTruthError(f"{path}: has a document type declaration, which is not read; remove <!DOCTYPE …>")
    element = tree.getroot()
    if etree.QName(element).localname != root:
        raise GroundTruthError(f"{path}: its root is <{etree.QName(element).localname}>, not <{root}>; name page files")
    return element


@lru_cache(maxsize=PAGES_KEPT)
def _page_image(path: Path, _changed: int, width: float, height: float) -> Gray:
    """The page, of the size that its page file tells, or of the same shape and another size."""
    page = load_image(path)
    found_height, found_width = page.shape
    if width and height and abs(found_width * height - found_height * width) > 0.02 * found_height * width:
        raise ImageError(
            f"{path}: is {found_width} x {found_height} pixels, but its page file was made for {width:.0f} x "
            f"{height:.0f}; put the image beside that the lines were drawn on"
        )
    return page
