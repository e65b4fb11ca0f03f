"""`uncial lm` and `uncial tune` as people use them."""

import json
import lzma
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from commands import uncial, write_pairs
from conftest import TEXTS, DrawnLine
from written_lines import Row, samples_of

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, add_decoding, load_bundle
from uncial.decoders import BeamConfig
from uncial.language import read_texts
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import load_ngrams
from uncial.reliability import Calibration, calibrated
from uncial.sources import read_samples
from uncial.tune import Trial, search

PROSE = "\n".join(["Dear Ann no news a hill", "a hill no Dear Ann a hill no news a 1862 May hill Dear"] * 60)


@pytest.fixture
def bundle(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy that may be written into."""
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    return load_bundle(tmp_path / "bundle")


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "prose.txt.xz").write_bytes(lzma.compress(PROSE.encode()))
    (folder / "SOURCES.tsv").write_text("file\tsource\tlicence\nprose.txt.xz\tA. Nobody\tCC BY 4.0\n", encoding="utf-8")
    return folder


def test_a_language_model_of_texts_goes_into_a_bundle_with_its_origin(bundle: Bundle, prose: Path) -> None:
    ran = uncial("lm", prose, "--into", bundle.path, "--order", 4)
    assert ran.code == 0, ran.told
    written = load_bundle(bundle.path)
    assert written.language_model
    model = load_ngrams(written.language_model)
    encode = bundle.alphabet.encode
    assert model.score(encode("Dear Ann")) > model.score(encode("nnA raeD")) + 5
    about = written.provenance["language_model"]
    assert about["order"] == 4
    assert about["texts"][0]["name"] == "prose.txt.xz"
    assert "CC BY 4.0" in about["texts"][0]["notes"]
    assert 1 < about["texts"][0]["perplexity"] < 4
    assert "prose.txt.xz" in ran.out


def test_ground_truth_gives_its_train_lines_and_holds_the_others_out(bundle: Bundle, tmp_path: Path) -> None:
    rows = [Row(text, split=split) for text in TEXTS for split in ("train", "val", "test")]
    samples_of(tmp_path, rows, "letters")
    (text,) = read_texts([tmp_path / "letters.zip"], bundle.alphabet, 5.0)
    assert [bundle.alphabet.decode(line) for line in text.lines] == list(TEXTS)
    assert len(text.held_out) == len(TEXTS)
    assert text.weight == 5


def test_lines_that_the_training_of_a_bundle_held_out_are_not_learned(bundle: Bundle, tmp_path: Path) -> None:
    samples_of(tmp_path, [Row(text, split="") for text in TEXTS], "letters")
    apart = read_samples([tmp_path / "letters.zip"])[1]
    facts = {**bundle.provenance, "held_out": [apart.id]}
    settings = json.loads((bundle.path / "bundle.json").read_text(encoding="utf-8"))
    (bundle.path / "bundle.json").write_text(json.dumps(settings | {"provenance": facts}), encoding="utf-8")
    ran = uncial("lm", tmp_path / "letters.zip", "--into", bundle.path, "--force")
    assert ran.code == 0, ran.told
    (told,) = load_bundle(bundle.path).provenance["language_model"]["texts"]
    assert told["lines"] == len(TEXTS) - 1


def test_running_text_is_cut_into_pieces_as_long_as_lines(bundle: Bundle, tmp_path: Path) -> None:
    words = "Dear Ann no news " * 200
    (tmp_path / "one.txt").write_text(f"{words}\nno\n\n“Ann”", encoding="utf-8")
    (text,) = read_texts([tmp_path / "one.txt"], bundle.alphabet, 5.0)
    pieces = ["".join(bundle.alphabet.decode([c]) if c < bundle.alphabet.size else "?" for c in x) for x in text.lines]
    assert " ".join(pieces) == f"{words}no ?Ann?"
    assert max(map(len, pieces)) < 82
    assert sum(map(len, pieces)) / len(pieces) > 30


def test_some_pieces_end_amid_a_word_with_or_without_a_hyphen(tmp_path: Path) -> None:
    words = "remember gentlemen yesterday evening " * 1500
    (tmp_path / "one.txt").write_text(words, encoding="utf-8")
    alphabet = load_bundle().alphabet
    (text,) = read_texts([tmp_path / "one.txt"], alphabet, 5.0)
    pieces = ["".join(alphabet.decode(piece)) for piece in text.lines]
    ends = [piece.rstrip("-").rpartition(" ")[2] for piece in pieces]
    broken = [piece for piece, end in zip(pieces, ends, strict=True) if end not in words.split()]
    hyphens = sum(piece.endswith("-") for piece in broken)
    assert 0.05 < len(broken) / len(pieces) < 0.11
    assert 0.3 < hyphens / len(broken) < 0.7
    assert all(len(piece.rstrip("-").rpartition(" ")[2]) >= 2 for piece in broken)
    assert "".join(pieces).replace("-", "").replace(" ", "") == words.replace(" ", "")


def test_a_file_is_as_large_as_is_allowed(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    large, small = tmp_path / "large.safetensors", tmp_path / "small.safetensors"
    assert uncial("lm", prose, "-o", large, "--alphabet-of", bundle.path).code == 0
    allowed = large.stat().st_size * 2 // 3
    assert uncial("lm", prose, "-o", small, "--alphabet-of", bundle.path, "--max-bytes", allowed).code == 0
    assert 0.8 * allowed < small.stat().st_size <= allowed
    ran = uncial("lm", prose, "-o", tmp_path / "none.safetensors", "--max-bytes", 100)
    assert (ran.code, "too small" in ran.told) == (2, True)


def test_a_text_that_fits_is_told_of_a_few_times(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("lm", prose, "-o", tmp_path / "all.safetensors", "--alphabet-of", bundle.path)
    told = [line for line in ran.told.splitlines() if line.startswith("n-grams that bring")]
    assert 1 < len(told) <= 8
    counts = [line.partition(": ")[2] for line in told]
    assert len(set(counts)) >= len(told) - 1


def test_arpa_out_and_in_again_gives_the_same_file(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    first, arpa, again = tmp_path / "a.safetensors", tmp_path / "a.arpa", tmp_path / "b.safetensors"
    assert uncial("lm", prose, "-o", first, "--alphabet-of", bundle.path).code == 0
    assert uncial("lm", first, "-o", arpa).code == 0
    assert uncial("lm", arpa, "-o", again, "--alphabet-of", bundle.path).code == 0
    assert again.read_bytes() == first.read_bytes()


def test_nothing_is_overwritten_unasked(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    assert uncial("lm", prose, "--into", bundle.path, "-o", tmp_path / "a.safetensors").code == 0
    before = (bundle.path / "bundle.json").read_bytes()
    for place in (("--into", bundle.path), ("-o", tmp_path / "a.safetensors")):
        ran = uncial("lm", prose, *place, "--order", 3)
        assert (ran.code, "--force" in ran.told) == (8, True)
    assert (bundle.path / "bundle.json").read_bytes() == before
    assert uncial("lm", prose, "--into", bundle.path, "--order", 3, "--force").code == 0
    assert load_bundle(bundle.path).provenance["language_model"]["order"] == 3


def test_what_cannot_be_made_is_told_before_the_work(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    assert uncial("lm", prose).code == 2
    assert "endings" in uncial("lm", prose, "-o", tmp_path / "a.bin").told
    (tmp_path / "empty").mkdir()
    assert uncial("lm", tmp_path / "empty", "-o", tmp_path / "a.arpa").code == 5
    (tmp_path / "bad.txt.xz").write_bytes(b"no xz")
    assert uncial("lm", tmp_path / "bad.txt.xz", "-o", tmp_path / "a.arpa").code == 5


def test_a_language_model_of_other_graphemes_is_refused(prose: Path, bundle: Bundle, tmp_path: Path) -> None:
    made = tmp_path / "a.safetensors"
    assert uncial("lm", prose, "-o", made).code == 0  # the shipped model's graphemes
    ran = uncial("lm", made, "--into", bundle.path)
    assert (ran.code, "other graphemes" in ran.told) == (6, True)
    assert load_bundle(bundle.path).language_model is None
    assert json.loads((bundle.path / "bundle.json").read_text(encoding="utf-8"))["files"].keys() >= {"model.onnx"}


def test_tuning_writes_what_it_found_and_tells_how_it_does(
    bundle: Bundle, prose: Path, drawn_lines: Sequence[DrawnLine], tmp_path: Path
) -> None:
    data = write_pairs(tmp_path / "letters" / "val", drawn_lines, repeat=12).parent
    ran = uncial("tune", data, "-m", bundle.path)
    assert (ran.code, "uncial lm" in ran.told) == (6, True)
    assert uncial("lm", prose, "--into", bundle.path, "--order", 3).code == 0
    ran = uncial("tune", data, "-m", bundle.path, "--lines", 44)
    assert ran.code == 0, ran.told
    written = load_bundle(bundle.path)
    assert set(written.beam) == {"weight", "bonus", "prior", "width"}
    assert "confidence of a word, quality fast: temperature" in ran.out
    for scale in (written.calibration.line, written.calibration.word, written.calibration.fast_word):
        assert calibrated(0.9, *scale) > 0.95  # it reads without an error, so it may be surer than the network
    assert "judged on 22 others" in ran.out
    assert "best path" in ran.out


def test_few_lines_change_no_calibration(
    bundle: Bundle, prose: Path, drawn_lines: Sequence[DrawnLine], tmp_path: Path
) -> None:
    data = write_pairs(tmp_path / "letters" / "val", drawn_lines, repeat=2).parent
    assert uncial("lm", prose, "--into", bundle.path, "--order", 3).code == 0
    mine = Calibration((1.3, 0.2), (1.4, 0.1), (1.5, 0.0))
    add_decoding(load_bundle(bundle.path), {}, mine)
    ran = uncial("tune", data, "-m", bundle.path)
    assert ran.code == 0, ran.told
    assert load_bundle(bundle.path).calibration == mine


def test_several_readings_are_told_in_json(bundle: Bundle, drawn_lines: Sequence[DrawnLine], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "lines", drawn_lines[:1])
    ran = uncial(
        "read", folder, "-m", bundle.path, "-f", "json", "--quality", "balanced", "--n-best", 2, "--as", "line"
    )
    readings = json.loads(ran.out)["readings"]
    assert readings[0]["text"] == drawn_lines[0].text
    assert len(readings) == 2
    assert readings[0]["share"] > 0.5 > readings[1]["share"]


def test_an_evaluation_tells_how_far_confidences_are_off(
    bundle: Bundle, drawn_lines: Sequence[DrawnLine], tmp_path: Path
) -> None:
    add_decoding(bundle, {}, Calibration((4.0, 0.0), (4.0, 0.0)))
    folder = write_pairs(tmp_path / "lines", drawn_lines, repeat=5)
    ran = uncial(
        "evaluate", folder, "-m", bundle.path, "--quality", "balanced", "--json", "--report", tmp_path / "r.html"
    )
    found = json.loads(ran.out)
    assert found["about"]["quality"] == "balanced"
    told, of_words = found["calibration"], found["words_calibration"]
    assert told["error"] > told["error_before"] + 0.05  # all is right, so this is too modest
    assert of_words["error"] > told["error_before"] + 0.05
    assert sum(some["lines"] for some in of_words["bins"]) == found["words"]
    assert sum(some["lines"] for some in told["bins"]) == found["lines"] == 20
    report = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Before calibration it was off by" in report
    assert "Words are told with the chance that all of a word is right, off by" in report


def test_marks_of_any_script_belong_to_the_letter_before_them(tmp_path: Path) -> None:
    alphabet = Alphabet((" ", "a", "b", "q\u1dd1", "\u05e9\u05b8"))
    words = "q\u1dd1 ab \u05e9\u05b8b " * 20
    (tmp_path / "one.txt").write_text(f"{words}\nab ba\n", encoding="utf-8")
    (text,) = read_texts([tmp_path / "one.txt"], alphabet, 1.0)
    assert alphabet.size not in {class_ for line in text.lines for class_ in line.tolist()}
    assert " ".join(alphabet.decode(line) for line in text.lines) == f"{words}ab ba"


def test_tuning_keeps_what_reads_better_than_what_it_found(
    bundle: Bundle, prose: Path, drawn_lines: Sequence[DrawnLine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_pairs(tmp_path / "letters" / "val", drawn_lines, repeat=6).parent
    assert uncial("lm", prose, "--into", bundle.path, "--order", 3).code == 0
    mine = {"weight": 0.2, "bonus": 1.0, "prior": 0.0, "width": 4}
    add_decoding(load_bundle(bundle.path), mine, Calibration())
    worst = BeamConfig(weight=0.8, bonus=-30.0, width=8)  # which is of no use: it writes next to nothing
    widths: list[int] = []
    monkeypatch.setattr("uncial.tune.search", lambda lines, model, width: widths.append(width) or [Trial(worst, 0, 1)])
    ran = uncial("tune", data, "-m", bundle.path)
    assert (ran.code, "the beam stays as it was" in ran.out) == (0, True), ran.told
    assert widths == [BeamConfig().width]  # a narrow beam may become as wide as a new one
    assert load_bundle(bundle.path).beam == mine


def test_settings_are_tried_at_the_width_that_reads() -> None:
    log_probs = np.log(np.full((4, 3), 1 / 3, np.float32))
    model = estimate(Counts.of([[1, 2]], 2, 3))
    assert {trial.beam.width for trial in search([([1], log_probs)], model, 5) if trial.beam} == {5}
