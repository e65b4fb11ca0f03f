import numpy as np
import pytest
from test_beam import every_reading, posteriors

from uncial.decoders.rescore import text_log_probs


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_it_is_the_sum_over_all_paths(steps: int) -> None:
    log_probs = posteriors(steps, steps, 3)
    wanted = every_reading(log_probs)
    found = text_log_probs(log_probs, list(wanted))
    assert found == pytest.approx(list(wanted.values()), abs=1e-4)


def test_what_cannot_be_spelled_is_never_likely() -> None:
    found = text_log_probs(posteriors(1, 2, 3), [(1, 1), (1, 2, 1), (1, 2)])
    assert (found < -1e29).tolist() == [True, True, False]


def test_a_line_without_time_steps_says_nothing() -> None:
    assert text_log_probs(np.zeros((0, 3)), [(), (1,)]).tolist() == [0.0, -1e30]
