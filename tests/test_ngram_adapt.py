"""A language model taken to a new text: still probabilities, nearer to the text; a bundle's goes along in training."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TEXTS
from drawn_samples import sample, samples, settings

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.ngram import NGrams
from uncial.ngram_adapt import adapt, knowing, levels_of
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.reliability import Calibration
from uncial.train import Progress, train

ORDER = 4
ALPHABET = Alphabet.from_texts(TEXTS)
NEW = Alphabet((*ALPHABET.graphemes, "b"))
NEW_TEXTS = ("no hill by", "a bay", "by ann")


def model_of(texts: tuple[str, ...], alphabet: Alphabet = ALPHABET) -> NGrams:
    return estimate(counts_of(texts, alphabet))


def counts_of(texts: tuple[str, ...], alphabet: Alphabet = NEW) -> Counts:
    return Counts.of([alphabet.encode(text, alphabet.size) for text in texts], ORDER, alphabet.size)


def score(model: NGrams, text: str) -> float:
    return model.score(NEW.encode(text, NEW.size))


def contexts(model: NGrams) -> np.ndarray:
    return np.arange(len(model.back_off))


def test_probabilities_behind_every_context_add_up_to_one() -> None:
    model = adapt(model_of(TEXTS), counts_of(NEW_TEXTS))
    sums = sum(np.exp(model.step(contexts(model), np.full(len(contexts(model)), c))[0]) for c in range(model.size))
    assert sums == pytest.approx(1, abs=0.01)  # stored in fp16


def test_it_comes_nearer_to_the_text_the_less_the_model_weighs() -> None:
    model = model_of(TEXTS)
    scores = [score(adapt(model, counts_of(NEW_TEXTS), prior), NEW_TEXTS[0]) for prior in ((0.5,), (5,), (500,))]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[2] + 5
    assert score(adapt(model, counts_of(NEW_TEXTS)), TEXTS[2]) > -25  # not forgotten


def test_without_a_text_it_stays_what_it_was_in_a_larger_alphabet() -> None:
    model = model_of(TEXTS)
    same = adapt(model, counts_of(()))
    assert same.size == NEW.size
    for text in (*TEXTS, "an hill"):
        assert score(same, text) == pytest.approx(score(model, text), abs=0.05)
    assert score(same, "b") < -10


def test_a_model_told_words_expects_them_and_keeps_what_it_knew() -> None:
    model = model_of(TEXTS)
    words = [ALPHABET.encode(word, ALPHABET.size) for word in ("hilly", "oyal", "b")]  # there is no b
    told = knowing(model, words, ALPHABET.graphemes.index(" ") + 1)
    assert told.score(ALPHABET.encode("an hilly oyal")) > model.score(ALPHABET.encode("an hilly oyal")) + 3
    for text in TEXTS:
        assert told.score(ALPHABET.encode(text)) > model.score(ALPHABET.encode(text)) - 2
    sums = sum(np.exp(told.step(contexts(told), np.full(len(contexts(told)), c))[0]) for c in range(told.size))
    assert sums == pytest.approx(1, abs=0.02)


def test_the_levels_of_a_model_hold_all_its_ngrams() -> None:
    model = model_of(TEXTS)
    levels = levels_of(model, model.size)
    assert sum(len(level.ngrams) for level in levels) == len(model.class_) - 1
    assert all((np.diff(level.ngrams) > 0).all() for level in levels)
    assert levels[1].ngrams.tolist() == counts_of(TEXTS, ALPHABET).by_length[1][0].tolist()


@pytest.fixture
def start(tmp_path: Path) -> Bundle:
    """A bundle with a language model, tuned."""
    bundle = train(samples(4), tmp_path / "start", settings(epochs=1))
    add_language_model(bundle, to_bytes(model_of(TEXTS, bundle.alphabet)), {"text": "four lines"})
    return add_decoding(load_bundle(bundle.path), {"weight": 0.25}, Calibration((2.0, 0.5), (1.5, -1.0)))


def test_a_bundles_language_model_goes_along_and_is_adapted(start: Bundle, tmp_path: Path) -> None:
    lines = [*samples(4), sample(100, "a bay"), sample(101, "by ann")]
    mine = train(lines, tmp_path / "mine", settings(epochs=1), start=start.path)
    assert mine.language_model
    model = load_ngrams(mine.language_model)
    assert model.graphemes == mine.alphabet.graphemes
    assert model.score(mine.alphabet.encode("a bay")) > model.score(mine.alphabet.encode("yab a")) + 5
    assert (mine.beam, mine.calibration) == ({"weight": 0.25}, start.calibration)
    assert mine.provenance["language_model"] == {"text": "four lines", "adapted_to_lines": 6}
    other = train(lines, tmp_path / "other", settings(epochs=1, adapt_language=False), start=start.path)
    assert other.language_model
    kept = load_ngrams(other.language_model)
    assert kept.score(mine.alphabet.encode("a bay")) < model.score(mine.alphabet.encode("a bay")) - 5
    assert other.provenance["language_model"] == {"text": "four lines"}


def test_what_a_training_keeps_on_its_way_has_the_language_model_too(start: Bundle, tmp_path: Path) -> None:
    notes: list[str] = []

    def interrupt(progress: Progress) -> None:
        notes.append(progress.note)
        if "validation" in progress.note:
            raise KeyboardInterrupt

    config = settings(epochs=1, adapt_language=False)
    with pytest.raises(KeyboardInterrupt):
        train(samples(4), tmp_path / "mine", config, start=start.path, watch=interrupt)
    mine = load_bundle(tmp_path / "mine")
    assert start.language_model
    assert mine.language_model
    assert mine.language_model.read_bytes() == start.language_model.read_bytes()
    assert (mine.beam, mine.calibration) == (start.beam, start.calibration)
    assert f"the language model of {start.path} goes along and stays as it is" in notes
