"""What several commands share: their options, and how a result becomes a file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file beside its place and move it there when it is whole; text in UTF-8.

    Raises:
        StorageError: full disk or no permission; what stood there before is untouched.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text.encode() if isinstance(text, str) else text)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise StorageError(
            f"{path}: could not be written ({error.strerror}); free some space or choose another -o"
        ) from error
