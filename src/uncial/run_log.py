"""What a training tells while it goes on, and its `log.csv`; TensorBoard's events too where the extra is installed."""

import csv
import io
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncial.checkpoint import write_whole
from uncial.errors import StorageError

FILE = "log.csv"
COLUMNS = ("step", "epoch", "lines", "seconds", "loss", "lines_per_second", "learning_rate", "cer")
CURVES = ("loss", "lines_per_second", "learning_rate", "cer")  # drawn against the step
LOG_MINUTES = 1.0  # between rows
RECENT = 50  # steps over which loss and speed are told


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run tells while it goes on.

    Attributes:
        step: optimiser steps so far.
        epoch: passes over the training lines, with the fraction of the present one.
        done: share of the budget that is used, 0 to 1.
        loss: mean over the last steps, nats per grapheme; nan before the first.
        lines_per_second: lines learned from per second of wall time, over the last steps.
        seconds_left: of the budget, as far as can be told; None before that.
        cer: of the last validation, as a fraction; None before the first.
        best_cer: the lowest so far.
        note: a sentence worth keeping on the screen, or "".
    """

    step: int
    epoch: float
    done: float
    loss: float
    lines_per_second: float
    seconds_left: float | None
    cer: float | None
    best_cer: float | None
    note: str = ""


Watch = Callable[[Progress], None]


class Lately:
    """Loss and speed over the last steps."""

    def __init__(self) -> None:
        """No steps yet."""
        self._steps: deque[tuple[float, int, float]] = deque(maxlen=RECENT)

    def add(self, loss: float, lines: int, seconds: float) -> None:
        """One step: its loss in nats per grapheme, nan where it was skipped; lines it learned from; its wall time."""
        self._steps.append((loss, lines, seconds))

    @property
    def loss(self) -> float:
        """Mean of the steps that were not skipped, in nats per grapheme; nan where there was none."""
        losses = [loss for loss, _, _ in self._steps if math.isfinite(loss)]
        return sum(losses) / len(losses) if losses else math.nan

    @property
    def lines_per_second(self) -> float:
        """Lines learned from per second of wall time; 0 before the first step."""
        seconds = sum(seconds for _, _, seconds in self._steps)
        return sum(lines for _, lines, _ in self._steps) / seconds if seconds else 0.0


class RunLog:
    """Rows of numbers, one every so often."""

    def __init__(self, folder: Path, after_step: int | None = None) -> None:
        """Open the log of a run.

        Args:
            folder: of the run; it is made.
            after_step: rows beyond this step are dropped, since a resumed run makes them again; None: a new log.

        Raises:
            StorageError: it cannot be written.
        """
        self.path = folder / FILE
        rows = [] if after_step is None else [row for row in rows_of(folder) if int(row["step"]) <= after_step]
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_whole(self.path, lambda file: file.write(text.getvalue().encode()))
        self._events = _events(folder / "tensorboard", after_step)

    def add(self, **row: float | str) -> None:
        """Add a row; columns that are not given stay empty.

        Raises:
            StorageError: it could not be written.
        """
        try:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n").writerow(row)
            for name in CURVES:
                if self._events is not None and name in row:
                    self._events.add_scalar(name, float(row[name]), int(row["step"]))
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Write out what TensorBoard still holds.

        Raises:
            StorageError: it could not be written.
        """
        try:
            if self._events is not None:
                self._events.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> StorageError:
        folder = self.path.parent
        return StorageError(f"{folder}: the log could not be written ({error}); free some space and --resume")


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The whole rows of a run's log, by the names in COLUMNS; a killed run may have left half of one."""
    path = folder / FILE
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [row for row in csv.DictReader(whole.splitlines()) if None not in row.values() and row["step"].isdigit()]


def _events(folder: Path, after_step: int | None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the extra is not installed
        return None
    return SummaryWriter(str(folder), purge_step=None if after_step is None else after_step + 1)
