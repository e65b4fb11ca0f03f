"""Text -> the bare strokes of a line, as a pen would have left them: (64, W) uint8, 255 where there is ink.

Words are drawn whole, so that joined scripts keep their joins, and set one after the other along a baseline; then one
remap slants, waves and narrows the whole line. Neighbouring lines are drawn above and below before that, and what
of them reaches into the line's window stays in it.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from uncial.synthetic.fonts import Font

HEIGHT = 64  # pixels of a finished line
_CANVAS = 160  # rows drawn on, so that neighbouring lines have a place
_PAD = 28  # pixels left and right, for swashes that reach beyond a word
_SUPERSCRIPT = 0.62  # size of raised letters, relative to the others

Strokes = NDArray[np.uint8]


def draw(text: str, font: Font, rng: np.random.Generator) -> Strokes:
    """The strokes of a line of text.

    Args:
        text: what is written; the rest of a word behind `^` is raised.
        font: that can write it.
        rng: the only source of chance.

    Returns:
        uint8 (HEIGHT, W), 0 paper to 255 ink.
    """
    height = rng.uniform(36, 58)
    main, small = font.at(height), font.at(height * _SUPERSCRIPT)
    words, gap = text.split(), float(main.getlength(" ") or 8) * rng.uniform(0.7, 2.0)
    lengths = [_length(word, main, small) for word in words]
    gaps = rng.uniform(0.75, 1.3, len(words)) * max(gap, 5)
    lefts = np.concatenate([[0.0], np.cumsum(np.array(lengths) + gaps)[:-1]]) + _PAD
    width = int(lefts[-1] + lengths[-1]) + _PAD
    image = Image.new("L", (width, _CANVAS))
    pen = ImageDraw.Draw(image)
    baseline = _CANVAS / 2 + height * 0.2  # so that ascenders and descenders lie about the middle
    steps = np.cumsum(rng.normal(0, 0.5, len(words)))  # a hand drifts off and comes back
    for word, left, rise in zip(words, lefts, steps - steps.mean(), strict=True):
        _word(pen, word, (float(left), baseline + float(rise)), main, small)
    _neighbours(pen, words, main, baseline, rng)
    boxes = [(left, left + length) for left, length in zip(lefts.tolist(), lengths, strict=True)]
    _marks(pen, boxes, (baseline, height), rng)
    cut = (int(rng.integers(0, _PAD)), width - int(rng.integers(0, _PAD)))
    return _bend(np.asarray(image)[:, cut[0] : cut[1]], rng)


def _length(word: str, main: ImageFont.FreeTypeFont, small: ImageFont.FreeTypeFont) -> float:
    plain, _, raised = word.partition("^")
    return float(main.getlength(plain) + (small.getlength(raised) if raised else 0))


def _word(
    pen: ImageDraw.ImageDraw,
    word: str,
    place: tuple[float, float],
    main: ImageFont.FreeTypeFont,
    small: ImageFont.FreeTypeFont,
) -> None:
    plain, _, raised = word.partition("^")
    pen.text(place, plain, fill=255, font=main, anchor="ls")
    if raised:
        end = (place[0] + float(main.getlength(plain)), place[1] - main.size * 0.25)
        pen.text(end, raised, fill=255, font=small, anchor="ls")


def _neighbours(
    pen: ImageDraw.ImageDraw,
    words: list[str],
    main: ImageFont.FreeTypeFont,
    baseline: float,
    rng: np.random.Generator,
) -> None:
    """Lines above and below, of the same words in another order; only their ends will reach into the window."""
    for side in (-1, 1):
        if rng.random() < 0.45:
            text = " ".join(words[i] for i in rng.permutation(len(words))).replace("^", "")
            place = (_PAD + float(rng.uniform(-60, 60)), baseline + side * rng.uniform(50, 66))
            pen.text(place, text, fill=255, font=main, anchor="ls")


def _marks(
    pen: ImageDraw.ImageDraw,
    boxes: list[tuple[float, float]],
    line: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Now and then a crossed-out or an underlined word. Its text stays: the network reads through a stroke."""
    baseline, height = line
    thick = int(rng.integers(1, 4))
    for left, right in boxes:
        chance = rng.random()
        if chance < 0.012:
            level = baseline - height * rng.uniform(0.12, 0.25)
            _stroke(pen, (left - 2, right + 2), level, thick, rng)
        elif chance < 0.022:
            _stroke(pen, (left, right), baseline + rng.uniform(3, 8), thick, rng)
    if rng.random() < 0.02:
        _stroke(pen, (boxes[0][0], boxes[-1][1]), baseline + rng.uniform(4, 9), thick, rng)


def _stroke(
    pen: ImageDraw.ImageDraw, ends: tuple[float, float], level: float, thick: int, rng: np.random.Generator
) -> None:
    """A level stroke that wavers."""
    xs = np.linspace(*ends, max(3, int((ends[1] - ends[0]) / 25)))
    points = list(zip(xs.tolist(), (level + rng.normal(0, 1.2, len(xs))).tolist(), strict=True))
    for a, b in pairwise(points):
        pen.line((*a, *b), fill=int(rng.integers(170, 256)), width=thick)


def _bend(canvas: NDArray[np.uint8], rng: np.random.Generator) -> Strokes:
    """Slant, stretch, rotate, wave and let the size drift in one remap, and cut the window of the line."""
    stretch = float(np.exp(rng.normal(0, 0.12)))
    width = max(8, round(canvas.shape[1] * stretch))
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(HEIGHT, dtype=np.float32)[:, None] - HEIGHT / 2
    slant = float(np.tan(np.deg2rad(rng.normal(6, 10))))
    size = np.exp(wave(width, 300, rng) * 0.07)[None, :]
    centre = _CANVAS / 2 + rng.normal(0, 2.5) + rng.normal(0, 2) * (x / width - 0.5)
    source_y = y * size + centre + wave(width, rng.uniform(80, 400), rng)[None, :] * rng.uniform(0, 3)
    source_x = x / stretch + slant * y + wave(width, rng.uniform(30, 120), rng)[None, :] * rng.uniform(0, 2.5)
    shape = (HEIGHT, width)
    return cv2.remap(
        canvas,
        np.broadcast_to(source_x, shape).astype(np.float32),
        np.broadcast_to(source_y, shape).astype(np.float32),
        cv2.INTER_LINEAR,
    )  # type: ignore[return-value]


def wave(width: int, length: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random curve of (width,) values, most within [-1, 1], that turns about every `length` pixels."""
    knots = rng.normal(0, 0.6, (1, max(2, round(width / length)) + 3)).astype(np.float32)
    return cv2.resize(knots, (width, 1), interpolation=cv2.INTER_CUBIC)[0]  # type: ignore[no-any-return]
