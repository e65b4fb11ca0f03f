"""Measure how well whole pages are read: lines found, then read, against pages whose text is known.

Rates tell where errors come from: of the lines as somebody marked them (only reading can go wrong), of found lines
each matched to a true one (finding too), and of the whole text of the page in its order (reading order too). The last
is told once more without what is read where nobody marked anything: many who mark a page leave out its stamps, notes
and what shows of the facing page, and reading these is no error.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from uncial.document import Failure, Line, Page
from uncial.errors import GroundTruthError
from uncial.evaluate_layout import first_of
from uncial.geometry import area, length
from uncial.layout_metrics import lying_on
from uncial.metrics import EditCounts, count_edits, pooled
from uncial.recognizer import Recognizer
from uncial.sources.marked_pages import MarkedPage, grouped, opened
from uncial.text import graphemes, reading_text

NEAR = 0.5  # of a line's height: from where one piece of a line ends to where the next one begins there is less
LEVEL = 0.3  # of a line's height: pieces of a line differ less in level
ON = 0.2  # of a found line's length: with less of it on some lines it lies on none of them
ALIKE = 0.5  # a line of which so much is read as it stands in the ground truth is a marked one, wherever it was found
NUMBERS = ("page-number", "NumberingZone")  # regions that may come anywhere in the order, in PAGE and in SegmOnto
WAYS = ("true lines", "found lines", "in order", "marked in order")


@dataclass(frozen=True, slots=True)
class PageRead:
    """How a page was read.

    Attributes:
        id: of the page.
        collection: it belongs to.
        counts: graphemes, for each of WAYS.
        seconds: of finding and reading its lines.
        left_out: ids of marked lines whose text nobody knows for sure.
    """

    id: str
    collection: str
    counts: tuple[EditCounts, ...]
    seconds: float
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PagesEvaluation:
    """What an evaluation of pages found, page by page, and the pages that could not be used."""

    pages: tuple[PageRead, ...]
    left_out: tuple[Failure, ...] = ()

    def plain(self, incomplete: Collection[str] = ()) -> dict[str, Any]:
        """As plain values for JSON: CER in each of WAYS, of each of the groups that `grouped` makes.

        Raises:
            ConfigError: no page is of one of the incomplete collections.
        """
        return {
            "groups": {name: _rates(pages) for name, pages in grouped(self.pages, incomplete).items()},
            "pages": {page.id: _rates([page]) | {"left out": list(page.left_out)} for page in self.pages},
            "left out": {page.id: page.reason for page in self.left_out},
        }


def evaluate_pages(
    pages: Sequence[MarkedPage],
    recognizer: Recognizer,
    *,
    split: str = "val",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PagesEvaluation:
    """Find and read the lines of pages and compare them with their ground truth.

    Lines that are marked without a text, or of whose text the transcriber left some open, are left out, pieces of the
    same line too, together with the lines found there. What is read where nothing is marked counts as inserted, but in
    the last of WAYS. Page numbers and ids of texts have no place in the order of a page, so they are not judged there.

    Args:
        pages: of ground truth; those that cannot be used are left out.
        recognizer: finds and reads the lines.
        split: which pages; "all": every one.
        progress: is called with (pages done, pages in all).

    Raises:
        GroundTruthError: no page of this split, or none of them with a text.
    """
    results, unusable = list[PageRead](), list[Failure]()
    for marked, gray, page in opened(pages, split, unusable, progress):
        truth = _truth(page)
        if truth.texts:
            begun = time.perf_counter()
            found = recognizer.read_page(gray, marked.id)
            seconds = time.perf_counter() - begun
            told = recognizer.read_page(gray, marked.id, truth.page)
            left_out = tuple(line.id for line in truth.unknown)
            results.append(PageRead(marked.id, marked.collection, _compared(truth, told, found), seconds, left_out))
    if not results:
        none = f"no page of split {split} has a text{first_of(unusable)}"
        raise GroundTruthError(f"{none}; choose another --split, or transcribe them")
    return PagesEvaluation(tuple(results), tuple(unusable))


def match_lines(truths: Sequence[Sequence[str]], reads: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Pair each line with the one most like it, the best pair first.

    Args:
        truths: graphemes of each true line.
        reads: graphemes of each line that was read.

    Returns:
        Indices (true line, line read); a line is in one pair at most, and lines that have nothing in common in none.
    """
    likeness = np.array(
        [[Levenshtein.normalized_similarity(truth, read) for read in reads] for truth in truths], dtype=np.float64
    ).reshape(len(truths), len(reads))
    # Long lines first where equally alike: a page number is like many other short things.
    weight = likeness * np.array([1 + 1e-3 * len(truth) for truth in truths])[:, None]
    pairs = []
    while weight.size and weight.max() > 0:
        t, r = (int(i) for i in np.unravel_index(int(weight.argmax()), weight.shape))
        pairs.append((t, r))
        weight[t, :], weight[:, r] = 0, 0
    return pairs


