"""What several commands share: their options, and how a result becomes a file."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uncial.errors import MissingExtraError, StorageError


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
    """Whether pages may lie on their side."""

    none = "none"
    auto = "auto"


Data = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        help="Ground truth: line archives (.zip), folders of image and .gt.txt pairs, Parquet files, IAM folders, "
        "PAGE or ALTO files; or folders of these.",
        show_default=False,
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        "-m",
        metavar="BUNDLE",
        help="Folder of the bundle; without it, the shipped model.",
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
        help="fast: the network alone; balanced: with the bundle's language model; best: the same of two views of each "
        "line, thrice the time; auto: balanced if there is a language model, else fast."
    ),
]
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
        raise MissingExtraError(
            f'{purpose} needs {missing}, which is not installed; get it with: pip install "uncial[{name}]"'
        ) from error


def check_place(out: Path, inputs: Iterable[str]) -> None:
    """See before the work that its result can be written, and that it would not replace what it is made from.

    Raises:
        StorageError: it lies below a file, in a folder without the right to write, or is an input itself.
    """
    if out.is_file() and any(Path(name).is_file() and out.samefile(name) for name in inputs):
        raise StorageError(f"{out}: is read, so it is not written over; choose another -o")
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not (there.is_dir() or there == out) or not os.access(there, os.W_OK):
        finding = "may not be written" if there.is_dir() or there == out else "is a file, not a folder"
        raise StorageError(f"{out}: cannot be written, since {there} {finding}; choose another -o")


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file beside its place, under a name that nothing else has, and move it there when it is whole.

    A link stays a link; what is no ordinary file, such as /dev/stdout, is written itself. Text becomes UTF-8.

    Raises:
        StorageError: full disk or no permission; what stood there before is untouched.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            _put(path.resolve(), data)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror}); free some space or choose another -o"
        ) from error


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with beside.open("xb") as file:
            file.write(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
