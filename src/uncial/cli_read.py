"""`uncial read`: scans in, text or files out; a scan that cannot be read does not stop the others."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import Backend, Format, HowWell, Model, Quality, Shows, write_whole
from uncial.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from uncial.archive import Reading

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
    n_best: Annotated[
        int, typer.Option("--n-best", metavar="N", min=1, help="Likeliest readings told of each line, in JSON.")
    ] = 1,
    backend: Backend = "auto",
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="PATH", help="Write to this file; or PATH/: a file a scan in this folder."),
    ] = None,
) -> None:
    """Read pages and lines, and print what is written on them.

    Of several lines each has its image's name and a colon before it, and each page a heading. Exit code 3: some of
    several scans could not be read; the reasons are on standard error, and all others were read.
    """
    from uncial.archive import read_scans, scans_of
    from uncial.recognizer import Recognizer
    from uncial.scan import scan_names

    names, unread = scan_names(images), list[str]()
    recognizer = Recognizer.load(model, quality=quality, backend=backend, n_best=n_best)
    readings = read_scans(recognizer, scans_of(names), "line" if shows is Shows.word else shows)
    first, readings = ahead(map(as_word, readings) if shows is Shows.word else readings, 2)
    readings = told(readings, unread, alone=len(first) == len(names) == 1)
    put(readings, format_, out, unread, several=len(first) > 1)
    if unread:
        raise typer.Exit(SOME_UNREAD)


def ahead(readings: Iterator["Reading"], count: int) -> tuple[list["Reading"], Iterator["Reading"]]:
    """The first few readings, and all of them."""
    first = list(islice(readings, count))
    return first, chain(first, readings)


def told(readings: Iterable["Reading"], unread: list[str], *, alone: bool) -> Iterator["Reading"]:
    """Pass readings on, and tell on standard error what could not be read.

    Args:
        readings: as they come.
        unread: is filled with the reasons.
        alone: there is but one scan, so its failure is the command's.
    """
    from uncial.document import Failure, Page

    for reading in readings:
        outcome = reading.outcome
        failures = outcome.failures if isinstance(outcome, Page) else ()
        if isinstance(outcome, Failure) and alone:
            raise ImageError(outcome.reason)
        for failure in (outcome,) if isinstance(outcome, Failure) else failures:
            print(f"uncial: {failure.reason}", file=sys.stderr)
            unread.append(failure.reason)
        yield reading


def as_word(reading: "Reading") -> "Reading":
    """The reading of one word: without the spaces that the network saw between its letters."""
    from uncial.document import Failure, Page

    transcript = reading.outcome
    assert not isinstance(transcript, Page), "a page is written by its format"
    if isinstance(transcript, Failure):
        return reading
    spans = tuple(span for span in transcript.spans if not span.grapheme.isspace())
    text = "".join(span.grapheme for span in spans)
    readings = tuple((other.replace(" ", ""), share) for other, share in transcript.readings)
    return replace(reading, outcome=replace(transcript, text=text, spans=spans, readings=readings))


def put(readings: Iterable["Reading"], format_: Format, out: str | None, unread: list[str], *, several: bool) -> None:
    """Write what was read: to the screen, into one file, or into a folder."""
    if out is not None and is_folder(out, format_, several=several):
        into_folder(readings, format_, Path(out), unread)
    else:
        parts = stream(readings, format_, several=several)
        into_one(merged(parts) if format_ is Format.pdf else parts, Path(out) if out else None)


def is_folder(out: str, format_: Format, *, several: bool) -> bool:
    """Whether results go into files of their own."""
    return Path(out).is_dir() or out.endswith(("/", os.sep)) or (several and format_ not in TOGETHER)


def into_folder(readings: Iterable["Reading"], format_: Format, folder: Path, unread: list[str]) -> None:
    """A file for each scan that was read; of two scans of one name the second is told and not written."""
    from uncial.document import Failure
    from uncial.formats import FORMATS

    written: dict[str, str] = {}
    for reading in readings:
        if isinstance(reading.outcome, Failure) or reading.scan is None:
            continue
        name = reading.scan.stem + FORMATS[format_].suffix
        if name in written:
            reason = f"{reading.name}: would be written as {name}, as {written[name]} is; read them into two folders"
            print(f"uncial: {reason}", file=sys.stderr)
            unread.append(reason)
        else:
            written[name] = reading.name
            write_whole(folder / name, file_of(reading, format_))


def into_one(parts: Iterable[bytes], out: Path | None) -> None:
    """Everything into one file, or to the screen piece by piece; a file is written only when all is there."""
    if out is None:
        for part in parts:
            sys.stdout.buffer.write(part)
            sys.stdout.flush()
    elif whole := b"".join(parts):
        write_whole(out, whole)


def stream(readings: Iterable["Reading"], format_: Format, *, several: bool) -> Iterator[bytes]:
    """What was read, one behind the other; in JSON an array of an object each if there are several."""
    from uncial.document import Failure

    if several and format_ not in TOGETHER:
        raise ConfigError(f"several pages in the format {format_} cannot be one stream; name a folder with -o")
    for number, reading in enumerate(readings):
        if format_ is Format.json:
            yield (b",\n" if number else b"[\n" if several else b"") + file_of(reading, format_).strip()
        elif not isinstance(reading.outcome, Failure):
            before = heading(reading, first=number == 0) if several and format_ is Format.text else b""
            yield before + file_of(reading, format_)
    if format_ is Format.json:
        yield b"\n]\n" if several else b"\n"


def merged(parts: Iterable[bytes]) -> Iterator[bytes]:
    """One PDF of the pages, if there are any."""
    from uncial.formats.pdf import merge_pdfs

    if pages := list(parts):
        yield merge_pdfs(pages)


def heading(reading: "Reading", *, first: bool) -> bytes:
    """What tells several texts apart: a line's name before it, as grep does, or a page's above it, as head does."""
    from uncial.document import Page

    if isinstance(reading.outcome, Page):
        return f"{'' if first else chr(10)}==> {reading.name} <==\n".encode()
    return f"{reading.name}:".encode()


def file_of(reading: "Reading", format_: Format) -> bytes:
    """What was read of one scan, as a file of its own."""
    from uncial.archive import page_of
    from uncial.document import Page, Transcript
    from uncial.formats import FORMATS

    if not isinstance(reading.outcome, Page):
        if format_ is Format.json:
            return (json.dumps(_plain(reading), ensure_ascii=False) + "\n").encode()
        if format_ is Format.text and isinstance(reading.outcome, Transcript):
            return f"{reading.outcome.text}\n".encode()
    return FORMATS[format_].write(*page_of(reading))


def _plain(reading: "Reading") -> dict[str, Any]:
    from uncial.document import Failure, Page
    from uncial.formats.plain import told_readings

    transcript = reading.outcome
    assert not isinstance(transcript, Page), "a page is written by its format"
    if isinstance(transcript, Failure):
        return {"image": reading.name, "error": transcript.reason}
    return {
        "image": reading.name,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 4),
        **told_readings(transcript),
        "graphemes": [
            {
                "grapheme": span.grapheme,
                "left": round(span.left, 1),
                "right": round(span.right, 1),
                "posterior": round(span.posterior, 4),
                "alternatives": [{"grapheme": g, "posterior": round(p, 4)} for g, p in span.alternatives],
            }
            for span in transcript.spans
        ],
    }
