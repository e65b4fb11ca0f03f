"""Pages as the layout network learns from them: varied a little, with the maps that it should tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.document import Line, Page
from uncial.geometry import frame_of, level_curve
from uncial.image_file import Gray
from uncial.layout.page_image import page_ink

Maps = NDArray[np.float32]
STRIDE = 2
CHANNELS = 5  # baseline, ends, above, below, known


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line of ground truth.

    Attributes:
        points: (N, 2) of its baseline.
        above: pixels that it reaches above it.
        below: pixels that it reaches below it.
        marked: whether its heights are those of a polygon that somebody drew; if not, they are not to be learned.
    """

    points: NDArray[np.float64]
    above: float
    below: float
    marked: bool = True

    def scaled(self, scale: float) -> "DrawnLine":
        """The line on a page of another size."""
        return replace(self, points=self.points * scale, above=self.above * scale, below=self.below * scale)


def drawn_line(line: Line) -> DrawnLine:
    """How far the boundary of a line reaches above and below its baseline: what nine tenths of it do."""
    frame = frame_of(line.baseline)
    base, outline = frame.inside(line.baseline), frame.inside(line.boundary)
    x = np.linspace(base[:, 0].min(), base[:, 0].max(), 64)
    corners = np.concatenate([outline, outline[:1]])
    steps = np.maximum(1, np.ceil(np.abs(np.diff(corners, axis=0)).max(axis=1) / 4).astype(int))
    parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(corners, corners[1:], steps, strict=False)]
    fine = np.concatenate(parts)
    offset = fine[:, 1] - np.interp(fine[:, 0], x, level_curve(base, x, 1.0))
    above, below = -offset[offset < 0], offset[offset > 0]
    reach = [max(2.0, float(np.quantile(side, 0.7))) if len(side) else 2.0 for side in (above, below)]
    return DrawnLine(np.array(line.baseline, float), reach[0], reach[1])


def drawn_lines(page: Page) -> list[DrawnLine]:
    """The lines of a page that have a direction."""
    return [drawn_line(line) for line in page.lines if line.baseline[0] != line.baseline[-1]]


