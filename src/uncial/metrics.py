"""How far a transcript is from its ground truth: edit counts, their rates, and how sure the rates are.

Edits are counted once, over any sequence (graphemes, words, classes), and added up; CER and WER are the rate of the
sum, never a mean of lines. Which texts are compared, raw or normalised, is the caller's choice.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.text import normalise

RESAMPLES = 1000  # of pages; the ends of a 95 % interval then vary by some percent of its width
_DRAWN_AT_ONCE = 2_000_000  # page numbers in memory together (16 MB)


@dataclass(frozen=True, slots=True)
class EditCounts:
    """The fewest edits that turn ground truth into transcript; can be added up.

    Where several shortest ways differ in their kinds of edits, one is counted; the number of errors is the same.

    Attributes:
        hits: units that are right.
        substitutions: units read as another.
        insertions: units read where there is none.
        deletions: units that were not read.
    """

    hits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    def __add__(self, other: "EditCounts") -> "EditCounts":
        return EditCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )

    @property
    def errors(self) -> int:
        """All edits: the Levenshtein distance."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def reference(self) -> int:
        """Units of the ground truth."""
        return self.hits + self.substitutions + self.deletions

    @property
    def error_rate(self) -> float:
        """Errors per unit of the ground truth (CER or WER), as a fraction; may exceed 1; nan without ground truth."""
        return self.errors / self.reference if self.reference else math.nan


def words(text: str) -> list[str]:
    """The words of a text: what stands between spaces, punctuation included, as it is written."""
    return normalise(text).split()


def editops(reference: Sequence[Hashable], transcript: Sequence[Hashable]) -> Iterable[Any]:
    """The fewest edits from one sequence to the other, as rapidfuzz tells them."""
    from rapidfuzz.distance import Levenshtein  # reading counts no edits, and need not wait for it

    return Levenshtein.editops(reference, transcript)


def count_edits(reference: Sequence[Hashable], transcript: Sequence[Hashable]) -> EditCounts:
    """Compare two sequences of units.

    Args:
        reference: graphemes, words or classes of the ground truth.
        transcript: the same of what was read.
    """
    kinds = Counter(edit.tag for edit in editops(reference, transcript))
    substitutions, insertions, deletions = kinds["replace"], kinds["insert"], kinds["delete"]
    return EditCounts(len(reference) - substitutions - deletions, substitutions, insertions, deletions)


def rightly(reference: Sequence[Hashable], transcript: Sequence[Hashable]) -> list[bool]:
    """Whether each unit of the transcript is right, the two aligned by the fewest edits."""
    right = [True] * len(transcript)
    for edit in editops(reference, transcript):
        if edit.tag != "delete":
            right[edit.dest_pos] = False
    return right


def pooled(counts: Iterable[EditCounts]) -> EditCounts:
    """The sum; its `error_rate` is the CER or WER of all together."""
    return sum(counts, EditCounts())


def aligned(reference: Sequence[str], transcript: Sequence[str]) -> list[tuple[str, str]]:
    """Ground truth and transcript side by side, along the edits that `count_edits` counts.

    Returns:
        (unit of the ground truth, unit read) in order; "" stands for nothing on its side.
    """
    pairs: list[tuple[str, str]] = []
    done = read = 0
    for edit in editops(reference, transcript):
        at, to, inserted, deleted = edit.src_pos, edit.dest_pos, edit.tag == "insert", edit.tag == "delete"
        pairs += zip(reference[done:at], transcript[read:to], strict=True)
        pairs.append(("" if inserted else reference[at], "" if deleted else transcript[to]))
        done, read = at + (not inserted), to + (not deleted)
    pairs += zip(reference[done:], transcript[read:], strict=True)
    return pairs


def confusions(reference: Sequence[str], transcript: Sequence[str]) -> Counter[tuple[str, str]]:
    """How often each unit was taken for another: (ground truth, read), "" for nothing on that side."""
    return Counter(pair for pair in aligned(reference, transcript) if pair[0] != pair[1])


def bootstrap_interval(
    pages: Sequence[EditCounts], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Between which bounds the error rate would lie, had other pages of the same kind been read.

    Pages are drawn with replacement, not lines: the lines of a page share writer, ink and paper, and an interval that
    takes them as independent is too narrow.

    Args:
        pages: the counts of each page.
        level: share of the resampled rates between the bounds.
        resamples: how often as many pages as there are are drawn.
        seed: of the draw; equal seeds give equal bounds.

    Returns:
        Lower and upper bound as fractions; None when fewer than two pages hold ground truth, since one page says
        nothing about another.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife"; percentile method.
    """
    if sum(page.reference > 0 for page in pages) < 2:
        return None
    errors, references = _by_page(pages)
    rates = []
    for drawn in _draws(len(pages), resamples, seed):
        total = references[drawn].sum(axis=1)
        rates.append(errors[drawn].sum(axis=1)[total > 0] / total[total > 0])
    return _bounds(rates, level)


def bootstrap_difference(
    before: Sequence[EditCounts],
    after: Sequence[EditCounts],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Between which bounds the second error rate would lie below the first, had other pages been read by both.

    The same pages are drawn for both, so that what makes a page hard for either does not blur their difference.

    Args:
        before: the counts of each page as the first read it.
        after: the same pages, in the same order, as the second read them.
        level: share of the resampled differences between the bounds.
        resamples: how often as many pages as there are are drawn.
        seed: of the draw; equal seeds give equal bounds.

    Returns:
        Lower and upper bound of the first rate minus the second, as fractions; None when fewer than two pages hold
        ground truth.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap"; percentile method on pairs.
    """
    if sum(page.reference > 0 for page in before) < 2:
        return None
    errors, references = _by_page(before)
    fewer = errors - _by_page(after)[0]
    differences = []
    for drawn in _draws(len(before), resamples, seed):
        total = references[drawn].sum(axis=1)
        differences.append(fewer[drawn].sum(axis=1)[total > 0] / total[total > 0])
    return _bounds(differences, level)


def _by_page(pages: Sequence[EditCounts]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors and reference units of each page."""
    errors = np.array([page.errors for page in pages], dtype=np.float64)
    return errors, np.array([page.reference for page in pages], dtype=np.float64)


def _draws(pages: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of pages drawn with replacement, (resamples, pages) in all, no more at once than memory holds."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // pages)
    for begin in range(0, resamples, at_once):
        yield rng.integers(0, pages, size=(min(at_once, resamples - begin), pages))


def _bounds(values: Sequence[NDArray[np.float64]], level: float) -> tuple[float, float]:
    low, high = np.quantile(np.concatenate(values), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
