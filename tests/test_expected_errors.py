"""Training for the fewest expected errors of what a search with a language model finds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEXTS, draw_line
from drawn_samples import png, sample, settings
from rapidfuzz.distance import Levenshtein

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, add_language_model
from uncial.decoders import SURE, BeamConfig, beam_search
from uncial.errors import ConfigError, TrainingError
from uncial.half_languages import halves_of
from uncial.language import pruned
from uncial.ngram import NGrams
from uncial.ngram_estimate import Counts
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.nn.batches import Batch, TrainingLine
from uncial.nn.expected_errors import ExpectedErrors
from uncial.train import train

ABC = Alphabet(("a", "b", "c"))
BEAM = BeamConfig(width=8)


def _model(texts: Sequence[Sequence[int]]) -> NGrams:
    counts = Counts.of([np.array(text) for text in texts], 3, ABC.size)
    return pruned(counts, ABC.graphemes, 100_000, lambda note: None)


def _batch(truths: Sequence[Sequence[int]], steps: int) -> tuple[torch.Tensor, torch.Tensor, Batch]:
    torch.manual_seed(3)
    logits = torch.randn(len(truths), steps, ABC.size, requires_grad=True)
    lengths = torch.tensor([steps - n for n in range(len(truths))])
    classes = torch.tensor([class_ for text in truths for class_ in text])
    counts = torch.tensor([len(text) for text in truths])
    batch = Batch(torch.zeros(len(truths), 1, 1, 1), lengths, classes, counts, tuple(range(len(truths))))
    return logits, lengths, batch


def _expected(line: np.ndarray, model: NGrams, truth: Sequence[int]) -> float:
    readings = beam_search([line], model, BEAM)[0]
    scores = np.array([reading.score for reading in readings])
    shares = np.exp((scores - scores.max()) / SURE)
    errors = [Levenshtein.distance(reading.classes, list(truth)) for reading in readings]
    return float(shares @ errors / shares.sum())


TRUTHS = ((1, 2, 3, 1), (2, 2, 1), (3, 1))
MODELS = [_model([(1, 2, 3)] * 5), _model([(3, 1, 2)] * 5)]


def test_it_is_the_mean_of_the_errors_by_the_shares_of_the_readings() -> None:
    logits, lengths, batch = _batch(TRUTHS, 7)
    parts = np.array([0, 1, 0])
    found = ExpectedErrors(MODELS, parts, BEAM)(logits, lengths, batch)
    lines = logits.detach().log_softmax(2).numpy()
    expected = [
        _expected(line[:length], MODELS[part], truth)
        for line, length, part, truth in zip(lines, lengths, parts, TRUTHS, strict=True)
    ]
    assert found.item() == pytest.approx(sum(expected), abs=0.05)  # rare readings are left out


def test_its_gradient_makes_better_readings_likelier() -> None:
    logits, lengths, batch = _batch(TRUTHS, 7)
    errors = ExpectedErrors(MODELS, np.array([0, 0, 0]), BEAM)
    before = errors(logits, lengths, batch)
    before.backward()
    with torch.no_grad():
        after = errors(logits - 2.0 * logits.grad, lengths, batch)
    assert after < before


def test_where_nothing_is_written_reading_nothing_grows_likelier() -> None:
    logits = torch.full((1, 3, ABC.size), -9.0)
    logits[0, :, 0], logits[0, 1, 1] = 2.0, 3.0  # a blank everywhere, or an "a" in the middle
    logits.requires_grad_()
    none = torch.zeros(0, dtype=torch.long)
    nothing = Batch(torch.zeros(1, 1, 1, 1), torch.tensor([3]), none, torch.tensor([0]), (0,))
    loss = ExpectedErrors([_model([(1,)] * 9)], np.array([0]), BEAM)(logits, nothing.widths, nothing)
    loss.backward()  # type: ignore[no-untyped-call]
    assert 0 < loss.item() < 1
    assert logits.grad is not None
    assert logits.grad[0, 1, 0] < 0 < logits.grad[0, 1, 1]


def test_steps_beyond_a_line_and_lines_without_a_choice_get_no_gradient() -> None:
    logits, lengths, batch = _batch(TRUTHS, 7)
    sure = torch.full((3, 7, ABC.size), -30.0)
    sure[:, :, 0] = 0.0
    sure[:, 1, 1] = 30.0  # an "a" and nothing else
    mixed = torch.cat((logits[:2], sure[2:]))
    ExpectedErrors(MODELS, np.array([0, 1, 0]), BEAM)(mixed, lengths, batch).backward()
    assert logits.grad is not None
    assert not logits.grad[1, lengths[1] :].any()
    assert logits.grad[0].any()
    assert not logits.grad[2].any()
    alone = sure.clone().requires_grad_()
    loss = ExpectedErrors(MODELS, np.array([0, 1, 0]), BEAM)(alone, lengths, batch)
    assert loss.item() == 0
    loss.backward()  # so that any batch can be learned from
    assert not alone.grad.any()


def test_lines_of_a_page_are_read_with_the_same_model() -> None:
    lines = [TrainingLine(replace(sample(n, "a", data=b""), page=f"p{n // 5}"), (1,), 9) for n in range(100)]
    halves = halves_of(lines)
    assert set(halves) == {0, 1}
    assert all(len(set(halves[n : n + 5])) == 1 for n in range(0, 100, 5))


@pytest.fixture
def speaking(tiny_bundle: Bundle, tmp_path: Path, resaved) -> Bundle:
    bundle = resaved(tiny_bundle, tmp_path / "speaking")
    alphabet = bundle.alphabet
    counts = Counts.of([np.array(alphabet.encode(text)) for text in TEXTS], 4, alphabet.size)
    return add_language_model(bundle, to_bytes(pruned(counts, alphabet.graphemes, 100_000, lambda note: None)), {})


def _lines() -> list:
    lines = [sample(n, TEXTS[n % 4], data=png(draw_line(TEXTS[n % 4]).image)) for n in range(8)]
    return [*lines, sample(9, TEXTS[0], "val")]


def test_a_training_makes_its_language_models_and_learns(speaking: Bundle, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("a text that runs on and on\n" * 40, encoding="utf-8")
    heard: list[str] = []
    config = settings(
        network=speaking.architecture, line_image=speaking.line_image, epochs=2, error_weight=1.0, ctc_weight=0.1
    )
    out = tmp_path / "bundle"
    made = train(
        _lines(), out, config, start=speaking.path, texts=[tmp_path / "more.txt"], watch=lambda p: heard.append(p.note)
    )
    assert made.provenance["training"]["error_weight"] == 1.0
    assert any("more.txt" in note for note in heard)
    assert made.provenance["course"]["cer"] is not None
    files = sorted((tmp_path / "bundle.run").glob("without-half-*.safetensors"))
    assert len(files) == 2
    assert all(load_ngrams(file).graphemes == made.alphabet.graphemes for file in files)
    written = [file.stat().st_mtime_ns for file in files]
    with pytest.raises(TrainingError, match="another error_weight"):
        train(_lines(), out, replace(config, error_weight=0.0), start=speaking.path, resume=True)
    train(_lines(), out, replace(config, epochs=3), start=speaking.path, resume=True)
    assert [file.stat().st_mtime_ns for file in files] == written


def test_without_a_language_model_it_is_told_what_is_missing(tiny_bundle: Bundle, tmp_path: Path) -> None:
    config = settings(network=tiny_bundle.architecture, line_image=tiny_bundle.line_image, epochs=1, error_weight=1.0)
    with pytest.raises(ConfigError, match="error_weight: needs a bundle with a language model"):
        train(_lines(), tmp_path / "bundle", config, start=tiny_bundle.path)
    assert not (tmp_path / "bundle.run").exists()


@pytest.mark.parametrize(
    ("changes", "text", "told"),
    [
        ({}, "a.txt", "set it, or leave them out"),
        ({"error_weight": 1.0}, "a.gt.txt", "is ground truth"),
        ({"error_weight": 1.0, "splice_share": 0.5}, "a.txt", "spliced"),
    ],
)
def test_what_does_not_go_together_is_told_before_any_work(
    speaking: Bundle, tmp_path: Path, changes: dict[str, float], text: str, told: str
) -> None:
    (tmp_path / text).write_text("a text", encoding="utf-8")
    config = settings(network=speaking.architecture, line_image=speaking.line_image, epochs=1, **changes)
    with pytest.raises(ConfigError, match=told):
        train(_lines(), tmp_path / "bundle", config, start=speaking.path, texts=[tmp_path / text])
    assert not (tmp_path / "bundle.run").exists()