def rasterised(lines: Sequence[DrawnLine], height: int, width: int) -> Maps:
    """The maps that the network should tell of a page.

    Args:
        lines: in pixels of the page.
        height: of the page, a multiple of STRIDE.
        width: the same across.

    Returns:
        float32 (CHANNELS, height / 2, width / 2); heights are -1 where a line has none to learn from.
    """
    maps = np.zeros((CHANNELS, height // STRIDE, width // STRIDE), np.float32)
    maps[4] = 1
    for line in lines:
        points = np.rint(line.points / STRIDE * 16).astype(np.int32)
        thick = 3 if line.above + line.below > 14 else 2
        heights = (line.above, line.below) if line.marked else (-1.0, -1.0)
        for channel, value in zip((0, 2, 3), (1.0, *heights), strict=True):
            cv2.polylines(maps[channel], [points], False, value, thick, shift=4)
        reach = 0.35 * (line.above + line.below)
        for end, after in ((line.points[0], line.points[1]), (line.points[-1], line.points[-2])):
            along = (after - end) / (np.hypot(*(after - end)) + 1e-6)
            across = np.array([-along[1], along[0]]) * reach
            bar = np.rint(np.array([end - across, end + across]) / STRIDE * 16).astype(np.int32)
            cv2.polylines(maps[1], [bar], False, 1.0, 3, shift=4)
    return maps


def varied(gray: Gray, lines: Sequence[DrawnLine], size: int, rng: np.random.Generator | None) -> tuple[Maps, Maps]:
    """A page as the network gets it, and its maps.

    Args:
        gray: uint8 (H, W).
        lines: in its pixels.
        size: of the square (size, size) it is laid upon, top left.
        rng: of its variations; None: the page as it is, scaled to fit.

    Returns:
        ink (1, size, size) and maps (CHANNELS, size / 2, size / 2).
    """
    height, width = gray.shape
    scale, turn, shear, stretch = size / max(height, width), 0.0, 0.0, 1.0
    if rng is not None:
        scale *= float(np.exp(rng.uniform(-0.5, 0.25)))
        turn, shear = np.deg2rad(rng.normal(0, 2.0) if rng.random() < 0.8 else rng.uniform(-8, 8)), rng.normal(0, 0.04)
        stretch = float(np.exp(rng.normal(0, 0.08)))
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn) + shear], [np.sin(turn), np.cos(turn)]])
    matrix[0] *= stretch
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ matrix.T
    extent = np.ptp(corners, axis=0)
    shift = -corners.min(axis=0)
    if rng is not None:
        shift = shift + rng.uniform(0, 1, 2) * (size - extent)
    wave = _wave(size, rng) if rng is not None else np.zeros(size, np.float32)
    affine = np.column_stack([matrix, shift])
    shade = int(rng.integers(0, 200)) if rng is not None and rng.random() < 0.3 else int(np.median(gray))
    laid = cv2.warpAffine(
        gray,
        affine,
        (size, size),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=shade,
    )
    if rng is not None:
        x = np.broadcast_to(np.arange(size, dtype=np.float32), (size, size))
        y = np.arange(size, dtype=np.float32)[:, None] + wave[None, :]
        laid = cv2.remap(laid, x, y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        laid = _photographed(np.asarray(laid, np.uint8), rng)
    moved = [_moved(line, affine, wave, scale) for line in lines]
    return page_ink(np.asarray(laid, np.uint8))[None], rasterised(moved, size, size)


def _moved(line: DrawnLine, affine: NDArray[np.float64], wave: Maps, scale: float) -> DrawnLine:
    """The line where it lies on the varied page."""
    points = line.points
    if np.any(wave):  # a wave bends what was straight
        steps = np.linspace(0, len(points) - 1, 4 * len(points) + 16)
        points = np.column_stack([np.interp(steps, np.arange(len(points)), points[:, i]) for i in range(2)])
    points = points @ affine[:, :2].T + affine[:, 2]
    points[:, 1] -= np.interp(points[:, 0], np.arange(len(wave)), wave)
    return replace(line.scaled(scale), points=points)


def _wave(size: int, rng: np.random.Generator) -> Maps:
    """(size,) pixels by which columns are moved up, smoothly."""
    if rng.random() < 0.5:
        return np.zeros(size, np.float32)
    x = np.arange(size) / size
    height = rng.uniform(0, 0.015) * size
    curve = height * np.sin(2 * np.pi * (x * rng.uniform(0.5, 2.5) + rng.random()))
    return curve.astype(np.float32)


def _photographed(page: Gray, rng: np.random.Generator) -> Gray:
    """Shadow, soft or with an edge, contrast, blur, noise, and the other side shining through."""
    size = page.shape[0]
    image: NDArray[np.floating] = page.astype(np.float32)
    if rng.random() < 0.3:
        image = np.minimum(image, 255 - (255 - image[:, ::-1]) * rng.uniform(0.1, 0.3))
    if rng.random() < 0.4:
        corners = rng.uniform(0.45, 1.0, (3, 3)).astype(np.float32)
        image = image * np.asarray(cv2.resize(corners, (size, size), interpolation=cv2.INTER_CUBIC))
    if rng.random() < 0.2:
        image = image * _shadow(size, rng)
    if rng.random() < 0.5:
        image = 255 * (np.clip(image, 0, 255) / 255) ** float(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)))
    if rng.random() < 0.4:
        image = image + rng.normal(0, rng.uniform(2, 12), (size, size)).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)  # type: ignore[no-any-return]


def _shadow(size: int, rng: np.random.Generator) -> Maps:
    """(size, size) what is left of the light where something, as the hand that holds the camera, shades a half."""
    slope, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35) * size
    place = np.arange(size) - size / 2
    beyond = place[None, :] * np.cos(slope) + place[:, None] * np.sin(slope) - offset
    edge = rng.uniform(0.005, 0.05) * size
    shaded: Maps = (1 - rng.uniform(0.2, 0.55) / (1 + np.exp(-np.clip(beyond / edge, -30, 30)))).astype(np.float32)
    return shaded
