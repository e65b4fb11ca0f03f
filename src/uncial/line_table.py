"""The table of an evaluation: a row for each line, for spreadsheets and scripts."""

import csv
from pathlib import Path

from uncial.atomic import check_own, written_whole
from uncial.document import Transcript
from uncial.evaluation import Evaluation

COLUMNS = ("id", "reference", "transcript", "errors", "graphemes", "confidence", "repeated", "failure")


def write_table(evaluation: Evaluation, path: Path) -> None:
    """Write tab-separated text with a head of COLUMNS: texts as they were compared, edits and length in graphemes.

    `repeated` is 1 for lines whose text many documents repeat; `failure` says why a line could not be read.

    Args:
        evaluation: what is told.
        path: of the table; an earlier one is written over.

    Raises:
        StorageError: something that is not an earlier table is there, or it could not be written.
    """
    check_table_path(path)
    with (
        written_whole(path, "choose another --lines") as beside,
        beside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in evaluation.lines:
            read, edits = line.transcript, line.raw.graphemes
            told = (read.text, f"{read.confidence:.4f}", "") if isinstance(read, Transcript) else ("", "", read.reason)
            text, confidence, failure = told
            about = (edits.errors, edits.reference, confidence, int(line.repeated), failure)
            writer.writerow((line.sample.id, line.reference, text, *about))


def check_table_path(path: Path | None) -> None:
    """Make sure that a table may be written here, if one is wanted; worth asking before the reading begins.

    Raises:
        StorageError: something that is not an earlier table is at this path.
    """
    check_own(path, "\t".join(COLUMNS).encode(), "table", "--lines")
