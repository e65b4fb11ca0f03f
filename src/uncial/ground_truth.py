"""What is in ground truth, what is wrong with it, and how to store it in another form.

`check` looks at every line as training would and counts what it finds; whatever training would leave out is listed
with its reason. `convert` writes the lines that have an image and a text, and lists the others. Nothing is printed
here: both return plain frozen values.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from uncial.architecture import CRNNConfig
from uncial.atomic import written_whole
from uncial.config import choose
from uncial.decoders import steps_needed
from uncial.errors import GroundTruthError, ImageError, StorageError
from uncial.lineimage import LineImageConfig, ink, line_image, paper_and_contrast
from uncial.sources import Sample, split_of
from uncial.sources.writing import FORMS, StoredLine, stored_line, write_lines
from uncial.text import graphemes, reading_text

Progress = Callable[[int, int], None]

MANY_DOCUMENTS = 8  # a text in more documents than this is a formula, not one writer's own words
BLANK, BLANK_INK = 12, 0.5  # gray levels below the paper, share of full ink: with less everywhere, nothing is seen

# Kinds of lines that are left out.
NO_COUNTERPART = "flawed source"
EMPTY_TEXT = "empty text"
UNCERTAIN_TEXT = "uncertain text"
BAD_IMAGE = "unusable image"
TOO_NARROW = "too narrow for its text"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that cannot be used: its id, the kind of its flaw (one of this module's five), and the reason in words."""

    id: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Widths:
    """Widths of line images with their margins, in pixels: least, median, 95th percentile, most."""

    least: int
    median: int
    percentile_95: int
    most: int


@dataclass(frozen=True, slots=True)
class RepeatedText:
    """A text that stands in many documents."""

    text: str
    lines: int
    documents: int


@dataclass(frozen=True, slots=True)
class GroundTruthCheck:
    """What `check` found.

    Attributes:
        lines: all there are.
        usable: those not left out.
        splits: lines of each split; lines without one are counted where training would put them.
        collections: how many.
        documents: how many, in all collections.
        pages: how many, in all documents.
        graphemes: of the usable lines, after the text policy, with their counts; the most frequent first.
        marks: how often each rule of the text policy changed a text of a usable line.
        widths: of the usable line images; None: there are none.
        same_images: ids of lines whose images have the same pixels, group by group.
        repeated_texts: texts that stand in more than `MANY_DOCUMENTS` documents; the most frequent first.
        blank_images: ids of usable lines on whose image nothing can be seen.
        left_out: every other line, in the order of the samples.
    """

    lines: int
    usable: int
    splits: tuple[tuple[str, int], ...]
    collections: int
    documents: int
    pages: int
    graphemes: tuple[tuple[str, int], ...]
    marks: tuple[tuple[str, int], ...]
    widths: Widths | None
    same_images: tuple[tuple[str, ...], ...]
    repeated_texts: tuple[RepeatedText, ...]
    blank_images: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Converted:
    """What `convert` wrote: the place, how many lines, and the lines that have no text or no image."""

    path: Path
    lines: int
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """What is seen of a line: its left-out reason, or what counts of it; width and digest of an image that was read."""

    sample: Sample
    left_out: LeftOut | None = None
    text: str = ""
    marks: tuple[tuple[str, int], ...] = ()
    width: int = 0
    digest: bytes = b""
    blank: bool = False


def check(
    samples: Sequence[Sample],
    network: CRNNConfig | None = None,
    preprocessing: LineImageConfig | None = None,
    progress: Progress = lambda done, total: None,
) -> GroundTruthCheck:
    """Look at every line of ground truth, and decode every image.

    Args:
        samples: the lines.
        network: whose time steps the texts must fit into; None: the default network.
        preprocessing: of line images; None: the default.
        progress: is called with the lines looked at so far and their total.
    """
    network, preprocessing = network or CRNNConfig(), preprocessing or LineImageConfig()
    looks = []
    with ThreadPoolExecutor(2) as pool:  # decoding frees the interpreter
        for look in pool.map(lambda sample: _look(sample, network, preprocessing), samples):
            looks.append(look)
            progress(len(looks), len(samples))
    usable = [look for look in looks if look.left_out is None]
    return GroundTruthCheck(
        lines=len(looks),
        usable=len(usable),
        splits=tuple(Counter(split_of(sample) for sample in samples).most_common()),
        collections=len({sample.collection for sample in samples}),
        documents=len({(sample.collection, sample.document) for sample in samples}),
        pages=len({(sample.collection, sample.document, sample.page) for sample in samples}),
        graphemes=tuple(_sorted(Counter(g for look in usable for g in graphemes(look.text)))),
        marks=tuple(_sorted(_sum(look.marks for look in usable))),
        widths=_widths([look.width for look in usable]),
        same_images=_same_images(looks),
        repeated_texts=_repeated(usable),
        blank_images=tuple(look.sample.id for look in usable if look.blank),
        left_out=tuple(look.left_out for look in looks if look.left_out),
    )


