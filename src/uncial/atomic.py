"""Files and folders that appear whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from uncial.errors import StorageError


@contextmanager
def written_whole(path: Path, cure: str) -> Iterator[Path]:
    """Give a path to write to, and move what was written there to `path`; if the block raises, it is removed.

    Args:
        path: of the file, or of a folder where nothing stands; a file is replaced, a link stays a link, and folders
            above are made.
        cure: what to do if it cannot be written, as the end of the message.

    Yields:
        A path in the same folder, under a name that nothing else has.

    Raises:
        StorageError: full disk or no permission, in the block too; what stood at `path` before is untouched.
    """
    place = path.resolve()
    beside = place.parent / f".{secrets.token_hex(8)}.new"
    with _storing(path, beside, cure):
        yield beside
        if beside.is_file():
            _sync(beside)
        beside.replace(place)
        _sync_folder(place.parent)


def check_own(path: Path | None, head: bytes, kind: str, option: str) -> None:
    """Make sure that a file may be written here, if one is wanted; worth asking before long work.

    Args:
        path: of the file; None: none is wanted.
        head: what earlier files of its kind begin with; these may be written over.
        kind: of the file, for the message.
        option: that names it.

    Raises:
        StorageError: something that is not an earlier one is at this path.
    """
    if path is None:
        return
    try:
        with path.open("rb") as file:
            known = file.read(len(head)) == head
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: cannot be a {kind}'s file ({error}); choose another {option}") from error
    if not known:
        raise StorageError(f"{path}: is there already and is no {kind} of Uncial; choose another {option}")


def replace_folder(path: Path, files: Mapping[str, bytes], gone: Collection[str] = ()) -> None:
    """Write a folder beside `path`, then move it there; what stands there stays whole until the new one is.

    A link stays a link. What else the folder holds, such as a licence that somebody put there, goes along.

    Args:
        path: of the folder.
        files: content by name.
        gone: names of files that do not go along.

    Raises:
        StorageError: it could not be written; the old folder is in place.
    """
    place, old = path.resolve(), aside(path)
    beside, own = place.with_name(f".{place.name}.new"), {*files, *gone}
    stands_here = place.is_dir() and place.samefile(Path())
    with _storing(path, beside, "free some space"):
        if (there := place if place.exists() else old).exists():
            shutil.copytree(there, beside, symlinks=True, ignore=lambda name, _: own if name == str(there) else ())
        else:
            beside.mkdir()
        for name, data in files.items():
            (beside / name).write_bytes(data)
            _sync(beside / name)
        if place.exists():
            _remove(old)
            place.rename(old)
        try:
            beside.rename(place)
        except OSError:
            old.rename(place)
            raise
        if stands_here:  # else "." would be the old folder, which is removed
            os.chdir(place)
        _remove(old)
        _sync_folder(place.parent)


def aside(path: Path) -> Path:
    """Where the old folder stands while `replace_folder` moves the new one in."""
    place = path.resolve()
    return place.with_name(f".{place.name}.old")


@contextmanager
def _storing(path: Path, beside: Path, cure: str) -> Iterator[None]:
    """Make way for what is written beside `path`, leave nothing of it there, and tell what the system refuses."""
    _remove(beside)
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        kept = "what was there before is whole" if path.exists() else "nothing was written"
        raise StorageError(f"{path}: could not be written ({error.strerror or error}); {kept}; {cure}") from error
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there and may be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    with suppress(OSError):  # not every system lets a folder be opened
        folder = os.open(path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
