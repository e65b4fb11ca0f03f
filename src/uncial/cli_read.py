"""`uncial read`: scans in, text or files out; a scan that cannot be read does not stop the others."""

import sys
from collections.abc import Iterable, Iterator
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
    check_place,
    quality_for,
    read_words,
)
from uncial.cli_output import left_to_read, names_folder, put, tell
from uncial.errors import ConfigError, GroundTruthError, ImageError

if TYPE_CHECKING:
    from uncial.archive import Result

BINARY = (Format.pdf, Format.png)
SOME_UNREAD = 3  # exit code: some of several scans could not be read
HTML = ".html", ".htm"  # hOCR is HTML that tells places


def read(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Pages or single lines: JPEG, PNG, TIFF, WebP, JPEG 2000, PDF; folders of them; PAGE or ALTO files, "
            "whose lines are taken; or - for a file on standard input.",
        ),
    ],
    shows: Annotated[
        Shows, typer.Option("--as", help="What an image shows; auto looks. A word is read without spaces.")
    ] = Shows.auto,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="JSON adds confidence, and place and runners-up of each grapheme. Without it: as the ending of -o "
            "tells, else text.",
            show_default=False,
        ),
    ] = None,
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
        bool,
        typer.Option(
            "--cut-off", help="Read lines of a facing page or the other side, too, that are cut off or show through."
        ),
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a folder: read only the scans that have no file in it yet.")
    ] = False,
    force: Force = False,
) -> None:
    """Read pages and lines, and print what is written on them.

    Of several lines each has its image's name and a colon before it, and each page a heading. Exit code 3: some of
    several scans could not be read; the reasons are on standard error, and all others were read. 4: none could.
    """
    from uncial.archive import Task
    from uncial.formats import FORMATS
    from uncial.together import portions, processes_for, read_all

    format_, how, unread, done = format_for(format_, out), quality_for(quality, decoder), list[str](), list[str]()
    names = names_in(images, out, force=force, resume=resume)
    task = Task(format_, shows, rotate, model, how, n_best, backend, read_words(words), cut_off, layout)
    left, kept = left_to_read(names, out, FORMATS[format_].suffix, force=force, resume=resume)
    work = portions(left)
    with closing(read_all(work, task, processes_for(work, processes))) as read_:
        first, results = ahead(counted(read_, sum(portion.scans for portion in work), drawn=out is not None), 2)
        results = told(results, unread, done, names[0] if len(first) == len(names) == 1 else None, kept)
        put(results, format_, out, unread, names, several=len(first) > 1, force=force)
    if unread:
        raise typer.Exit(SOME_UNREAD if done or left != names else ImageError.exit_code)


def format_for(named: Format | None, out: str | None) -> Format:
    """The format that is named, else that of the file's ending.

    Raises:
        ConfigError: the ending is that of several formats or of none, or what is no text would go to a terminal.
    """
    from uncial.formats import FORMATS

    ending = "".join(Path(out).suffixes[-2:]).lower() if out and not names_folder(out) else ""
    suffixes = {name: format_.suffix for name, format_ in FORMATS.items()} | {"png": ".png"}
    longest = max((suffix for suffix in suffixes.values() if ending.endswith(suffix)), key=len, default=None)
    meant = ["hocr"] if ending.endswith(HTML) else [name for name, suffix in suffixes.items() if suffix == longest]
    if named is None and len(meant) > 1:
        raise ConfigError(f"{out}: may be {', '.join(meant)}; say which with -f")
    if named is None and ending and not meant:
        known = ", ".join(sorted(set(suffixes.values())))
        raise ConfigError(f"{out}: ends like no format; choose one of {known}, or say which with -f (-f text)")
    format_ = named or Format(meant[0] if meant else "text")
    if format_ in BINARY and out is None and sys.stdout.isatty():
        raise ConfigError(f"-f {format_}: is no text to be shown; name a file with -o")
    return format_


def names_in(images: list[str], out: str | None, *, force: bool, resume: bool) -> list[str]:
    """The scans that are meant; folders that are passed over are told.

    Raises:
        StorageError: `out` cannot be written.
        ConfigError: a name is empty, or there is no folder to go on with.
    """
    from uncial.scan import passed_over, scan_names

    if "" in (*images, out):
        raise ConfigError("a name is empty (a variable that is not set?); name a scan, a folder, or - for a stream")
    names = scan_names(images)
    if out is not None:
        check_place(Path(out), names, force=force, folder=True)
    if resume and (force or out is None or not names_folder(out)):
        raise ConfigError("--resume goes on with a folder of files; name one with -o out/, and leave out --force")
    tell(passed_over(images, out))
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


def told(
    results: Iterable["Result"], unread: list[str], done: list[str], alone: str | None, kept: set[str]
) -> Iterator["Result"]:
    """Pass results on, and tell on standard error what could not be read.

    Args:
        results: as they come.
        unread: is filled with the reasons.
        done: is filled with the names of what was read.
        alone: the only scan, so its failure is the command's; None: there are several.
        kept: names of files of earlier results, which stay; results of these names are not passed on.
    """
    for result in results:
        if alone and not result.file:
            raise (GroundTruthError if alone.lower().endswith(".xml") else ImageError)(*result.unread)
        tell((*result.unread, *result.notes))
        unread += result.unread
        done += [result.name] if result.file else []
        if result.file not in kept:
            yield result
