"""Evaluate: read lines whose text is known, and say how well it went.

Nothing is lost on the way: ground truth that cannot be scored is left out and listed; a line that cannot be read is
listed and counts as wholly missing. Lines whose text many documents repeat are marked, so that the figures can be told
without them: a model that has seen a sentence a hundred times in training reads it from memory.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from uncial.document import Failure, Transcript
from uncial.errors import GroundTruthError, ImageError
from uncial.evaluation import Evaluation
from uncial.metrics import words
from uncial.read_line import ReadLine
from uncial.sources import Sample, split_of
from uncial.text import reading_text
from uncial.wording import count_of

LINES_AT_ONCE = 256  # images in memory together; as many as the recognizer sorts by width
PIXELS_AT_ONCE = 2**26  # or fewer, of larger images (64 MB)
MANY_DOCUMENTS = 8  # a trigram of words in more documents than these is a formula
SHORTEST = 1e-6  # seconds; a coarse clock may show no time at all

Progress = Callable[[int, int], None]
Image = NDArray[np.uint8]


class LineReader(Protocol):
    """What is evaluated: `recognizer.Recognizer`, or anything that reads like it."""

    def try_lines(self, images: Iterable[Image]) -> Iterator[Transcript | ImageError]:
        """For each uint8 (H, W) gray line image, in order, a transcript, or why there is none."""
        ...


def evaluate(
    recognizer: LineReader,
    samples: Sequence[Sample],
    *,
    split: str | None = None,
    progress: Progress = lambda done, total: None,
    about: Mapping[str, str] | None = None,
) -> Evaluation:
    """Read the lines of a split and compare them with their ground truth.

    Args:
        recognizer: what reads.
        samples: lines of all splits; which texts are repeated is told from all of them.
        split: "train", "val", "test" or "all"; None: "val" if any sample has a split, else all.
        progress: is called with the lines read so far and their total.
        about: facts for whoever reads the result, such as {"model": "..."}; the split is added.

    Raises:
        GroundTruthError: the split holds no line that can be scored.
    """
    split = split or ("val" if any(sample.split for sample in samples) else "all")
    marks: Counter[str] = Counter()
    left_out: list[Failure] = []
    chosen: list[tuple[Sample, str, bool]] = []
    for sample, repeated in zip(samples, repeated_lines(samples), strict=True):
        if split not in ("all", split_of(sample)):
            continue
        reading = reading_text(sample.text)
        # A flaw of the source is there before any model reads, so leaving it out helps no model.
        if reason := sample.flaw or reading.reason:
            left_out.append(Failure(sample.id, reason))
        else:
            marks.update(reading.marks)
            chosen.append((sample, reading.text, repeated))
    if not chosen:
        raise GroundTruthError(_nothing_to_read(samples, split, left_out))
    wall, cpu = time.perf_counter(), time.process_time()
    transcripts = list(_transcripts(recognizer, [sample for sample, _, _ in chosen], progress))
    seconds = max(time.perf_counter() - wall, SHORTEST)
    cpu_seconds = max(time.process_time() - cpu, SHORTEST)
    lines = (ReadLine.compared(*line, transcript) for line, transcript in zip(chosen, transcripts, strict=True))
    about = {**(about or {}), "split": split}
    return Evaluation(tuple(lines), tuple(left_out), marks, seconds, cpu_seconds, about)


def repeated_lines(samples: Sequence[Sample]) -> list[bool]:
    """Which lines say what many documents of their collection say: consent sentences, formulae.

    A line is repeated if more than half of its word trigrams occur in over eight documents. Words are compared as they
    are written. A line of fewer than three words has no trigram and is never repeated: "43" or "id." in fifty registers
    is no formula known by heart, it has to be read.

    Args:
        samples: all lines there are, of all splits; a choice of them has fewer documents.

    Returns:
        For each sample whether its line is repeated.
    """
    trigrams = [_trigrams(reading_text(sample.text).text) for sample in samples]
    documents: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for sample, some in zip(samples, trigrams, strict=True):
        for trigram in some:
            documents[sample.collection, *trigram].add(sample.document)
    return [
        sum(len(documents[sample.collection, *trigram]) > MANY_DOCUMENTS for trigram in some) * 2 > len(some)
        for sample, some in zip(samples, trigrams, strict=True)
    ]


def _trigrams(text: str) -> list[tuple[str, str, str]]:
    written = words(text)
    return list(zip(written, written[1:], written[2:], strict=False))


def _nothing_to_read(samples: Sequence[Sample], split: str, left_out: Sequence[Failure]) -> str:
    if left_out:
        first = left_out[0]
        return f"of {count_of(len(left_out), 'line')} of split '{split}' none can be scored; {first.id}: {first.reason}"
    there = Counter(split_of(sample) for sample in samples)
    told = ", ".join(f"{name} ({count_of(count, 'line')})" for name, count in sorted(there.items())) or "none"
    return f"there is no line in split '{split}'; splits of this data: {told}; choose one with --split"


def _transcripts(
    recognizer: LineReader, samples: Sequence[Sample], progress: Progress
) -> Iterator[Transcript | Failure]:
    """Read lines in handfuls, in order."""
    done = 0
    for handful in _opened(samples):
        read = iter(recognizer.try_lines([image for _, image in handful if not isinstance(image, Failure)]))
        for sample, image in handful:
            yield image if isinstance(image, Failure) else _told(sample, next(read))
        done += len(handful)
        progress(done, len(samples))


def _opened(samples: Sequence[Sample]) -> Iterator[list[tuple[Sample, Image | Failure]]]:
    """The images of lines, no more at once than memory holds."""
    handful: list[tuple[Sample, Image | Failure]] = []
    pixels = 0
    for sample in samples:
        try:
            image = sample.image()
        except ImageError as error:
            handful.append((sample, Failure(sample.id, str(error).removeprefix(f"{sample.id}: "))))
        else:
            handful.append((sample, image))
            pixels += image.size
        if len(handful) >= LINES_AT_ONCE or pixels >= PIXELS_AT_ONCE:
            yield handful
            handful, pixels = [], 0
    if handful:
        yield handful


def _told(sample: Sample, read: Transcript | ImageError) -> Transcript | Failure:
    """What was read, without spans: those of a large collection would fill the memory, and no figure needs them."""
    if isinstance(read, ImageError):
        return Failure(sample.id, str(read))
    return Transcript(read.text, read.confidence, uncalibrated=read.uncalibrated, words=read.words)
