"""A line image put together from two real ones: the left part of one beside the right part of another.

Both are cut in a word gap where a column holds no ink, so that no stroke is cut through and the new gap is made of half
of either. The parts are brought to one gray of paper and one strength of ink, and stand at equal height.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncial.lineimage import PAPER, ink, paper_and_contrast

Image = NDArray[np.uint8]

DARK = 0.5  # ink from which on a pixel counts as written on
FEWEST = 3  # columns without ink in a row that make a gap
MOST_SHIFT = 0.15  # of the height that the right part is moved up or down; beyond, the rows tell of something else


@dataclass(frozen=True, slots=True)
class Gap:
    """A word gap at which a line can be cut.

    Attributes:
        place: of its space among the graphemes of the text, counted from 0.
        column: of the line image, in pixels from its left edge; what lies left of it belongs to the left part.
    """

    place: int
    column: int


@dataclass(frozen=True, slots=True)
class Splice:
    """What becomes of a line: its own part left of a gap, and another line's part right of one.

    Attributes:
        other: index of the line that gives the right part.
        left: the gap in the line itself.
        right: the gap in the other line.
    """

    other: int
    left: Gap
    right: Gap


def dark_pixels(image: Image) -> NDArray[np.int64]:
    """(W,) how many pixels of each column of a line image, uint8 (H, W), are written on."""
    return np.asarray(np.count_nonzero(ink(image) > DARK, axis=0))


def middle_of_gap(dark: NDArray[np.int64], start: int, end: int) -> int | None:
    """The middle of the longest run of columns without ink.

    Args:
        dark: as `dark_pixels` gives it.
        start: first column in which to look.
        end: the column behind the last.

    Returns:
        A column in pixels; None: there is no run of at least `FEWEST`.
    """
    empty = np.concatenate(([False], dark[max(0, start) : end] == 0, [False]))
    edges = np.flatnonzero(empty[1:] != empty[:-1]).reshape(-1, 2)
    if not len(edges):
        return None
    first, last = edges[np.argmax(edges[:, 1] - edges[:, 0])].tolist()
    return max(0, start) + (first + last) // 2 if last - first >= FEWEST else None


def spliced_image(left: Image, right: Image, splice: Splice) -> Image:
    """The left part of one line image beside the right part of another.

    Args:
        left: uint8 (H, W) line image, cut at `splice.left`.
        right: uint8 (H, W') line image of the same height, cut at `splice.right`.
        splice: where to cut.

    Returns:
        uint8 (H, W''), W'' = splice.left.column + W' - splice.right.column.
    """
    paper, contrast = paper_and_contrast(left)
    their_paper, their_contrast = paper_and_contrast(right)
    levels = paper - (their_paper - np.arange(256)) * contrast / their_contrast
    levels[PAPER] = PAPER  # margins and masks
    part = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[right[:, splice.right.column :]]
    return np.hstack((left[:, : splice.left.column], _moved(part, _middle_row(left) - _middle_row(right))))


def _middle_row(image: Image) -> int:
    """The row that half of a line's ink lies above: about the middle of its small letters."""
    dark = np.cumsum(np.count_nonzero(ink(image) > DARK, axis=1))
    return int(np.searchsorted(dark, dark[-1] / 2))


def _moved(part: Image, down: int) -> Image:
    """The part so many rows lower, paper in place of those that are missing; not at all where they are too many."""
    if not down or abs(down) > MOST_SHIFT * len(part):
        return part
    moved = np.full_like(part, PAPER)
    if down > 0:
        moved[down:] = part[:-down]
    else:
        moved[:down] = part[-down:]
    return moved
