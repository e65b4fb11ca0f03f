"""Pictures of single letters, cut from lines of handwriting where the shipped model found them.

The model tells where a letter stands, the ground truth what it is: a letter that was misread between two that were read
rightly is cut and named rightly all the same, so that the pictures are not only the easy ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uncial import Recognizer, Sample, Transcript
from uncial.errors import GroundTruthError, ImageError
from uncial.lineimage import LineImageConfig, ink, line_image, line_x, writing
from uncial.metrics import aligned
from uncial.text import graphemes, reading_text

SIDE = 48  # pixels of a picture, each way
WIDTH, HEIGHT = 24, 32  # pixels cut out of the line (64 high); 8 and more are left around for the letter to move


@dataclass(frozen=True, slots=True, eq=False)
class LetterPicture:
    """A letter in the middle of blank paper.

    Attributes:
        kind: which letter it is, by the ground truth.
        read: what the shipped model read there, in the light of the whole line.
        pixels: float32 (SIDE, SIDE), 0 paper to 1 the darkest ink of its line.
    """

    kind: str
    read: str
    pixels: NDArray[np.float32]


def cut_letters(recognizer: Recognizer, samples: Sequence[Sample], kinds: Sequence[str]) -> list[LetterPicture]:
    """All letters of these kinds whose place in these lines is sure.

    Lines without usable text or image are passed over.
    """
    lines = list(_usable(samples))
    transcripts = recognizer.read_lines(image for image, _ in lines)
    config = replace(recognizer.bundle.line_image, stretch=1.0)  # letters keep their shape
    pictures: list[LetterPicture] = []
    for (image, text), transcript in zip(lines, transcripts, strict=True):
        part = writing(image)
        line = ink(line_image(image, config, part))
        places = _sure_places(text, transcript, kinds)
        pictures += [LetterPicture(kind, read, _picture(line, line_x(config, part, x))) for kind, read, x in places]
    return pictures


def balanced(pictures: Sequence[LetterPicture], kinds: Sequence[str], fewest: int) -> list[LetterPicture]:
    """Equally many of each kind, the first ones, so that chance is right for one in `len(kinds)`.

    Raises:
        GroundTruthError: fewer than `fewest` of a kind.
    """
    of = {kind: [picture for picture in pictures if picture.kind == kind] for kind in kinds}
    rarest = min(kinds, key=lambda kind: len(of[kind]))
    if len(of[rarest]) < fewest:
        raise GroundTruthError(
            f"the letter '{rarest}' was found {len(of[rarest])} times, and at least {fewest} are needed; "
            "take more --lines, other --kinds or more data"
        )
    return [picture for kind in kinds for picture in of[kind][: len(of[rarest])]]


def _usable(samples: Sequence[Sample]) -> Iterator[tuple[NDArray[np.uint8], str]]:
    for sample in samples:
        reading = reading_text(sample.text)
        if sample.flaw or reading.reason:
            continue
        try:
            image = sample.image()
            line_image(image, LineImageConfig())
        except ImageError:
            continue
        yield image, reading.text


def _sure_places(text: str, transcript: Transcript, kinds: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """(kind, what was read, middle in pixels of the image) of letters whose neighbours were read rightly."""
    pairs = aligned(graphemes(text), [span.grapheme for span in transcript.spans])
    right = [True, *(written == read for written, read in pairs), True]  # the ends of a line are sure
    spans = iter(transcript.spans)
    for n, (written, read) in enumerate(pairs):
        span = next(spans) if read else None
        if span and written in kinds and right[n] and right[n + 2]:
            yield written, read, (span.left + span.right) / 2


def _picture(line: NDArray[np.float32], middle: float) -> NDArray[np.float32]:
    """Cut around a place in a line, (H, W) ink, at the height where its ink lies."""
    left = round(middle) - WIDTH // 2
    padded = np.pad(line, ((HEIGHT, HEIGHT), (WIDTH, WIDTH)))
    column = padded[:, left + WIDTH : left + 2 * WIDTH]
    rows = column.sum(axis=1)
    centre = round(float((rows * np.arange(len(rows))).sum() / rows.sum())) if rows.any() else len(rows) // 2
    letter = column[centre - HEIGHT // 2 : centre + HEIGHT // 2]
    picture = np.zeros((SIDE, SIDE), np.float32)
    top, start = (SIDE - HEIGHT) // 2, (SIDE - WIDTH) // 2
    picture[top : top + HEIGHT, start : start + WIDTH] = letter
    return picture
