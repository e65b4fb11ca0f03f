"""Lines that nobody wrote: texts of corpora and lists, drawn in handwriting fonts on made-up paper.

`lines` is a stream: line n of a seed is always the same. Each step is a module: `texts` says what is written, `fonts`
in which font, `drawing` makes the strokes and `paper` the picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.synthetic.drawing import draw
from uncial.synthetic.fonts import Font, choose_font, read_fonts
from uncial.synthetic.paper import on_paper
from uncial.synthetic.texts import Corpus, TextMaker, read_corpora
from uncial.text import reading_text

__all__ = ["Corpus", "Font", "SyntheticLine", "lines", "read_corpora", "read_fonts"]


@dataclass(frozen=True, slots=True)
class SyntheticLine:
    """A drawn line.

    Attributes:
        text: what is to be read, as the text policy has it.
        font: the file's name without its suffix.
        image: uint8 (64, W), dark ink on light paper.
    """

    text: str
    font: str
    image: NDArray[np.uint8]


def lines(corpora: Sequence[Corpus], fonts: Sequence[Font], seed: int) -> Iterator[SyntheticLine]:
    """An endless stream of lines; texts that no font can write are passed over.

    Args:
        corpora: running texts, at least one.
        fonts: at least one.
        seed: of all chance.
    """
    maker, rng, choice = TextMaker(corpora, seed), np.random.default_rng(seed), list(fonts)
    cv2.setRNGSeed(seed % 2**31)  # the grain of paper is drawn by OpenCV, which is three times quicker
    while True:
        text = maker.text(rng)
        reading = reading_text(text)
        font = choose_font(choice, text, rng)
        if font is None or reading.reason or "<" in text or ">" in text:
            continue
        image = on_paper(draw(text, font, rng), rng)
        yield SyntheticLine(reading.text, font.path.stem, image)
