"""Parquet in the style of Hugging Face datasets: columns `image` ({bytes, path}, or bytes) and `text`.

Columns `id`, `collection`, `document` (or `doc`), `page` and `split` are used where they are there; without `split`,
a file name such as `train-00000-of-00002.parquet` tells it. Texts are read at once and images on demand, a row group
at a time, of which a few stay in memory.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncial.errors import GroundTruthError, ImageError, MissingExtraError
from uncial.image_file import Gray, load_image
from uncial.sources.files import NOTES, SPLIT_FOLDERS, collection_of, files_of, notes_in
from uncial.sources.sample import Sample

if TYPE_CHECKING:
    import pyarrow.parquet

SUFFIX = ".parquet"
_DAMAGES = (OSError, ValueError, RuntimeError, KeyError)  # all errors of pyarrow are of these
GROUPS_KEPT = 16  # row groups whose images stay in memory; usually 100 to 1000 lines each


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """A line image in a Parquet file.

    Attributes:
        path: of the file.
        group: number of the row group.
        row: within the group.
    """

    path: Path
    group: int
    row: int

    def image(self, name: str) -> Gray:
        """Decode; see `ImageSource`."""
        try:
            data = self._read()
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from error
        return load_image(data, name)

    def file(self) -> bytes | None:
        """The image file's bytes."""
        return self._read()

    def notes(self) -> str:
        """SOURCE.txt as it was stored in the file, or that of its folder."""
        stored = (_opened(self.path).schema_arrow.metadata or {}).get(NOTES.encode(), b"")
        return stored.decode("utf-8", errors="replace") or notes_in(self.path.parent)

    def _read(self) -> bytes:
        try:
            state = self.path.stat()
            value = _images(self.path, self.group, state.st_mtime_ns)[self.row]
        except _DAMAGES as error:
            raise ImageError(f"{self.path}: row group {self.group} cannot be read ({error}); copy it again") from error
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise ImageError(f"{self.path}: row {self.row} of group {self.group} holds no image bytes; embed the image")
        return data


def read_parquet(path: Path) -> list[Sample]:
    """The lines of a Parquet file, or of all those under a folder.

    Raises:
        GroundTruthError: damaged, or without the columns `image` and `text`.
        MissingExtraError: pyarrow is not installed.
    """
    samples = []
    for file in (f for f in files_of(path) if f.suffix.lower() == SUFFIX):
        collection, inner = (
            (collection_of(path), file.relative_to(path)) if path.is_dir() else (path.stem, Path(path.name))
        )
        samples += list(_samples(file, collection, inner.with_suffix("").as_posix()))
    return samples


def _samples(path: Path, collection: str, name: str) -> Iterator[Sample]:
    """The lines of a file; `name` begins the ids of those that have none."""
    stored = _opened(path)
    names = set(stored.schema_arrow.names)
    if not {"image", "text"} <= names:
        raise GroundTruthError(
            f"{path}: has the columns {', '.join(sorted(names))}; it needs 'image' and 'text', rename yours"
        )
    kept = sorted(names & {"text", "id", "collection", "document", "doc", "page", "split"})
    split = SPLIT_FOLDERS.get(path.stem.split("-")[0].lower(), "")
    number = 0
    for group in range(stored.num_row_groups):
        try:
            rows = stored.read_row_group(group, columns=kept, use_threads=False).to_pylist()
        except _DAMAGES as error:
            raise GroundTruthError(f"{path}: row group {group} is damaged ({error}); copy it again") from error
        for row, columns in enumerate(rows):
            told = {column: str(value) for column, value in columns.items() if value is not None}
            values = {"collection": collection, "split": split, "id": f"{name}-{number:06}", **told}
            yield _sample(path, values, (group, row))
            number += 1


def _sample(path: Path, values: dict[str, str], place: tuple[int, int]) -> Sample:
    name, split = values["id"], SPLIT_FOLDERS.get(values["split"].lower(), "")
    if values["split"] and not split:
        raise GroundTruthError(f"{path}: line {name} has split '{values['split']}'; there are train, val and test")
    return Sample(
        id=f"{values['collection']}/{name}",
        text=unicodedata.normalize("NFC", values.get("text", "")),
        collection=values["collection"],
        document=values.get("document") or values.get("doc", ""),
        page=values.get("page") or name,
        split=split,
        source=ParquetImage(path, *place),
        flaw="" if "text" in values else "has an image but no text",
    )


def pyarrow_parquet() -> Any:
    """The module `pyarrow.parquet`.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Parquet files need pyarrow", "parquet") from error
    return pyarrow.parquet


def _opened(path: Path) -> "pyarrow.parquet.ParquetFile":
    try:
        return pyarrow_parquet().ParquetFile(path)
    except _DAMAGES as error:
        raise GroundTruthError(f"{path}: not a Parquet file, or damaged ({error}); copy it again") from error


@lru_cache(maxsize=GROUPS_KEPT)
def _images(path: Path, group: int, _changed: int) -> list[Any]:
    # Not from threads of pyarrow: they do not survive the fork of a worker process.
    with pyarrow_parquet().ParquetFile(path) as stored:
        column = stored.read_row_group(group, columns=["image"], use_threads=False).column("image")
        return column.to_pylist()  # type: ignore[no-any-return]
