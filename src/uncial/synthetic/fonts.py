"""Handwriting fonts: what a folder holds, which characters each can write, and how often it is drawn.

`fonts.tsv` beside the font files (columns `file, package, version, licence, style, weight`, as `tools/fetch_fonts.py`
writes them) tells weights and licences; without it all files weigh the same. A line is drawn only in a font that has a
glyph for each of its characters, so that no line shows the box that stands for a missing one.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

from uncial.errors import GroundTruthError

TABLE = "fonts.tsv"
SUFFIXES = (".ttf", ".otf")
TRIES = 12  # fonts drawn for a text until it counts as one that hardly any can write
_PROBE = "dhlgpy"  # ascenders and descenders, without the swashes that capitals may have
_PROBE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Font:
    """A font file and what is known of it.

    Attributes:
        path: of the file.
        characters: code points that it has glyphs for.
        height: from the descender's end to the ascender's, in parts of the font's size.
        weight: how often it is drawn, relative to others.
        origin: package, version and licence in one phrase; "" where nothing is told.
    """

    path: Path
    characters: frozenset[int]
    height: float
    weight: float = 1.0
    origin: str = ""

    def writes(self, text: str) -> bool:
        """Whether it has a glyph for each character; spaces and superscript marks (`^`) are not drawn."""
        return all(ord(character) in self.characters for character in text if character not in " ^")

    def at(self, height: float) -> ImageFont.FreeTypeFont:
        """The font in the size in which ascenders and descenders span `height` pixels."""
        return sized(self.path, max(6, round(height / self.height)))


@lru_cache(maxsize=512)
def sized(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font file opened in a size in pixels; kept, since opening takes longer than drawing a line."""
    return ImageFont.truetype(str(path), size)


def read_fonts(folder: Path) -> list[Font]:
    """All fonts of a folder whose weight is above 0, in the order of their names.

    Raises:
        GroundTruthError: no such folder, no font in it, or a font file that cannot be read.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise GroundTruthError(f"{folder}: holds no font (.ttf, .otf); fetch some with tools/fetch_fonts.py")
    rows = _table(folder / TABLE)
    fonts = [_font(path, rows.get(path.name, {})) for path in files]
    return [font for font in fonts if font.weight > 0]


def choose_font(fonts: list[Font], text: str, rng: np.random.Generator) -> Font | None:
    """A font that can write the text, by weight; None: of a dozen drawn, none can."""
    weights = np.array([font.weight for font in fonts])
    for index in rng.choice(len(fonts), size=TRIES, p=weights / weights.sum()):
        if fonts[index].writes(text):
            return fonts[int(index)]
    return None


def _table(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}


def _font(path: Path, row: dict[str, str]) -> Font:
    try:
        with TTFont(path, lazy=True) as opened:
            characters = frozenset(opened.getBestCmap() or ())
        _, top, _, bottom = sized(path, _PROBE_SIZE).getbbox(_PROBE, anchor="ls")
    except (OSError, TTLibError) as error:
        raise GroundTruthError(f"{path}: cannot be read as a font ({error}); fetch it again") from error
    origin = ", ".join(row[name] for name in ("package", "version", "licence") if row.get(name))
    return Font(path, characters, max(bottom - top, 20) / _PROBE_SIZE, float(row.get("weight") or 1), origin)
