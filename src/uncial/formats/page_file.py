"""PAGE and ALTO files in: a page with the regions and lines that somebody, or another program, has marked on it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lxml import etree

from uncial.document import Line, Page, Region, Transcript
from uncial.errors import GroundTruthError, ImageError
from uncial.formats.alto import marked_in_alto
from uncial.formats.marked import WrittenLine, WrittenPage, WrittenRegion, widened
from uncial.formats.page_xml import marked_in_page_xml
from uncial.formats.words import clipped
from uncial.formats.xml_files import free_name, parsed
from uncial.geometry import Box, Points, baseline_of, box_around
from uncial.image_file import IMAGE_SUFFIXES

NO_IMAGES = ".xml", ".pdf"
OF_SEVERAL = re.compile(r".+#([0-9]+)")  # the name of one page of a file of several

PAGE_FILES: dict[str, Callable[[etree._Element], WrittenPage]] = {
    "PcGts": marked_in_page_xml,
    "alto": marked_in_alto,
}
"""What a page file tells, by the name of its root element; ValueError with finding and cure for what is of no use."""


def read_page_file(path: Path) -> Page:
    """The page that a PAGE (2010 to 2019) or ALTO (2 to 4) file describes.

    Lines without boundary or baseline get them from what they have; points beyond the page's edges are moved onto them.
    Lines that cannot be used are left out: `marked_page(path).flaws` tells which, and why. A text whose confidence is
    not told has 1; where there is neither, as other programs write it for lines nobody has read, there is no
    transcript. Places of words and letters are not read.

    Raises:
        GroundTruthError: see `marked_page`, or the file does not tell the size of the page.
    """
    return page_of(marked_page(path), path)


def marked_page(path: Path) -> WrittenPage:
    """What a PAGE or ALTO file tells, each of its lines with a boundary or a flaw.

    Raises:
        GroundTruthError: cannot be read, not well-formed, with a document type declaration, neither PAGE nor ALTO, not
            measured in pixels, or of several pages.
    """
    root = parsed(path)
    name = etree.QName(root).localname
    if name not in PAGE_FILES:
        raise GroundTruthError(f"{path}: its root is <{name}>, not <PcGts> (PAGE) or <alto>; name page files")
    try:
        page = PAGE_FILES[name](root)
    except ValueError as error:
        raise GroundTruthError(f"{path}: {error}") from error
    return page.with_lines([_on_paper(line, page) for line in widened(page.lines)])


def page_of(marked: WrittenPage, path: Path) -> Page:
    """The lines of a page file that can be used, in their regions; see `read_page_file`."""
    if not (marked.width >= 1 and marked.height >= 1):
        raise GroundTruthError(f"{path}: does not tell the width and height of its image; add them in pixels")
    paper = Box(0, 0, marked.width - 1, marked.height - 1)
    ids: set[str] = set()
    regions = []
    for region in marked.regions:
        id_ = free_name(region.id or "region", ids)
        lines = tuple(_line(line, free_name(line.id or "line", ids), paper) for line in region.lines if not line.flaw)
        if outline := _outline(region, lines):
            regions.append(Region(id_, clipped(outline, paper), lines, region.kind))
    return Page(_base_name(marked.image) or path.stem, round(marked.width), round(marked.height), tuple(regions))


def image_beside(path: Path, told: str) -> Path | None:
    """The image of a page file: the file that is told, or one of its or the page file's name; nearby.

    Args:
        path: of the page file.
        told: name of the image as it stands in there; folders in it are passed over. "scan.tif#2" is the second page
            of a file of several, of which there has to be an image of its own, called as the page file.

    Returns:
        None where there is none beside the file, in the folder above, or in `images` in either.
    """
    name = _base_name(told)
    of_several = OF_SEVERAL.fullmatch(name)
    stems = dict.fromkeys((path.stem,) if of_several else (Path(name).stem, path.stem))
    suffixes = [s for suffix in IMAGE_SUFFIXES for s in (suffix, suffix.upper())]
    names = [name, *(stem + s for stem in stems if stem for s in suffixes)]
    if of_several and int(of_several[1]) == 1:  # TIFF opens as its first page; PDF is no image
        names.append(name.rpartition("#")[0])
    for folder in (path.parent, path.parent.parent, path.parent / "images", path.parent.parent / "images"):
        for candidate in (folder / n for n in names if n):
            if candidate.suffix.lower() not in NO_IMAGES and _is_file(candidate):
                return candidate
    return None


def image_called(told: str, path: Path) -> str:
    """The image of a page file for a message: as it is told, and by which name a page of PDF or of several is found.

    Args:
        told: name of the image as it stands in the page file; "" where it is not told.
        path: of the page file.
    """
    inside = OF_SEVERAL.fullmatch(_base_name(told)) or told.lower().endswith(".pdf")
    page = f", saved as {path.stem}.png," if inside else ""
    return f"{told or path.stem}{page}"


def check_shape(image: str, shape: tuple[int, ...], width: float, height: float) -> None:
    """See that an image is the one a page file was made for, perhaps in another size.

    Args:
        image: its name, for the message.
        shape: its (H, W) in pixels.
        width: that the page file tells; 0: not told.
        height: the same.

    Raises:
        ImageError: it is of another shape.
    """
    found_height, found_width = shape[:2]
    if width and height and abs(found_width * height - found_height * width) > 0.02 * found_height * width:
        raise ImageError(
            f"{image}: is {found_width} x {found_height} pixels, but its page file was made for {width:.0f} x "
            f"{height:.0f}; put the image beside that the lines were drawn on"
        )


def fitted(page: Page, shape: tuple[int, ...], image: str) -> Page:
    """The page with its points on an image of another size.

    Args:
        page: as its file tells.
        shape: (H, W) of the image in pixels.
        image: its name.

    Raises:
        ImageError: the image is not larger or smaller, but of another shape.
    """
    check_shape(image, shape, page.width, page.height)
    height, width = shape[:2]
    across, down = width / page.width, height / page.height

    def moved(points: Points) -> Points:
        return tuple((x * across, y * down) for x, y in points)

    def moved_line(line: Line) -> Line:
        return replace(line, baseline=moved(line.baseline), boundary=moved(line.boundary))

    regions = tuple(
        replace(region, boundary=moved(region.boundary), lines=tuple(map(moved_line, region.lines)))
        for region in page.regions
    )
    return Page(page.image, width, height, regions)


def _on_paper(line: WrittenLine, page: WrittenPage) -> WrittenLine:
    """The line, with a flaw if no part of it lies on the page."""
    if line.flaw or not (page.width and page.height):
        return line
    if len(set(clipped(line.boundary, Box(0, 0, page.width - 1, page.height - 1)))) > 2:
        return line
    return replace(line, flaw=f"lies outside the page ({page.width:.0f} x {page.height:.0f} pixels); check its points")


def _line(line: WrittenLine, id_: str, paper: Box) -> Line:
    boundary, baseline = clipped(line.boundary, paper), clipped(line.baseline, paper)
    if len(set(baseline)) < 2:
        baseline = clipped(baseline_of(boundary), paper)
    transcript = None
    if line.text or (line.text is not None and line.confidence is not None):
        transcript = Transcript(line.text, 1.0 if line.confidence is None else line.confidence)
    return Line(id_, baseline, boundary, transcript)


def _outline(region: WrittenRegion, lines: Sequence[Line]) -> Points:
    """The region's boundary, or the box around its lines; empty where there is neither."""
    if len(region.boundary) > 2:
        return region.boundary
    return box_around(tuple(point for line in lines for point in line.boundary)).corners if lines else ()


def _base_name(told: str) -> str:
    return re.split(r"[/\\]", told)[-1]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name longer than a file's may be
        return False
