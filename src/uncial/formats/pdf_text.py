"""The text of a searchable PDF: what was read, word by word at its place, to be found and copied but not seen.

All letters are equally wide, and are stretched until a word fills its place; see `pdf_font`.
"""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uncial.document import Line, Page
from uncial.formats.pdf_font import DEEP, WIDE, font_of
from uncial.formats.words import line_box, outline_of, strip_on, words_of
from uncial.formats.xml_files import clean
from uncial.geometry import Box, Point, Points
from uncial.text import graphemes

if TYPE_CHECKING:
    import pikepdf

POINTS = 72.0  # to the inch
THINNEST = 0.1  # of the height: width of a space between words that touch
SHRINK = 0.85  # by so much words are made lower, again and again, until they fit in the box of their line
FEWEST = 0.7  # share of its length that a word keeps when it is moved into that box


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the pixels of a page lie in a PDF: corners in points, origin bottom left, y up.

    Attributes:
        origin: of the pixels' top left corner.
        right: what a pixel to the right adds.
        down: what a pixel downward adds.
    """

    origin: Point
    right: Point
    down: Point

    @classmethod
    def in_box(cls, box: tuple[float, float, float, float], turn: int, size: tuple[int, int]) -> "Placement":
        """Pixels that fill a box.

        Args:
            box: left, bottom, right, top in points, of the page before it is turned.
            turn: degrees clockwise by which the page is turned to be seen: 0, 90, 180 or 270.
            size: width and height of the upright pixels.
        """
        left, bottom, right, top = box
        corners = ((left, top), (left, bottom), (right, bottom), (right, top))  # in the order in which turns bring them
        first, second, third = (corners[(turn // 90 + n) % 4] for n in (0, 1, 3))
        across = ((third[0] - first[0]) / size[0], (third[1] - first[1]) / size[0])
        down = ((second[0] - first[0]) / size[1], (second[1] - first[1]) / size[1])
        return cls(first, across, down)

    def point(self, place: Point) -> Point:
        """A place of the page's pixels, in points."""
        (x, y), (a, b), (c, d) = place, self.right, self.down
        return self.origin[0] + x * a + y * c, self.origin[1] + x * b + y * d


@dataclass(frozen=True, slots=True)
class _Word:
    """A word and the rectangle it fills: its bottom left, bottom right and top left corner in pixels of the page."""

    letters: tuple[str, ...]
    left: Point
    right: Point
    top: Point


def add_text(pdf: "pikepdf.Pdf", page: Page, placement: Placement) -> None:
    """Add what was read to the only page of a PDF, over what it shows.

    Args:
        pdf: of one page.
        page: what was read; lines that lie nowhere on it are left out.
        placement: of the page's pixels.
    """
    import pikepdf

    codes: dict[str, int] = {}
    shown = [_shown(words, placement, codes) for line in page.lines if (words := tuple(_words(line, page)))]
    if not shown:
        return
    target = pdf.pages[0]
    resources = dict(target.resources.items())  # a new dictionary each, for pages may share theirs
    fonts = dict(resources["/Font"].items()) if "/Font" in resources else {}
    name = next(f"/Read{n}" for n in range(len(fonts) + 1) if f"/Read{n}" not in fonts)
    fonts[name] = font_of(pdf, codes)
    target.obj.Resources = pikepdf.Dictionary({**resources, "/Font": pikepdf.Dictionary(fonts)})
    text = "\n".join(["BT 3 Tr", *(line.replace("FONT", name) for line in shown), "ET"])
    # What the page drew must not move the text: that is put between q and Q, and what it left open is closed.
    closed = "Q\n" * (1 + _left_open(target))
    target.contents_add(pdf.make_stream(b"q\n"), prepend=True)
    target.contents_add(pdf.make_stream(f"\n{closed}q\n{text}\nQ\n".encode()))


def _left_open(target: "pikepdf.Page") -> int:
    """How many q of a page's drawing have no Q."""
    import pikepdf

    try:
        steps = pikepdf.parse_content_stream(target, "q Q")
    except pikepdf.PdfError:
        return 0
    depth = 0
    for step in steps:
        depth = max(0, depth + {"q": 1, "Q": -1}.get(str(step.operator), 0))
    return depth


def _words(line: Line, page: Page) -> Iterator[_Word]:
    """The words of a line with the rectangles they fill, within the box of the line."""
    found = words_of(line, page)
    outlines = [word.outline for word in found]
    within = line_box(line, page)
    if found and not any(outlines):
        outlines = _spread([word.text for word in found], line, page)
    for word, outline in zip(found, outlines, strict=True):
        letters = tuple(clean(letter) for letter in graphemes(word.text))
        if _leftward(word.text):
            letters = letters[::-1]  # a PDF holds letters as they stand, from left to right
        if outline and letters:
            yield _Word(letters, *_rectangle(outline, within))


