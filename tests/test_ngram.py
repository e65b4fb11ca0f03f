import numpy as np
import pytest

from uncial.errors import ConfigError
from uncial.ngram import EDGE, ROOT, NGrams, Remembered
from uncial.ngram_estimate import Counts, estimate

SIZE = 6
LINES = [[1, 2, 3, 1, 2, 4], [1, 2, 3], [5, 1, 2], [2, 2, 2, 1]] * 3


def model(order: int = 4, least: float = 0.0) -> NGrams:
    return estimate(Counts.of(LINES, order, SIZE), least)


@pytest.mark.parametrize("least", [0.0, 3.0])
def test_probabilities_behind_each_context_sum_to_one(least):
    ngrams = model(least=least)
    for context in range(len(ngrams.back_off)):
        log_probs, _ = ngrams.step(np.full(SIZE, context), np.arange(SIZE))
        assert np.exp(log_probs.astype(float)).sum() == pytest.approx(1, abs=0.02)


def test_what_was_written_often_is_likely():
    ngrams = model()
    assert ngrams.score([1, 2, 3]) > ngrams.score([3, 2, 1]) + 3


def test_texts_are_written_class_by_class_behind_their_contexts():
    ngrams, texts = model(), [(1, 2, 3, EDGE), (), (2,), (5, 1, 2, 2, 4)]
    contexts = np.array([ngrams.start, 3, ROOT, 7])
    log_probs, after = ngrams.write(contexts, texts)
    for text, context, total, behind in zip(texts, contexts, log_probs, after, strict=True):
        node, steps = np.array([context]), []
        for class_ in text:
            step, node = ngrams.step(node, np.array([class_]))
            steps.append(float(step[0]))
        assert (total, behind) == (pytest.approx(sum(steps)), node[0])
    assert contexts.tolist() == [ngrams.start, 3, ROOT, 7]
    assert [len(part) for part in ngrams.write(contexts[:0], [])] == [0, 0]


def test_counts_are_those_of_windows_within_lines():
    counts = Counts.of([[1, 2], [2]], 2, SIZE)
    packed = dict(zip(counts.windows.tolist(), counts.counts.tolist(), strict=True))
    assert packed == {(EDGE << 3) | 1: 1, (1 << 3) | 2: 1, (2 << 3) | EDGE: 2, (EDGE << 3) | 2: 1}


def test_bigrams_are_witten_bell_by_hand():
    ngrams = estimate(Counts.of([[1, 2], [1, 3]], 2, 4))
    single = (1 + 0.1) / (6 + 0.4)  # class 2: one of six, each class a tenth more
    assert np.exp(ngrams.step(np.array([2]), np.array([2]))[0][0]) == pytest.approx((1 + 2 * single) / 4, rel=0.01)


def test_what_is_remembered_is_what_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remembered, "BITS", 3)  # so that answers drive one another out
    ngrams, rng = model(), np.random.default_rng(1)
    remembered = Remembered(ngrams)
    for _ in range(50):
        contexts, classes = rng.integers(0, len(ngrams.back_off), 40), rng.integers(0, SIZE, 40)
        for found, wanted in zip(remembered.step(contexts, classes), ngrams.step(contexts, classes), strict=True):
            assert found.tolist() == wanted.tolist()


def test_what_was_asked_before_is_not_asked_again() -> None:
    ngrams = model()
    remembered, asked = Remembered(ngrams), (np.array([0, 3, 3]), np.array([1, 2, 2]))
    before = remembered.step(*asked)
    object.__setattr__(ngrams, "_keys", None)
    assert [found.tolist() for found in remembered.step(*asked)] == [found.tolist() for found in before]
    with pytest.raises(AttributeError):
        remembered.step(np.array([0]), np.array([4]))


def test_texts_together_count_as_their_sum_and_weighted_ones_as_often_as_told():
    together = Counts.of(LINES[:2], 3, SIZE) * 2 + Counts.of(LINES[2:4], 3, SIZE)
    same = Counts.of([*LINES[:2], *LINES[:4]], 3, SIZE)
    assert np.array_equal(together.windows, same.windows)
    assert np.array_equal(together.counts, same.counts)


def test_pruning_drops_what_brings_least():
    counts = Counts.of([[1, 2, 3]] * 50 + [[4, 2, 3], [1, 2, 5], [5, 4]], 3, SIZE)
    whole, small = estimate(counts), estimate(counts, 5.0)
    assert len(small.class_) < len(whole.class_)
    assert small.score([1, 2, 3]) == pytest.approx(whole.score([1, 2, 3]), abs=0.3)


def test_an_unknown_grapheme_teaches_nothing():
    assert estimate(Counts.of([*LINES, [SIZE, 1, SIZE]], 2, SIZE)).score([1, 2]) == model(2).score([1, 2])


@pytest.mark.parametrize("order", [1, 22])
def test_an_order_that_cannot_be_packed_is_refused(order):
    with pytest.raises(ConfigError, match=f"order {order}: .* from 2 to 21"):
        Counts.of(LINES, order, SIZE)
