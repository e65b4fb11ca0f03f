"""The layout of the IAM Handwriting Database: `lines.txt`, and `lines/a01/a01-000u/a01-000u-00.png` beside it.

Each row of `lines.txt` is: id, "ok" or "err", gray level, components, x, y, width, height, words joined by "|". Lines
with "err" are used: there the cut into words went wrong, not the text. `forms.txt`, if there, tells each form's
writer, who then is the document. See Marti and Bunke 2002, "The IAM-database".
"""

import unicodedata
from pathlib import Path

from uncial.errors import GroundTruthError
from uncial.sources.files import IMAGE_SUFFIXES, collection_of, files_of, read_text, some_of
from uncial.sources.sample import ImageFile, Sample, without_image

TABLE = "lines.txt"
FORMS = "forms.txt"
COLUMNS = 9


def read_iam(path: Path) -> list[Sample]:
    """The lines of a `lines.txt`, or of those under a folder; images may lie beside the table's folder, too.

    Raises:
        GroundTruthError: a row that is not as described above, or no image at all.
    """
    samples = []
    for table in (file for file in files_of(path) if file.name == TABLE or file == path):
        rows = _rows(table)
        writers = {row[0]: row[1] for row in _rows(table.with_name(FORMS)) if len(row) > 1}
        roots = [folder for parent in (table.parent, table.parent.parent) for folder in (parent / "lines", parent)]
        read = [_line(table, row, roots, writers) for row in rows]
        if all(sample.flaw for sample in read):
            raise GroundTruthError(
                f"{table}: none of its {len(read):,} lines has an image ({some_of([s.id for s in read])}); "
                f"they belong into {table.parent / 'lines'}/a01/a01-000u/a01-000u-00.png and so on"
            )
        samples += read
    return samples


def _rows(table: Path) -> list[list[str]]:
    """The rows without comments, cut into at most nine columns; none where there is no such file."""
    if table.name == FORMS and not table.is_file():
        return []
    return [row.split(maxsplit=COLUMNS - 1) for row in read_text(table).split("\n") if row.strip() and row[0] != "#"]


def _line(table: Path, row: list[str], roots: list[Path], writers: dict[str, str]) -> Sample:
    if len(row) < COLUMNS - 1 or row[1] not in ("ok", "err"):
        raise GroundTruthError(
            f"{table}: '{' '.join(row)[:60]}' is no row of IAM's {TABLE}: id, ok or err, six numbers, words joined by |"
        )
    line, collection = row[0], collection_of(table)
    form = line.rpartition("-")[0] or line
    text = unicodedata.normalize("NFC", row[8].replace("|", " ")).strip() if len(row) == COLUMNS else ""
    place = (collection, writers.get(form, ""), form, "")
    relative = Path(line.split("-")[0], form, line)
    for root in roots:
        for image in (root / relative, root / line):
            for suffix in IMAGE_SUFFIXES:
                if (file := image.with_name(image.name + suffix)).is_file():
                    return Sample(f"{collection}/{line}", text, *place, ImageFile(file, table.parent))
    return without_image(f"{collection}/{line}", text, place, f"has a text but no image: no lines/{relative}.png")