def convert(
    samples: Sequence[Sample], out: Path, form: str, progress: Progress = lambda done, total: None
) -> Converted:
    """Store lines in another form; the result appears whole or not at all.

    Pairs become a folder. An archive or Parquet becomes one file if `out` has its suffix (.zip, .parquet), and
    otherwise a folder with one file for each collection. Texts stay as transcribed; image files stay as they are.

    Args:
        samples: the lines.
        out: the place; nothing may stand there yet.
        form: "pairs", "archive" or "parquet".
        progress: is called with the lines written so far and their total.

    Raises:
        ConfigError: there is no such form.
        StorageError: something stands there already, the disk is full, or writing is not allowed.
        GroundTruthError: no line can be stored.
        MissingExtraError: Parquet without pyarrow.
    """
    _, suffix = choose(FORMS, "form", form)
    _check_free(out)
    left_out: list[LeftOut] = []
    done = count(1)

    def written() -> None:
        progress(next(done), len(samples))

    with written_whole(out, "free some space or choose another place") as beside:
        one = not suffix or out.suffix.lower() == suffix
        write_lines(form, samples, beside, one, lambda some: _stored(some, left_out, written))
        if len(left_out) == len(samples):
            first = f"; {left_out[0].id}: {left_out[0].reason}" if left_out else ""
            raise GroundTruthError(f"{out}: none of {len(samples):,} lines has both an image and a text{first}")
        _check_free(out)  # again: writing may have taken long
    return Converted(out, len(samples) - len(left_out), tuple(left_out))


def _check_free(place: Path) -> None:
    if place.exists() or place.is_symlink():
        raise StorageError(f"{place}: is there already and is not overwritten; name another place, or remove it")


def _look(sample: Sample, network: CRNNConfig, preprocessing: LineImageConfig) -> _Look:
    reading = reading_text(sample.text)
    if sample.flaw:
        return _Look(sample, LeftOut(sample.id, NO_COUNTERPART, sample.flaw))
    if reading.reason:
        kind = UNCERTAIN_TEXT if reading.text else EMPTY_TEXT
        return _Look(sample, LeftOut(sample.id, kind, reading.reason))
    try:
        pixels = sample.image()
        line = line_image(pixels, preprocessing)
    except ImageError as error:
        return _Look(sample, LeftOut(sample.id, BAD_IMAGE, str(error).removeprefix(f"{sample.id}: ")))
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
    width = line.shape[1]
    steps, needed = network.time_steps(width), steps_needed(graphemes(reading.text))
    left_out = None
    if needed > steps:
        reason = f"its text needs {needed} time steps, the image of {width} pixels gives {steps}"
        left_out = LeftOut(sample.id, TOO_NARROW, reason)
    blank = paper_and_contrast(line)[0] - int(line.min()) < BLANK or float(ink(line).max()) < BLANK_INK
    return _Look(sample, left_out, reading.text, tuple(reading.marks.items()), width, digest, blank)


def _sorted(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _sum(counts: Iterable[tuple[tuple[str, int], ...]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(dict(some))
    return total


def _widths(widths: Sequence[int]) -> Widths | None:
    if not widths:
        return None
    return Widths(*(int(round(value)) for value in np.percentile(widths, (0, 50, 95, 100))))


def _same_images(looks: Sequence[_Look]) -> tuple[tuple[str, ...], ...]:
    groups = defaultdict(list)
    for look in looks:
        if look.digest:
            groups[look.digest].append(look.sample.id)
    return tuple(tuple(ids) for ids in groups.values() if len(ids) > 1)


def _repeated(looks: Sequence[_Look]) -> tuple[RepeatedText, ...]:
    where = defaultdict(list)
    for look in looks:
        where[look.text].append((look.sample.collection, look.sample.document))
    many = [RepeatedText(text, len(places), len(set(places))) for text, places in where.items()]
    many = [text for text in many if text.documents > MANY_DOCUMENTS]
    return tuple(sorted(many, key=lambda text: (-text.documents, -text.lines, text.text)))


def _stored(samples: Sequence[Sample], left_out: list[LeftOut], written: Callable[[], None]) -> Iterator[StoredLine]:
    """The lines that can be stored, one by one; the others go to `left_out`."""
    for sample in samples:
        if sample.flaw:
            left_out.append(LeftOut(sample.id, NO_COUNTERPART, sample.flaw))
        elif not sample.text.strip():
            left_out.append(LeftOut(sample.id, EMPTY_TEXT, "the text is empty"))
        else:
            try:
                yield stored_line(sample)
            except ImageError as error:
                left_out.append(LeftOut(sample.id, BAD_IMAGE, str(error).removeprefix(f"{sample.id}: ")))
        written()
