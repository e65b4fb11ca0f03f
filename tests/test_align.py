from importlib import import_module
from itertools import groupby, product

import numpy as np
import pytest

from uncial.decoders import DecodedSpan, best_path
from uncial.decoders.align import TOGETHER, align, align_all


def posteriors(seed: int, steps: int, classes: int) -> np.ndarray:
    logits = 2 * np.random.default_rng(seed).normal(size=(steps, classes))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def path_of(spans: list[DecodedSpan], steps: int) -> list[int]:
    path = [0] * steps
    for span in spans:
        path[span.start : span.end] = [span.class_] * (span.end - span.start)
    return path


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("text", [(), (1,), (1, 2), (2, 2), (1, 2, 1)])
def test_an_alignment_is_the_likeliest_of_all_paths_that_spell_the_text(seed, text):
    log_probs = posteriors(seed, 5, 3)
    spelling = [p for p in product(range(3), repeat=5) if tuple(c for c, _ in groupby(p) if c) == text]
    wanted = max(log_probs[range(5), list(p)].sum() for p in spelling)
    spans = align(log_probs, text)
    assert tuple(span.class_ for span in spans) == text
    if text:
        assert log_probs[range(5), path_of(spans, 5)].sum() == pytest.approx(wanted)


def test_the_best_path_is_aligned_where_it_was_read():
    log_probs = posteriors(5, 40, 6)
    spans = best_path(log_probs)
    assert align(log_probs, [span.class_ for span in spans]) == spans


def test_a_text_too_long_for_the_line_is_refused():
    with pytest.raises(ValueError, match="2 time steps are too few to spell 2 graphemes"):
        align(posteriors(0, 2, 3), (1, 1))


def test_many_lines_are_laid_as_each_alone():
    rng = np.random.default_rng(0)
    lines = [posteriors(n, int(rng.integers(12, 60)), 6) for n in range(2 * TOGETHER + 5)]
    texts = [tuple(rng.integers(1, 6, rng.integers(0, 6)).tolist()) for _ in lines]
    assert align_all(lines, texts) == [align(line, text) for line, text in zip(lines, texts, strict=True)]


def test_one_text_too_long_among_others_is_named():
    with pytest.raises(ValueError, match="2 time steps are too few to spell 2 graphemes"):
        align_all([posteriors(0, 9, 3), posteriors(0, 2, 3)], [(1, 2), (1, 1)])


def test_no_lines_give_no_spans():
    assert align_all([], []) == []
    assert align_all([posteriors(0, 9, 3), np.zeros((0, 3))], [(), ()]) == [[], []]


def test_long_lines_are_laid_fewer_at_once(monkeypatch):
    lines = [posteriors(n, 40, 6) for n in range(9)]
    texts = [(1, 2, 3)] * 9
    wanted, counts, alignment = align_all(lines, texts), [], import_module("uncial.decoders.align")
    paths = alignment._paths
    monkeypatch.setattr(alignment, "_paths", lambda some, told: counts.append(len(some)) or paths(some, told))
    for cells, together in ((40 * 7 * 4, 4), (1, 1)):
        monkeypatch.setattr(alignment, "CELLS", cells)
        counts.clear()
        assert align_all(lines, texts) == wanted
        assert max(counts) == together and sum(counts) == 9
