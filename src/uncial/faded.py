"""What years leave of a line, and paper on which nothing is written: (image, rng) -> image, for training.

Grays are uint8 (H, W), white paper 255.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.image_file import Gray
from uncial.lineimage import PAPER, ink, paper_and_contrast

FADED = 0.2  # of the lines that `faint` is drawn for
FAINTEST, FAINT = 7.0, 50.0  # gray levels from paper to full ink of pencil that has faded, of pale ink
BROAD = 21  # pixels, broader than strokes of a line 64 high
SHOWS_THROUGH, RULED = 0.3, 0.3  # of blank lines: with writing from the other side, with rules
WIDEST_WEBP = 16_383  # pixels
LOG_MARKS = 0.7, 3.2  # of the gray levels by which what is on blank paper is darker


def faint(image: Gray, rng: np.random.Generator, strength: float) -> Gray:
    """Pencil that has faded, of some lines: a few gray levels, worn off in places, and what compression leaves of them.

    `lineimage.ink` stretches the contrast of all lines; what tells pale ones is the grain of paper that comes with it,
    and the squares and flat spots that JPEG and WebP make where little differs.
    """
    if rng.random() >= FADED:
        return image
    dark = ink(image)
    if dark.max() < 0.5:  # blank paper
        return image
    height, width = image.shape
    paper, contrast = paper_and_contrast(image)
    dark = np.clip(dark - _patches(height, width, rng) * np.float32(min(0.9, rng.uniform(0, 0.7) * strength)), 0, 1)
    levels = contrast * (np.exp(rng.uniform(np.log(FAINTEST), np.log(FAINT))) / contrast) ** min(1.0, strength)
    noise = np.float32(rng.uniform(0, 0.15)) * paper_grain(height, width, rng)
    light = rng.uniform(150, 235) - levels * (dark + noise + rng.uniform(0, 0.3) * _patches(height, width, rng))
    pale = _compressed(np.clip(light, 0, PAPER - 1).astype(np.uint8), rng)
    if paper < PAPER:
        pale[image == PAPER] = PAPER  # what was masked, or is margin, is masked afterwards
    return image if paper_and_contrast(pale)[1] == PAPER else pale


def blank_paper(image: Gray, rng: np.random.Generator) -> Gray:
    """The paper of a line without its writing: strokes are closed by the light around them.

    What can be taken for faint writing is drawn: grain, uneven light, rules, writing that shines through from the other
    side, and the squares that compression makes of them.

    Args:
        image: uint8 (H, W).
        rng: draws all that.

    Returns:
        uint8 (H, W).
    """
    height, width = image.shape
    paper, _ = paper_and_contrast(image)
    bare = cv2.morphologyEx(np.minimum(image, min(paper, 250)), cv2.MORPH_CLOSE, np.ones((BROAD, BROAD), np.uint8))
    marks = np.float32(rng.uniform(0, 0.4)) * paper_grain(height, width, rng)
    marks += np.float32(rng.uniform(0, 1)) * _patches(height, width, rng)
    if rng.random() < SHOWS_THROUGH:
        marks += np.float32(rng.uniform(0, 0.7)) * cv2.GaussianBlur(ink(image)[:, ::-1], (0, 0), rng.uniform(1, 3))
    if rng.random() < RULED:
        rows, columns = rng.integers(4, height, 2).tolist()
        marks[rng.integers(rows) :: rows] += np.float32(rng.uniform(0.3, 2))
        if rng.random() < RULED:
            marks[:, rng.integers(columns) :: columns] += np.float32(rng.uniform(0.3, 2))
    light = cv2.blur(bare, (BROAD, BROAD)) - np.float32(np.exp(rng.uniform(*LOG_MARKS))) * marks
    blank = _compressed(np.clip(light, 0, PAPER - 1).astype(np.uint8), rng)
    shown = np.flatnonzero((image < PAPER).any(axis=0))
    if len(shown):  # margins stay white, or blank lines could be told by them
        blank[:, : shown[0]] = blank[:, shown[-1] + 1 :] = PAPER
    if paper < PAPER:
        blank[image == PAPER] = PAPER
    return blank


def paper_grain(height: int, width: int, rng: np.random.Generator, coarsest: float = 1.5) -> NDArray[np.float32]:
    """Noise of standard deviation 1, fine or coarse: blurred by 0.4 to `coarsest` pixels."""
    fine = rng.random((height, width), dtype=np.float32) - 0.5
    noise: NDArray[np.float32] = cv2.GaussianBlur(fine, (0, 0), rng.uniform(0.4, coarsest))  # type: ignore[assignment]
    return noise / np.float32(max(1e-6, float(noise.std())))


def _patches(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth random (height, width), 0 to 1, that changes within about a letter or two."""
    coarse = rng.random((3, max(2, width // 48)), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _compressed(image: Gray, rng: np.random.Generator) -> Gray:
    """What JPEG or WebP of some quality leave of an image."""
    jpeg = rng.random() < 0.6 or image.shape[1] > WIDEST_WEBP
    kind, flag = (".jpg", cv2.IMWRITE_JPEG_QUALITY) if jpeg else (".webp", cv2.IMWRITE_WEBP_QUALITY)
    _, packed = cv2.imencode(kind, image, [flag, int(rng.integers(40, 96))])
    return cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)  # type: ignore[return-value]
