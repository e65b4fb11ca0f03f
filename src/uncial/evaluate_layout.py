"""Measure how well lines are found on pages whose lines are known."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncial.document import Failure
from uncial.errors import GroundTruthError
from uncial.layout import DEFAULT, find_lines
from uncial.layout_metrics import BaselineCounts, count_baselines
from uncial.sources.marked_pages import MarkedPage, grouped, opened


@dataclass(frozen=True, slots=True)
class PageFound:
    """What was found on a page: its id and collection, the counts, and seconds of finding."""

    id: str
    collection: str
    counts: BaselineCounts
    seconds: float


@dataclass(frozen=True, slots=True)
class LayoutEvaluation:
    """What an evaluation of line finding found, page by page, and the pages that could not be used."""

    pages: tuple[PageFound, ...]
    left_out: tuple[Failure, ...] = ()

    def plain(self, incomplete: Collection[str] = ()) -> dict[str, Any]:
        """As plain values for JSON: rates of each of the groups that `grouped` makes.

        Raises:
            ConfigError: no page is of one of the incomplete collections.
        """
        groups = grouped(self.pages, incomplete)
        return {
            "groups": {name: rates(sum((p.counts for p in some), BaselineCounts())) for name, some in groups.items()},
            "pages": {page.id: rates(page.counts) | {"seconds": round(page.seconds, 3)} for page in self.pages},
            "left out": {page.id: page.reason for page in self.left_out},
        }


def rates(counts: BaselineCounts) -> dict[str, float]:
    """Precision, recall and F1 with the numbers of lines."""
    values = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {name: round(value, 4) for name, value in values.items()} | {"true": counts.true, "found": counts.found}


def evaluate_layout(
    pages: Sequence[MarkedPage],
    *,
    finder: str = DEFAULT,
    bundle: Path | None = None,
    split: str = "val",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LayoutEvaluation:
    """Find the lines of pages and compare them with the ground truth.

    Args:
        pages: of ground truth; those that cannot be used are left out.
        finder: name in FINDERS.
        bundle: layout bundle; None: the one that ships.
        split: which pages; "all": every one.
        progress: is called with (pages done, pages in all).

    Raises:
        GroundTruthError: no page of this split.
        ConfigError: no such finder, or one that takes no bundle.
        BundleError: the layout bundle cannot be used.
    """
    results, left_out = list[PageFound](), list[Failure]()
    for page, gray, truth in opened(pages, split, left_out, progress):
        begun = time.perf_counter()
        found = find_lines(gray, page.id, finder=finder, bundle=bundle)
        seconds = time.perf_counter() - begun
        counts = count_baselines([line.baseline for line in truth.lines], [line.baseline for line in found.lines])
        results.append(PageFound(page.id, page.collection, counts, seconds))
    if not results:
        raise GroundTruthError(f"no page of split {split}{first_of(left_out)}; choose another --split, or all")
    return LayoutEvaluation(tuple(results), tuple(left_out))


def first_of(left_out: Sequence[Failure]) -> str:
    """How many pages were left out and why the first of them was, for a message; "": none was."""
    return f" ({len(left_out):,} left out; {left_out[0].reason})" if left_out else ""
