"""`uncial read`: scans in, text or files out; a scan that cannot be read does not stop the others."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import (
    Backend,
    Force,
    Format,
    HowDecoded,
    HowWell,
    Layout,
    Model,
    Quality,
    Rotate,
    Shows,
    Words,
    check_free,
    check_place,
    quality_for,
    read_words,
    write_whole,
)
from uncial.errors import ConfigError, GroundTruthError, ImageError, StorageError

if TYPE_CHECKING:
    from uncial.archive import Result

SOME_UNREAD = 3  # exit code: some of several scans could not be read
TOGETHER = (Format.text, Format.json, Format.pdf)  # of which one file can hold many scans


def read(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Pages or single lines: JPEG, PNG, TIFF, WebP, JPEG 2000, PDF; folders of them; PAGE or ALTO files, "
            "whose lines are taken; or - for a file on standard input.",
        ),
    ],
    shows: Annotated[
        Shows, typer.Option("--as", help="What an image shows; auto looks. A word is read without spaces.")
    ] = Shows.auto,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="JSON adds confidence, and place and runners-up of each grapheme.")
    ] = Format.text,
    model: Model = None,
    quality: HowWell = Quality.auto,
    decoder: HowDecoded = None,
    n_best: Annotated[
        int,
        typer.Option(
            "--n-best",
            metavar="N",
            min=1,
            help="Likeliest readings told of each line, in JSON; at most as many as the search keeps.",
        ),
    ] = 1,
    backend: Backend = "auto",
    words: Words = None,
    layout: Layout = None,
    rotate: Annotated[
        Rotate, typer.Option(help="Auto: pages may lie on their side or head. Finding lines takes four times as long.")
    ] = Rotate.none,
    cut_off: Annotated[
        bool, typer.Option("--cut-off", help="Read pieces of a facing page's lines, too, that the picture cuts off.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Read with so many processes; without it, with all processors if there is much."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            callback=lambda path: None if path == "-" else path,
            help="Write to this file; or PATH/: a file a scan in this folder; or -: print, as without it.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Read pages and lines, and print what is written on them.

    Of several lines each has its image's name and a colon before it, and each page a heading. Exit code 3: some of
    several scans could not be read; the reasons are on standard error, and all others were read.
    """
    from uncial.archive import Task
    from uncial.together import portions, processes_for, read_all

    names, unread, how = names_in(images, out, force=force), list[str](), quality_for(quality, decoder)
    task = Task(format_, shows, rotate, model, how, n_best, backend, read_words(words), cut_off, layout)
    work = portions(names)
    with closing(read_all(work, task, processes_for(work, processes))) as read_:
        first, results = ahead(counted(read_, sum(portion.scans for portion in work), drawn=out is not None), 2)
        results = told(results, unread, names[0] if len(first) == len(names) == 1 else None)
        put(results, format_, out, unread, names, several=len(first) > 1, force=force)
    if unread:
        raise typer.Exit(SOME_UNREAD)


def names_in(images: list[str], out: str | None, *, force: bool) -> list[str]:
    """The scans that are meant; folders that are passed over are told. StorageError: `out` cannot be written."""
    from uncial.scan import passed_over, scan_names

    names = scan_names(images)
    if out is not None:
        check_place(Path(out), names, force=force, folder=True)
    tell(passed_over(images))
    return names


def counted(results: Iterable["Result"], total: int, *, drawn: bool) -> Iterator["Result"]:
    """Pass results on, and show how many there were; not on a terminal that shows what was read."""
    from uncial.screen import reading_bar

    with reading_bar("scans", hidden=not drawn and sys.stdout.isatty()) as progress:
        for number, result in enumerate(results, start=1):
            progress(number, max(number, total))
            yield result


def ahead(results: Iterator["Result"], count: int) -> tuple[list["Result"], Iterator["Result"]]:
    """The first few results, and all of them."""
    first = list(islice(results, count))
    return first, chain(first, results)


def told(results: Iterable["Result"], unread: list[str], alone: str | None) -> Iterator["Result"]:
    """Pass results on, and tell on standard error what could not be read.

    Args:
        results: as they come.
        unread: is filled with the reasons.
        alone: the only scan, so its failure is the command's; None: there are several.
    """
    for result in results:
        if alone and not result.file:
            raise (GroundTruthError if alone.lower().endswith(".xml") else ImageError)(*result.unread)
        tell((*result.unread, *result.notes))
        unread += result.unread
        yield result


def tell(lines: Iterable[str]) -> None:
    """Print what is no result on standard error."""
    for line in lines:
        print(f"uncial: {line}", file=sys.stderr)


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
        into_one(merged(parts) if format_ is Format.pdf else parts, Path(out) if out else None)


def is_folder(out: str, format_: Format, *, several: bool) -> bool:
    """Whether results go into files of their own.

    Raises:
        ConfigError: they must, and the name is that of one file.
    """
    if Path(out).is_dir() or out.endswith(("/", os.sep)):
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
    except StorageError as error:
        return str(error)
    return ""


def identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from all others, however it is called; None: there is none."""
    try:
        return (found := path.stat()).st_dev, found.st_ino
    except (OSError, ValueError):
        return None


def into_one(parts: Iterable[bytes], out: Path | None) -> None:
    """Everything into one file, or to the screen piece by piece; a file is written only when all is there.

    Args:
        parts: of each scan that was read, empty where nothing is written on it; none: nothing was read, and what is
            there stays.
        out: the file; None: the screen.
    """
    if out is None:
        for part in parts:
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
    elif read_ := list(parts):
        write_whole(out, b"".join(read_))


def stream(results: Iterable["Result"], format_: Format, *, several: bool) -> Iterator[bytes]:
    """What was read, one behind the other; in JSON an array of an object each if there are several."""
    if several and format_ not in TOGETHER:
        raise ConfigError(f"several pages in the format {format_} cannot be one stream; name a folder with -o")
    for number, result in enumerate(results):
        if format_ is Format.json:
            yield (b",\n" if number else b"[\n" if several else b"") + result.data.strip()
        elif result.file:
            yield (heading(result, first=number == 0) if several and format_ is Format.text else b"") + result.data
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
