import numpy as np
import pytest

from uncial.metrics import EditCounts, count_edits
from uncial.reliability import Calibration, bins_of, calibrated, calibration_error, fit, of_words, words_among


def lines(wrong_of: float, shift: float, temperature: float) -> list[tuple[float, EditCounts]]:
    """Lines of 100 graphemes whose confidence is right once it is moved and divided so."""
    told = []
    for right in np.linspace(wrong_of, 99, 60).round().astype(int):
        odds = np.log(right / (100 - right)) * temperature - shift
        told.append((float(1 / (1 + np.exp(-odds))), count_edits(["a"] * 100, ["a"] * right + ["b"] * (100 - right))))
    return told


@pytest.mark.parametrize(("temperature", "shift"), [(1.0, 0.0), (2.0, 1.0), (0.6, -0.8)])
def test_the_fit_finds_how_confidences_were_moved(temperature: float, shift: float) -> None:
    told = lines(50, shift, temperature)
    found = fit(told)
    after = [(calibrated(sure, *found), edits) for sure, edits in told]
    assert calibration_error(bins_of(after)) < 0.015
    assert calibration_error(bins_of(after)) <= calibration_error(bins_of(told)) + 1e-3


def test_certainty_stays_and_order_stays() -> None:
    assert calibrated(0.0, 3.0, 1.0) == 0.0
    assert calibrated(1.0, 3.0, 1.0) == 1.0
    told = [calibrated(float(c), 2.0, 1.5) for c in np.linspace(0, 1, 50)]
    assert told == sorted(told)
    assert calibrated(0.9, 2.0, 0.0) == pytest.approx(3 / 4)  # odds of 9 : 1 become their root, 3 : 1


def test_nothing_to_fit_changes_nothing() -> None:
    assert fit([]) == (1.0, 0.0)
    assert np.isnan(calibration_error(bins_of([])))


def test_bins_hold_every_line_once() -> None:
    told = lines(50, 0.0, 1.0)
    bins = bins_of(told)
    assert sum(some.lines for some in bins) == len(told)
    assert [some.confidence for some in bins] == sorted(some.confidence for some in bins)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", []), (" ", []), ("a", ["a"]), ("ab c", ["ab", "c"]), ("  ab   c ", ["ab", "c"]), ("a b c", ["a", "b", "c"])],
)
def test_words_stand_between_spaces(text: str, words: list[str]) -> None:
    assert [text[place] for place in words_among([letter == " " for letter in text])] == words


def test_a_word_is_right_as_a_whole_or_not_at_all() -> None:
    told = of_words(["the", "cat", "there"], ["the", "cot", "there", "now"], [0.9, 0.5, 0.8, 0.3])
    assert [(sure, edits.hits, edits.substitutions) for sure, edits in told] == [
        (0.9, 1, 0),
        (0.5, 0, 1),
        (0.8, 1, 0),
        (0.3, 0, 1),
    ]


def test_words_are_fitted_to_the_chance_that_they_are_right() -> None:
    rng = np.random.default_rng(1)
    told = []
    for sure in rng.uniform(0.5, 0.999, 4000):
        right = bool(rng.random() < calibrated(float(sure), 1.5, -2.0))
        told += of_words(["a"], ["a" if right else "b"], [float(sure)])
    found = fit(told)
    assert found == pytest.approx((1.5, -2.0), abs=0.4)
    assert calibration_error(bins_of([(calibrated(sure, *found), edits) for sure, edits in told])) < 0.03


def test_a_calibration_is_kept_as_plain_values() -> None:
    both = Calibration((2.0, 0.5), (1.5, -1.0), (3.0, -2.0))
    assert Calibration.of(both.plain()) == both
    assert Calibration.of([2.0, 0.5]) == Calibration(line=(2.0, 0.5))  # bundles that knew of lines alone
    assert Calibration.of({}) == Calibration()
    for damaged in ([1.0], [0.0, 1.0], [float("nan"), 0.0], {"line": 3}, "ab", 5):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            Calibration.of(damaged)
