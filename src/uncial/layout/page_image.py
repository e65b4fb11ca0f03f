"""Pages as a line finder sees them: scaled, and with ink told from paper whatever the light was."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.geometry import Points
from uncial.image_file import Gray

LEAST_CONTRAST = 20.0  # gray levels from paper to full ink; keeps the grain of blank paper from turning into ink
PALE = 40.0  # gray levels; with fewer, what is seen may be the writing of the other side
SPECKED = 1600  # pixels of the longer side at which specks are a pixel or two large; at half of it, so are strokes
BLACK, WHITE, GRAY = 8, 248, 0.03  # gray levels below and from which a pixel is so; share of others at most
INK = 0.98  # share of pixels that are no ink, or paler than its darkest
HIGH = 1000  # pixels of the longer side of a page, at which its contrast is told


def page_ink(gray: Gray) -> NDArray[np.float32]:
    """Ink of a page: float32 of the same shape, 0 paper to 1 ink.

    Paper is what the page shows thereabouts, its strokes closed over, so that shadows and yellowed edges do not count.

    Args:
        gray: uint8 (H, W), some 1,000 pixels high, so that strokes are a few pixels wide.
    """
    dark = _darker(gray)
    share: NDArray[np.float32] = np.minimum(dark / np.float32(max(LEAST_CONTRAST, _contrast(dark))), 1)
    return share


def is_pale(gray: Gray, areas: Sequence[Points]) -> bool:
    """Whether what is seen in some areas of a page is little darker than its paper.

    Args:
        gray: uint8 (H, W).
        areas: polygons, such as the boundaries of lines; all the rest may be blank and does not count.
    """
    scale = min(1.0, HIGH / max(gray.shape))
    width, height = (max(8, round(side * scale)) for side in gray.shape[::-1])
    dark = _darker(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    inside = np.zeros(dark.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(np.array(area) * scale).astype(np.int32) for area in areas], 1)
    return not inside.any() or float(np.quantile(dark[inside > 0], INK)) < PALE


def without_specks(gray: Gray) -> Gray:
    """A page in black and white, uint8 (H, W), without its specks; one in gray as it is.

    A threshold makes specks of the grain of paper, and lines are found in them (docs/experiments.md).
    """
    counts = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()
    size = 2 * round(max(gray.shape) / SPECKED) + 1
    if size == 1 or counts[BLACK:WHITE].sum() > GRAY * gray.size:
        return gray
    return cv2.medianBlur(gray, size)  # type: ignore[return-value]


def _darker(gray: Gray) -> NDArray[np.float32]:
    """By how many levels each pixel is darker than the paper around it."""
    quarter = (max(1, gray.shape[1] // 4), max(1, gray.shape[0] // 4))
    small = cv2.resize(gray, quarter, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    paper = cv2.GaussianBlur(paper, (0, 0), 4)
    shade = cv2.resize(paper, gray.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.maximum(shade - gray, 0).astype(np.float32)  # type: ignore[no-any-return]


def _contrast(dark: NDArray[np.float32]) -> float:
    return float(np.quantile(dark[::4, ::4], INK))
