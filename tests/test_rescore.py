import math

import numpy as np
import pytest
from test_beam import every_reading, posteriors

from uncial.decoders import rescore
from uncial.decoders.rescore import text_log_probs


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 9])
def test_it_is_the_sum_over_all_paths(steps: int) -> None:
    log_probs = posteriors(steps, steps, 3 if steps < 9 else 2)
    wanted = every_reading(log_probs)
    [found] = text_log_probs([log_probs], [list(wanted)])
    assert found == pytest.approx(list(wanted.values()), abs=1e-4)


@pytest.mark.parametrize("cells", [1, 300, 10**6])
def test_lines_together_are_as_likely_as_alone(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescore, "CELLS", cells)
    lines = [posteriors(seed, steps, 6, 4) for seed, steps in enumerate([7, 40, 3, 12, 40, 1])]
    texts = [[(1,), (2, 3)], [tuple(range(1, 6)) * 3, ()], [(5, 5)], [(4, 4, 1), (2,), (3, 1)], [], [(1,)]]
    together = text_log_probs(lines, texts)
    assert [len(found) for found in together] == [len(some) for some in texts]
    alone = [text_log_probs([line], [some])[0] for line, some in zip(lines, texts, strict=True)]
    assert np.concatenate(together) == pytest.approx(np.concatenate(alone))


def test_unlikely_texts_of_long_lines_are_told_apart() -> None:
    sure = np.full((400, 3), -60.0)  # all but certain blanks
    sure[:, 0] = 0
    [found] = text_log_probs([sure], [[(1,), (1, 2), (1, 2, 1)]])
    assert found == pytest.approx([math.log(math.comb(400, n)) - 60 * n for n in (1, 2, 3)], abs=0.1)


def test_a_short_text_beside_a_long_one_is_as_likely_as_alone() -> None:
    blank = np.full((1200, 3), math.log(0.01))
    blank[:, 0] = math.log(0.98)
    texts = [[(1, 2) * 150], [(1,)]]
    long, short = text_log_probs([blank, blank], texts)
    assert short == pytest.approx(text_log_probs([blank], texts[1:])[0], abs=1e-9)
    assert short == pytest.approx(
        [math.log(sum((1201 - n) * 0.01**n * 0.98 ** (1200 - n) for n in range(1, 1201)))], abs=1e-3
    )
    assert -1000 < long[0] < short[0]


def test_what_cannot_be_spelled_is_never_likely() -> None:
    [found] = text_log_probs([posteriors(1, 2, 3)], [[(1, 1), (1, 2, 1), (1, 2)]])
    assert (found < -1e29).tolist() == [True, True, False]


def test_a_line_without_time_steps_says_nothing() -> None:
    assert text_log_probs([np.zeros((0, 3))], [[(), (1,)]])[0].tolist() == [0.0, -1e30]
    assert text_log_probs([], []) == []
