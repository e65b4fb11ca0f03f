"""One line image, written a little differently: (image, rng) -> image.

All geometry (slant, scale, rotation, waves of the baseline, another cut) is one displacement field and one
OpenCV remap (`warp`); then the pen (thicker, thinner), the ink and the paper (gamma, noise, blur, stains) change, and
what a scan or a copy does to them (`degrade`: black and white, shadows, strong noise, no focus) and years (`faint`).
Images are uint8 (H, W), white paper 255. The members of `AUGMENTATIONS` are drawn in order, each with its own chance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.faded import faint, paper_grain
from uncial.lineimage import PAPER, WIDEST, paper_and_contrast

RECUT = 0.3  # of the lines whose geometry changes: so many are cut with more or less room above and below
DEGRADED = 0.6  # of the lines that `degrade` is drawn for
LOCAL, GRAINY = 0.5, 0.6  # of copies in black and white: told by the light around, of grainy paper

Image = NDArray[np.uint8]
Augmentation = Callable[[Image, np.random.Generator, float], Image]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How much training lines vary.

    Attributes:
        strength: 0 leaves lines as they are, 1 is the usual range of every augmentation, 2 the most.
        chance: of each augmentation, for each line.
        blank: share of the lines of which the paper alone stays, without text, so that none is read where none is.
    """

    strength: float = 1.0
    chance: float = 0.5
    blank: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 <= self.strength <= 2 or not 0 <= self.chance <= 1:  # beyond 2, ink could become lighter than paper
            raise ValueError("strength lies in [0, 2] and chance in [0, 1]")
        if not 0 <= self.blank < 1:
            raise ValueError("blank lies in [0, 1)")


def augment(image: Image, rng: np.random.Generator, config: AugmentConfig) -> Image:
    """A varied copy of a line image.

    Args:
        image: uint8 (H, W), paper white.
        rng: the only source of chance, so that a seed gives the same line again.
        config: how much.

    Returns:
        uint8 (H, W'), same height; W' differs where the line was stretched.
    """
    if config.strength == 0:
        return image
    stretch, zoom = _sizes(rng, config)
    if stretch != 1:
        image = warp(image, rng, config.strength, stretch, zoom)
    for change in AUGMENTATIONS.values():
        if rng.random() < config.chance:
            image = change(image, rng, config.strength)
    return image


def augmented_width(width: int, rng: np.random.Generator, config: AugmentConfig) -> int:
    """The width that `augment` will give a line, from a generator in the same state; batches are planned by it."""
    return _stretched(width, _sizes(rng, config)[0]) if config.strength else width


def _sizes(rng: np.random.Generator, config: AugmentConfig) -> tuple[float, float]:
    """How much wider, and how much larger, the line becomes: the first things drawn for it; 1, 1 where it stays.

    Who cuts lines out with more room above and below has smaller writing in an image of the same height, and who cuts
    closely larger: so one line in some is written up to two fifths smaller or a quarter larger, across as well.
    """
    stretch = float(np.exp(rng.uniform(-0.22, 0.22) * config.strength))
    zoom = float(np.exp(rng.uniform(-0.5, 0.25) * config.strength)) if rng.random() < RECUT else 1.0
    return (stretch * zoom, zoom) if rng.random() < config.chance else (1.0, 1.0)


def _stretched(width: int, stretch: float) -> int:
    return max(min(8, width), min(round(width * stretch), WIDEST))


