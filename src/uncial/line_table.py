"""The table of an evaluation: a row for each line, for spreadsheets and scripts."""

import csv
import io
from pathlib import Path

from uncial.document import Transcript
from uncial.errors import StorageError
from uncial.evaluation import Evaluation

COLUMNS = ("id", "reference", "transcript", "errors", "graphemes", "confidence", "repeated", "failure")


def check_table_path(path: Path | None) -> None:
    """Make sure that a table may be written here, if one is wanted; worth asking before the reading begins.

    Raises:
        StorageError: something that is not an earlier table is at this path.
    """
    head = "\t".join(COLUMNS).encode()
    try:
        with path.open("rb") if path else io.BytesIO(head) as file:
            known = file.read(len(head)) == head
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: cannot be a table's file ({error}); choose another --lines") from error
    if not known:
        raise StorageError(f"{path}: is there already and is no table of Uncial; choose another --lines")


def line_table(evaluation: Evaluation) -> str:
    """Tab-separated text with a head of COLUMNS: texts as they were compared, edits and length in graphemes.

    `repeated` is 1 for lines whose text many documents repeat; `failure` says why a line could not be read.
    """
    rows = io.StringIO()
    writer = csv.writer(rows, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in evaluation.lines:
        read, edits = line.transcript, line.raw.graphemes
        told = (read.text, f"{read.confidence:.4f}", "") if isinstance(read, Transcript) else ("", "", read.reason)
        text, confidence, failure = told
        about = (edits.errors, edits.reference, confidence, int(line.repeated), failure)
        writer.writerow((line.sample.id, line.reference, text, *about))
    return rows.getvalue()
