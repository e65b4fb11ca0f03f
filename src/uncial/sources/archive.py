"""Line archives: a zip (or the same unpacked) of line images and `lines.tsv`, one collection each.

`lines.tsv` is UTF-8, tab-separated, without quoting; its first row names the columns `image, text, doc, page, split`,
of which the last three may be missing. Images are decoded on demand; each process opens a zip once.
"""

import os
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from uncial.errors import GroundTruthError, ImageError
from uncial.image_file import Gray, load_image
from uncial.sources.files import IMAGE_SUFFIXES, NOTES, collection_of, files_of, is_seen
from uncial.sources.sample import ImageFile, ImageSource, Sample, without_image

TABLE = "lines.tsv"
SPLITS = ("train", "val", "test", "")
MOST_BYTES = 400_000_000  # of one unpacked member: a zip can hold far more than its size tells
# What the standard library raises on damaged, encrypted or vanished zips.
_DAMAGES = (OSError, KeyError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_SUFFIX = re.compile(r"\.[^./]*$")


@dataclass(frozen=True, slots=True)
class ZipImage:
    """A line image inside a zip."""

    archive: Path
    member: str

    def image(self, name: str) -> Gray:
        """Decode; see `ImageSource`."""
        try:
            data = self._read(self.member)
        except _DAMAGES as error:
            raise ImageError(f"{name}: {self._unreadable(error)}") from error
        return load_image(data, name)

    def file(self) -> bytes | None:
        """The image file's bytes."""
        try:
            return self._read(self.member)
        except _DAMAGES as error:
            raise ImageError(self._unreadable(error)) from error

    def notes(self) -> str:
        """SOURCE.txt of the archive."""
        try:
            return self._read(NOTES).decode("utf-8", errors="replace")
        except _DAMAGES:
            return ""

    def _read(self, member: str) -> bytes:
        return _read_member(_opened(self.archive), member)

    def _unreadable(self, error: Exception) -> str:
        return f"'{self.member}' in {self.archive} cannot be read ({error}); copy the archive again"


def read_archives(path: Path) -> list[Sample]:
    """The lines of a line archive, or of all archives under a folder, packed or unpacked.

    Raises:
        GroundTruthError: a zip is damaged, or `lines.tsv` is missing or not as described above.
    """
    samples = []
    for file in files_of(path):
        if file.suffix.lower() == ".zip":
            samples += _zipped(file)
        elif file.name == TABLE:
            samples += _unpacked(file.parent)
    return samples


def _unpacked(folder: Path) -> list[Sample]:
    members = {file.relative_to(folder).as_posix() for file in _own_files(folder)}
    try:
        table = (folder / TABLE).read_bytes()
    except OSError as error:
        raise GroundTruthError(f"{folder / TABLE}: cannot be read ({error.strerror or error})") from error
    return _samples(folder, collection_of(folder), table, members, lambda name: ImageFile(folder / name, folder))


def _own_files(folder: Path) -> list[Path]:
    """The files under a folder without those of other archives further down."""
    files = files_of(folder)
    others = {file.parent for file in files if file.name == TABLE} - {folder}
    return [file for file in files if others.isdisjoint(file.parents)]


def _zipped(path: Path) -> list[Sample]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            if TABLE not in members:
                raise GroundTruthError(f"{path}: holds no {TABLE}; a line archive has it beside its images")
            table = _read_member(archive, TABLE)
    except _DAMAGES as error:
        raise GroundTruthError(f"{path}: not a zip, or damaged ({error}); copy it again") from error
    return _samples(path, path.stem, table, members, lambda name: ZipImage(path, name))


def _samples(
    path: Path, collection: str, table: bytes, members: Set[str], source: Callable[[str], ImageSource]
) -> list[Sample]:
    """The rows of the table, and the images that none of them names.

    Args:
        path: of the archive.
        collection: its name.
        table: `lines.tsv`.
        members: the names of all files.
        source: of the pixels of a member.
    """
    samples, named = [], set()
    for number, values in _rows(path, table):
        name, text = values["image"], unicodedata.normalize("NFC", values["text"])
        stem = _SUFFIX.sub("", name) or f"row {number}"
        place = (collection, values.get("doc", ""), values.get("page", "") or stem, values.get("split", ""))
        named.add(name)
        if name in members:
            samples.append(Sample(f"{collection}/{stem}", text, *place, source(name)))
        else:
            flaw = f"has a text but no image: {TABLE} names '{name}', which is not in {path}"
            samples.append(without_image(f"{collection}/{stem}", text, place, flaw))
    unnamed = [PurePosixPath(name) for name in sorted(members - named)]
    for image in (name for name in unnamed if name.suffix.lower() in IMAGE_SUFFIXES and all(map(is_seen, name.parts))):
        flaw, id_ = f"has an image but no text; add a row for it to {TABLE}", f"{collection}/{image}"
        samples.append(Sample(id_, "", collection, "", str(image), "", source(str(image)), flaw))
    return samples


def _rows(path: Path, table: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and values of each row after the first.

    Raises:
        GroundTruthError: not as described at the top.
    """
    try:
        # Not splitlines(): a line separator (U+2028) within a text ends no row.
        rows = [row.rstrip("\r").split("\t") for row in table.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise GroundTruthError(f"{path}: {TABLE} is not UTF-8 ({error}); save it as UTF-8") from error
    names = rows[0]
    if not {"image", "text"} <= set(names):
        raise GroundTruthError(f"{path}: {TABLE} names no columns 'image' and 'text' in its first row; add that row")
    for number, row in enumerate(rows[1:], start=2):
        if not "".join(row).strip():  # as at the end of the file
            continue
        if len(row) != len(names):
            raise GroundTruthError(
                f"{path}: {TABLE} row {number} has {len(row)} columns, not {len(names)}; no text may hold a tab"
            )
        values = dict(zip(names, row, strict=True))
        if values.get("split", "") not in SPLITS:
            raise GroundTruthError(
                f"{path}: {TABLE} row {number} has split '{values['split']}'; there are train, val and test"
            )
        yield number, values


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > MOST_BYTES:
        raise ValueError(f"{info.file_size:,} bytes unpacked, the limit is {MOST_BYTES:,}")
    return archive.read(info)


def _opened(path: Path) -> zipfile.ZipFile:
    state = path.stat()
    # A forked process would share the parent's place in the file, hence the process's id.
    return _open(path, os.getpid(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _open(path: Path, _process: int, _changed: int, _size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
