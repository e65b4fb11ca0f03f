"""Scans: the image of a page as it comes from a file, with what a written result needs to know of that file."""

from dataclasses import dataclass
from pathlib import Path

from uncial.lineimage import Gray


@dataclass(frozen=True, slots=True)
class Scan:
    """One side of paper, opened.

    Attributes:
        name: what messages and results call it: the path as given, with #3 behind it for the third page of a file.
        stem: name for files written of it, such as "letter" or "letter-0003".
        gray: uint8 (H, W), upright, 0 black to 255 white.
        path: of the file it came from; None: standard input or memory.
        number: of the page in its file, from 1.
        pages: how many pages the file has.
        dpi: pixels per inch; None: the file does not tell.
    """

    name: str
    stem: str
    gray: Gray
    path: Path | None = None
    number: int = 1
    pages: int = 1
    dpi: float | None = None
