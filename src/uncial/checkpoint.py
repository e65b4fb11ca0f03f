"""A run's folder and its checkpoint; whatever is written is whole or not there.

The checkpoint holds weights, moving average, optimiser and course. It is read with `weights_only`, so opening one
runs no code.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from errno import ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path
from typing import Any, BinaryIO

import torch
from filelock import FileLock, Timeout

from uncial.atomic import written_whole
from uncial.bundle import MODELS
from uncial.errors import ConfigError, StorageError, TrainingError

FILE = "checkpoint.pt"
VERSION = 1
# Of file systems without locks; there, whoever starts two trainings has to look out.
NO_LOCKS = ENOLCK, ENOSYS, EOPNOTSUPP


@dataclass(slots=True)
class Course:
    """Where a run stands.

    Attributes:
        step: optimiser steps.
        epoch: whole passes over the lines.
        batch: batches done in the present pass.
        lines: lines learned from, in each epoch again.
        seconds: of the budget used.
        best_cer: lowest validation CER, as a fraction; None before the first validation.
        cer: of the last validation.
        skipped: steps whose loss or gradient was not finite.
        stale: validations since the best one.
        start_cer: of what the run began with, where that was read; nothing that reads worse is kept.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    lines: int = 0
    seconds: float = 0.0
    best_cer: float | None = None
    cer: float | None = None
    skipped: int = 0
    stale: int = 0
    start_cer: float | None = None

    def skipped_note(self) -> str:
        """How many steps were skipped, to be told behind something else; "": none."""
        if not self.skipped:
            return ""
        return f"; {self.skipped:,} of {self.step:,} steps taught nothing, their loss or gradient was not finite"

    def judge(self, cer: float, tolerance: float) -> bool:
        """Note the CER of a validation; whether that network is to be kept.

        Args:
            cer: as a fraction.
            tolerance: share of the best CER by which it may lie above, though never above the start's.
        """
        if self.best_cer is None or cer < self.best_cer:
            self.best_cer, self.stale = cer, 0
            return True
        self.stale += 1
        worst = self.best_cer * (1 + tolerance)
        return tolerance > 0 and cer <= (worst if self.start_cer is None else min(worst, self.start_cer))


def run_folder(out: Path) -> Path:
    """The folder of a run beside the bundle it makes: `mine` -> `mine.run`.

    Raises:
        ConfigError: `out` has no name of its own, as "." and "/" have none.
    """
    if not out.name:
        raise ConfigError(f"{out}: a bundle needs a folder of its own; write its name behind -o")
    return out.with_name(out.name + ".run")


def begin_anew(out: Path) -> None:
    """See to it that a new run overwrites nothing.

    Raises:
        StorageError: `out` is the name of a shipped bundle, something stands there, or a run for it has begun.
    """
    if str(out) in MODELS:
        raise StorageError(f"{out}: is what a shipped bundle is called; choose another -o")
    if (run_folder(out) / FILE).exists():
        raise StorageError(f"{out}: there is a run for it already; go on with --resume, or choose another -o")
    if out.exists():
        raise StorageError(f"{out}: is there already; choose another -o")


def check_there(out: Path) -> None:
    """See to it that there is a run to go on with.

    Raises:
        TrainingError: there is no checkpoint.
    """
    path = run_folder(out) / FILE
    if not path.exists():
        raise TrainingError(f"{path}: there is no checkpoint to resume; leave --resume out to begin")


def check_run(out: Path, *, resume: bool) -> None:
    """See before the work that a run can go on, or else begin without overwriting anything.

    Raises:
        StorageError: see `begin_anew`.
        TrainingError: see `check_there`.
    """
    (check_there if resume else begin_anew)(out)


@contextmanager
def alone(out: Path, *, resume: bool, rank: int = 0) -> Iterator[None]:
    """Make the run of a bundle this training's own meanwhile, once more seeing that it can go on or begin.

    Within a process it may be asked for again: a command holds it while it reads scans, and the training inside does.

    Args:
        out: folder of the bundle.
        resume: the run is to go on.
        rank: of this process among those that train together; the first one sees to it for all.

    Raises:
        StorageError: another training is at work in it (both would write one checkpoint and log), there cannot be a
            folder for it, or see `begin_anew`.
        TrainingError: see `check_there`.
    """
    if rank:
        yield
        return
    folder = run_folder(out)
    lock = FileLock(folder / "lock", is_singleton=True, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        cure = "wait for its end, or choose another -o"
        raise StorageError(f"{folder}: another training is at work in this folder; {cure}") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise StorageError(f"{folder}: cannot be written ({error.strerror or error}); choose another -o") from error
    try:
        check_run(out, resume=resume)  # another may have ended meanwhile
        yield
    finally:
        left = folder.is_dir() and [file.name for file in folder.iterdir()] == ["lock"]  # nothing came of it
        if left:
            (folder / "lock").unlink()
        if lock.is_locked:
            lock.release()
        if left:
            with suppress(OSError):  # another has just begun
                folder.rmdir()


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file of a run that appears whole or not at all.

    Raises:
        StorageError: full disk or no permission; what stood there before is untouched.
    """
    with written_whole(path, "free some space and --resume") as beside, beside.open("wb") as file:
        try:
            write(file)
        except RuntimeError as error:  # so torch.save reports a full disk
            raise OSError(str(error)) from error


def save_checkpoint(folder: Path, state: dict[str, Any], course: Course, identity: dict[str, Any]) -> None:
    """Write the checkpoint.

    Args:
        folder: of the run.
        state: state dictionaries of tensors and plain values.
        course: where the run stands.
        identity: what must be equal on resuming: network, preprocessing, alphabet.

    Raises:
        StorageError: it could not be written; an earlier checkpoint is whole.
    """
    whole = {"version": VERSION, "course": asdict(course), "identity": identity, **state}
    write_whole(folder / FILE, lambda file: torch.save(whole, file))


def differ(told: Any, now: Any) -> bool:
    """Whether settings that were stored differ from those of now; one that the stored ones lack was added since."""
    if isinstance(told, dict) and isinstance(now, dict):
        return any(differ(value, now.get(name)) for name, value in told.items())
    return bool(told != now)


def load_checkpoint(folder: Path, identity: dict[str, Any]) -> tuple[dict[str, Any], Course]:
    """Read the checkpoint back.

    Raises:
        StorageError: it may not be read.
        TrainingError: it is damaged, or belongs to another network, preprocessing or alphabet.
    """
    path = folder / FILE
    try:
        with zipfile.ZipFile(path) as stored:  # torch.load passes over the checksums that torch.save has written
            if damaged := stored.testzip():
                raise ValueError(f"{damaged} has a wrong checksum")
        whole = torch.load(path, map_location="cpu", weights_only=True)
        if whole["version"] != VERSION:
            raise TrainingError(
                f"{path}: has version {whole['version']}, this Uncial knows {VERSION}; resume with the one that made it"
            )
        course = Course(**whole["course"])
        told = whole["identity"]
        other = [name for name, value in identity.items() if name in told and differ(told[name], value)]
    except PermissionError as error:
        raise StorageError(f"{path}: may not be read; check its rights") from error
    except TrainingError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file can raise nearly anything in torch.load
        raise TrainingError(f"{path}: is no checkpoint or is damaged ({error}); begin anew with another -o") from error
    if other:
        raise TrainingError(
            f"{path}: was made with another {', '.join(other)}; resume with the settings and data it began with, "
            "or begin anew with another -o"
        )
    return whole, course
