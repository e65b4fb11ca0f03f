"""What every decoder must do, whatever its search."""

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncial.alphabet import BLANK
from uncial.decoders import DECODERS, BeamConfig, DecodedSpan, best_path

CLASSES = 4
NO_MODEL = BeamConfig(weight=0, bonus=0)


def certain(path: list[int]) -> np.ndarray:
    """(T, C) log-probabilities that leave no doubt about a path of classes."""
    probabilities = np.full((len(path), CLASSES), 1e-6, np.float32)
    probabilities[np.arange(len(path)), path] = 1
    return np.log(probabilities / probabilities.sum(axis=1, keepdims=True))


def doubtful(steps: int, seed: int) -> np.ndarray:
    """(T, C) log-probabilities of chance."""
    logits = np.random.default_rng(seed).normal(0, 3, (steps, CLASSES)).astype(np.float32)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("name", sorted(DECODERS))
@given(path=st.lists(st.integers(0, CLASSES - 1), max_size=12))
def test_every_decoder_reads_certain_posteriors(name: str, path: list[int]) -> None:
    spelled = [c for c, _ in groupby(path) if c != BLANK]
    assert [span.class_ for span in DECODERS[name]([certain(path)], None, NO_MODEL)[0].spans] == spelled


@pytest.mark.parametrize("name", sorted(DECODERS))
@given(steps=st.integers(0, 12), seed=st.integers(0, 2**32 - 1))
def test_every_decoder_gives_spans_in_order_that_do_not_overlap(name: str, steps: int, seed: int) -> None:
    decoded = DECODERS[name]([doubtful(steps, seed)], None, NO_MODEL)[0]
    spans = decoded.spans
    assert tuple(span.class_ for span in spans) == decoded.readings[0].classes
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= span.start < span.end <= steps for span in spans)
    assert all(0 < span.class_ < CLASSES for span in spans)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_reads_a_line_of_blanks_and_a_line_of_no_steps_as_empty(name: str) -> None:
    lines = [certain([BLANK] * 5), np.empty((0, CLASSES), np.float32)]
    assert [decoded.spans for decoded in DECODERS[name](lines, None, NO_MODEL)] == [[], []]
    assert DECODERS[name]([], None, NO_MODEL) == []


def test_the_best_path_tells_where_each_grapheme_stands() -> None:
    spans = [DecodedSpan(2, 1, 3), DecodedSpan(2, 4, 5), DecodedSpan(1, 5, 7)]
    assert best_path(certain([0, 2, 2, 0, 2, 1, 1])) == spans


@given(steps=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_the_best_path_is_the_likeliest_of_all_paths(steps: int, seed: int) -> None:
    log_probs = doubtful(steps, seed)
    likeliest = max(product(range(CLASSES), repeat=steps), key=lambda path: log_probs[range(steps), path].sum())
    assert [span.class_ for span in best_path(log_probs)] == [c for c, _ in groupby(likeliest) if c != BLANK]


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_reads_a_line_the_same_whatever_stands_beside_it(name: str) -> None:
    lines = [doubtful(steps, seed) for seed, steps in enumerate((9, 2, 14, 0, 5))]
    together = DECODERS[name](lines, None, NO_MODEL)
    alone = [DECODERS[name]([line], None, NO_MODEL)[0] for line in lines]
    assert [decoded.spans for decoded in together] == [decoded.spans for decoded in alone]
