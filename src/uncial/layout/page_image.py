"""Pages as a line finder sees them: scaled, and with ink told from paper whatever the light was."""

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.image_file import Gray

LEAST_CONTRAST = 20.0  # gray levels from paper to full ink; keeps the grain of blank paper from turning into ink
PALE = 40.0  # gray levels; with fewer, what is seen may be the writing of the other side
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


def is_pale(gray: Gray) -> bool:
    """Whether all that a page, uint8 (H, W), shows is little darker than its paper."""
    scale = min(1.0, HIGH / max(gray.shape))
    width, height = (max(8, round(side * scale)) for side in gray.shape[::-1])
    small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    return _contrast(_darker(small)) < PALE  # type: ignore[arg-type]


def _darker(gray: Gray) -> NDArray[np.float32]:
    """By how many levels each pixel is darker than the paper around it."""
    quarter = (max(1, gray.shape[1] // 4), max(1, gray.shape[0] // 4))
    small = cv2.resize(gray, quarter, interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    paper = cv2.GaussianBlur(paper, (0, 0), 4)
    shade = cv2.resize(paper, gray.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.maximum(shade - gray, 0).astype(np.float32)  # type: ignore[no-any-return]


def _contrast(dark: NDArray[np.float32]) -> float:
    return float(np.quantile(dark[::4, ::4], 0.98))
