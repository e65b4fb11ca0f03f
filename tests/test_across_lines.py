"""Lines that follow one another are read by how the text runs on from each to the next."""

from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from uncial.alphabet import Alphabet
from uncial.arpa import load_arpa
from uncial.decoders.across_lines import BROKEN, HYPHENED, RUNS_ON, Breaks, breaks_of, weighed_across_lines
from uncial.decoders.beam import Hypothesis
from uncial.decoders.risk import SURE, fewest_errors_first
from uncial.ngram import EDGE, NGrams
from uncial.ngram_estimate import Counts, estimate

TEXT = "le tribunal jugeant conformement a la loi. Attendu que le tribunal se declare competent"
ALPHABET = Alphabet.from_texts([TEXT, "-m"])
WEIGHT = 0.6


@pytest.fixture(scope="module")
def model() -> NGrams:
    return estimate(Counts.of([ALPHABET.encode(TEXT)], 5, ALPHABET.size))


@pytest.fixture(scope="module")
def breaks() -> Breaks:
    found = breaks_of(ALPHABET)
    assert found
    return found


def readings(*texts: str, apart: float = 0.5) -> list[Hypothesis]:
    return [Hypothesis(tuple(ALPHABET.encode(text)), -apart * n) for n, text in enumerate(texts)]


def best(lines: list[list[Hypothesis]]) -> list[str]:
    return [ALPHABET.decode(line[0].classes) for line in lines]


def runs_on(model: NGrams, breaks: Breaks, first: list[int], second: list[int]) -> float:
    """How much likelier a line is behind another than by itself, from scores of whole texts."""
    short = len(second) < model.order - 1  # then how it ends depends on what stands before, too

    def context(text: list[int]) -> NDArray[np.int64]:
        node = np.array([model.start])
        for class_ in text:
            _, node = model.step(node, np.array([class_]))
        return node

    def begun(text: list[int]) -> float:  # its score without its end
        return model.score(text) - float(model.step(context(text), np.array([EDGE]))[0][0])

    def behind(end: list[int]) -> float:
        return (model.score if short else begun)(end + second) - begun(end)

    whole = float(np.exp(model.step(context(first), np.array([breaks.space]))[0][0]))
    hyphened = first[-1] in breaks.hyphens
    broken = HYPHENED if hyphened else BROKEN * (1 - whole) / (BROKEN * (1 - whole) + (1 - BROKEN) * whole)
    word, rest = (behind(end) - behind([]) for end in ([*first, breaks.space], first[:-1] if hyphened else first))
    return float(np.log(1 - RUNS_ON + RUNS_ON * ((1 - broken) * np.exp(word) + broken * np.exp(rest))))


def test_scores_are_the_sums_over_all_readings_of_all_lines(model: NGrams, breaks: Breaks) -> None:
    lines = [
        readings("jugeant conforme", "jugeant comme", "jugeant que-"),
        readings("ment a la loi", "tribunal le loi"),
        readings("loi", "a"),
        readings("Attendu que", "attendu que", "ette"),
    ]
    wanted = [dict.fromkeys((reading.classes for reading in line), -np.inf) for line in lines]
    for some in product(*lines):
        total = sum(reading.score for reading in some) / SURE
        for first, second in pairwise(some):
            total += WEIGHT / SURE * runs_on(model, breaks, list(first.classes), list(second.classes))
        for reading, sums in zip(some, wanted, strict=True):
            sums[reading.classes] = np.logaddexp(sums[reading.classes], total)
    spaced = [[replace(reading, classes=(*reading.classes, breaks.space)) for reading in line] for line in lines]
    for given, cut in ((lines, slice(None)), (spaced, slice(-1))):  # spaces at the ends of a line are not told
        found = weighed_across_lines(given, [False, True, True, True], model, WEIGHT, breaks)
        for line, before, sums in zip(found, lines, wanted, strict=True):
            told = np.array([reading.score / SURE for reading in line])
            true = np.array([sums[reading.classes[cut]] for reading in line])
            np.testing.assert_allclose(told - told[0], true - true[0], atol=1e-3)
            all_before = np.logaddexp.reduce([reading.score / SURE for reading in before])
            assert np.logaddexp.reduce(told) == pytest.approx(all_before)


