"""The log of a run: whole after a kill, without the rows that a resumed run makes again."""

import csv
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from test_bundle import full_disk

from uncial.errors import StorageError
from uncial.run_log import COLUMNS, FILE, RunLog


def steps_in(folder: Path) -> list[int]:
    with (folder / FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(tuple(row) == COLUMNS and None not in row.values() for row in rows)
    return [int(row["step"]) for row in rows]


def logged(folder: Path, *steps: int, after: int | None = None) -> RunLog:
    log = RunLog(folder, after)
    for step in steps:
        log.add(step=step, loss=f"{1 / step:.5f}", lines_per_second="30.0")
    log.close()
    return log


def test_what_is_not_given_stays_empty(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "deep" / "run")
    log.add(step=3, cer=0.25)
    log.close()
    assert log.path.read_text(encoding="utf-8") == f"{','.join(COLUMNS)}\n3,,,,,,,0.25\n"


def test_a_new_log_begins_empty_though_there_was_one(tmp_path: Path) -> None:
    logged(tmp_path, 1, 2)
    logged(tmp_path, 5)
    assert steps_in(tmp_path) == [5]


def test_a_resumed_log_drops_the_rows_it_will_make_again(tmp_path: Path) -> None:
    logged(tmp_path, 10, 20, 30)
    logged(tmp_path, 25, 35, after=20)
    assert steps_in(tmp_path) == [10, 20, 25, 35]


@pytest.mark.parametrize("rest", ["3", "30,1,", "30,1,2,3,0.5,30.0,1e-3,", "30,1,2,3,0.5,30.0,1e-3,0.1"])
def test_half_a_row_left_by_a_kill_is_dropped(tmp_path: Path, rest: str) -> None:
    log = logged(tmp_path, 10, 20)
    with log.path.open("a", encoding="utf-8") as file:
        file.write(rest)
    logged(tmp_path, 40, after=30)
    assert steps_in(tmp_path) == [10, 20, 40]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of TensorBoard's own thread
def test_a_full_disk_is_told_and_leaves_a_log_that_can_be_resumed(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    log = RunLog(tmp_path)
    with full_disk(110):
        with pytest.raises(StorageError, match=r"the log could not be written.*--resume"):
            for step in range(1, 20):
                log.add(step=step, loss=0.5)
        with suppress(StorageError):  # if TensorBoard had got as far
            log.close()
        for thread in set(threading.enumerate()) - before:  # what TensorBoard's thread meets belongs to this test
            thread.join(5)
    logged(tmp_path, 9, after=8)
    assert steps_in(tmp_path)[-1] == 9


def test_tensorboard_gets_the_curves(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged(tmp_path, 1, 2, 4)
    logged(tmp_path, 3, after=2)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {"loss", "lines_per_second"} <= set(events.Tags()["scalars"])
    losses = {event.step: event.value for event in events.Scalars("loss")}
    assert losses == pytest.approx({1: 1.0, 2: 0.5, 3: 1 / 3}, abs=1e-4)  # the step that is made again is purged