@dataclass(frozen=True, slots=True)
class _Truth:
    """Lines of a page whose text is known, graphemes of each, lines whose text nobody knows for sure, and numbers.

    `numbers` are the places, among the lines of known text, of those that may come anywhere in the order.
    """

    page: Page
    texts: list[list[str]]
    unknown: list[Line]
    numbers: frozenset[int]


def _truth(page: Page) -> _Truth:
    """What a reader of the page would want to see read."""
    known, unknown = [], []
    for line in page.lines:
        reading = reading_text(line.transcript.text) if line.transcript else None
        if reading and reading.text and not reading.reason:
            known.append((line, graphemes(reading.text)))
        else:
            unknown.append(line)
    # Of a line in pieces, one without a text leaves its neighbours open: all are found as one.
    kept = {line.id: text for line, text in known if not any(_continues(line, other) for other in unknown)}
    unknown += [line for line, _ in known if line.id not in kept]
    regions = [replace(r, lines=tuple(line for line in r.lines if line.id in kept)) for r in page.regions]
    page = replace(page, regions=tuple(regions))
    anywhere = [region.kind.partition(":")[0] in NUMBERS for region in page.regions for _ in region.lines]
    numbers = frozenset(n for n, number in enumerate(anywhere) if number)
    return _Truth(page, [kept[line.id] for line in page.lines], unknown, numbers)


def _continues(line: Line, other: Line) -> bool:
    """Whether one begins where the other ends: they are pieces of one line."""
    height = min(area(piece.boundary) / max(length(piece.baseline), 1.0) for piece in (line, other))
    ends = ((line.baseline[-1], other.baseline[0]), (other.baseline[-1], line.baseline[0]))
    return any(abs(b[0] - a[0]) < NEAR * height and abs(b[1] - a[1]) < LEVEL * height for a, b in ends)


def _compared(truth: _Truth, told: Page, found: Page) -> tuple[EditCounts, ...]:
    """The counts in each of WAYS."""
    line_by_line = pooled(count_edits(true, read) for true, read in zip(truth.texts, _texts(told), strict=True))
    unmarked = _unmarked(truth, found)
    judged = [line for line, on in zip(found.lines, _on_unknown(truth, found), strict=True) if not on]
    reads = [_text(line) for line in judged]
    pairs = match_lines(truth.texts, reads)
    matched = pooled(count_edits(truth.texts[t], reads[r]) for t, r in pairs)
    missed = set(range(len(truth.texts))) - {t for t, _ in pairs}
    idle = set(range(len(reads))) - {r for _, r in pairs}
    matched += EditCounts(
        deletions=sum(len(truth.texts[t]) for t in missed), insertions=sum(len(reads[r]) for r in idle)
    )
    loose = {r for t, r in pairs if t in truth.numbers}
    alike = {r for t, r in pairs if Levenshtein.normalized_similarity(truth.texts[t], reads[r]) >= ALIKE}
    bare = {r for r, line in enumerate(judged) if line.id in unmarked} - alike
    wanted = _run_together(text for t, text in enumerate(truth.texts) if t not in truth.numbers)
    whole, marked = (
        _run_together(read for r, read in enumerate(reads) if r not in out) for out in (loose, loose | bare)
    )
    return line_by_line, matched, count_edits(wanted, whole), count_edits(wanted, marked)


def _on_unknown(truth: _Truth, found: Page) -> list[bool]:
    """Of each found line whether it lies on lines of unknown text more than on others: nobody can judge its text."""
    known = [line.baseline for line in truth.page.lines]
    shares = lying_on([line.baseline for line in found.lines], known + [line.baseline for line in truth.unknown])
    judged = shares[:, : len(known)].sum(axis=1)
    unknown = shares[:, len(known) :].sum(axis=1)
    return [bool(on) for on in unknown > np.maximum(judged, ON)]


def _unmarked(truth: _Truth, found: Page) -> set[str]:
    """Ids of found lines of which next to nothing is marked.

    Found lines give the tolerance, since where marks are missing those that are there stand far apart.
    """
    marked = [line.baseline for line in (*truth.page.lines, *truth.unknown)]
    along = np.array([length(line) for line in marked]) @ lying_on(marked, [line.baseline for line in found.lines])
    return {line.id for some, line in zip(along, found.lines, strict=True) if some < ON * length(line.baseline)}


def _text(line: Line) -> list[str]:
    return graphemes(line.transcript.text if line.transcript else "")


def _texts(page: Page) -> list[list[str]]:
    return [_text(line) for line in page.lines]


def _run_together(lines: Iterable[Sequence[str]]) -> list[str]:
    """Graphemes of a whole page, its lines parted by a space."""
    return graphemes(" ".join("".join(line) for line in lines))


def _rates(pages: Sequence[PageRead]) -> dict[str, float]:
    values = {way: pooled(page.counts[n] for page in pages) for n, way in enumerate(WAYS)}
    told: dict[str, float] = {way: round(counts.error_rate, 4) for way, counts in values.items()}
    missed = values["found lines"]
    told["inserted"] = round(missed.insertions / missed.reference, 4)
    told["deleted"] = round(missed.deletions / missed.reference, 4)
    return told | {"graphemes": missed.reference, "seconds": round(sum(page.seconds for page in pages) / len(pages), 3)}