def test_a_broken_word_and_a_sentence_that_ends_tell_how_the_next_line_begins(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "jugeant conforme"), readings("cent a la loi.", "ment a la loi.")]
    assert best(weighed_across_lines(lines, [False, True], model, WEIGHT, breaks)) == [
        "jugeant conforme",
        "ment a la loi.",
    ]
    lines = [readings("a la loi."), readings("attendu que", "Attendu que")]
    assert best(weighed_across_lines(lines, [False, True], model, WEIGHT, breaks)) == ["a la loi.", "Attendu que"]
    lines = [readings("jugeant confor-"), readings("nement a la", "mement a la")]
    assert best(weighed_across_lines(lines, [False, True], model, WEIGHT, breaks)) == ["jugeant confor-", "mement a la"]


def test_of_the_weighed_readings_the_one_with_the_fewest_expected_errors_is_taken(
    model: NGrams, breaks: Breaks
) -> None:
    other, *alike = readings("competent", "tribunal a", "tribunal e", "tribunal l", "tribunal u", apart=0.01)
    likeliest = set()
    for more in np.arange(-6, 6, 0.25):
        lines = [readings("le tribunal"), [replace(other, score=float(more)), *alike]]
        found = weighed_across_lines(lines, [False, True], model, WEIGHT, breaks)[1]
        assert found == fewest_errors_first(sorted(found, key=lambda reading: -reading.score))
        likeliest.add(found[0].score == max(reading.score for reading in found))
    assert likeliest == {True, False}


def test_lines_that_do_not_follow_and_blank_ones_stay_as_they_are(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "jugeant conforme"), readings("cent a la loi.", "ment a la loi.")]
    assert weighed_across_lines(lines, [True, False], model, WEIGHT, breaks) == lines
    blank = [lines[0], readings(""), lines[1]]
    assert weighed_across_lines(blank, [False, True, True], model, WEIGHT, breaks) == blank
    assert weighed_across_lines([], [], model, WEIGHT, breaks) == []


def test_what_is_hardly_likely_stays_behind_with_its_score(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "le loi", "jugeant conforme", apart=9.0), readings("ment a la loi.")]
    assert weighed_across_lines(lines, [False, True], model, WEIGHT, breaks) == lines


def test_shorter_lines_than_the_reach_of_the_model_are_weighed_too(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("l", "a", ""), readings("a", "loi", ""), readings("loi", "a")]
    found = weighed_across_lines(lines, [False, True, True], model, WEIGHT, breaks)
    assert [{reading.classes for reading in line} for line in found] == [{r.classes for r in line} for line in lines]
    assert all(np.isfinite(reading.score) for line in found for reading in line)


def test_a_model_of_single_graphemes_knows_no_neighbours(breaks: Breaks, tmp_path: Path) -> None:
    seen = "\n".join(f"-1\t{grapheme}" for grapheme in ("<s>", "</s>", "<space>", *ALPHABET.graphemes[1:]))
    (tmp_path / "x.arpa").write_text(
        f"\\data\\\nngram 1={2 + len(ALPHABET.graphemes)}\n\n\\1-grams:\n{seen}\n\n\\end\\\n"
    )
    single, _ = load_arpa(tmp_path / "x.arpa", ALPHABET.graphemes)
    lines = [readings("l", "a", ""), readings("a", "loi", "")]
    found = weighed_across_lines(lines, [False, True], single, WEIGHT, breaks)
    assert [[reading.score for reading in line] for line in found] == [
        pytest.approx([reading.score for reading in line]) for line in lines
    ]


def test_an_alphabet_without_a_space_has_no_breaks() -> None:
    assert breaks_of(Alphabet.from_texts(["ab-"])) is None
    assert breaks_of(ALPHABET) == Breaks(ALPHABET.graphemes.index(" ") + 1, frozenset(ALPHABET.encode("-")))
