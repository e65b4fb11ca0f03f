"""Lines laid straight: which places of its page a line's image shows, and cutting it out.

A strip is the rectangle of pixels that a line becomes when it is cut along its baseline. What was read in it has a
place on the page through the same strip, so that letters can be marked where they stand.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from uncial.errors import ImageError
from uncial.geometry import Array, Frame, Points, baseline_of, finely, frame_of, level_curve
from uncial.image_file import Gray
from uncial.lineimage import PAPER, WIDEST

LARGEST_CUT = 20_000_000  # pixels of a line cut out of a page; five times a line across an A3 page at 600 dpi
BLEED = 0.025  # of a line's height: by so much boundaries are widened, since they are drawn close to the ink


@dataclass(frozen=True, slots=True)
class Strip:
    """Where the pixels of a line that was cut out lie on its page.

    Attributes:
        frame: the axes of the line.
        x: (W,) place of each column along the line, in pixels of the page.
        y: (H,) place of each row across the line, at a column whose level is 0.
        level: (W,) how far the baseline leaves its chord at each column.
        outline: (N, 2) corners of the line's boundary in pixels of the strip, as (column, row).
        bleed: pixels by which the boundary is widened.
    """

    frame: Frame
    x: Array
    y: Array
    level: Array
    outline: Array
    bleed: float

    def across(self, left: float, right: float) -> Points:
        """The part of the line between two columns, from top to bottom, as a polygon in pixels of the page.

        Args:
            left: column where it begins; columns beyond the strip's ends are moved onto them.
            right: column where it ends.
        """
        first, last = self.x[0], self.x[-1] + 1
        steps = max(2, round((right - left) / max(8.0, len(self.y) / 2)) + 1)
        along = np.clip(first + np.linspace(left, right, steps), first, last)
        level = np.interp(along, self.x, self.level)
        rows = np.concatenate([np.full(steps, self.y[0]), np.full(steps, self.y[-1] + 1)])
        page_x, page_y = self.frame.page(
            np.concatenate([along, along[::-1]]), rows + np.concatenate([level, level[::-1]])
        )
        return tuple((float(a), float(b)) for a, b in zip(page_x, page_y, strict=True))


def strip_of(baseline: Points, boundary: Points, size: tuple[int, int]) -> Strip:
    """The strip that a line becomes.

    Args:
        baseline: in reading direction, in pixels of the page; empty: taken from the boundary.
        boundary: polygon around the line, in pixels of the page; parts beyond the page's edges are dropped.
        size: width and height of the page in pixels.

    Raises:
        ImageError: the line lies outside the page, has no extent, or is far too large to be a line.
    """
    boundary, baseline = _on_page(size, boundary), _on_page(size, baseline)
    if len(set(boundary)) < 3:
        raise ImageError(f"the line lies outside the page ({size[0]} x {size[1]} pixels); check its points")
    if len(set(baseline)) < 2 or baseline[0] == baseline[-1]:
        baseline = baseline_of(boundary)
    frame = frame_of(baseline)
    outline = frame.inside(finely(boundary))
    _check_extent(*np.ptp(outline, axis=0))
    bleed = BLEED * float(np.ptp(outline[:, 1]))
    x = np.arange(np.floor(outline[:, 0].min() - bleed), outline[:, 0].max() + bleed + 0.5)
    level = level_curve(frame.inside(baseline), x, smoothing=2 * float(np.ptp(outline[:, 1])))
    outline[:, 1] -= np.interp(outline[:, 0], x, level)
    y = np.arange(np.floor(outline[:, 1].min() - bleed), outline[:, 1].max() + bleed + 0.5)
    _check_extent(len(x), len(y))
    return Strip(frame, x, y, level, outline - (x[0], y[0]), bleed)


def cut_line(page: Gray, baseline: Points, boundary: Points) -> Gray:
    """Cut a line out of its page, straight along its baseline, at the resolution of the page.

    Columns are shifted until the baseline is level, which leaves letters as they are. What lies outside the boundary
    (ink of the neighbours) becomes paper, of the shade that the line's own paper has thereabouts.

    Args:
        page: uint8 (H, W), the whole page.
        baseline: see `strip_of`.
        boundary: see `strip_of`.

    Returns:
        uint8 (H', W'), the pixels of the strip.

    Raises:
        ImageError: see `strip_of`.
    """
    strip = strip_of(baseline, boundary, (page.shape[1], page.shape[0]))
    cut = _straightened(page, strip)
    inside = np.zeros(cut.shape, np.uint8)
    corners = np.rint(strip.outline).astype(np.int32)
    cv2.fillPoly(inside, [corners], 1)
    cv2.polylines(inside, [corners], True, 1, thickness=1 + 2 * round(strip.bleed))
    return np.where(inside == 1, cut, _paper(cut, inside))


def _check_extent(width: float, height: float) -> None:
    if width * height > LARGEST_CUT or max(width, height) > WIDEST:
        raise ImageError(f"the line covers {width:.0f} x {height:.0f} pixels, too many for one line; check its points")


def _on_page(size: tuple[int, int], points: Points) -> Points:
    """The points, those beyond the edges of a page of this width and height moved onto them."""
    right, bottom = size[0] - 1, size[1] - 1
    return tuple((min(max(x, 0.0), right), min(max(y, 0.0), bottom)) for x, y in points)


def _straightened(page: Gray, strip: Strip) -> Gray:
    """The page's gray levels in a strip, uint8 (H, W); beyond the edges as at them."""
    page_x, page_y = strip.frame.page(strip.x[None, :], strip.y[:, None] + strip.level[None, :])
    left, top = max(0, int(page_x.min()) - 2), max(0, int(page_y.min()) - 2)
    part = page[top : int(page_y.max()) + 4, left : int(page_x.max()) + 4]
    return cv2.remap(  # type: ignore[return-value]
        part,
        (page_x - left).astype(np.float32),
        (page_y - top).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _paper(cut: Gray, inside: Gray) -> Gray:
    """The shade of a line's own paper, smoothly continued over the whole cut, uint8 (H, W).

    Args:
        cut: uint8 (H, W).
        inside: uint8 (H, W), 1 within the boundary.
    """
    height = cut.shape[0]
    stroke = max(3, height // 4) | 1  # wider than any stroke of the pen
    without_ink = cv2.morphologyEx(cut, cv2.MORPH_CLOSE, np.ones((stroke, stroke), np.uint8))
    paper = inside.astype(bool) & (without_ink.astype(np.int16) - cut < 24)
    usual = float(np.median(cut[paper])) if paper.any() else float(PAPER)
    reach = (2 * height + 1, 2 * height + 1)
    weight = cv2.blur(paper.astype(np.float32), reach, borderType=cv2.BORDER_CONSTANT) + 1e-4
    shade = cv2.blur(np.where(paper, cut - usual, 0).astype(np.float32), reach, borderType=cv2.BORDER_CONSTANT)
    return np.clip(np.rint(shade / weight + usual), 0, 255).astype(np.uint8)