def warp(image: Image, rng: np.random.Generator, strength: float, stretch: float, zoom: float = 1.0) -> Image:
    """Stretch, zoom, slant, rotate, wave and shift the line in one remap."""
    height, width = image.shape
    new_width = _stretched(width, stretch)
    x = np.arange(new_width, dtype=np.float32)[None, :] - (new_width - 1) / 2
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
    slant = np.tan(np.deg2rad(rng.normal(0, 10) * strength))
    # A rotation by degrees would throw the ends of a long line off its 64 rows: bound the rise in pixels instead.
    rise = rng.normal(0, 2.5) * strength / max(new_width, 4 * height) * 2
    size = float(np.exp(rng.normal(0, 0.09) * strength)) * zoom
    source_y = (y - rise * x) / size + rng.normal(0, 2) * strength
    source_y += _wave(new_width, height * rng.uniform(2, 8), rng)[None, :] * 1.5 * strength
    source_x = x / stretch + slant * y
    source_x = source_x + _wave(new_width, height * rng.uniform(0.8, 3), rng)[None, :] * 3 * strength
    source_x, source_y = source_x + (width - 1) / 2, source_y + (height - 1) / 2
    if zoom != 1:
        source_x, source_y = _recut(source_x, source_y, image.shape, zoom, rng)
    return cv2.remap(
        image,
        np.broadcast_to(source_x, (height, new_width)).astype(np.float32),
        np.broadcast_to(source_y, (height, new_width)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255,
    )  # type: ignore[return-value]


def _recut(
    x: NDArray[np.float32], y: NDArray[np.float32], size: tuple[int, ...], zoom: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The places in the line of each pixel, moved to where another cut has them.

    Smaller writing stands anywhere in the image; of larger writing not all is to be lost on one side. Half of the cuts
    that are larger than the line show its neighbours: itself, moved along by chance, which has the same hand and ink.
    """
    height, width = size
    room = (1 / zoom - 1 if zoom < 1 else (1 - 1 / zoom) / 2) * height / 2
    if zoom > 1 or rng.random() < 0.5:
        return x, y + np.float32(rng.uniform(-room, room))
    y = y + np.float32(rng.uniform(-room, room) / 2)
    which = np.floor_divide(y, height)
    return np.where(which == 0, x, (x + which * np.float32(width * rng.uniform(0.2, 0.8))) % width), y % height


def pen(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A thicker or a thinner pen: erosion or dilation, blended so that the change can be slight."""
    kernel = np.ones((2, 2), np.uint8) if rng.random() < 0.7 else cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    changed = cv2.erode(image, kernel) if rng.random() < 0.5 else cv2.dilate(image, kernel)
    share = min(1.0, rng.uniform(0.2, 1.0) * strength)
    return cv2.addWeighted(changed, share, image, 1 - share, 0)  # type: ignore[return-value]


def ink(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Darker or paler ink and paper: gamma and contrast."""
    gamma = float(np.exp(rng.normal(0, 0.35) * strength))
    dark, light = rng.uniform(0, 50) * strength, 255 - rng.uniform(0, 40) * strength
    levels = (np.arange(256) / 255.0) ** gamma * (light - dark) + dark
    return cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8))  # type: ignore[return-value]


def grain(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A coarse camera: noise, sometimes blur or a lower resolution."""
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), 0.4 + rng.random() * 0.8 * strength)  # type: ignore[assignment]
    elif rng.random() < 0.3:
        factor = 1 / (1 + rng.random() * strength)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return _noisy(image, rng, 0, 0.08 * strength)


def stain(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Blank or darkened spots, so that context has to fill in."""
    height, width = image.shape
    image = image.copy()
    for _ in range(rng.integers(1, 2 + round(width / 300 * strength))):
        w, h = int(rng.integers(3, 3 + max(1, round(14 * strength)))), int(rng.integers(4, height))
        x, y = int(rng.integers(0, max(1, width - w))), int(rng.integers(0, height - h + 1))
        spot = image[y : y + h, x : x + w]
        spot[:] = 255 if rng.random() < 0.7 else cv2.addWeighted(spot, 0.7, np.zeros_like(spot), 0.3, 0)
    return image


def degrade(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """What becomes of some lines in a copy or a scan: black and white only, a shadow, strong noise, or no focus."""
    if rng.random() >= DEGRADED:
        return image
    kind = rng.integers(5)
    if kind < 2:
        return _black_and_white(image, rng)
    if kind == 2:
        width = image.shape[1]
        shadow = 1 - min(0.9, 0.5 * strength) * rng.random() * np.linspace(0, 1, width)[None, :: rng.choice((-1, 1))]
        shaded: Image = (image * shadow).astype(np.uint8)
        return shaded
    if kind == 3:
        return _noisy(image, rng, 0.08 * min(1.0, strength), 0.25 * min(1.0, strength))
    return cv2.GaussianBlur(image, (0, 0), 0.6 + rng.random() * strength)  # type: ignore[return-value]


def _black_and_white(image: Image, rng: np.random.Generator) -> Image:
    """A copy without grays, at the resolution of a scan; made smaller again its edges are gray.

    What is black is told by one threshold or by the light around, from paper with or without grain: rough edges, broken
    strokes and specks come of it.
    """
    paper, contrast = paper_and_contrast(image)
    even = np.minimum(image, np.uint8(paper))  # margins and masks are lighter, and their rims would become black
    scale = rng.uniform(1.2, 3)
    large = _resized(even, scale)
    limit: NDArray[np.float32] | float = paper
    if rng.random() < LOCAL:  # the mean of half a line around; less of the contrast, as ink is part of that mean
        limit = _resized(cv2.GaussianBlur(even, (0, 0), len(even) * rng.uniform(0.08, 0.3)), scale)
    if rng.random() < GRAINY:
        noise = paper_grain(len(large), large.shape[1], rng, coarsest=1.2)
        large += noise * np.float32(contrast * rng.uniform(0, 0.12))
    black = large < limit - contrast * (rng.uniform(0.1, 0.35) if np.ndim(limit) else rng.uniform(0.12, 0.5))
    copy = np.where(black, np.uint8(0), np.uint8(PAPER))
    return cv2.resize(copy, image.shape[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _resized(image: cv2.typing.MatLike, scale: float) -> NDArray[np.float32]:
    """A larger image, in floating point."""
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.float32)


def _noisy(image: Image, rng: np.random.Generator, least: float, most: float) -> Image:
    """The image with a share of noise between two bounds."""
    noise = rng.integers(0, 256, image.shape, dtype=np.uint8)  # uniform bytes: ten times cheaper than a normal draw
    share = rng.uniform(least, most)
    return cv2.addWeighted(image, 1 - share, noise, share, 0)  # type: ignore[return-value]


def _wave(width: int, length: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random curve of (width,) values near [-1, 1] that turns about every `length` pixels."""
    knots = rng.normal(0, 0.5, max(2, round(width / length)) + 3)
    places = np.linspace(0, len(knots) - 1, width)
    left = np.minimum(places.astype(int), len(knots) - 2)
    ease = places - left
    ease = ease * ease * (3 - 2 * ease)
    return (knots[left] * (1 - ease) + knots[left + 1] * ease).astype(np.float32)  # type: ignore[no-any-return]


AUGMENTATIONS: dict[str, Augmentation] = {
    "pen": pen,
    "ink": ink,
    "grain": grain,
    "stain": stain,
    "degrade": degrade,
    "faint": faint,
}
