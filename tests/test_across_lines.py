"""Lines that follow one another are read by how the text runs on from each to the next."""

from itertools import product

import numpy as np
import pytest

from uncial.alphabet import Alphabet
from uncial.decoders.across_lines import BROKEN, HYPHENED, RUNS_ON, Breaks, across_lines, breaks_of
from uncial.decoders.beam import Hypothesis
from uncial.decoders.risk import SURE
from uncial.ngram import NGrams
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

    def behind(end: list[int]) -> float:
        return model.score(end + second) - model.score(end) - ends(end + second) + ends(end)

    def ends(text: list[int]) -> float:
        context = np.array([model.start])
        for class_ in text:
            _, context = model.step(context, np.array([class_]))
        return float(model.step(context, np.array([0]))[0][0])

    context = np.array([model.start])
    for class_ in first:
        _, context = model.step(context, np.array([class_]))
    whole = float(np.exp(model.step(context, np.array([breaks.space]))[0][0]))
    hyphened = first[-1] in breaks.hyphens
    broken = HYPHENED if hyphened else BROKEN * (1 - whole) / (BROKEN * (1 - whole) + (1 - BROKEN) * whole)
    alone = model.score(second) - ends(second)
    word, rest = behind([*first, breaks.space]) - alone, behind(first[:-1] if hyphened else first) - alone
    return float(np.log(1 - RUNS_ON + RUNS_ON * ((1 - broken) * np.exp(word) + broken * np.exp(rest))))


def test_scores_are_the_sums_over_all_readings_of_all_lines(model: NGrams, breaks: Breaks) -> None:
    lines = [
        readings("jugeant conforme", "jugeant comme", "jugeant que-"),
        readings("ment a la loi. ", "tribunal le loi"),
        readings("Attendu que", "attendu que", "ette"),
    ]
    wanted = [dict.fromkeys((reading.classes for reading in line), -np.inf) for line in lines]
    for some in product(*lines):
        total = sum(reading.score for reading in some) / SURE
        for first, second in zip(some[:-1], some[1:], strict=True):
            total += WEIGHT / SURE * runs_on(model, breaks, list(first.classes), list(second.classes))
        for reading, sums in zip(some, wanted, strict=True):
            sums[reading.classes] = np.logaddexp(sums[reading.classes], total)
    found = across_lines(lines, [False, True, True], model, WEIGHT, breaks)
    for line, sums in zip(found, wanted, strict=True):
        told = np.array([reading.score / SURE for reading in line])
        true = np.array([sums[reading.classes] for reading in line])
        np.testing.assert_allclose(told - told[0], true - true[0], atol=1e-3)


def test_a_broken_word_and_a_sentence_that_ends_tell_how_the_next_line_begins(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "jugeant conforme"), readings("cent a la loi.", "ment a la loi.")]
    assert best(across_lines(lines, [False, True], model, WEIGHT, breaks)) == ["jugeant conforme", "ment a la loi."]
    lines = [readings("a la loi."), readings("attendu que", "Attendu que")]
    assert best(across_lines(lines, [False, True], model, WEIGHT, breaks)) == ["a la loi.", "Attendu que"]
    lines = [readings("jugeant confor-"), readings("nement a la", "mement a la")]
    assert best(across_lines(lines, [False, True], model, WEIGHT, breaks)) == ["jugeant confor-", "mement a la"]


def test_lines_that_do_not_follow_and_blank_ones_stay_as_they_are(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "jugeant conforme"), readings("cent a la loi.", "ment a la loi.")]
    assert across_lines(lines, [True, False], model, WEIGHT, breaks) == lines
    blank = [lines[0], readings(""), lines[1]]
    assert across_lines(blank, [False, True, True], model, WEIGHT, breaks) == blank
    assert across_lines([], [], model, WEIGHT, breaks) == []


def test_what_is_hardly_likely_stays_behind_with_its_score(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("jugeant comme", "le loi", "jugeant conforme", apart=9.0), readings("ment a la loi.")]
    assert across_lines(lines, [False, True], model, WEIGHT, breaks) == lines


def test_shorter_lines_than_the_reach_of_the_model_are_weighed_too(model: NGrams, breaks: Breaks) -> None:
    lines = [readings("l", "a", ""), readings("a", "loi", ""), readings("loi", "a")]
    found = across_lines(lines, [False, True, True], model, WEIGHT, breaks)
    assert [{reading.classes for reading in line} for line in found] == [{r.classes for r in line} for line in lines]
    assert all(np.isfinite(reading.score) for line in found for reading in line)


def test_an_alphabet_without_a_space_has_no_breaks() -> None:
    assert breaks_of(Alphabet.from_texts(["ab-"])) is None
    assert breaks_of(ALPHABET) == Breaks(ALPHABET.graphemes.index(" ") + 1, frozenset(ALPHABET.encode("-")))
