"""A language model of the lines that a network learned from: when its bundle gets one, and when not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TEXTS, DrawnLine
from drawn_samples import samples, settings

from uncial.bundle import Bundle, load_bundle
from uncial.config import from_dict
from uncial.decoders import BeamConfig
from uncial.lineimage import line_image
from uncial.ngram_file import load_ngrams
from uncial.own_language import LEAST_TUNED, give_language
from uncial.train import train

Judged = Callable[[int], list[tuple[np.ndarray, list[int]]]]


@pytest.fixture
def unsure(tiny_bundle: Bundle, resaved: Callable[..., Bundle]) -> Bundle:
    """A bundle that mistakes some letters of the drawn lines: its weights are shaken."""
    rng = np.random.default_rng(1)
    shaken = {
        name: value + 0.4 * value.std() * rng.standard_normal(value.shape).astype(value.dtype)
        if value.ndim > 1
        else value
        for name, value in tiny_bundle.weights.items()
    }
    return resaved(tiny_bundle, weights=shaken)


@pytest.fixture
def judged(unsure: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> Judged:
    """So many of the drawn lines, over and over."""
    lines = [(line_image(d.image, unsure.line_image), unsure.alphabet.encode(d.text)) for d in drawn_lines]
    return lambda count: [lines[n % len(lines)] for n in range(count)]


@pytest.mark.parametrize("count", [4, LEAST_TUNED])
def test_a_language_model_that_pays_goes_into_the_bundle(unsure: Bundle, judged: Judged, count: int) -> None:
    texts = [unsure.alphabet.encode(text) for text in TEXTS]
    told = give_language(unsure, texts, judged(count), 100_000)
    after = load_bundle(unsure.path)
    assert "reading takes it" in told
    assert after.language_model
    assert load_ngrams(after.language_model).graphemes == unsure.alphabet.graphemes
    assert after.provenance["language_model"]["lines"] == len(TEXTS)
    assert from_dict(BeamConfig, after.beam).weight > 0


def test_a_network_that_errs_in_nothing_gets_no_language_model(
    tiny_bundle: Bundle, resaved: Callable[..., Bundle], judged: Judged
) -> None:
    bundle = resaved(tiny_bundle)
    told = give_language(bundle, [bundle.alphabet.encode(text) for text in TEXTS], judged(LEAST_TUNED), 100_000)
    assert "the bundle has none" in told
    assert load_bundle(bundle.path).language_model is None


def test_without_lines_to_judge_by_there_is_an_error(unsure: Bundle) -> None:
    with pytest.raises(ValueError, match="lines to judge it by"):
        give_language(unsure, [[1, 2]], [], 100_000)


@pytest.mark.parametrize(("most_bytes", "tried"), [(100_000, True), (0, False)])
def test_a_training_from_chance_tries_a_language_model_in_the_end(tmp_path: Path, most_bytes: int, tried: bool) -> None:
    notes: list[str] = []
    config = settings(epochs=1, language_bytes=most_bytes)
    train(samples(4), tmp_path / "bundle", config, watch=lambda progress: notes.append(progress.note))
    assert ("language model of its own texts" in notes[-1]) == tried
