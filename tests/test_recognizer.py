import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import DrawnLine

from uncial.alphabet import BLANK, Alphabet
from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.decoders import DecodedSpan, peak_posteriors
from uncial.document import Page
from uncial.errors import BundleError, ConfigError, ImageError
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import to_bytes
from uncial.recognizer import Recognizer
from uncial.reliability import Calibration, calibrated, confidence


@pytest.fixture(scope="module")
def recognizer(tiny_bundle: Bundle) -> Recognizer:
    """Reads the drawn lines."""
    return Recognizer.load(tiny_bundle.path)


def test_what_was_memorised_is_read(recognizer: Recognizer, drawn_lines: tuple[DrawnLine, ...]) -> None:
    transcripts = recognizer.read_lines(line.image for line in drawn_lines)
    assert [transcript.text for transcript in transcripts] == [line.text for line in drawn_lines]
    assert all(0.8 < transcript.confidence <= 1 for transcript in transcripts)
    assert recognizer.read_line(drawn_lines[0].image) == recognizer.read_lines([drawn_lines[0].image])[0]


def test_pytorch_reads_the_same(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> None:
    transcripts = Recognizer.load(str(tiny_bundle.path), backend="torch").read_lines(d.image for d in drawn_lines)
    assert [transcript.text for transcript in transcripts] == [line.text for line in drawn_lines]


@pytest.mark.parametrize("factor", [1, 2, 3.5])
def test_spans_stand_where_the_graphemes_are_drawn_whatever_the_size_of_the_image(
    recognizer: Recognizer, drawn_lines: tuple[DrawnLine, ...], factor: float
) -> None:
    tolerance = 2 * recognizer.bundle.architecture.step_width * factor
    for line in drawn_lines:
        image = cv2.resize(line.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        spans = recognizer.read_line(image).spans
        assert [span.grapheme for span in spans] == list(line.text)
        for span, middle in zip(spans, line.middles, strict=True):
            assert abs((span.left + span.right) / 2 - middle * factor) < tolerance
        assert [span.right for span in spans[:-1]] == [span.left for span in spans[1:]]  # no ink is left between
        widths = sorted(span.right - span.left for span in spans)
        assert spans[0].right - spans[0].left > 0.3 * widths[len(widths) // 2]


def test_spans_lie_inside_the_image_and_tell_their_runners_up(
    recognizer: Recognizer, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    for line in drawn_lines:
        transcript = recognizer.read_line(line.image)
        assert "".join(span.grapheme for span in transcript.spans) == transcript.text
        for span in transcript.spans:
            assert 0 <= span.left <= span.right <= line.image.shape[1]
            names, posteriors = zip(*span.alternatives, strict=True)
            assert len(set(names) - {span.grapheme}) == 3
            assert list(posteriors) == sorted(posteriors, reverse=True)
            assert span.posterior + sum(posteriors) <= 1 + 1e-5


def test_blank_paper_gives_an_empty_text(recognizer: Recognizer) -> None:
    transcript = recognizer.read_line(np.full((64, 120), 255, np.uint8))
    assert transcript.text == ""
    assert transcript.spans == ()
    assert 0 < transcript.confidence <= 1


class Scripted:
    """A runtime whose network always reads the same path of graphemes."""

    def __init__(self, alphabet: Alphabet, graphemes: str) -> None:
        self.log_probs_of_all = np.full((2 * len(graphemes), alphabet.size), -9.0, np.float32)
        for n, grapheme in enumerate(graphemes):
            self.log_probs_of_all[2 * n, alphabet.graphemes.index(grapheme) + 1] = 0
            self.log_probs_of_all[2 * n + 1, BLANK] = 0

    def log_probs(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [self.log_probs_of_all for _ in images]


@pytest.mark.parametrize(("read", "text"), [("  a  n ", "a n"), ("ann", "ann"), ("   ", ""), (" a", "a")])
def test_idle_spaces_are_not_told(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], read: str, text: str
) -> None:
    recognizer = Recognizer(tiny_bundle, Scripted(tiny_bundle.alphabet, read))  # type: ignore[arg-type]
    transcript = recognizer.read_line(drawn_lines[2].image)
    assert transcript.text == "".join(span.grapheme for span in transcript.spans) == text


def test_more_lines_than_are_held_at_once_come_back_in_order(
    recognizer: Recognizer, drawn_lines: tuple[DrawnLine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uncial.recognizer.LINES_AT_ONCE", 3)
    many = [drawn_lines[n % 4] for n in range(11)]
    assert [t.text for t in recognizer.read_lines([line.image for line in many])] == [line.text for line in many]
    assert recognizer.read_lines([]) == []


def test_an_image_too_small_to_read_is_told_with_its_number(
    recognizer: Recognizer, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    with pytest.raises(ImageError, match="line image 2: "):
        recognizer.read_lines([drawn_lines[0].image, np.zeros((64, 1), np.uint8)])


@pytest.mark.parametrize("image", ["line.png", np.zeros((64, 200, 3), np.uint8), np.zeros((64, 200)), [[0, 255]]])
def test_what_is_no_gray_image_of_8_bits_is_told(recognizer: Recognizer, image: Any) -> None:
    for read in (recognizer.read_line, recognizer.read_page, recognizer.find_lines):
        with pytest.raises(ImageError, match="is gray, an array"):
            read(image)


def test_a_page_of_another_size_is_told(recognizer: Recognizer) -> None:
    with pytest.raises(ImageError, match="has 300 x 200 pixels, its lines were marked on 30 x 20"):
        recognizer.read_page(np.full((200, 300), 255, np.uint8), page=Page("x", 30, 20))


def test_a_wrong_name_is_told(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no quality named 'beams'; there are: .*balanced"):
        Recognizer.load(tiny_bundle.path, quality="beams")
    with pytest.raises(BundleError, match="no such folder"):
        Recognizer.load(tmp_path / "nowhere")


def test_a_span_is_as_sure_as_its_surest_time_step() -> None:
    log_probs = np.log(np.array([[0.1, 0.9], [0.6, 0.4]], np.float32))
    assert peak_posteriors(log_probs, [DecodedSpan(1, 0, 2)]) == ([0], pytest.approx([0.9]))


def test_confidence_is_the_geometric_mean_of_the_posteriors_and_for_no_text_the_chance_of_blanks_alone() -> None:
    log_probs = np.log(np.array([[0.5, 0.5], [0.25, 0.75]], np.float32))
    assert confidence(log_probs, [0.9, 0.4]) == pytest.approx(0.6)
    assert confidence(log_probs, [0.9, 0.0]) == 0
    assert confidence(log_probs, []) == pytest.approx(0.125)


def test_a_beam_reads_what_the_language_model_of_the_bundle_knows(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    alphabet = tiny_bundle.alphabet
    texts = [alphabet.encode(line.text) for line in drawn_lines]
    mixed = [text[::-1] for text in texts]  # a language in which these lines are not written

    def reading(lines: list[list[int]], beam: dict[str, float]) -> list[str]:
        model = estimate(Counts.of(lines, 3, alphabet.size))
        bundle = add_language_model(load_bundle(tmp_path / "bundle"), to_bytes(model), {})
        bundle = add_decoding(bundle, beam, Calibration())
        assert load_bundle(bundle.path).beam == beam
        transcripts = Recognizer.load(bundle.path, quality="balanced").read_lines(d.image for d in drawn_lines)
        for transcript in transcripts:
            assert "".join(span.grapheme for span in transcript.spans) == transcript.text
        return [transcript.text for transcript in transcripts]

    right = [line.text for line in drawn_lines]
    assert reading(texts, {"weight": 0.5, "bonus": 0.5}) == right
    assert reading(mixed, {"weight": 0.0, "bonus": 0.0}) == right
    assert reading(mixed, {"weight": 20.0, "bonus": 0.5, "least": -20.0, "gap": 99.0, "blank": 1.0}) != right


def test_a_beam_without_a_language_model_reads_too(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> None:
    transcripts = Recognizer.load(tiny_bundle.path, quality="balanced").read_lines(d.image for d in drawn_lines)
    assert [transcript.text for transcript in transcripts] == [line.text for line in drawn_lines]


def test_every_quality_reads_and_the_better_ones_tell_several_readings(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    right = [line.text for line in drawn_lines]
    for quality in ("fast", "balanced", "best"):
        read = Recognizer.load(tiny_bundle.path, quality=quality).read_lines(d.image for d in drawn_lines)
        assert [transcript.text for transcript in read] == right
        assert not any(transcript.readings for transcript in read)
    for quality in ("balanced", "best"):
        read = Recognizer.load(tiny_bundle.path, quality=quality, n_best=3).read_lines(d.image for d in drawn_lines)
        for transcript in read:
            texts, shares = zip(*transcript.readings, strict=True)
            assert texts[0] == transcript.text
            assert len(set(texts)) == len(texts) <= 3
            assert list(shares) == sorted(shares, reverse=True)
            assert 0 < sum(shares) <= 1 + 1e-6
    with pytest.raises(ConfigError, match="one reading, not 3"):
        Recognizer.load(tiny_bundle.path, quality="fast", n_best=3)


def test_calibration_changes_confidences_and_nothing_else(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    add_decoding(load_bundle(tmp_path / "bundle"), {}, Calibration((2.0, -1.0), (1.0, -2.0), (1.0, -3.0)))
    for quality in ("balanced", "fast"):
        plain, told = (
            Recognizer.load(path, quality=quality).read_lines(d.image for d in drawn_lines)
            for path in (tiny_bundle.path, tmp_path / "bundle")
        )
        for a, b in zip(plain, told, strict=True):
            assert (a.text, a.confidence) == (b.text, b.uncalibrated if quality == "balanced" else b.confidence)
            assert a.uncalibrated is None
            assert b.confidence < a.confidence if quality == "balanced" else b.confidence == a.confidence
            assert a.spans == b.spans
            assert len(a.words) == len(a.text.split())
            shift = -2.0 if quality == "balanced" else -3.0
            assert b.words == pytest.approx([calibrated(word, 1.0, shift) for word in a.words])


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_paper_without_writing_is_empty_with_the_shipped_model(quality: str) -> None:
    paper = np.random.default_rng(1).normal(215, 4, (64, 1000)).astype(np.uint8)
    sheets = [np.full((64, 1000), 255, np.uint8), np.full((64, 400), 200, np.uint8), paper]
    assert [line.text for line in Recognizer.load(quality=quality).read_lines(sheets)] == ["", "", ""]
