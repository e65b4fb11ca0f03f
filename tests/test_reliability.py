import numpy as np
import pytest

from uncial.metrics import EditCounts, count_edits
from uncial.reliability import bins_of, calibrated, calibration_error, fit


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
