"""Words cut from lines of ground truth, where a model finds them.

The ground truth tells what is written, the model where: the text is aligned with what the network gives, and the line
is cut in the middle of each space. A line that the model hardly reads gives no sure places, and is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.bundle import Bundle
from uncial.decoders import DecodedSpan, align, best_path
from uncial.errors import ImageError
from uncial.image_file import Gray, load_image
from uncial.lineimage import Part, line_image, source_x, writing
from uncial.metrics import count_edits
from uncial.runtime import Runtime
from uncial.sources import Sample, split_of
from uncial.text import graphemes, reading_text

LINES_AT_ONCE = 256
SURE = 0.5  # CER of a line above which its alignment is not trusted
REACH = 0.5  # of the line's height: paper left before its first and behind its last letter


@dataclass(frozen=True, slots=True)
class CutImage:
    """The image of a word, kept in memory as a file would be.

    Attributes:
        data: a PNG.
        origin: what is told of the line's collection.
    """

    data: bytes
    origin: str

    def image(self, name: str) -> Gray:
        """Decode; uint8 (H, W) gray. Raises ImageError that begins with `name`."""
        return load_image(self.data, name)

    def file(self) -> bytes | None:
        """The PNG."""
        return self.data

    def notes(self) -> str:
        """What the line's collection tells."""
        return self.origin


@dataclass(frozen=True, slots=True)
class CutWords:
    """The words of some lines.

    Attributes:
        words: samples, in the order of the lines; their split and page are those of their lines.
        lines: how many lines they were cut from.
        left_out: (id, reason) of each line that gave no words.
    """

    words: tuple[Sample, ...]
    lines: int
    left_out: tuple[tuple[str, str], ...]


def cut_words(
    samples: Sequence[Sample],
    bundle: Bundle,
    runtime: Runtime,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CutWords:
    """Cut lines into words.

    Args:
        samples: lines of ground truth.
        bundle: whose network tells where the words stand.
        runtime: runs it.
        progress: is called with the lines done so far and their total.
    """
    words: list[Sample] = []
    left_out: list[tuple[str, str]] = []
    for begin in range(0, len(samples), LINES_AT_ONCE):
        some = [_opened(sample, bundle) for sample in samples[begin : begin + LINES_AT_ONCE]]
        left_out += [one for one in some if not isinstance(one, _Opened)]
        usable = [one for one in some if isinstance(one, _Opened)]
        read = runtime.log_probs([one.line for one in usable])
        for one, log_probs in zip(usable, read, strict=True):
            try:
                spans = _aligned(one.text, log_probs, bundle)
            except ValueError as error:
                left_out.append((one.sample.id, str(error)))
            else:
                words += _cut(one, spans, bundle)
        progress(begin + len(some), len(samples))
    return CutWords(tuple(words), len(samples) - len(left_out), tuple(left_out))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A line with its text, its image as it is stored, the part that is written on, and as the network gets it."""

    sample: Sample
    text: str
    image: Gray
    part: Part
    line: Gray


def _opened(sample: Sample, bundle: Bundle) -> _Opened | tuple[str, str]:
    """The line, or its id and why it has no use."""
    reading = reading_text(sample.text)
    if reason := sample.flaw or reading.reason:
        return sample.id, reason
    try:
        image = sample.image()
        part = writing(image)
        return _Opened(sample, reading.text, image, part, line_image(image, bundle.line_image, part))
    except ImageError as error:
        return sample.id, str(error)


def _aligned(text: str, log_probs: NDArray[np.float32], bundle: Bundle) -> list[DecodedSpan]:
    """The spans of a text; ValueError tells why its places are not sure."""
    if missing := bundle.alphabet.missing(text):
        raise ValueError(f"has a grapheme that the model does not know: {' '.join(missing)}")
    classes = bundle.alphabet.encode(text)
    if count_edits(classes, [span.class_ for span in best_path(log_probs)]).error_rate > SURE:
        raise ValueError("is read too badly to tell where its words stand")
    return align(log_probs, classes)


def _cut(opened: _Opened, spans: Sequence[DecodedSpan], bundle: Bundle) -> Iterator[Sample]:
    """The words of one line, as samples of their own."""
    sample, units = opened.sample, graphemes(opened.text)
    height, width = opened.part.height, opened.image.shape[1]

    def place(time_step: float) -> float:
        return source_x(bundle.line_image, opened.part, time_step * bundle.architecture.step_width)

    spaces = [n for n, unit in enumerate(units) if unit == " "]
    edges = [place(spans[0].start) - REACH * height]
    edges += [(place(spans[n].start) + place(spans[n].end)) / 2 for n in spaces]
    edges.append(place(spans[-1].end) + REACH * height)
    columns = np.clip(np.rint(edges), 0, width).astype(int).tolist()
    texts, notes = "".join(units).split(" "), sample.source.notes()
    for number, ((left, right), text) in enumerate(zip(pairwise(columns), texts, strict=True)):
        if text and right > left:
            data = cv2.imencode(".png", opened.image[:, left:right])[1].tobytes()
            yield Sample(
                f"{sample.id}-{number:02}",
                text,
                sample.collection,
                sample.document,
                sample.page,
                split_of(sample),
                CutImage(data, notes),
            )
