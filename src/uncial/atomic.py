"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder beside `path`, then move it there; what stands there stays whole until the new one is.

    Args:
        path: of the folder.
        files: content by name; nothing else will be in it.

    Raises:
        OSError: it could not be written; the old folder is in place.
    """
    beside = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        for name, data in files.items():
            with (beside / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if path.exists():
            shutil.rmtree(aside(path), ignore_errors=True)
            path.rename(aside(path))
        try:
            beside.rename(path)
        except OSError:
            aside(path).rename(path)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(aside(path), ignore_errors=True)
    with suppress(OSError):  # not every system lets a folder be opened
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def aside(path: Path) -> Path:
    """Where the old bundle stands while the new one is moved in."""
    return path.with_name(f".{path.name}.old")
