"""Pages as a recognizer leaves them, for the tests of formats: lines of every kind, some read and some not."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from uncial.document import GraphemeSpan, Line, Page, Region, Transcript
from uncial.geometry import Box, Points, band
from uncial.scan import Scan
from uncial.text import graphemes

WIDTH, HEIGHT = 900, 700
# What stands in old letters and in XML, letters of several characters, what no XML may hold, and what means something
# to spreadsheets and to HTML.
ODD = "aé ſœæ—’<&>\"';{}\t\n\r\x00\x07\x1f\x85\u2028\ud800\ufffe\ufeffq\u0303 \xa0ع漢👩‍🚀=,"
texts = st.text(st.sampled_from(ODD) | st.characters(), max_size=12)
# A line that lies across the page's edge: its word is taller than what is left of its box is wide.
AT_THE_EDGE = Line(
    "l",
    ((-1.0, 42.0), (16.551651237807455, 32.411489227915936)),
    (
        (-21.13587262137653, 5.141532400604348),
        (-3.5842213835690764, -4.446978371479716),
        (25.18131093268311, 48.20797534194264),
        (7.629659694875656, 57.796486114026706),
    ),
    Transcript("0", 0.875),
)


def spans_of(text: str, left: float, width: float) -> tuple[GraphemeSpan, ...]:
    """Spans of a text whose graphemes are equally wide, with two runners-up each."""
    found = graphemes(text)
    edges = np.linspace(left, left + width, len(found) + 1).tolist()
    others = (("o", 0.05), ("q\u0303", 0.01))
    return tuple(GraphemeSpan(g, 2 * n, 2 * n + 1, 0.9, others, edges[n], edges[n + 1]) for n, g in enumerate(found))


def line_at(id_: str, baseline: Points, text: str | None, *, spans: bool = True) -> Line:
    """A line 60 pixels high; read with a confidence of 0.875, or not read if there is no text."""
    line = Line(id_, baseline, band(baseline, 42, 18))
    if text is None:
        return line
    length = math.dist(baseline[0], baseline[-1])
    return Line(id_, baseline, line.boundary, Transcript(text, 0.875, spans_of(text, 4, length - 8) if spans else ()))


def page_of(regions: Sequence[Sequence[Line]], kinds: Sequence[str] = ("paragraph", "marginalia", "my kind")) -> Page:
    boxes = [Box(0, 0, 600, HEIGHT - 1), Box(610, 0, WIDTH - 1, HEIGHT - 1), Box(5, 5, 90, 90)]
    return Page(
        "sheet.png",
        WIDTH,
        HEIGHT,
        tuple(
            Region(f"r{n}", box.corners, tuple(lines), kind)
            for n, (lines, box, kind) in enumerate(zip(regions, boxes, kinds, strict=False))
        ),
    )


def usual_page() -> Page:
    """Level, sloping, curved and upright lines, with places and without, one empty, one not read; a region of none."""
    curve = tuple((float(x), 300 + 30 * math.sin(x / 150)) for x in range(40, 560, 20))
    return page_of(
        [
            [
                line_at("l0", ((40, 80), (560, 80)), "Dear Ann, ſo it was"),
                line_at("l1", ((40, 160), (560, 200)), "œuvres d’été — 1862"),
                line_at("l2", curve, "a q\u0303 hill"),
                line_at("l3", ((40, 400), (560, 400)), "by hand", spans=False),
                line_at("l4", ((40, 480), (560, 480)), ""),
            ],
            [line_at("l5", ((700, 600), (700, 40)), "up it goes"), line_at("l6", ((640, 660), (880, 660)), None)],
            [],
        ]
    )


def scan_of(page: Page) -> Scan:
    return Scan("letters/sheet.png", "sheet", np.full((page.height, page.width), 230, np.uint8), dpi=300.0)


def boundary_box(line: Line) -> tuple[float, float, float, float]:
    x, y = zip(*line.boundary, strict=True)
    return min(x), min(y), max(x), max(y)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Lines of any direction, some of them partly or wholly beyond the page, with any text."""
    x, y = draw(st.floats(-100, WIDTH + 100)), draw(st.floats(-100, HEIGHT + 100))
    angle, length = draw(st.floats(-math.pi, math.pi)), draw(st.floats(20, 800))
    baseline = ((x, y), (x + length * math.cos(angle), y + length * math.sin(angle)))
    return line_at("l", baseline, draw(st.none() | texts), spans=draw(st.booleans()))
