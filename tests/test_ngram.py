import numpy as np
import pytest

from uncial.errors import BundleError
from uncial.ngram import EDGE, NGrams, count_windows, estimate, load_ngrams

SIZE = 6
LINES = [[1, 2, 3, 1, 2, 4], [1, 2, 3], [5, 1, 2], [2, 2, 2, 1]] * 3


def model(order: int = 4, least: tuple[float, ...] = ()) -> NGrams:
    return estimate([count_windows(LINES, order, SIZE)], order, SIZE, least)


@pytest.mark.parametrize("least", [(), (2, 4, 4)])
def test_probabilities_behind_each_context_sum_to_one(least):
    ngrams = model(least=least)
    for context in range(len(ngrams.back_off)):
        log_probs, _ = ngrams.step(np.full(SIZE, context), np.arange(SIZE))
        assert np.exp(log_probs.astype(float)).sum() == pytest.approx(1, abs=0.02)


def test_what_was_written_often_is_likely():
    ngrams = model()
    assert ngrams.score([1, 2, 3]) > ngrams.score([3, 2, 1]) + 3


def test_counts_are_those_of_windows_within_lines():
    keys, counts = count_windows([[1, 2], [2]], 2, SIZE)
    packed = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    assert packed == {(EDGE << 3) | 1: 1, (1 << 3) | 2: 1, (2 << 3) | EDGE: 2, (EDGE << 3) | 2: 1}


def test_bigrams_are_witten_bell_by_hand():
    ngrams = estimate([count_windows([[1, 2], [1, 3]], 2, 4)], 2, 4)
    single = (1 + 0.1) / (6 + 0.4)  # class 2: one of six, each class a tenth more
    assert np.exp(ngrams.step(np.array([2]), np.array([2]))[0][0]) == pytest.approx((1 + 2 * single) / 4, rel=0.01)


def test_a_saved_model_tells_the_same(tmp_path):
    ngrams = model()
    ngrams.save(tmp_path / "lm.safetensors")
    assert load_ngrams(tmp_path / "lm.safetensors").score([1, 2, 4]) == ngrams.score([1, 2, 4])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "lm").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="lm: is no language model"):
        load_ngrams(tmp_path / "lm")
