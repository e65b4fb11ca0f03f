"""One line image, written a little differently: (image, rng) -> image.

All geometry (slant, scale, rotation, waves of the baseline, jitter of the cut) is one displacement field and one
OpenCV remap (`warp`); then the pen (thicker, thinner), the ink and the paper (gamma, noise, blur, stains) change.
Images are uint8 (H, W), white paper 255. The members of `AUGMENTATIONS` are drawn in order, each with its own chance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Augmentation = Callable[[Image, np.random.Generator, float], Image]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How much training lines vary.

    Attributes:
        strength: 0 leaves lines as they are, 1 is the usual range of every augmentation, 2 the most.
        chance: of each augmentation, for each line.
    """

    strength: float = 1.0
    chance: float = 0.5

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 <= self.strength <= 2 or not 0 <= self.chance <= 1:  # beyond 2, ink could become lighter than paper
            raise ValueError("strength lies in [0, 2] and chance in [0, 1]")


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
    stretch = _stretch(rng, config)
    if stretch != 1:
        image = warp(image, rng, config.strength, stretch)
    for change in AUGMENTATIONS.values():
        if rng.random() < config.chance:
            image = change(image, rng, config.strength)
    return image


def augmented_width(width: int, rng: np.random.Generator, config: AugmentConfig) -> int:
    """The width that `augment` will give a line, from a generator in the same state; batches are planned by it."""
    return _stretched(width, _stretch(rng, config)) if config.strength else width


def _stretch(rng: np.random.Generator, config: AugmentConfig) -> float:
    """How much wider the line becomes: the first thing drawn for a line; exactly 1 where its geometry stays."""
    drawn = float(np.exp(rng.uniform(-0.22, 0.22) * config.strength))
    return drawn if rng.random() < config.chance else 1.0


def _stretched(width: int, stretch: float) -> int:
    return max(min(8, width), round(width * stretch))


def warp(image: Image, rng: np.random.Generator, strength: float, stretch: float) -> Image:
    """Stretch, slant, rotate, wave and shift the line in one remap."""
    height, width = image.shape
    new_width = _stretched(width, stretch)
    x = np.arange(new_width, dtype=np.float32)[None, :] - (new_width - 1) / 2
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
    slant = np.tan(np.deg2rad(rng.normal(0, 10) * strength))
    # A rotation by degrees would throw the ends of a long line off its 64 rows: bound the rise in pixels instead.
    rise = rng.normal(0, 2.5) * strength / max(new_width, 4 * height) * 2
    size = float(np.exp(rng.normal(0, 0.09) * strength))
    source_y = (y - rise * x) / size + rng.normal(0, 2) * strength
    source_y += _wave(new_width, height * rng.uniform(2, 8), rng)[None, :] * 1.5 * strength
    source_x = x / stretch + slant * y
    source_x = source_x + _wave(new_width, height * rng.uniform(0.8, 3), rng)[None, :] * 3 * strength
    return cv2.remap(
        image,
        np.broadcast_to(source_x + (width - 1) / 2, (height, new_width)).astype(np.float32),
        np.broadcast_to(source_y + (height - 1) / 2, (height, new_width)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=255,
    )  # type: ignore[return-value]


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
    noise = rng.integers(0, 256, image.shape, dtype=np.uint8)  # uniform bytes: ten times cheaper than a normal draw
    share = rng.random() * 0.08 * strength
    return cv2.addWeighted(image, 1 - share, noise, share, 0)  # type: ignore[return-value]


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


def _wave(width: int, length: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random curve of (width,) values near [-1, 1] that turns about every `length` pixels."""
    knots = rng.normal(0, 0.5, max(2, round(width / length)) + 3)
    places = np.linspace(0, len(knots) - 1, width)
    left = np.minimum(places.astype(int), len(knots) - 2)
    ease = places - left
    ease = ease * ease * (3 - 2 * ease)
    return (knots[left] * (1 - ease) + knots[left + 1] * ease).astype(np.float32)  # type: ignore[no-any-return]


AUGMENTATIONS: dict[str, Augmentation] = {"pen": pen, "ink": ink, "grain": grain, "stain": stain}
