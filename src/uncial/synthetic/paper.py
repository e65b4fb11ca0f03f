"""Bare strokes -> the gray line image that a camera or a scanner would have taken of them.

First the pen (how wide, how hard pressed), then paper (shade, grain, ruling, ink of the other side), ink (darkness,
fading, running dry), and last what cutting and storing does: a mask outside the line's polygon, blur, noise, JPEG.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.synthetic.drawing import Strokes, wave

Gray = NDArray[np.uint8]
Plane = NDArray[np.float32]
LEAST_KEPT = 0.55  # share of its ink that a line keeps under a thin pen; below that letters break


def on_paper(strokes: Strokes, rng: np.random.Generator) -> Gray:
    """A line image of these strokes.

    Args:
        strokes: (H, W), 0 paper to 255 ink.
        rng: the only source of chance.

    Returns:
        uint8 (H, W), dark ink on light paper, pure white outside the line's polygon if it has one.
    """
    pressed = press(strokes, rng)
    height, width = strokes.shape
    paper = _paper(height, width, rng)
    if rng.random() < 0.15:
        behind = cv2.GaussianBlur(pressed[:, ::-1], (0, 0), rng.uniform(1, 2))
        paper -= np.roll(behind, int(rng.integers(0, width)), axis=1) * rng.uniform(8, 35)
    if rng.random() < 0.3:
        _rule(paper, rng)
    level = float(paper.mean())
    dark = level * rng.beta(1.5, 3.5) * 0.85  # of the ink: black for the most part, now and then pale pencil
    image = paper + (dark - paper) * (pressed * _fading(height, width, rng))
    if rng.random() < 0.05:
        _blot(image, dark, rng)
    if rng.random() < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9))  # type: ignore[assignment]
    result = np.clip(image, 0, 250).astype(np.uint8)
    if rng.random() < 0.3:
        result = _stored(result, rng)
    if rng.random() < 0.45:
        _mask(result, rng)
    return result


def press(strokes: Strokes, rng: np.random.Generator) -> Plane:
    """Strokes of another width, which waxes and wanes along the line; (H, W) float32, 0 to 1."""
    soft = cv2.GaussianBlur(strokes, (0, 0), rng.uniform(0.5, 1.1)).astype(np.float32) / 255
    threshold = rng.uniform(0.18, 0.55) + wave(strokes.shape[1], rng.uniform(20, 150), rng)[None, :] * 0.07
    pressed = np.clip((soft - threshold) * rng.uniform(2.5, 6) + 0.5, 0, 1)
    pressed[soft < 0.02] = 0
    if pressed.sum() < LEAST_KEPT * soft.sum():
        return np.minimum(soft * 1.3, 1)
    return pressed.astype(np.float32)


def _paper(height: int, width: int, rng: np.random.Generator) -> Plane:
    """Paper with its shade and grain."""
    level = 255 - 150 * rng.beta(1, 3)
    clouds = rng.normal(0, 1, (4, max(3, width // 60))).astype(np.float32)
    shade = cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC) * rng.uniform(0, 5)
    grain = _grain(height, width, rng.uniform(0.3, 5))
    if rng.random() < 0.5:
        grain = cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.6, 1.5))  # type: ignore[assignment]
    return level + shade + grain


def _grain(height: int, width: int, spread: float) -> Plane:
    """Normal noise of OpenCV's generator, which whoever draws the line has seeded; far quicker than NumPy's."""
    grain = np.empty((height, width), np.float32)
    cv2.randn(grain, np.zeros(1), np.full(1, spread))
    return grain


def _rule(paper: Plane, rng: np.random.Generator) -> None:
    """Ruled or squared lines, nearly level, in the color of pale print."""
    height, width = paper.shape
    depth, pitch = rng.uniform(6, 50), int(rng.integers(14, 60))
    slope = rng.normal(0, 1.5)
    rules = np.zeros((height, width), np.float32)
    for y in range(int(rng.integers(0, pitch)), height, pitch):
        cv2.line(rules, (0, y), (width, round(y + slope)), 1.0, 1, cv2.LINE_AA)
    if rng.random() < 0.3:
        for x in range(int(rng.integers(0, pitch)), width, pitch):
            cv2.line(rules, (x, 0), (x + int(rng.integers(-1, 2)), height), 1.0, 1, cv2.LINE_AA)
    paper -= rules * depth


def _fading(height: int, width: int, rng: np.random.Generator) -> Plane:
    """How much of the ink is left, (H, W): paler and darker stretches, and the grain of a dry pen or of pencil."""
    left = 1 - np.abs(wave(width, rng.uniform(40, 250), rng))[None, :] * rng.uniform(0, 0.45)
    if rng.random() < 0.3:
        grain = cv2.GaussianBlur(_grain(height, width, 1), (0, 0), 0.7)
        left = left - np.clip(grain - 0.1, 0, 1) * rng.uniform(0.2, 0.9)
    return np.broadcast_to(np.clip(left, 0.25, 1), (height, width)).astype(np.float32)


def _blot(image: Plane, dark: float, rng: np.random.Generator) -> None:
    """A drop of ink, small enough that what it covers can be guessed."""
    height, width = image.shape
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    cv2.ellipse(image, centre, (int(rng.integers(1, 6)), int(rng.integers(1, 6))), 0, 0, 360, dark, -1, cv2.LINE_AA)


def _stored(image: Gray, rng: np.random.Generator) -> Gray:
    """What JPEG leaves of it."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)  # type: ignore[return-value]


def _mask(image: Gray, rng: np.random.Generator) -> None:
    """White outside a wavering polygon, as line archives have it."""
    height, width = image.shape
    points = max(3, width // 80)
    xs = np.linspace(0, width, points)
    top = np.clip(rng.normal(1, 3), 0, 9) + rng.uniform(0, 3, points)
    bottom = height - np.clip(rng.normal(1, 3), 0, 9) - rng.uniform(0, 3, points)
    outline = np.concatenate([np.stack([xs, top], 1), np.stack([xs, bottom], 1)[::-1]]).round().astype(np.int32)
    inside = cv2.fillPoly(np.zeros((height, width), np.uint8), [outline], (1,))
    image[inside == 0] = 255
