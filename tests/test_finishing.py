"""A language model of the lines that a network learned from: when its bundle gets one, and when not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TEXTS, DrawnLine
from drawn_samples import samples, settings

from uncial import finishing
from uncial.bundle import Bundle, add_language_model, load_bundle
from uncial.language import pruned
from uncial.lineimage import line_image
from uncial.ngram_estimate import Counts
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.own_language import LEAST_JUDGED, LEAST_TUNED, give_language
from uncial.reliability import AS_IT_IS
from uncial.train import train

Judged = Callable[[int], list[tuple[np.ndarray, list[int]]]]


@pytest.fixture
def unsure(tiny_bundle: Bundle, resaved: Callable[..., Bundle]) -> Bundle:
    """A bundle to which every n is as likely an 8, and which reads an 8."""
    weights = {name: value.copy() for name, value in tiny_bundle.weights.items()}
    (eight,), (letter,) = tiny_bundle.alphabet.encode("8"), tiny_bundle.alphabet.encode("n")
    for name in ("head.weight", "head.bias"):
        weights[name][eight] = weights[name][letter]
    return resaved(tiny_bundle, weights=weights)


@pytest.fixture
def judged(unsure: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> Judged:
    """So many of the drawn lines, each twice in a row, so that both halves are the same."""
    lines = [(line_image(d.image, unsure.line_image), unsure.alphabet.encode(d.text)) for d in drawn_lines]
    return lambda count: [lines[n // 2 % len(lines)] for n in range(count)]


def contents(bundle: Bundle) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bundle.path.iterdir()}


@pytest.mark.parametrize("count", [LEAST_JUDGED, LEAST_TUNED])
def test_a_language_model_that_pays_goes_into_the_bundle(unsure: Bundle, judged: Judged, count: int) -> None:
    texts = [unsure.alphabet.encode(text) for text in TEXTS]
    told = give_language(unsure, texts, judged(count), 100_000)
    after = load_bundle(unsure.path)
    assert "reading takes it" in told
    assert after.language_model
    assert load_ngrams(after.language_model).graphemes == unsure.alphabet.graphemes
    assert after.provenance["language_model"]["lines"] == len(TEXTS)
    assert set(after.beam) == {"weight", "bonus", "prior", "width"}


@pytest.mark.parametrize(
    ("count", "most_bytes", "finding"),
    [(LEAST_JUDGED - 1, 100_000, "too few lines to choose by (19)"), (LEAST_JUDGED, 100, "language_bytes = 100")],
)
def test_too_few_lines_or_bytes_are_told_and_end_no_training(
    unsure: Bundle, judged: Judged, count: int, most_bytes: int, finding: str
) -> None:
    before = contents(unsure)
    assert finding in give_language(unsure, [[1, 2]], judged(count), most_bytes)
    assert contents(unsure) == before


def test_a_network_that_errs_in_nothing_gets_no_language_model(
    tiny_bundle: Bundle, resaved: Callable[..., Bundle], judged: Judged, tmp_path: Path
) -> None:
    bundle = resaved(tiny_bundle, path=tmp_path / "sure")
    before = contents(bundle)
    told = give_language(bundle, [bundle.alphabet.encode(text) for text in TEXTS], judged(LEAST_TUNED), 100_000)
    assert "too little is gained" in told
    changed = {name for name, data in contents(bundle).items() if data != before.get(name)}
    calibration = load_bundle(bundle.path).calibration
    assert changed == {"bundle.json"}  # it tells how sure words are, which needs no language model
    assert (calibration.line, calibration.word) == (AS_IT_IS, AS_IT_IS)
    assert calibration.fast_word != AS_IT_IS


@pytest.mark.parametrize("most_bytes", [100_000, 0])
def test_a_training_learns_a_language_of_what_people_wrote_once(
    tmp_path: Path, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[list[int]]] = []

    def give(bundle: Bundle, texts: list[list[int]], judged: list[object], most: int) -> str:
        given.append([list(text) for text in texts])
        assert (len(judged), most) == (2, most_bytes)
        return "given"

    monkeypatch.setattr(finishing, "give_language", give)
    notes: list[str] = []
    drawn = [replace(sample, id=f"drawn {n}") for n, sample in enumerate(samples(3, validation=0))]
    bundle = train(
        samples(4),
        tmp_path / "bundle",
        settings(epochs=1, language_bytes=most_bytes),
        synthetic=drawn,
        watch=lambda progress: notes.append(progress.note),
    )
    real = [bundle.alphabet.encode(sample.text) for sample in samples(4, validation=0)]
    assert given == ([real] if most_bytes else [])
    assert (notes[-1] == "given") == bool(most_bytes)


def test_a_language_model_that_came_along_stays(
    tiny_bundle: Bundle, resaved: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "give_language", lambda *_: pytest.fail("it has one already"))
    start = resaved(tiny_bundle)
    model = pruned(Counts.of([[1, 2]], 2, start.alphabet.size), start.alphabet.graphemes, 10_000, print)
    add_language_model(start, to_bytes(model), {"text": "one line"})
    config = settings(epochs=1, learning_rate=1e-9, adapt_language=False, language_bytes=100_000)
    mine = train(samples(4), tmp_path / "mine", config, start=start.path)
    assert mine.provenance["language_model"] == {"text": "one line"}
