"""Words of a line, and where on the page they and their graphemes stand.

The network tells where along the line's strip it read a grapheme; the strip knows which part of the page that is. What
is told is clipped to the box of the line's boundary: a place in a line lies within the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from uncial.document import GraphemeSpan, Line, Page, Transcript
from uncial.errors import ImageError
from uncial.geometry import Box, Points, box_around
from uncial.line_cut import Strip, strip_of
from uncial.reliability import geometric_mean, words_among


@dataclass(frozen=True, slots=True)
class PlacedGrapheme:
    """A grapheme that was read, and the polygon on the page that it was read at; empty: its line lies nowhere."""

    span: GraphemeSpan
    outline: Points


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """What stands between two spaces of a line.

    Attributes:
        text: without spaces.
        confidence: in [0, 1], as the transcript tells it; else the geometric mean of its graphemes' posteriors, or
            where these are not known that of the line.
        outline: polygon on the page; empty where no places are known.
        graphemes: in reading order; empty where they are not known.
    """

    text: str
    confidence: float
    outline: Points = ()
    graphemes: tuple[PlacedGrapheme, ...] = ()


def words_of(line: Line, page: Page) -> tuple[PlacedWord, ...]:
    """The words of a line that was read, in reading order; none for a line that was not, or is empty.

    Args:
        line: of this page.
        page: tells how far the paper goes.
    """
    if line.transcript is None:
        return ()
    if not has_places(line.transcript):
        whole = line.transcript
        told = whole.told_words or [(text, whole.confidence) for text in whole.text.split()]
        return tuple(PlacedWord(text, sure) for text, sure in told)
    strip, within, spans = strip_on(line, page), line_box(line, page), line.transcript.spans
    words = [spans[word] for word in words_among([span.grapheme.isspace() for span in spans])]
    means = (geometric_mean([span.posterior for span in word]) for word in words)
    how_sure = line.transcript.words if len(line.transcript.words) == len(words) else means
    return tuple(_placed(word, how, strip, within) for word, how in zip(words, how_sure, strict=True))


def has_places(transcript: Transcript) -> bool:
    """Whether there is a span for each grapheme of the text; a text that was put in by hand has none."""
    return bool(transcript.spans) and "".join(span.grapheme for span in transcript.spans) == transcript.text


def strip_on(line: Line, page: Page) -> Strip | None:
    """The strip that the line becomes; None for lines that cannot be cut out, since they lie beyond the page."""
    try:
        return strip_of(line.baseline, line.boundary, (page.width, page.height))
    except ImageError:
        return None


def outline_of(left: float, right: float, strip: Strip | None, within: Box) -> Points:
    """The part of a line between two columns of its strip, as a polygon on the page; empty without a strip."""
    return clipped(strip.across(left, right), within) if strip else ()


def line_box(line: Line, page: Page) -> Box:
    """The box around a line's boundary, on the page."""
    return box_around(on_page(line.boundary, page))


def on_page(points: Points, page: Page) -> Points:
    """The points, those beyond the page's edges moved onto them."""
    return clipped(points, Box(0, 0, page.width - 1, page.height - 1))


def clipped(points: Points, box: Box) -> Points:
    """The points, those beyond a box moved onto its edges."""
    return tuple((min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)) for x, y in points)


def _placed(spans: Sequence[GraphemeSpan], confidence: float, strip: Strip | None, within: Box) -> PlacedWord:
    graphemes = tuple(PlacedGrapheme(span, outline_of(span.left, span.right, strip, within)) for span in spans)
    left, right = min(span.left for span in spans), max(span.right for span in spans)
    text = "".join(span.grapheme for span in spans)
    return PlacedWord(text, confidence, outline_of(left, right, strip, within), graphemes)
