"""A checkpoint is whole or not there, and is taken up only by the training it belongs to."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_bundle import full_disk

from uncial.checkpoint import (
    FILE,
    Course,
    alone,
    check_there,
    differ,
    load_checkpoint,
    run_folder,
    save_checkpoint,
    write_whole,
)
from uncial.errors import ConfigError, StorageError, TrainingError

IDENTITY = {"network": {"height": 16, "channels": [4, 6]}, "alphabet": ["a", "b"]}
COURSE = Course(step=7, epoch=1, batch=3, lines=21, seconds=3.5, best_cer=0.5, cer=0.6, skipped=1)


def state(value: float) -> dict[str, Any]:
    return {"network": {"weight": torch.full((60, 60), value)}, "optimizer": {"state": {0: {"step": 7}}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run, with a checkpoint."""
    folder = run_folder(tmp_path / "mine")
    save_checkpoint(folder, state(1.0), COURSE, IDENTITY)
    return folder


def test_the_folder_of_a_run_stands_beside_its_bundle() -> None:
    assert run_folder(Path("models/mine.v2")) == Path("models/mine.v2.run")
    with pytest.raises(ConfigError, match="needs a folder of its own"):
        run_folder(Path())


def test_a_checkpoint_comes_back_as_it_was_saved(folder: Path) -> None:
    whole, course = load_checkpoint(folder, IDENTITY)
    assert course == COURSE
    assert torch.equal(whole["network"]["weight"], torch.ones(60, 60))
    assert whole["optimizer"] == {"state": {0: {"step": 7}}}
    assert list(folder.iterdir()) == [folder / FILE]


@pytest.mark.parametrize("room", [0, 100, 5_000, 14_000])
def test_a_full_disk_leaves_the_earlier_checkpoint_whole(folder: Path, room: int) -> None:
    assert (folder / FILE).stat().st_size > 14_000
    with full_disk(room), pytest.raises(StorageError, match=r"checkpoint\.pt: could not be written.*before is whole"):
        save_checkpoint(folder, state(2.0), Course(), IDENTITY)
    whole, course = load_checkpoint(folder, IDENTITY)
    assert course == COURSE
    assert torch.equal(whole["network"]["weight"], torch.ones(60, 60))
    assert list(folder.iterdir()) == [folder / FILE]


def test_a_full_disk_at_the_first_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    with full_disk(100), pytest.raises(StorageError, match="nothing was written"):
        save_checkpoint(tmp_path / "new.run", state(2.0), Course(), IDENTITY)
    assert list((tmp_path / "new.run").iterdir()) == []


def test_a_stop_while_writing_leaves_the_earlier_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, lambda file: file.write(b"first"))

    def stop(file: Any) -> None:
        file.write(b"second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, stop)
    assert path.read_bytes() == b"first"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        save_checkpoint(tmp_path / "file" / "deep", state(1.0), COURSE, IDENTITY)


@pytest.mark.parametrize(
    ("name", "value"), [("network", {"height": 16, "channels": [4, 8]}), ("alphabet", ["a", "b", "c"])]
)
def test_a_checkpoint_of_another_training_is_refused_by_what_differs(folder: Path, name: str, value: object) -> None:
    with pytest.raises(TrainingError, match=f"made with another {name}; resume with the settings"):
        load_checkpoint(folder, {**IDENTITY, name: value})


def test_only_what_was_stored_can_differ_however_deep_it_stands() -> None:
    told = {"seed": 1, "augment": {"strength": 0.5}}
    assert not differ(told, {"seed": 1, "augment": {"strength": 0.5, "blank": 0.1}, "new": 2})
    assert differ(told, {"seed": 1, "augment": {"strength": 0.6, "blank": 0.1}})
    assert differ(told, {"augment": {"strength": 0.5}})


def test_no_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to resume; leave --resume out"):
        check_there(tmp_path / "bundle")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9_000])


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def other_torch_file(path: Path) -> None:
    torch.save([1, 2, 3], path)


def without_its_course(path: Path) -> None:
    torch.save({"version": 1, "identity": IDENTITY}, path)


@pytest.mark.parametrize(
    "damage", [cut_short, one_bit, other_torch_file, without_its_course, lambda path: path.write_bytes(b"")]
)
def test_a_damaged_checkpoint_is_told_with_a_cure(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder / FILE)
    with pytest.raises(TrainingError, match="no checkpoint or is damaged.*begin anew with another -o"):
        load_checkpoint(folder, IDENTITY)


def test_a_checkpoint_that_would_run_code_is_refused(folder: Path) -> None:
    torch.save({"version": 1, "course": Course()}, folder / FILE)
    with pytest.raises(TrainingError, match="is damaged"):
        load_checkpoint(folder, IDENTITY)


def test_a_checkpoint_of_a_newer_version_is_told(folder: Path) -> None:
    torch.save({"version": 2}, folder / FILE)
    with pytest.raises(TrainingError, match="has version 2, this Uncial knows 1"):
        load_checkpoint(folder, IDENTITY)


def test_a_run_goes_on_though_settings_were_added_since_it_began(folder: Path) -> None:
    network = IDENTITY["network"] | {"added": 3}
    assert load_checkpoint(folder, IDENTITY | {"network": network})[1] == COURSE
    with pytest.raises(TrainingError, match="another network"):
        load_checkpoint(folder, IDENTITY | {"network": network | {"height": 32}})
    with pytest.raises(TrainingError, match="another network"):
        load_checkpoint(folder, IDENTITY | {"network": {"height": 16}})


def test_two_trainings_do_not_share_a_run(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    other = (
        f"from pathlib import Path\nfrom uncial.checkpoint import alone\nwith alone(Path({str(out)!r}), resume=False):"
    )
    with alone(out, resume=False), alone(out, resume=False):  # the same one
        ran = subprocess.run([sys.executable, "-c", f"{other} pass"], capture_output=True, text=True, check=False)
        assert "another training is at work" in ran.stderr
        (tmp_path / "mine.run" / FILE).write_bytes(b"")
    with alone(out, resume=True):  # the first has ended
        pass
    with pytest.raises(StorageError, match="--resume"), alone(out, resume=False):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_where_files_cannot_be_locked_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with alone(tmp_path / "mine", resume=False):
        pass
