"""Whole pages with ground truth: page files beside their images, and which split each belongs to.

The split stands in a table SOURCES.tsv above the page (columns `file` and `split`); where there is none, in the name
of a folder, and else the page belongs to train.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uncial.document import Page
from uncial.errors import GroundTruthError
from uncial.formats.page_file import PAGE_FILES, fitted, image_beside, read_page_file
from uncial.formats.xml_files import root_of
from uncial.image_file import Gray, load_image
from uncial.sources.files import SPLIT_FOLDERS, files_of, is_seen

TABLE = "SOURCES.tsv"


@dataclass(frozen=True, slots=True)
class MarkedPage:
    """A page whose lines somebody has marked.

    Attributes:
        id: collection and name, such as "letters/page_3".
        collection: the folder it lies in.
        split: train, val or test.
        file: the page file.
        image: of the page.
    """

    id: str
    collection: str
    split: str
    file: Path
    image: Path

    def open(self) -> tuple[Gray, Page]:
        """The image, uint8 (H, W), and the lines in its pixels.

        Raises:
            GroundTruthError: the page file cannot be used.
            ImageError: the image cannot be read, or is not of the page file's shape.
        """
        gray = load_image(self.image)
        return gray, fitted(read_page_file(self.file), gray.shape, str(self.image))


def marked_pages(paths: Sequence[Path]) -> list[MarkedPage]:
    """The page files of some folders that have their image beside them, by id.

    Raises:
        GroundTruthError: there is none.
    """
    pages = []
    for path in paths:
        for file in files_of(path):
            if file.suffix.lower() != ".xml" or not is_seen(file.name) or root_of(file) not in PAGE_FILES:
                continue
            told = image_beside(file, read_page_file(file).image)
            if told is not None:
                collection = file.resolve().parent.name
                pages.append(MarkedPage(f"{collection}/{file.stem}", collection, _split(told, path), file, told))
    if not pages:
        names = ", ".join(map(str, paths))
        raise GroundTruthError(f"{names}: no PAGE or ALTO file with its image beside it; export both into one folder")
    return sorted(pages, key=lambda page: page.id)


def _split(image: Path, root: Path) -> str:
    """The split of the page with this image, found under this root."""
    folder = (root if root.is_dir() else root.parent).resolve()
    for above in (folder, folder.parent):
        table = above / TABLE
        if table.is_file() and image.resolve().is_relative_to(above):
            split = _table(table).get(image.resolve().relative_to(above).as_posix())
            if split:
                return split
    named = [SPLIT_FOLDERS[part.lower()] for part in image.parts if part.lower() in SPLIT_FOLDERS]
    return named[-1] if named else "train"


def _table(path: Path) -> dict[str, str]:
    """The split of each file."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row.get("split") or "" for row in csv.DictReader(file, delimiter="\t") if row.get("file")}
