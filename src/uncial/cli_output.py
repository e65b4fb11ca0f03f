"""Where `uncial read` puts what it read: on the screen, into one file, or into a folder; nothing is lost there."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uncial.cli_options import Format, check_free, write_whole
from uncial.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from uncial.archive import Result

TABLES = (Format.csv, Format.tsv)  # which begin with a row of column names
TOGETHER = (Format.text, Format.json, Format.pdf, *TABLES)  # of which one file can hold many scans


def tell(lines: Iterable[str]) -> None:
    """Print what is no result on standard error."""
    for line in lines:
        print(f"uncial: {line}", file=sys.stderr)


def left_to_read(
    names: list[str], out: str | None, suffix: str, *, force: bool, resume: bool
) -> tuple[list[str], set[str]]:
    """The scans that have no file yet, by their names and how many pages they hold.

    Args:
        names: of scans, see `archive.scans_of`.
        out: the folder for the files; where it is none, all scans are left.
        suffix: of the files' names.
        force: files that are there may be written over.
        resume: pass over scans whose files are all there, instead of refusing.

    Returns:
        The scans, and names of files that are there of pages of these, which need not be written again.

    Raises:
        StorageError: a file that holds something is there, and `resume` is off.
    """
    if out is None or force or not (folder := Path(out)).is_dir():
        return names, set()
    inputs = {identity(Path(name)) for name in names} - {None}
    files = {name: files_of(name, folder, suffix) for name in names}
    there = {file for some in files.values() for file in some if file.exists() and identity(file) not in inputs}
    if not resume:
        refuse(sorted(file for file in there if file.is_file() and file.stat().st_size))
        return names, set()
    owner = {file: name for name in reversed(names) for file in files[name]}  # of scans of one name the first
    done = {name for name, some in files.items() if some and all(f in there and owner[f] == name for f in some)}
    left = [name for name in names if name not in done]
    tell([f"{folder}: scans that have their files there and are passed over: {len(names) - len(left):,}"])
    return left, {file.name for name in left for file in files[name] if len(files[name]) > 1 and file in there}


def refuse(there: Sequence[Path]) -> None:
    """Raise StorageError if there are files that would be written over."""
    if there:
        more = f", and {len(there) - 1:,} more like it" if len(there) > 1 else ""
        cure = "read only what is not there yet with --resume, choose another -o, or write over with --force"
        raise StorageError(f"{there[0]}: is there already{more}; {cure}")


def files_of(name: str, folder: Path, suffix: str) -> list[Path]:
    """The files that a scan will be written as; none, where that cannot be told before it is read."""
    from uncial.scan import contents, numbered
    from uncial.together import read_once

    if read_once(name):
        return []
    stem, pages = Path(name).stem, 1 if name.lower().endswith(".xml") else contents(Path(name)).pages
    stems = [stem] if pages == 1 else [numbered(stem, number) for number in range(1, pages + 1)]
    return [folder / f"{one}{suffix}" for one in stems]


def put(  # noqa: PLR0913 - what there is, where it goes, and what must not be lost
    results: Iterable["Result"],
    format_: Format,
    out: str | None,
    unread: list[str],
    names: list[str],
    *,
    several: bool,
    force: bool,
) -> None:
    """Write what was read: to the screen, into one file, or into a folder."""
    if out is not None and is_folder(out, format_, several=several):
        into_folder(results, Path(out), unread, names, force=force)
    else:
        parts = stream(results, format_, several=several)
        into_one(merged(parts) if format_ is Format.pdf else parts, Path(out) if out else None, force=force)


def names_folder(out: str) -> bool:
    """Whether what stands behind -o is a folder's name, whatever is read."""
    return Path(out).is_dir() or out.endswith(("/", os.sep))


def is_folder(out: str, format_: Format, *, several: bool) -> bool:
    """Whether results go into files of their own.

    Raises:
        ConfigError: they must, and the name is that of one file.
    """
    if names_folder(out):
        return True
    apart = several and format_ not in TOGETHER
    if apart and Path(out).suffix:
        raise ConfigError(f"{out}: several pages in the format {format_} cannot be one file; name a folder (-o out/)")
    return apart


def into_folder(results: Iterable["Result"], folder: Path, unread: list[str], names: list[str], *, force: bool) -> None:
    """A file for each scan that was read; what would replace another's, or what is there, is told and not written.

    Args:
        results: as they come.
        folder: for the files.
        unread: gets the reasons why something was not written.
        names: what is read, which is never written over.
        force: other files that are there already may be.
    """
    taken = {identity(Path(name)): f"over {name}, which is read; choose another folder" for name in names}
    taken.pop(None, None)
    try:
        for result in (result for result in results if result.file):
            path = folder / result.file
            if reason := in_the_way(result.name, path, taken, force=force):
                unread.append(reason)
                tell([reason])
            else:
                write_whole(path, result.data)
                taken[identity(path)] = f"as {result.file}, as {result.name} is; read them into two folders"
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"what was read is in {folder}") from None


def in_the_way(name: str, path: Path, taken: Mapping[tuple[int, int] | None, str], *, force: bool) -> str:
    """Why the file of the scan of this name is not written there; "": nothing is in the way."""
    if place := taken.get(identity(path)):
        return f"{name}: would be written {place}"
    try:
        check_free(path, force=force)
    except StorageError:
        return f"{name}: would be written over {path}, which is there already; read it into another folder"
    return ""


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from all others, however it is called; None: there is none."""
    try:
        return (found := path.stat()).st_dev, found.st_ino
    except (OSError, ValueError):
        return None


def into_one(parts: Iterable[bytes], out: Path | None, *, force: bool) -> None:
    """Everything into one file, or to the screen piece by piece; a file is written only when all is there.

    Args:
        parts: of each scan that was read, empty where nothing is written on it; none: nothing was read, and what is
            there stays.
        out: the file; None: the screen.
        force: it may be there already.

    Raises:
        StorageError: it has come to be there while the scans were read.
    """
    if out is None:
        for part in parts:
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
    elif read_ := list(parts):
        check_free(out, force=force)
        write_whole(out, b"".join(read_))


def stream(results: Iterable["Result"], format_: Format, *, several: bool) -> Iterator[bytes]:
    """What was read, one behind the other; in JSON an array of an object each if there are several; tables as one."""
    if several and format_ not in TOGETHER:
        raise ConfigError(f"several pages in the format {format_} cannot be one stream; name a folder with -o")
    began = False
    for number, result in enumerate(results):
        if format_ is Format.json:
            yield (b",\n" if number else b"[\n" if several else b"") + result.data.strip()
        elif result.file and format_ in TABLES and began:
            yield result.data.partition(b"\n")[2]
        elif result.file:
            yield (heading(result, first=number == 0) if several and format_ is Format.text else b"") + result.data
            began = True
    if format_ is Format.json:
        yield b"\n]\n" if several else b"\n"


def merged(parts: Iterable[bytes]) -> Iterator[bytes]:
    """One PDF of the pages, if there are any."""
    from uncial.formats.pdf import merge_pdfs

    if pages := list(parts):
        yield merge_pdfs(pages)


def heading(result: "Result", *, first: bool) -> bytes:
    """What tells several texts apart: a line's name before it, as grep does, or a page's above it, as head does."""
    if result.page:
        return os.fsencode(f"{'' if first else chr(10)}==> {result.name} <==\n")
    return os.fsencode(f"{result.name}:")
