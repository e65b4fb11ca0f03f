"""The reading with the fewest expected errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from uncial.decoders import DECODERS, BeamConfig, Hypothesis, fewest_errors_first
from uncial.decoders.risk import SURE


def found(*readings: tuple[tuple[int, ...], float]) -> list[Hypothesis]:
    """Readings with their shares of all."""
    return [Hypothesis(classes, SURE * float(np.log(share))) for classes, share in readings]


def test_the_reading_between_others_is_taken_though_another_is_likelier() -> None:
    readings = found(((1, 2, 3), 0.4), ((1, 2, 4), 0.35), ((5, 2, 4), 0.25))  # 0.85, 0.65 and 1.15 errors expected
    assert fewest_errors_first(readings) == [readings[1], readings[0], readings[2]]


def test_a_reading_that_is_likely_enough_stays_first() -> None:
    readings = found(((1, 2, 3), 0.6), ((1, 2, 4), 0.25), ((5, 2, 4), 0.15))
    assert fewest_errors_first(readings) == readings


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_few_readings_the_likeliest_has_the_fewest(count: int) -> None:
    readings = found(((1, 2, 3), 0.6), ((), 0.4))[:count]
    assert fewest_errors_first(readings) == readings


@given(
    st.lists(st.tuples(st.lists(st.integers(1, 4), max_size=5).map(tuple), st.floats(-9, 0)), min_size=1, max_size=8)
)
def test_no_other_reading_has_fewer(drawn: list[tuple[tuple[int, ...], float]]) -> None:
    readings = [Hypothesis(classes, score) for classes, score in sorted(drawn, key=lambda one: -one[1])]
    shares = np.exp([reading.score / SURE for reading in readings])

    def errors(reading: Hypothesis) -> float:
        apart = [Levenshtein.distance(reading.classes, other.classes) for other in readings]
        return float(np.dot(apart, shares))

    first, *others = fewest_errors_first(readings)
    assert errors(first) == pytest.approx(min(map(errors, readings)))
    assert sorted([first, *others], key=id) == sorted(readings, key=id)


def test_the_beam_decoder_lays_the_reading_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = found(((1, 2, 3), 0.4), ((1, 2, 4), 0.35), ((5, 2, 4), 0.25))
    monkeypatch.setattr("uncial.decoders.reading.beam_search", lambda lines, model, config: [readings] * len(lines))
    log_probs = np.full((7, 6), -np.log(6), np.float32)
    [decoded] = DECODERS["beam"]([log_probs], None, BeamConfig())
    assert [span.class_ for span in decoded.spans] == [1, 2, 4]
    assert decoded.readings[0].classes == (1, 2, 4)
