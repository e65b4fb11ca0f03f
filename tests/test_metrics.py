"""Edit counts against recursion and jiwer; intervals against plain resampling."""

import math
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncial import metrics
from uncial.metrics import (
    EditCounts,
    aligned,
    bootstrap_difference,
    bootstrap_interval,
    confusions,
    count_edits,
    pooled,
    words,
)

units = st.lists(st.sampled_from(["a", "b", "é", "e\u0301\u0302"]), max_size=7)
counts = st.builds(EditCounts, *[st.integers(0, 50)] * 4)


def distance_by_recursion(reference: tuple, transcript: tuple) -> int:
    """Levenshtein's definition. For tests: slow, obviously right."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(
            distance(i - 1, j) + 1,
            distance(i, j - 1) + 1,
            distance(i - 1, j - 1) + (reference[i - 1] != transcript[j - 1]),
        )

    return distance(len(reference), len(transcript))


@given(units, units)
def test_errors_are_the_edit_distance_of_its_recursive_definition(reference, transcript):
    assert count_edits(reference, transcript).errors == distance_by_recursion(tuple(reference), tuple(transcript))


@given(units, units)
def test_edits_account_for_every_unit_of_both_sides(reference, transcript):
    edits = count_edits(reference, transcript)
    assert edits.reference == edits.hits + edits.substitutions + edits.deletions == len(reference)
    assert edits.hits + edits.substitutions + edits.insertions == len(transcript)
    assert min(edits.hits, edits.substitutions, edits.insertions, edits.deletions) >= 0


@given(units, units)
def test_an_alignment_spells_both_sides_and_holds_the_counted_edits(reference, transcript):
    pairs = aligned(reference, transcript)
    assert [was for was, _ in pairs if was] == reference
    assert [read for _, read in pairs if read] == transcript
    edits = count_edits(reference, transcript)
    assert sum(was == read for was, read in pairs) == edits.hits
    assert sum(not was for was, _ in pairs) == edits.insertions
    assert sum(not read for _, read in pairs) == edits.deletions


@given(units, units)
def test_confusions_are_the_errors_by_pair(reference, transcript):
    found = confusions(reference, transcript)
    assert found.total() == count_edits(reference, transcript).errors
    assert all(was != read for was, read in found)


@given(units)
def test_a_text_read_as_itself_has_only_hits(reference):
    assert count_edits(reference, reference) == EditCounts(hits=len(reference))


@given(units, units, units)
def test_a_detour_over_a_third_text_is_never_shorter(first, second, third):
    direct = count_edits(first, third).errors
    assert direct <= count_edits(first, second).errors + count_edits(second, third).errors


@given(st.lists(counts))
def test_pooled_counts_add_up_kind_by_kind(some):
    total = pooled(some)
    for kind in ("hits", "substitutions", "insertions", "deletions", "errors", "reference"):
        assert getattr(total, kind) == sum(getattr(one, kind) for one in some)


def test_classes_are_counted_like_graphemes():
    assert count_edits((3, 1, -1, 2), [3, 1, 2, 2]) == EditCounts(hits=3, substitutions=1)


def test_a_grapheme_of_two_code_points_is_one_unit():
    assert count_edits(["e\u0301", "a"], ["e", "a"]) == EditCounts(hits=1, substitutions=1)


def test_a_rate_is_pooled_over_units_and_not_averaged_over_lines():
    short, long = EditCounts(substitutions=1), EditCounts(hits=99)
    assert pooled([short, long]).error_rate == 0.01


def test_a_rate_may_exceed_one_and_is_nan_without_ground_truth():
    assert count_edits("a", "xyz").error_rate == 3
    assert math.isnan(count_edits("", "xyz").error_rate)


def test_words_are_what_stands_between_spaces_of_any_kind():
    assert words(" l'an\u00a01862,  le\t3 ") == ["l'an", "1862,", "le", "3"]
    assert words(" ") == []


def test_counts_and_rates_agree_with_jiwer():
    jiwer = pytest.importorskip("jiwer")
    rng = random.Random(7)
    texts = [" ".join("".join(rng.choices("abcdé", k=rng.randint(1, 4))) for _ in range(6)) for _ in range(60)]
    references, transcripts = texts[:30], ["".join(c for c in t if rng.random() > 0.2) or "a" for t in texts[:30]]
    transcripts = [" ".join(t.split()) or "a" for t in transcripts]
    pairs = list(zip(references, transcripts, strict=True))
    by_words = pooled(count_edits(words(was), words(read)) for was, read in pairs)
    by_graphemes = pooled(count_edits(list(was), list(read)) for was, read in pairs)
    told = jiwer.process_words(references, transcripts)
    assert (told.hits, told.substitutions, told.insertions, told.deletions) == (
        by_words.hits,
        by_words.substitutions,
        by_words.insertions,
        by_words.deletions,
    )
    assert by_words.error_rate == pytest.approx(told.wer)
    assert by_graphemes.error_rate == pytest.approx(jiwer.process_characters(references, transcripts).cer)


def pages_of(rates: np.ndarray, graphemes: int = 1000) -> list[EditCounts]:
    """Pages with these error rates."""
    return [EditCounts(hits=graphemes - round(r * graphemes), substitutions=round(r * graphemes)) for r in rates]


def test_an_interval_is_what_plain_resampling_of_pages_gives():
    pages = pages_of(np.random.default_rng(1).uniform(0, 0.2, 12)) + [EditCounts(hits=10, deletions=90)]
    rng = random.Random(2)
    rates = sorted(pooled(rng.choices(pages, k=len(pages))).error_rate for _ in range(4000))
    low, high = bootstrap_interval(pages, resamples=4000)
    assert low == pytest.approx(rates[100], abs=0.005)
    assert high == pytest.approx(rates[3900], abs=0.005)


def test_an_interval_is_the_same_each_time_and_whatever_fits_the_memory(monkeypatch):
    pages = pages_of(np.random.default_rng(1).uniform(0, 0.2, 12))
    first = bootstrap_interval(pages)
    monkeypatch.setattr(metrics, "_DRAWN_AT_ONCE", 100)
    assert bootstrap_interval(pages) == first
    assert bootstrap_interval(pages, seed=1) != first


def test_an_interval_covers_the_true_rate_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(pages_of(rng.beta(2, 18, 40)), resamples=200)
        covered += low <= 0.1 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_more_pages_make_a_narrower_interval():
    rng = np.random.default_rng(4)
    few, many = (bootstrap_interval(pages_of(rng.beta(2, 18, n))) for n in (10, 1000))
    assert many[1] - many[0] < (few[1] - few[0]) / 3


def test_equal_pages_leave_no_doubt():
    assert bootstrap_interval(pages_of(np.full(5, 0.1))) == (0.1, 0.1)


@pytest.mark.parametrize("pages", [[], [EditCounts(hits=5)], [EditCounts(hits=5), EditCounts(insertions=3)]])
def test_fewer_than_two_pages_with_ground_truth_give_no_interval(pages):
    assert bootstrap_interval(pages) is None


def test_the_difference_to_a_flawless_reading_is_the_rate_itself() -> None:
    pages = [EditCounts(30, 7), EditCounts(50, 2, 3), EditCounts(9, 0, 0, 4), EditCounts(80, 11)]
    flawless = [EditCounts(page.reference) for page in pages]
    low, high = bootstrap_interval(pages)
    assert bootstrap_difference(pages, flawless) == (pytest.approx(low), pytest.approx(high))
    assert bootstrap_difference(flawless, pages) == (pytest.approx(-high), pytest.approx(-low))


def test_a_steady_difference_is_sure_however_unlike_the_pages_are() -> None:
    before = [EditCounts(100 - errors, errors) for errors in (10, 40, 90)]
    after = [EditCounts(105 - errors, errors - 5) for errors in (10, 40, 90)]
    assert bootstrap_difference(before, after) == (pytest.approx(0.05), pytest.approx(0.05))
    assert bootstrap_difference(before[:1], after[:1]) is None
