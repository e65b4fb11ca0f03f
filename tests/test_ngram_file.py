from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, save

from uncial.errors import BundleError
from uncial.ngram import NGrams
from uncial.ngram_adapt import adapt
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import load_ngrams, to_bytes

LINES = [[1, 2, 3, 1, 2, 4], [1, 2, 3], [5, 1, 2], [2, 2, 2, 1]] * 3


def model(order: int = 4, size: int = 6, least: float = 0.0) -> NGrams:
    return estimate(Counts.of(LINES, order, size), least)


def stored(ngrams: NGrams, path: Path) -> NGrams:
    path.write_bytes(to_bytes(ngrams))
    return load_ngrams(path)


@pytest.mark.parametrize(
    ("order", "size", "least"), [(4, 6, 0.0), (4, 6, 3.0), (2, 6, 0.0), (3, 300, 0.0), (4, 6, 99.0)]
)
def test_a_stored_model_tells_the_same_but_for_rounding(order: int, size: int, least: float, tmp_path: Path) -> None:
    ngrams = model(order, size, least)
    loaded = stored(ngrams, tmp_path / "lm")
    for name in ("class_", "first_child", "shorter"):
        assert np.array_equal(getattr(loaded, name), getattr(ngrams, name))
    contexts = np.repeat(np.arange(len(ngrams.back_off)), size)
    classes = np.tile(np.arange(size), len(ngrams.back_off))
    before, after = ngrams.step(contexts, classes), loaded.step(contexts, classes)
    assert np.array_equal(before[1], after[1])
    # Half a step is 0.06 nats at -10, and a probability is one logarithm behind some back-offs.
    assert np.abs(before[0] - after[0]).max() <= 0.06 * order
    likely = before[0] > np.log(0.9)
    assert np.abs(before[0] - after[0])[likely].max(initial=0) < 0.006
    assert to_bytes(loaded) == to_bytes(ngrams)


def test_what_a_context_leaves_survives_being_stored_and_adapted(tmp_path: Path) -> None:
    often = estimate(Counts.of([[1, 2]] * 300 + [[1, 3]], 3, 6))
    loaded = stored(often, tmp_path / "lm")
    nothing = adapt(loaded, Counts.of([], 3, 6))
    seldom = [np.exp(m.step(m.step(np.array([0]), np.array([1]))[1], np.array([4]))[0][0]) for m in (often, nothing)]
    assert seldom[1] == pytest.approx(seldom[0], rel=0.1)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("log_prob", lambda table: table[:-1]),
        ("children", lambda table: table[:-1]),
        ("children", np.zeros_like),
        ("children", lambda table: -table.astype(np.int64)),
        ("children", lambda table: np.append([0], np.delete(table, 0) + np.append(np.zeros(len(table) - 2), table[0]))),
        ("children", lambda table: np.zeros(0, np.uint8)),
        ("back_off", lambda table: table[:1]),
        ("class", lambda table: table + np.uint8(6)),
        ("class", lambda table: table[::-1]),
    ],
)
def test_tables_that_do_not_fit_together_are_damage(name: str, changed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "lm"
    path.write_bytes(to_bytes(model()))
    with safe_open(path, "numpy") as file:
        about = file.metadata()
    tables = load(path.read_bytes())
    path.write_bytes(save({**tables, name: np.ascontiguousarray(changed(tables[name]))}, about))
    with pytest.raises(BundleError, match="lm: is no language model, or damaged"):
        load_ngrams(path)


@pytest.mark.parametrize("about", [None, {"uncial n-grams 2": "[]"}, {"uncial n-grams 2": '{"order": 4, "size": 6}'}])
def test_what_says_nothing_of_itself_is_damage(about: dict[str, str] | None, tmp_path: Path) -> None:
    path = tmp_path / "lm"
    path.write_bytes(save(load(to_bytes(model())), about))
    with pytest.raises(BundleError, match="lm: is no language model"):
        load_ngrams(path)


def test_what_is_no_such_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "lm").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="lm: is no language model"):
        load_ngrams(tmp_path / "lm")


def test_a_model_that_is_not_finite_is_not_stored() -> None:
    ngrams = model()
    ngrams.log_prob[3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        to_bytes(ngrams)
