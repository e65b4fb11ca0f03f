"""The files of a folder of ground truth: which there are, and what their names tell."""

import csv
import io
import lzma
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from uncial.errors import GroundTruthError
from uncial.image_file import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from uncial.image_file import is_folder
from uncial.wording import count_of

TEXT_SUFFIX = ".gt.txt"
TABLE = "SOURCES.tsv"  # origin and split of the files of a folder, by their names
NOTES = "SOURCE.txt"  # origin, licence and attribution of a collection
NAMELESS = "_"  # a folder for what has no name
SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LONGEST_LIST = 5  # names told in a message


def files_of(path: Path) -> list[Path]:
    """The file itself, or all files under a folder in a fixed order; hidden ones and links to folders are passed over.

    Raises:
        GroundTruthError: no such file or folder, or a folder that may not be read.
    """
    if not is_folder(path):
        try:
            path.stat()
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise GroundTruthError(f"{path}: no such file or folder; check the path") from error
        return [path]

    def refused(error: OSError) -> None:
        raise GroundTruthError(f"{error.filename}: cannot be read ({error.strerror}); check its rights") from error

    found = []
    for folder, folders, names in os.walk(path, onerror=refused):
        folders[:] = sorted(name for name in folders if is_seen(name))
        found += [Path(folder, name) for name in sorted(names) if is_seen(name)]
    return found


def text_of(path: Path) -> str:
    """The text of a file; one that ends in .xz is unpacked.

    Raises:
        GroundTruthError: it cannot be read, or is no UTF-8.
    """
    try:
        data = path.read_bytes()
        return (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8-sig")
    except (OSError, lzma.LZMAError, UnicodeDecodeError, EOFError) as error:
        raise GroundTruthError(f"{path}: cannot be read as text ({error}); save it as UTF-8") from error


def table_of(path: Path) -> list[dict[str, str]]:
    """The rows of a SOURCES.tsv: what it tells of each file of its folder; none where there is no such table.

    Raises:
        GroundTruthError: it cannot be read, or is no UTF-8.
    """
    if not path.is_file():
        return []
    rows = csv.DictReader(io.StringIO(text_of(path), newline=""), delimiter="\t")
    return [{name: value or "" for name, value in row.items() if name} for row in rows]


def collection_of(path: Path) -> str:
    """What a folder, or the folder of a file, is called."""
    folder = path if path.is_dir() else path.parent
    return folder.resolve().name or "lines"


def folder_names(path: Path, root: Path) -> list[str]:
    """The folders between a root and a file, outermost first, as `safe_name` took them."""
    return ["" if part == NAMELESS else unquote(part) for part in path.relative_to(root).parent.parts]


def safe_name(name: str) -> str:
    """A name that every file system takes as that of one folder or file; `folder_names` gives it back.

    It is never that of a split.
    """
    if not name:
        return NAMELESS
    if name == NAMELESS or name.lower() in SPLIT_FOLDERS:
        return f"%{ord(name[0]):02X}{name[1:]}"
    kept = "".join(c if ord(c) > 0x9F else quote(c, safe=" !#$&'()+,;=@[]{}~^") for c in name)
    return re.sub(r"^[. ]|[. ]$", lambda end: f"%{ord(end.group()):02X}", kept)


def read_text(path: Path) -> str:
    """A text file in UTF-8, NFC, without white space at its ends.

    Raises:
        GroundTruthError: not UTF-8, or not to be opened.
    """
    try:
        return unicodedata.normalize("NFC", path.read_text(encoding="utf-8-sig")).strip()
    except UnicodeDecodeError as error:
        raise GroundTruthError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise GroundTruthError(f"{path}: cannot be read ({error.strerror or error})") from error


def notes_in(folder: Path) -> str:
    """What SOURCE.txt in this folder tells of origin and licence; "" where there is none."""
    path = folder / NOTES
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def some_of(names: Sequence[str]) -> str:
    """The first few names, for a message."""
    more = f" and {len(names) - LONGEST_LIST:,} more" if len(names) > LONGEST_LIST else ""
    return ", ".join(names[:LONGEST_LIST]) + more


def without_text(path: Path, images: Sequence[str]) -> str:
    """What is told of a folder or file of images that nothing tells the text of, by their names."""
    return (
        f"{path}: {count_of(len(images), 'image')} without text ({some_of(images)}); "
        f"write the text of X.png into X{TEXT_SUFFIX} beside it (to learn from scans as they are read: "
        "uncial train --untranscribed)"
    )


def is_seen(name: str) -> bool:
    """Whether a file or folder of this name is looked at; hidden ones are not, nor what macOS adds to zips."""
    return not name.startswith((".", "__MACOSX"))
