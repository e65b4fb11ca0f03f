"""What several commands share: their options, and how a result becomes a file."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uncial.atomic import written_whole
from uncial.errors import ConfigError, MissingExtraError, StorageError


class Split(StrEnum):
    """Which part of the ground truth."""

    train = "train"
    val = "val"
    test = "test"
    all = "all"


class Format(StrEnum):
    """What a reading is written as; a line image has only the first two."""

    text = "text"
    json = "json"
    page = "page"
    alto = "alto"
    hocr = "hocr"
    pdf = "pdf"
    tei = "tei"
    csv = "csv"
    tsv = "tsv"
    png = "png"


class Form(StrEnum):
    """How ground truth is stored."""

    pairs = "pairs"
    archive = "archive"
    parquet = "parquet"


class Shows(StrEnum):
    """What an image shows."""

    auto = "auto"
    page = "page"
    line = "line"
    word = "word"


class Unit(StrEnum):
    """What systems are compared by."""

    line = "line"
    word = "word"
    both = "both"


class Rotate(StrEnum):
    """Whether pages may lie on their side or stand on their head."""

    none = "none"
    auto = "auto"


DATA = typer.Argument(
    metavar="DATA...",
    help="Ground truth: line archives (.zip), folders of image and .gt.txt pairs, Parquet files, IAM folders, "
    "PAGE or ALTO files; or folders of these.",
    show_default=False,
)
Data = Annotated[list[Path], DATA]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        metavar="BUNDLE",
        help="Folder of the bundle, or 'small', the quicker and worse of two that ship; without it, the better.",
        show_default=False,
    ),
]
Layout = Annotated[
    Path | None,
    typer.Option(
        "--layout",
        metavar="BUNDLE",
        help="Layout bundle that finds the lines, as train-layout makes it; without it, the shipped one.",
        show_default=False,
    ),
]
Backend = Annotated[
    str, typer.Option(metavar="NAME", help="What runs the network: auto, onnx, onnx-int8, openvino or torch.")
]


class Quality(StrEnum):
    """How much work goes into a line; see `decoding.QUALITIES`."""

    auto = "auto"
    fast = "fast"
    balanced = "balanced"
    best = "best"


HowWell = Annotated[
    Quality,
    typer.Option(
        help="fast: the network alone; balanced: with the bundle's language model; best: the same of three views of "
        "each line, thrice the time; auto: balanced if there is a language model, else fast."
    ),
]


class Decoder(StrEnum):
    """What turns posteriors into text; see `decoders.DECODERS`."""

    best_path = "best-path"
    beam = "beam"


HowDecoded = Annotated[
    Decoder | None,
    typer.Option(
        "--decoder",
        help="best-path: the likeliest class of each time step, as quality fast; beam: a search with the language "
        "model, as quality balanced.",
        show_default=False,
    ),
]
Words = Annotated[
    Path | None,
    typer.Option(
        "--words",
        metavar="FILE",
        help="Names, places and other words to expect, one a line in UTF-8; the language model is told of them.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there already.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@contextmanager
def needs_extra(name: str, purpose: str, *packages: str) -> Iterator[None]:
    """Answer a missing optional package with the line that installs it.

    Args:
        name: of the extra in pyproject.toml.
        purpose: what needs it, for the message.
        packages: the names it is imported by.

    Raises:
        MissingExtraError: one of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in packages:
            raise
        raise MissingExtraError(f"{purpose} needs {missing}, which is not installed", name) from error


def quality_for(quality: Quality, decoder: Decoder | None) -> Quality:
    """The quality that is meant, where a decoder may have been named.

    Raises:
        ConfigError: the decoder is not the one of the quality.
    """
    if decoder is None:
        return quality
    least = {Decoder.best_path: Quality.fast, Decoder.beam: Quality.balanced}[decoder]
    if quality is Quality.auto or (quality is Quality.fast) == (least is Quality.fast):
        return least if quality is Quality.auto else quality
    raise ConfigError(f"--decoder {decoder} is not how quality {quality} reads; leave one of them out")


def read_words(path: Path | None) -> tuple[str, ...]:
    """The words of a list, one a line, each once; none without a list.

    Raises:
        ConfigError: no such file, not UTF-8, or nothing in it.
    """
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); --words takes a text file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 ({error}); save it as UTF-8") from error
    words = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not words:
        raise ConfigError(f"{path}: holds no word; write one a line")
    return words


def check_place(out: Path, inputs: Iterable[str], *, force: bool, folder: bool = False) -> None:
    """See before the work that its result can be written, and that it would not replace what is not to be lost.

    Args:
        out: where the result goes.
        inputs: what it is made from, which is never written over.
        force: a file that is there already may be.
        folder: the result may be files in a folder.

    Raises:
        StorageError: it lies below a file or where nobody may write, is an input itself, a folder, or there.
    """
    if out.is_dir() and not folder:
        raise StorageError(f"{out}: is a folder; name a file in it with -o")
    if out.is_file() and any(Path(name).is_file() and out.samefile(name) for name in inputs):
        raise StorageError(f"{out}: is read, so it is not written over; choose another -o")
    check_free(out, force=force)
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not (there.is_dir() or there == out) or not os.access(there, os.W_OK):
        finding = "may not be written" if there.is_dir() or there == out else "is a file, not a folder"
        raise StorageError(f"{out}: cannot be written, since {there} {finding}; choose another -o")


def check_free(out: Path, *, force: bool) -> None:
    """See that no file that holds something would be written over unasked.

    Raises:
        StorageError: one would be.
    """
    if out.is_file() and out.stat().st_size and not is_stream(out) and not force:
        raise StorageError(f"{out}: is there already; choose another -o, or write over it with --force")


def is_stream(path: Path) -> bool:
    """Whether what is written there goes elsewhere, as to /dev/stdout; that may stand for an ordinary file."""
    return path.parent in (Path("/dev"), Path("/dev/fd")) or (path.exists() and not (path.is_file() or path.is_dir()))


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file that appears whole or not at all.

    A link stays a link; a stream, such as /dev/stdout, gets the data behind what it has. Text becomes UTF-8.

    Raises:
        StorageError: full disk or no permission; what stood there before is untouched.
    """
    data = text.encode() if isinstance(text, str) else text
    if not is_stream(path):
        with written_whole(path, "free some space or choose another -o") as beside:
            beside.write_bytes(data)
        return
    try:
        with path.open("ab") as stream:
            stream.write(data)
    except OSError as error:
        raise StorageError(f"{path}: could not be written ({error.strerror}); choose another -o") from error


@contextmanager
def telling_what_is_kept(out: Path) -> Iterator[None]:
    """Tell who interrupts the training of a bundle what it leaves behind, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        checkpoint = out.with_name(f"{out.name}.run") / "checkpoint.pt"
        kept = f"the network kept so far is the bundle {out}" if out.exists() else "there is no bundle yet"
        again = "go on from the last checkpoint with --resume" if checkpoint.exists() else "nothing else was kept"
        read = sorted(checkpoint.parent.glob("own-readings*.zip"))
        if read and not checkpoint.exists():
            again = f"what was read stands in {read[0]}; to learn it, name a copy as DATA"
        raise KeyboardInterrupt(f"{kept}; {again}") from None
