"""What was read: frozen values that know nothing of files, networks or screens.

Lengths across a line are pixels of its image, before any scaling: the one a caller gave, or the strip that was cut out
of a page (`line_cut.Strip`, which tells where on the page they lie); origin is its left edge. Points are (x, y) in page
pixels, origin top left, y down.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from uncial.geometry import Points


@dataclass(frozen=True, slots=True)
class GraphemeSpan:
    """One grapheme of a transcript and the place it was read at.

    Attributes:
        grapheme: as in the alphabet.
        start: first time step.
        end: the time step after the last.
        posterior: of this grapheme at its surest time step, in [0, 1].
        alternatives: the likeliest other graphemes at that time step with their posteriors, likeliest first.
        left: where it begins, in pixels of the line's image: halfway from the time steps of the grapheme before.
        right: where it ends: halfway to those of the next one. Its ink may begin a little earlier and end later.
    """

    grapheme: str
    start: int
    end: int
    posterior: float
    alternatives: tuple[tuple[str, float], ...]
    left: float
    right: float

    def __post_init__(self) -> None:
        """Check that nothing is inside out."""
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span covers time steps start <= t < end, not {self.start} to {self.end}")
        if self.left > self.right:
            raise ValueError(f"a span's left is not right of its right: {self.left}, {self.right}")
        if not 0 <= self.posterior <= 1:
            raise ValueError(f"a posterior lies in [0, 1], not {self.posterior}")


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of one line image as it was read.

    Attributes:
        text: may be empty: then nothing is written there.
        confidence: in [0, 1]; how it is made says `Recognizer`.
        spans: one for each grapheme of the text, in reading order.
        readings: the likeliest texts, this one first, with their shares of what the decoder found likely, in [0, 1];
            () none were asked for.
        uncalibrated: the confidence as the network alone has it; None: the same.
        words: the confidence of each word, in [0, 1]: near the chance that all of it is right, where the bundle tells
            how to make it so; () not known.
    """

    text: str
    confidence: float
    spans: tuple[GraphemeSpan, ...] = ()
    readings: tuple[tuple[str, float], ...] = ()
    uncalibrated: float | None = None
    words: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the range of the confidence."""
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"a confidence lies in [0, 1], not {self.confidence}")

    @property
    def told_words(self) -> tuple[tuple[str, float], ...]:
        """The words of the text with their confidences; () where these are not known."""
        texts = self.text.split()
        return tuple(zip(texts, self.words, strict=True)) if len(texts) == len(self.words) else ()


def merged(readings: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Texts with their shares, each text once; the first stays the first, behind it the largest share comes first."""
    shares: dict[str, float] = {}
    for text, share in readings:
        shares[text] = min(1.0, shares.get(text, 0.0) + share)
    told = list(shares.items())
    return (*told[:1], *sorted(told[1:], key=lambda reading: -reading[1]))


@dataclass(frozen=True, slots=True)
class Failure:
    """Stands where something could not be done, so that all else goes on; it is never an empty result.

    Attributes:
        id: what could not be done: the name of a file, a page or a line.
        reason: finding and cure, as an error's message tells them.
    """

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One text line of a page.

    Attributes:
        id: unique within its page.
        baseline: the polyline that the letters stand on, in reading direction, at least two points.
        boundary: the polygon around the line's ink, at least three points.
        transcript: what was read; None: not read yet. An empty line has the text "".
    """

    id: str
    baseline: Points
    boundary: Points
    transcript: Transcript | None = None

    def __post_init__(self) -> None:
        """Check that there is a line at all."""
        if len(self.baseline) < 2:
            raise ValueError(f"line {self.id}: a baseline needs two points, got {len(self.baseline)}")
        if len(self.boundary) < 3:
            raise ValueError(f"line {self.id}: a boundary needs three points, got {len(self.boundary)}")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page: lines that belong together, such as a column or a note in the margin.

    Attributes:
        id: unique within its page.
        boundary: the polygon around it, at least three points.
        lines: in reading order.
        kind: what it is, in the words of the file it came from, such as "paragraph" or "marginalia"; "" not told.
    """

    id: str
    boundary: Points
    lines: tuple[Line, ...]
    kind: str = ""

    def __post_init__(self) -> None:
        """Check that it has an extent."""
        if len(self.boundary) < 3:
            raise ValueError(f"region {self.id}: a boundary needs three points, got {len(self.boundary)}")


@dataclass(frozen=True, slots=True)
class Page:
    """One side of paper as its image shows it.

    Attributes:
        image: file name of its image, or whatever else it is called by.
        width: of the image that the points refer to, in pixels.
        height: the same downward.
        regions: in reading order.
        failures: lines that could not be read, by their ids; they have no transcript.
        left_out: how many pieces of lines of a facing page were found and are not among the lines.
        shows_through: how many lines of the other side were found on a page that shows nothing else; none is a line.
    """

    image: str
    width: int
    height: int
    regions: tuple[Region, ...] = ()
    failures: tuple[Failure, ...] = ()
    left_out: int = 0
    shows_through: int = 0

    def __post_init__(self) -> None:
        """Check the size and that no id stands for two things."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"page {self.image}: a page has an extent, not {self.width} x {self.height} pixels")
        ids = [region.id for region in self.regions] + [line.id for line in self.lines]
        if len(set(ids)) < len(ids):
            twice = next(id_ for id_ in ids if ids.count(id_) > 1)
            raise ValueError(f"page {self.image}: the id {twice} stands for two things")

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def text(self) -> str:
        """A text line for each line that was read, in reading order; regions are parted by an empty line."""
        parts = ([line.transcript.text for line in region.lines if line.transcript] for region in self.regions)
        return "\n\n".join("\n".join(part) for part in parts if part)

    @property
    def confidence(self) -> float | None:
        """The mean of its lines' confidences, each weighing by its graphemes; None: none is known to be near the truth.

        Only calibrated ones are near the share of graphemes that are right.
        """
        read = [t for line in self.lines if (t := line.transcript) and t.spans and t.uncalibrated is not None]
        return sum(t.confidence * len(t.spans) for t in read) / sum(len(t.spans) for t in read) if read else None

    def with_transcripts(self, transcripts: Sequence[Transcript | None]) -> "Page":
        """The same page, with these transcripts for its lines, in reading order.

        Raises:
            ValueError: there is not one for each line.
        """
        waiting = iter(zip(self.lines, transcripts, strict=True))
        regions = []
        for region in self.regions:
            pairs = [next(waiting) for _ in region.lines]
            lines = tuple(replace(line, transcript=transcript) for line, transcript in pairs)
            regions.append(replace(region, lines=lines))
        next(waiting, None)  # lets zip find transcripts that are left over
        return replace(self, regions=tuple(regions))
