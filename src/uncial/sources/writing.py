"""Ground truth out: lines stored as pairs, line archives or Parquet, so that reading them back gives the same lines.

Image files are taken over byte by byte; lines cut out of pages become PNG. Notes on origin, licence and attribution
(SOURCE.txt) go along. A writer gets a place that does not exist yet and may leave it half written: whoever calls it
moves the result to where it belongs.
"""

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import cv2
from PIL import Image, UnidentifiedImageError

from uncial.sources.archive import TABLE
from uncial.sources.files import NOTES, TEXT_SUFFIX, safe_name
from uncial.sources.parquet import SUFFIX, pyarrow_parquet
from uncial.sources.sample import Sample

COLUMNS = ("image", "text", "doc", "page", "split")
EPOCH = (1980, 1, 1, 0, 0, 0)  # of all members of a zip, so that the same lines give the same bytes
GROUP = 100  # lines in a row group of Parquet: what is decompressed to reach one image
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line ready to be written.

    Attributes:
        sample: what is known of it.
        name: within its collection; may hold slashes.
        image: its image file.
        suffix: of that file's kind, such as ".png".
    """

    sample: Sample
    name: str
    image: bytes
    suffix: str

    @property
    def text(self) -> str:
        """The text without line breaks and tabs, which none of the forms can hold."""
        return _on_one_line(self.sample.text).strip()


def stored_line(sample: Sample) -> StoredLine:
    """Decode a line's image, to know that it is whole, and take its file or encode it.

    Raises:
        ImageError: it cannot be read.
    """
    pixels = sample.image()
    data = sample.source.file()
    suffix = _SUFFIXES.get(_format(data), "") if data else ""
    if data is None or not suffix:
        data, suffix = cv2.imencode(".png", pixels)[1].tobytes(), ".png"
    return StoredLine(sample, sample.id.removeprefix(f"{sample.collection}/"), data, suffix)


def write_pairs(lines: Iterable[StoredLine], place: Path, notes: str, single: bool) -> None:
    """Write `split/document/page/X.png` and `X.gt.txt` into a folder; folders that would tell nothing are left out."""
    place.mkdir(parents=True)
    taken: set[Path] = set()
    for line in lines:
        sample, stem = line.sample, line.name.rpartition("/")[2]
        folders = [] if single else [safe_name(sample.collection)]
        if sample.page != stem:
            folders += [safe_name(sample.document), safe_name(sample.page)]
        elif sample.document or folders:
            folders += [safe_name(sample.document)]
        folder = place.joinpath(*([sample.split] if sample.split else []), *folders)
        path = next(p for n in count(1) if (p := folder / (safe_name(stem) + (f"-{n}" if n > 1 else ""))) not in taken)
        taken.add(path)
        folder.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + line.suffix).write_bytes(line.image)
        path.with_name(path.name + TEXT_SUFFIX).write_text(line.text + "\n", encoding="utf-8", newline="\n")
    if notes:
        (place / NOTES).write_text(notes, encoding="utf-8")


def write_archive(lines: Iterable[StoredLine], place: Path, notes: str, single: bool) -> None:
    """Write a zip with `lines.tsv` and the images."""
    rows = [COLUMNS]
    with zipfile.ZipFile(place, "w") as archive:
        for line in lines:
            sample = line.sample
            before = "" if single else f"{sample.collection}/"
            name = "/".join(map(safe_name, f"{before}{line.name}".split("/"))) + line.suffix
            archive.writestr(zipfile.ZipInfo(name, EPOCH), line.image)  # images are compressed already
            rows.append((name, line.text, before + sample.document, sample.page, sample.split))
        table = "".join("\t".join(map(_on_one_line, row)) + "\n" for row in rows)
        archive.writestr(zipfile.ZipInfo(TABLE, EPOCH), table, zipfile.ZIP_DEFLATED)
        if notes:
            archive.writestr(zipfile.ZipInfo(NOTES, EPOCH), notes)


def write_parquet(lines: Iterable[StoredLine], place: Path, notes: str, single: bool) -> None:
    """Write a Parquet file that Hugging Face's `datasets` loads with its images; the collection has a column.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    parquet = pyarrow_parquet()
    import pyarrow as pa

    names = ("text", "id", "collection", "document", "page", "split")
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"image": {"_type": "Image"}, **{name: {"dtype": "string", "_type": "Value"} for name in names}}
    told = {"huggingface": json.dumps({"info": {"features": features}}), **({NOTES: notes} if notes else {})}
    schema = pa.schema([("image", image), *((name, pa.string()) for name in names)], metadata=told)
    rows = map(_row, lines)
    with parquet.ParquetWriter(place, schema) as writer:
        while some := list(islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(some, schema))


def write_lines(
    form: str,
    samples: Sequence[Sample],
    place: Path,
    one: bool,
    stored: Callable[[Sequence[Sample]], Iterator[StoredLine]],
) -> None:
    """Write lines in a form of `FORMS`, with the notes of all collections that they are of.

    Args:
        form: its name.
        samples: what to write.
        place: does not exist yet.
        one: one file or folder for all; otherwise a folder with one file for each collection.
        stored: gives those of some samples that can be written.

    Raises:
        OSError: full disk or no permission.
    """
    write, suffix = FORMS[form]
    if one:
        collections = {sample.collection for sample in samples}
        write(stored(samples), place, _notes(samples), len(collections) == 1)
        return
    place.mkdir()
    groups = defaultdict(list)
    for sample in samples:
        groups[sample.collection].append(sample)
    for collection, some in groups.items():
        write(stored(some), place / (safe_name(collection) + suffix), _notes(some), True)


def _notes(samples: Sequence[Sample]) -> str:
    """The notes on each collection's origin, one below the other."""
    first_of = {sample.collection: sample for sample in reversed(samples) if not sample.flaw}
    notes = dict.fromkeys(sample.source.notes().strip() for _, sample in sorted(first_of.items()))
    return "\n\n".join(note for note in notes if note)


def _row(line: StoredLine) -> dict[str, object]:
    sample = line.sample
    return {
        "image": {"bytes": line.image, "path": line.name + line.suffix},
        "text": line.text,
        "id": line.name,
        "collection": sample.collection,
        "document": sample.document,
        "page": sample.page,
        "split": sample.split,
    }


def _on_one_line(text: str) -> str:
    return " ".join(text.splitlines()).replace("\t", " ")


def _format(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format or ""
    except UnidentifiedImageError:
        return ""


Writer = Callable[[Iterable[StoredLine], Path, str, bool], None]

# Form -> writer and the suffix of the file it writes ("": a folder). A writer takes the lines, a place, the notes for
# SOURCE.txt ("" for none), and whether all lines are of one collection, whose name then is that of the place; if they
# are not, the collection's name goes before that of the document.
FORMS: dict[str, tuple[Writer, str]] = {
    "pairs": (write_pairs, ""),
    "archive": (write_archive, ".zip"),
    "parquet": (write_parquet, SUFFIX),
}
