"""Whole pages with ground truth: page files beside their images, and which split each belongs to.

The split stands in a table SOURCES.tsv (columns `file` and `split`) beside the page's image or in a folder above it, up
to the one around the folder that was given; where none tells, in the name of a folder below the given one, and else the
page belongs to train.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

from uncial.document import Failure, Page
from uncial.errors import ConfigError, GroundTruthError, ImageError
from uncial.formats.page_file import PAGE_FILES, fitted, image_beside, image_called, read_page_file
from uncial.formats.xml_files import free_name, root_of
from uncial.image_file import Gray, load_image
from uncial.sources.files import SPLIT_FOLDERS, TABLE, files_of, is_seen, table_of
from uncial.sources.page_lines import INNER


@dataclass(frozen=True, slots=True)
class MarkedPage:
    """A page whose lines somebody has marked.

    Attributes:
        id: unique, collection and name, such as "letters/page_3".
        collection: the folder it lies in, or the one above, where that is one of `page_lines.INNER`.
        split: train, val or test; "" where the page cannot be used.
        file: the page file.
        image: of the page; None where the page cannot be used.
        flaw: why it cannot be used; "" where nothing is wrong.
    """

    id: str
    collection: str
    split: str
    file: Path
    image: Path | None
    flaw: str = ""

    def open(self) -> tuple[Gray, Page]:
        """The image, uint8 (H, W), and the lines in its pixels.

        Raises:
            GroundTruthError: the page file cannot be used.
            ImageError: the image cannot be read, or is not of the page file's shape.
        """
        if self.image is None:
            raise GroundTruthError(self.flaw)
        gray = load_image(self.image)
        return gray, fitted(read_page_file(self.file), gray.shape, str(self.image))


def marked_pages(paths: Sequence[Path]) -> list[MarkedPage]:
    """The page files of some folders, by id; those that cannot be used have a flaw. XML of other kinds is passed over.

    Raises:
        GroundTruthError: no such folder, or there is none that can be used.
    """
    pages: list[MarkedPage] = []
    ids: set[str] = set()
    marked: dict[Path, Path] = {}  # page file by image
    for path in paths:
        for file in files_of(path):
            page = _page(file, path) if file.suffix.lower() == ".xml" and is_seen(file.name) else None
            if page is None:
                continue
            if page.image and (first := marked.setdefault(page.image.resolve(), file)) is not file:
                page = _flawed(page, f"{file}: marks the image that {first} marks; name one of them")
            pages.append(replace(page, id=free_name(page.id, ids)))
    if not any(page.image for page in pages):
        names = ", ".join(map(str, paths))
        if pages:
            raise GroundTruthError(f"{names}: none of {len(pages):,} page files can be used; {pages[0].flaw}")
        raise GroundTruthError(f"{names}: no PAGE or ALTO file with its image beside it; export both into one folder")
    return sorted(pages, key=lambda page: page.id)


def opened(
    pages: Sequence[MarkedPage],
    split: str,
    left_out: list[Failure],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[MarkedPage, Gray, Page]]:
    """Open the pages of a split one after the other; what cannot be used does not stop the others.

    Args:
        pages: of ground truth.
        split: which pages; "all": every one.
        left_out: gets the id of each page that cannot be used, and why. To which split one with a flaw would belong is
            not known.
        progress: is called with (pages done, pages in all).

    Yields:
        What `MarkedPage.open` gives, behind the page.
    """
    left_out += [Failure(page.id, page.flaw) for page in pages if page.flaw]
    chosen = [page for page in pages if not page.flaw and split in ("all", page.split)]
    for done, page in enumerate(chosen, start=1):
        try:
            gray, truth = page.open()
        except (GroundTruthError, ImageError) as error:
            left_out.append(Failure(page.id, str(error)))
        else:
            yield page, gray, truth
        progress(done, len(chosen))


def usual_split(pages: Sequence[MarkedPage]) -> str:
    """The split to evaluate where none was asked for: "val", or "all" where no page that can be used belongs to it."""
    return "val" if any(page.split == "val" and not page.flaw for page in pages) else "all"


class OfCollection(Protocol):
    """Something that knows which collection it belongs to."""

    @property
    def collection(self) -> str:
        """Name of the collection."""


P = TypeVar("P", bound=OfCollection)


def grouped(pages: Sequence[P], incomplete: Collection[str]) -> dict[str, list[P]]:
    """Pages by what their rates are told for.

    Args:
        pages: in any order.
        incomplete: collections whose marks leave out some of the writing, so that finding it looks like an error.

    Returns:
        "all"; "all but incomplete", where some are incomplete and some are not; and each collection, by name.

    Raises:
        ConfigError: no page is of one of the incomplete collections.
    """
    names = sorted({page.collection for page in pages})
    if unknown := sorted(set(incomplete) - set(names)):
        raise ConfigError(f"incomplete: no page is of {', '.join(unknown)}; the collections are {', '.join(names)}")
    groups = {"all": list(pages)}
    if incomplete and len(set(incomplete)) < len(names):
        groups["all but incomplete"] = [page for page in pages if page.collection not in incomplete]
    return groups | {name: [page for page in pages if page.collection == name] for name in names}


def _page(file: Path, root: Path) -> MarkedPage | None:
    """The page of an XML file found under this root; None: it is no page file."""
    folder = file.resolve().parent
    while folder.name in INNER:
        folder = folder.parent
    page = MarkedPage(f"{folder.name}/{file.stem}", folder.name, "", file, None)
    try:
        if root_of(file) not in PAGE_FILES:
            return None
        told = read_page_file(file).image
    except GroundTruthError as error:
        return _flawed(page, str(error))
    image = image_beside(file, told)
    if image is None:
        return _flawed(
            page, f"{file}: its image {image_called(told, file)} lies neither beside it nor above; put it there"
        )
    return replace(page, split=_split(image, file, root), image=image)


def _flawed(page: MarkedPage, flaw: str) -> MarkedPage:
    return replace(page, split="", image=None, flaw=flaw)


def _split(image: Path, file: Path, root: Path) -> str:
    """The split of the page with this image and page file, found under this root."""
    folder, image = root if root.is_dir() else root.parent, image.resolve()
    for above in image.parents:
        if above.is_relative_to(folder.resolve().parent) and (split := _told(above / TABLE, image)):
            return split
    below = [part.lower() for part in file.relative_to(folder).parent.parts]
    named = [SPLIT_FOLDERS[part] for part in below if part in SPLIT_FOLDERS]
    return named[-1] if named else "train"


def _told(table: Path, image: Path) -> str:
    """The split that a table above an image tells of it; "": none.

    Raises:
        GroundTruthError: what it tells is no split, or the table cannot be read.
    """
    name = image.relative_to(table.parent).as_posix()
    told = _splits_in(table, table.stat().st_mtime_ns).get(name, "") if table.is_file() else ""
    if told and told.lower() not in SPLIT_FOLDERS:
        raise GroundTruthError(f"{table}: {name} is of split {told!r}, which is none; write train, val or test")
    return SPLIT_FOLDERS[told.lower()] if told else ""


@lru_cache(maxsize=16)  # thousands of pages ask the same few tables
def _splits_in(table: Path, changed: int) -> dict[str, str]:
    """What a table tells of the split of each file, by its first row; `changed` is when, so that none is outdated."""
    del changed
    return {row.get("file", ""): row.get("split", "").strip() for row in reversed(table_of(table))}
