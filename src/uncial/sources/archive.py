"""Line archives: a zip (or the same unpacked) of line images and `lines.tsv`, one collection each.

`lines.tsv` is UTF-8, tab-separated, without quoting; its first row names the columns `image, text, doc, page, split`,
of which the last three may be missing. Images are decoded on demand; each process opens a zip once.
"""

import os
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from uncial.errors import GroundTruthError, ImageError
from uncial.lineimage import Gray, load_image
from uncial.sources.sample import ImageFile, ImageSource, NoImage, Sample

TABLE = "lines.tsv"
SPLITS = ("train", "val", "test", "")
MOST_BYTES = 400_000_000  # of one unpacked member: a zip can hold far more than its size tells


@dataclass(frozen=True, slots=True)
class ZipImage:
    """A line image inside a zip."""

    archive: Path
    member: str

    def image(self, name: str) -> Gray:
        """Decode; see `ImageSource`."""
        try:
            return load_image(self.file(), name)
        except ImageError as error:
            if str(error).startswith(name):
                raise
            raise ImageError(f"{name}: {error}") from error

    def file(self) -> bytes:
        """The image file's bytes."""
        try:
            return _read_member(_opened(self.archive), self.member)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise ImageError(f"{self.archive}: '{self.member}' cannot be read ({error}); copy it again") from error


def read_archive(path: Path) -> list[Sample]:
    """The lines of an archive: a zip, or a folder that holds the same files.

    Raises:
        GroundTruthError: no zip, damaged, or `lines.tsv` missing or not as described above.
    """
    if path.is_dir():
        members: Collection[str] = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
        return _samples(path, path.name, (path / TABLE).read_bytes(), members, lambda name: ImageFile(path / name))
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            if TABLE not in members:
                raise GroundTruthError(f"{path}: holds no {TABLE}; a line archive has it beside its images")
            table = _read_member(archive, TABLE)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise GroundTruthError(f"{path}: not a zip, or damaged ({error}); copy it again") from error
    return _samples(path, path.stem, table, members, lambda name: ZipImage(path, name))


def _samples(
    path: Path, collection: str, table: bytes, members: Collection[str], source: Callable[[str], ImageSource]
) -> list[Sample]:
    try:
        # Not splitlines(): a line separator (U+2028) within a text ends no row.
        rows = [row.rstrip("\r").split("\t") for row in table.decode("utf-8-sig").split("\n") if row.strip()]
    except UnicodeDecodeError as error:
        raise GroundTruthError(f"{path}: {TABLE} is not UTF-8 ({error}); save it as UTF-8") from error
    if not rows or not {"image", "text"} <= set(rows[0]):
        raise GroundTruthError(f"{path}: {TABLE} names no columns 'image' and 'text' in its first row; add that row")
    place = {column: index for index, column in enumerate(rows[0])}
    samples = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise GroundTruthError(
                f"{path}: {TABLE} row {number} has {len(row)} columns, not {len(rows[0])}; no text may hold a tab"
            )
        name, text = row[place["image"]], unicodedata.normalize("NFC", row[place["text"]])
        document, page, split = (row[place[c]] if c in place else "" for c in ("doc", "page", "split"))
        if split not in SPLITS:
            raise GroundTruthError(f"{path}: {TABLE} row {number} has split '{split}'; there are train, val and test")
        stem = str(PurePosixPath(name).with_suffix("")) if name else f"row {number}"
        there = source(name) if name in members else NoImage(f"'{name}' is in {TABLE} but not in {path}")
        samples.append(Sample(f"{collection}/{stem}", text, collection, document, page or stem, split, there))
    return samples


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