def _spread(texts: list[str], line: Line, page: Page) -> list[Points]:
    """Outlines for words whose places are not known: as if all letters of the line were equally wide."""
    strip, within = strip_on(line, page), line_box(line, page)
    if strip is None:
        return [() for _ in texts]
    leftward = _leftward("".join(texts))
    texts = texts[::-1] if leftward else texts
    sizes = [max(1, len(graphemes(text))) for text in texts]
    letter = len(strip.x) / (sum(sizes) + len(sizes) - 1)
    begins = np.cumsum([0, *(size + 1 for size in sizes)])[:-1]
    outlines = [
        outline_of(float(begin) * letter, float(begin + size) * letter, strip, within)
        for begin, size in zip(begins, sizes, strict=True)
    ]
    return outlines[::-1] if leftward else outlines


def _leftward(text: str) -> bool:
    """Whether a text runs from right to left, as its first letter that runs at all does (Unicode UAX 9, P2)."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((found for found in directions if found in ("L", "R", "AL")), "L") != "L"


def _rectangle(outline: Points, within: Box) -> tuple[Point, Point, Point]:
    """A rectangle along the middle of a word's outline, within a box: bottom left, bottom right and top left corner.

    Args:
        outline: its upper edge and back along its lower edge, each of as many points, as `Strip.across` gives it.
        within: the box of the line.
    """
    half = len(outline) // 2
    top, bottom = np.array(outline[:half]), np.array(outline[half:][::-1])
    ends = (top[[0, -1]] + bottom[[0, -1]]) / 2
    height = float(np.hypot(*(top - bottom).T).mean())
    chord = ends[1] - ends[0]
    size = float(np.hypot(*chord))
    if size < 1e-6:
        chord, size = np.array([1.0, 0.0]), 1.0
    along = chord / size
    up = np.array([along[1], -along[0]])
    low, high = np.array([within.left, within.top]), np.array([within.right, within.bottom])
    kept = None
    for _ in range(40):
        reach = np.abs(up) * height / 2
        kept = _clipped(ends, low + reach, high - reach)
        if kept is not None and np.hypot(*(kept[1] - kept[0])) >= FEWEST * size:
            break
        height *= SHRINK
    if kept is None:  # the box is as thin as a hair, or the word lies in its very corner
        middle, height = np.clip(ends.mean(axis=0), low, high), 0.01
        kept = np.stack([middle, middle])
    left, right = kept - up * height / 2
    above = left + up * height
    return (float(left[0]), float(left[1])), (float(right[0]), float(right[1])), (float(above[0]), float(above[1]))


def _clipped(ends: Any, low: Any, high: Any) -> Any:
    """The part of a segment, float (2, 2), within a box; None where there is none (Liang and Barsky 1984)."""
    if (low > high).any():  # what has been taken from either side of the box was more than it is wide
        return None
    begin, end = 0.0, 1.0
    for axis in (0, 1):
        start, step = ends[0][axis], ends[1][axis] - ends[0][axis]
        if abs(step) < 1e-9:
            if not low[axis] <= start <= high[axis]:
                return None
            continue
        enter, leave = sorted(((low[axis] - start) / step, (high[axis] - start) / step))
        begin, end = max(begin, enter), min(end, leave)
    return ends[0] + np.array([[begin], [end]]) * (ends[1] - ends[0]) if begin <= end else None


def _shown(words: tuple[_Word, ...], placement: Placement, codes: dict[str, int]) -> str:
    """The drawing of a line's words, and of spaces between them, so that they stay apart when they are copied.

    Args:
        words: in reading order.
        placement: of the page's pixels.
        codes: of the graphemes; those that are new get one.
    """
    parts = []
    for word, after in zip(words, (*words[1:], None), strict=True):
        left, right, top = (placement.point(place) for place in (word.left, word.right, word.top))
        length, height = max(math.dist(left, right), 1e-3), max(math.dist(left, top), 1e-3)
        # Turned by what goes up, which is never too short to have a direction.
        direction = ((top[1] - left[1]) / height, (left[0] - top[0]) / height)
        parts.append(_letters(word.letters, left, direction, (length, height), codes))
        if after is not None:
            begin = placement.point(after.left)
            gap = (begin[0] - right[0]) * direction[0] + (begin[1] - right[1]) * direction[1]
            parts.append(_letters((" ",), right, direction, (max(gap, THINNEST * height), height), codes))
    return "\n".join(parts)


def _letters(
    letters: tuple[str, ...], corner: Point, direction: Point, size: tuple[float, float], codes: dict[str, int]
) -> str:
    """The drawing of letters that fill a rectangle, of this length and height in points, from its lower left corner."""
    length, height = size
    stretch = 100 * length / (len(letters) * height * WIDE / 1000)
    rise = height * DEEP / 1000
    x, y = corner[0] - direction[1] * rise, corner[1] + direction[0] * rise
    text = "".join(f"{codes.setdefault(letter, len(codes) + 1):04X}" for letter in letters)
    turned = f"{direction[0]:.5f} {direction[1]:.5f} {-direction[1]:.5f} {direction[0]:.5f} {x:.3f} {y:.3f}"
    return f"FONT {height:.3f} Tf {stretch:.3f} Tz {turned} Tm <{text}> Tj"
