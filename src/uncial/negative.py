"""Light writing on dark paper, as on negative microfilm: told, and turned into dark writing on light paper."""

import cv2
import numpy as np
from numpy.typing import NDArray

LONG_SIDE, SHORT_SIDE = 1000, 48  # pixels; images are looked at no larger than either
RIM = 0.1  # of each side is not looked at: there are tables, shadows and edges of film
STROKE = 9  # pixels of what is looked at; strokes of a pen are thinner, paper is not
HALF = 128  # gray level; an image that is lighter in the mean is no negative, and most are
CONTRAST = 50  # gray levels between ink and paper, at least
PAPER = 1 / 3  # of this contrast: how far paper may be from the darkest pixels to count as dark
THICK = 0.35  # of the light pixels may lie in something thicker than strokes
GAPS = 0.6  # of what is thin and dark: so much there must be that is thin and light


def positive(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with dark writing on light paper, whichever it had; uint8 (H, W), 0 black to 255 white."""
    return np.subtract(255, gray, dtype=np.uint8) if is_negative(gray) else gray


def is_negative(gray: NDArray[np.uint8]) -> bool:
    """Whether an image, uint8 (H, W), shows light writing on dark paper.

    Most of it is dark; what is light is as thin as strokes, which a page on a dark table is not; and there is not much
    more that is thin and dark, as ink on dark paper is: gaps between close letters are.
    """
    down, across = (round(RIM * side) for side in gray.shape)
    inner = gray[down : gray.shape[0] - down, across : gray.shape[1] - across]
    if not inner.size or inner.mean() > HALF:
        return False
    height, width = inner.shape
    scale = max(LONG_SIDE / max(height, width), SHORT_SIDE / min(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        inner = cv2.resize(inner, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    dark, middle, light = np.percentile(inner, (2, 50, 99))
    if light - dark < CONTRAST or middle - dark > PAPER * (light - dark):
        return False
    around = np.ones((STROKE, STROKE), np.uint8)
    bright = (inner > (dark + light) / 2).astype(np.uint8)
    thick = cv2.morphologyEx(bright, cv2.MORPH_OPEN, around).sum()
    thin = [cv2.morphologyEx(inner, kind, around).mean() for kind in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)]
    return bool(thick <= THICK * bright.sum() and thin[0] > GAPS * thin[1])
