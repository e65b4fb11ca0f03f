"""Lines found without a network: profiles of ink over the rows of a page that was turned upright.

Serves clean pages of straight, well parted lines. The page is cut into upright strips; in each the rows with most ink
are lines, and lines of neighbouring strips at one level are one line.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.geometry import Array
from uncial.image_file import Gray
from uncial.layout.found import FoundLine
from uncial.layout.page_image import page_ink

SIZE = 1000  # pixels of the longest side of the page that is looked at
INK = 0.35  # what counts as ink
LEAST_INK = 0.02  # of a row's pixels: less is paper
SKEWS = np.arange(-5, 5.25, 0.25)  # degrees that are tried
GAP = 0.06  # of the page's width: a wider strip of paper within a row parts two lines


def find_by_projection(gray: Gray) -> list[FoundLine]:
    """The lines of an upright page.

    Args:
        gray: uint8 (H, W).
    """
    scale = min(SIZE / max(gray.shape), 1.0)
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    ink = (page_ink(small) > INK).astype(np.uint8)  # type: ignore[arg-type]
    ink = _without_rules(ink)
    matrix = _upright(ink)
    turned = np.asarray(cv2.warpAffine(ink, matrix, ink.shape[::-1], flags=cv2.INTER_NEAREST), np.uint8)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    found = []
    for top, base, bottom in _rows(turned):
        for left, right in _runs(turned[top:bottom]):
            points = np.array([[left, base], [right, base]], float) @ back[:, :2].T + back[:, 2]
            found.append(_scaled(points, base - top + 1.0, bottom - base + 1.0, scale))
    return found


def _scaled(points: Array, above: float, below: float, scale: float) -> FoundLine:
    return FoundLine(points / scale, above / scale, below / scale)


def _without_rules(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Ink without long straight strokes: edges of the paper and ruled lines."""
    long = max(40, ink.shape[1] // 8)
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    plumb = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
    return np.where(np.maximum(level, plumb) > 0, 0, ink).astype(np.uint8)


def _upright(ink: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The affine turn after which rows of ink stand out most from rows of paper."""
    height, width = ink.shape
    coarse = cv2.resize(ink * 255, (max(8, width // 2), max(8, height // 2)), interpolation=cv2.INTER_AREA)

    def sharpness(angle: float) -> float:
        turn = cv2.getRotationMatrix2D((coarse.shape[1] / 2, coarse.shape[0] / 2), angle, 1)
        profile = cv2.warpAffine(coarse, turn, coarse.shape[::-1]).sum(axis=1, dtype=np.float64)
        return float(np.square(np.diff(profile)).sum())

    best = max(SKEWS.tolist(), key=sharpness)
    return cv2.getRotationMatrix2D((width / 2, height / 2), best, 1)  # type: ignore[return-value]


def _rows(ink: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """(top, baseline, bottom) of each row of writing: hills of the profile, cut at the valleys between."""
    profile = cv2.GaussianBlur(ink.mean(axis=1, dtype=np.float64).reshape(-1, 1), (1, 9), 2.0).ravel()
    inside = profile > max(LEAST_INK, 0.35 * float(np.quantile(profile, 0.9)))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    rows = []
    for top, bottom in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if bottom - top < 4:
            continue
        falls = np.diff(profile[top : bottom + 1])
        base = top + int(falls.argmin()) if len(falls) else bottom
        rows.append((max(0, top - 4), max(base, top + 2), min(len(profile), bottom + 4)))
    return rows


def _runs(rows: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(left, right) of the pieces of a row, parted by wide strips of paper."""
    gap = max(8, round(GAP * rows.shape[1]))
    columns = (rows.sum(axis=0) > 0).astype(np.uint8)[None]
    closed = cv2.morphologyEx(np.pad(columns, ((0, 0), (gap, gap))), cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed[0, gap:-gap].astype(np.int8), [0]])))
    least = 2 * rows.shape[0] // 3
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > max(4, least)]
