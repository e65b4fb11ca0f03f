"""`uncial read`: images in, text or JSON out; an image that cannot be read does not stop the others."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import Backend, Format, Model, Shows, write_whole
from uncial.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from uncial.document import Transcript
    from uncial.recognizer import Recognizer

STDIN = "-"
SOME_UNREAD = 3  # exit code: some of several images could not be read
AT_ONCE = 64  # images held in memory together; their texts are printed before the next are opened
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".pgm")  # taken from folders


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one image: its transcript, or why there is none."""

    name: str
    outcome: "Transcript | ImageError"


def read(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE", help="Line images, folders of them, or - for one on standard input."),
    ],
    shows: Annotated[
        Shows, typer.Option("--as", help="What an image shows. A word is read without spaces.")
    ] = Shows.line,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="JSON adds confidence, and place and runners-up of each grapheme.")
    ] = Format.text,
    model: Model = None,
    decoder: Annotated[str, typer.Option(metavar="NAME", help="How posteriors become text.")] = "best-path",
    backend: Backend = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to this file, not to the screen.")
    ] = None,
) -> None:
    """Read line images and print what is written on them.

    Prints a line for each image, with the image's name and a colon before it if there are several. Exit code 3: some
    of several images could not be read; the reasons are on standard error, and all others were read.
    """
    from uncial.recognizer import Recognizer

    names, unread = image_names(images), list[ImageError]()
    recognizer = Recognizer.load(model, decoder=decoder, backend=backend)
    readings = told(read_each(recognizer, names), unread, alone=len(names) == 1)
    if shows is Shows.word:
        readings = map(as_word, readings)
    pieces = FORMATS[format_](readings, several=len(names) > 1)
    if out is None:
        sys.stdout.writelines(pieces)
    elif (whole := "".join(pieces)) and len(unread) < len(names):
        write_whole(out, whole)
    if unread:
        raise typer.Exit(SOME_UNREAD)


def image_names(arguments: Sequence[str]) -> list[str]:
    """The arguments, with each folder replaced by the images in it; a folder that has none stays and fails later."""
    names: list[str] = []
    for argument in arguments:
        folder = Path(argument)
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        names += [str(f) for f in files if f.suffix.lower() in SUFFIXES and f.name[0] != "."] or [argument]
    return names


def read_each(recognizer: "Recognizer", names: Sequence[str]) -> Iterator[Reading]:
    """Read images in order; each gives a transcript or an error.

    Args:
        recognizer: that reads.
        names: paths, or `-` for standard input.
    """
    waiting = iter(names)
    while some := list(islice(waiting, AT_ONCE)):
        opened = {n: _open(name, recognizer) for n, name in enumerate(some)}
        lines = {n: line for n, line in opened.items() if not isinstance(line, ImageError)}
        transcripts = dict(zip(lines, recognizer.read_lines(lines.values()), strict=True))
        for n, name in enumerate(some):
            line = opened[n]
            yield Reading(name, line if isinstance(line, ImageError) else transcripts[n])


def told(readings: Iterable[Reading], unread: list[ImageError], *, alone: bool) -> Iterator[Reading]:
    """Pass readings on, and tell on standard error which images could not be read.

    Args:
        readings: as they come.
        unread: is filled with the errors.
        alone: there is but one image, so its error is the command's.
    """
    for reading in readings:
        if isinstance(reading.outcome, ImageError):
            if alone:
                raise reading.outcome
            print(f"uncial: {reading.outcome}", file=sys.stderr)
            unread.append(reading.outcome)
        yield reading


def as_word(reading: Reading) -> Reading:
    """The reading of one word: without the spaces that the network saw between its letters."""
    transcript = reading.outcome
    if isinstance(transcript, ImageError):
        return reading
    spans = tuple(span for span in transcript.spans if not span.grapheme.isspace())
    return Reading(reading.name, replace(transcript, text="".join(span.grapheme for span in spans), spans=spans))


def as_text(readings: Iterable[Reading], *, several: bool) -> Iterator[str]:
    """A line of text for each image that was read, behind its name if there are several, as grep does."""
    for name, transcript in ((r.name, r.outcome) for r in readings):
        if not isinstance(transcript, ImageError):
            yield f"{name}:{transcript.text}\n" if several else f"{transcript.text}\n"


def as_json(readings: Iterable[Reading], *, several: bool) -> Iterator[str]:
    """One object, or an array with an object a line if there are several images."""
    objects = (json.dumps(_plain(reading), ensure_ascii=False) for reading in readings)
    if not several:
        yield from (f"{text}\n" for text in objects)
        return
    for n, text in enumerate(objects):
        yield f"{',' if n else '['}\n{text}"
    yield "\n]\n"


FORMATS = {Format.text: as_text, Format.json: as_json}


def _open(name: str, recognizer: "Recognizer") -> "NDArray[np.uint8] | ImageError":
    """An image in gray, or why it cannot be read."""
    from uncial.image_file import load_image

    try:
        if name == STDIN:
            return load_image(sys.stdin.buffer.read(), "standard input")
        if Path(name).is_dir():
            return ImageError(f"{name}: the folder holds no images ({', '.join(SUFFIXES)})")
        gray = load_image(Path(name), name)
    except ImageError as error:
        return error
    return _checked(gray, name, recognizer)


def _checked(gray: "NDArray[np.uint8]", name: str, recognizer: "Recognizer") -> "NDArray[np.uint8] | ImageError":
    """The image, or why it is no line; known before it is read, it does not stop those beside it."""
    from uncial.lineimage import line_image

    try:
        line_image(gray, recognizer.bundle.line_image)
    except ImageError as error:
        return ImageError(f"{name}: {error}")
    return gray


def _plain(reading: Reading) -> dict[str, Any]:
    transcript = reading.outcome
    if isinstance(transcript, ImageError):
        return {"image": reading.name, "error": str(transcript)}
    return {
        "image": reading.name,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 4),
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
