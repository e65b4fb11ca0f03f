"""CSV and TSV: one row a line, for spreadsheets and scripts.

Fields of CSV that need it are quoted. TSV knows no quotes: tabs and line breaks in a text become spaces.
"""

import csv
import io
from collections.abc import Iterator

from uncial.document import Line, Page
from uncial.formats.plain import encoded, one_line
from uncial.formats.words import line_box
from uncial.scan import Scan

COLUMNS = ("page", "region", "line", "text", "confidence", "left", "top", "right", "bottom", "baseline")


def write_csv(page: Page, scan: Scan) -> bytes:
    """Comma-separated, with a row of column names; places in pixels of the page."""
    del scan
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(_rows(page))
    return encoded(table.getvalue())


def write_tsv(page: Page, scan: Scan) -> bytes:
    """The same, tab-separated."""
    del scan
    rows = ([one_line(value).replace("\t", " ") for value in row] for row in _rows(page))
    return encoded("".join("\t".join(row) + "\n" for row in rows))


def _rows(page: Page) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for region in page.regions:
        for line in region.lines:
            yield (page.image, region.id, line.id, *_values(line, page))


def _values(line: Line, page: Page) -> Iterator[str]:
    yield line.transcript.text if line.transcript else ""
    yield f"{line.transcript.confidence:.4f}" if line.transcript else ""  # empty: not read
    box = line_box(line, page)
    yield from (f"{value:.0f}" for value in (box.left, box.top, box.right, box.bottom))
    yield " ".join(f"{x:.0f},{y:.0f}" for x, y in line.baseline)
