from itertools import groupby, product

import numpy as np
import pytest

from uncial.decoders.beam import BeamConfig, Hypothesis, beam_search, bonuses
from uncial.decoders.best_path import best_path
from uncial.decoders.reading import Decoded
from uncial.decoding import weighed
from uncial.ngram import RAREST, NGrams, Remembered
from uncial.ngram_estimate import Counts, estimate

WIDE = {"width": 200, "candidates": 9, "least": -99.0, "gap": 1e9, "blank": 1.0}


def posteriors(seed: int, steps: int, classes: int, sharpness: float = 1.0) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).normal(size=(steps, classes))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def bigrams() -> NGrams:
    return estimate(Counts.of([[1, 2, 1], [2, 2], [1]], 3, 3))


def every_reading(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log-probability of each text: all paths, one by one."""
    total: dict[tuple[int, ...], float] = {}
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        text = tuple(c for c, _ in groupby(path) if c)
        score = float(sum(log_probs[t, c] for t, c in enumerate(path)))
        total[text] = float(np.logaddexp(total.get(text, -np.inf), score))
    return total


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("weight", "prior"), [(0.0, 0.0), (0.7, 0.0), (0.7, 0.9)])
def test_the_search_agrees_with_the_sum_over_all_paths(steps, weight, prior):
    log_probs, model = posteriors(steps, steps, 3), bigrams()
    found = beam_search([log_probs], model, BeamConfig(weight=weight, bonus=0.4, prior=prior, **WIDE))[0]
    alone = model.single()
    given = 0.4 - prior * (alone - (np.exp(alone) * alone).sum())
    wanted = {
        text: score + weight * model.score(text) + float(given[list(text)].sum())
        for text, score in every_reading(log_probs).items()
    }
    if not weight:
        assert {h.classes: pytest.approx(h.score, abs=1e-3) for h in found} == wanted
    else:
        assert {h.classes for h in found} == set(wanted)
        assert [h.score for h in found] == pytest.approx([wanted[h.classes] for h in found], abs=1e-2)
        assert found[0].classes == max(wanted, key=wanted.__getitem__)


def test_a_prior_favours_rare_graphemes():
    often = estimate(Counts.of([[1] * 50 + [2]], 3, 3))
    alone = often.single()
    assert alone[1] > alone[2] > np.log(1e-3)
    assert np.exp(alone).sum() == pytest.approx(1, abs=0.02)
    mean = float((np.exp(alone) * alone).sum())
    given = bonuses(3, often, BeamConfig(bonus=1.0, prior=0.5))
    assert given[1:] == pytest.approx([1 - 0.5 * (alone[1] - mean), 1 - 0.5 * (alone[2] - mean)], abs=1e-4)
    assert given[2] > given[1]


def test_without_a_prior_or_a_language_model_all_graphemes_have_the_same_bonus():
    often = estimate(Counts.of([[1] * 50 + [2]], 3, 3))
    for model, config in (
        (often, BeamConfig(bonus=1.0)),
        (None, BeamConfig(bonus=1.0, prior=0.5)),
        (often, BeamConfig(weight=0, bonus=1.0, prior=0.5)),
    ):
        assert bonuses(3, model, config).tolist() == [1, 1, 1]


def test_what_the_texts_never_had_is_no_rarer_than_the_rarest():
    few = estimate(Counts.of([[1, 2] * 30_000], 2, 4))
    assert few.single()[3] == RAREST


def test_readings_of_several_views_are_weighed_as_the_beam_weighs_them():
    model, config = bigrams(), BeamConfig(weight=0.7, bonus=0.4, prior=0.9, **WIDE)
    log_probs = posteriors(5, 5, 3)
    [found] = beam_search([log_probs], model, config)
    look = log_probs, Decoded([], found)
    again = weighed([(look, look)], model, config)[0].readings
    known = {reading.classes: reading.score for reading in found}
    assert again[0].classes == found[0].classes
    assert [r.score for r in again] == pytest.approx([known[r.classes] for r in again], abs=1e-2)


def test_views_of_several_lines_are_weighed_as_those_of_each_alone() -> None:
    model, config = bigrams(), BeamConfig(weight=0.7, bonus=0.4, prior=0.9, **WIDE)
    looks = [
        [(steps, Decoded([], beam_search([steps], model, config)[0])) for steps in views]
        for views in ([posteriors(1, 5, 3), posteriors(2, 7, 3)], [posteriors(3, 4, 3)], [posteriors(4, 9, 3)] * 3)
    ]
    assert weighed(looks, model, config) == [weighed([views], model, config)[0] for views in looks]


def test_each_text_is_read_once_though_its_prefix_was_dropped_and_grew_again() -> None:
    for seed in range(20):  # 2, 6 and 17 have such a prefix
        log_probs = posteriors(seed, 30, 3)
        (found,) = beam_search([log_probs], None, BeamConfig(weight=0, width=16))
        assert len({reading.classes for reading in found}) == len(found)
        assert [reading.score for reading in found] == sorted((reading.score for reading in found), reverse=True)


def test_lines_read_together_are_read_as_alone():
    lines = [posteriors(seed, steps, 5, 3) for seed, steps in enumerate([7, 30, 1, 12])]
    together = beam_search(lines, None, BeamConfig(bonus=0))
    assert [r[0].classes for r in together] == [
        beam_search([x], None, BeamConfig(bonus=0))[0][0].classes for x in lines
    ]


@pytest.mark.parametrize("width", [2, 8, 64])
def test_lines_of_any_length_are_found_with_the_same_readings_and_scores_in_any_company(width: int) -> None:
    lines = [posteriors(seed, steps, 3, 2) for seed, steps in enumerate([9, 0, 40, 1, 40, 12])]
    model, config = bigrams(), BeamConfig(weight=0.7, bonus=0.4, prior=0.9, width=width)
    together = beam_search(lines, model, config)
    assert together == [beam_search([line], model, config)[0] for line in lines]
    assert all(1 <= len(readings) <= width for readings in together)
    assert all([r.score for r in some] == sorted((r.score for r in some), reverse=True) for some in together)


def test_of_many_likely_graphemes_the_likeliest_are_tried() -> None:
    log_probs = np.log(np.array([[0.01, 0.1, 0.3, 0.1, 0.2, 0.29], [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]], np.float32))
    found = beam_search([log_probs], None, BeamConfig(weight=0, bonus=0, candidates=2))[0]
    assert {reading.classes for reading in found if len(reading.classes) == 1} == {(2,), (5,)}


@pytest.mark.parametrize(("gap", "kept"), [(2.9, 1), (3.1, 2)])
@pytest.mark.parametrize("behind", [0, 4])
def test_what_lies_further_behind_than_the_gap_is_dropped(gap: float, kept: int, behind: int) -> None:
    sure = [np.array([1 - 2e-9, 1e-9, 1e-9])] * behind
    doubt = np.array([0, 1, np.exp(-3)]) + 1e-12  # the second grapheme lies three nats behind the first
    log_probs = np.log(np.array([doubt / doubt.sum(), *sure])).astype(np.float32)
    found = beam_search([log_probs], None, BeamConfig(weight=0, bonus=0, gap=gap))[0]
    assert [reading.classes for reading in found] == [(1,), (2,)][:kept]


def test_the_language_model_is_not_asked_what_lies_beyond_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Listening(Remembered):
        def step(self, contexts, classes):  # type: ignore[no-untyped-def]
            asked.extend(classes.tolist())
            return super().step(contexts, classes)

    monkeypatch.setattr("uncial.decoders.beam.Remembered", Listening)
    # The second grapheme lies 3.1 nats behind the blank at first, both lie far behind the first one afterwards.
    log_probs = np.log(np.array([[0.9, 0.06, 0.04], [1e-6, 1 - 2e-6, 1e-6]], np.float32))
    for gap, near in ((3.0, False), (3.2, True)):
        asked.clear()
        beam_search([log_probs], bigrams(), BeamConfig(weight=0.1, bonus=0, gap=gap, least=-10.0))
        assert (asked[0], 2 in asked) == (1, near)


def test_a_line_with_a_number_that_is_none_is_still_read() -> None:
    spoilt = posteriors(1, 6, 4)
    spoilt[3, 2] = np.nan
    lines = [posteriors(2, 6, 4), spoilt, posteriors(3, 9, 4)]
    found = beam_search(lines, None, BeamConfig(weight=0, bonus=0))
    assert all(found)
    assert found[::2] == [beam_search([line], None, BeamConfig(weight=0, bonus=0))[0] for line in lines[::2]]


def test_certain_posteriors_are_read_as_best_path_reads_them():
    log_probs = posteriors(3, 60, 8, 60)
    found = beam_search([log_probs], None, BeamConfig(bonus=0))[0]
    assert list(found[0].classes) == [span.class_ for span in best_path(log_probs)]


def test_without_a_language_model_the_beam_is_never_less_likely_than_best_path():
    for seed in range(20):
        log_probs = posteriors(seed, 5, 3, 2)
        read = beam_search([log_probs], None, BeamConfig(weight=0, bonus=0))[0][0].classes
        total = every_reading(log_probs)
        assert total[read] >= total[tuple(span.class_ for span in best_path(log_probs))] - 1e-4


def test_a_line_without_time_steps_is_empty():
    assert beam_search([np.zeros((0, 4), np.float32)])[0][0].classes == ()


def test_bonuses_make_up_no_text_where_the_blank_is_likeliest_everywhere():
    log_probs = np.log(np.full((60, 5), 0.09, np.float32))
    log_probs[:, 0] = np.log(0.64)
    assert beam_search([log_probs], config=BeamConfig(weight=0, bonus=3.0)) == [[Hypothesis((), 0.0)]]
    log_probs[30] = np.log([0.1, 0.6, 0.1, 0.1, 0.1])
    assert 1 in beam_search([log_probs], config=BeamConfig(weight=0, bonus=3.0))[0][0].classes
