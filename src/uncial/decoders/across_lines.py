"""Readings of lines that follow one another, weighed by how well the text runs on from each line to the next.

The search reads a line as if nothing stood around it, as training lines stand. On a page a sentence runs on: what the
line before ends with tells how this one begins, whether with a capital, with which word, or with the rest of a word
that was broken, and this one tells how that one ends. Readings of neighbouring lines are the states of a chain, and
each counts by all readings of all lines (forward and backward sums).

Source: Rabiner 1989, "A tutorial on hidden Markov models", section III.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import Alphabet
from uncial.decoders.beam import Hypothesis
from uncial.decoders.risk import SURE, fewest_errors_first, shares_of
from uncial.ngram import EDGE, ROOT, NGrams

RUNS_ON = 0.8  # of the lines the text runs on from the one before, so probable is it beforehand; else it begins anew
BROKEN, HYPHENED = 0.1, 0.7  # of these, how many begin within a word; so many where the line before ends with a hyphen
LEAST_SHARE = 0.01  # of the likeliest reading's probability; what is less likely stays as it is
HYPHENS = ("-", "¬", "=", "⸗")  # at the end of a line
WORD = " "

Ids = NDArray[np.int64]
Scores = NDArray[np.float64]
Text = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Breaks:
    """How an alphabet writes the ends of words and lines, as classes."""

    space: int
    hyphens: frozenset[int]


def breaks_of(alphabet: Alphabet) -> Breaks | None:
    """The breaks of an alphabet; None: it has no space between words."""
    place = {grapheme: n for n, grapheme in enumerate(alphabet.graphemes, start=1)}
    if WORD not in place:
        return None
    return Breaks(place[WORD], frozenset(place[hyphen] for hyphen in HYPHENS if hyphen in place))


def weighed_across_lines(
    lines: Sequence[Sequence[Hypothesis]], follows: Sequence[bool], model: NGrams, weight: float, breaks: Breaks
) -> list[list[Hypothesis]]:
    """Weigh the readings of lines by their neighbours'.

    Args:
        lines: readings of each, at least one.
        follows: of each line whether its text runs on from the one before it, or may do so; of the first it means
            nothing.
        model: the language model that found them.
        weight: of the language model.
        breaks: of the alphabet.

    Returns:
        Of each line the same readings with other scores, the one with the fewest expected errors first, then the others
        from the likeliest on; as they are where no neighbour is joined, or nothing is written in one of them.
    """
    able = [bool(readings[0].classes) for readings in lines]
    joined = [n for n in range(1, len(lines)) if follows[n] and able[n] and able[n - 1]]
    likely = [np.flatnonzero(shares_of(readings) >= LEAST_SHARE).tolist() for readings in lines]
    texts = [[readings[n].classes for n in some] for readings, some in zip(lines, likely, strict=True)]
    scores = [np.array([readings[n].score for n in some]) / SURE for readings, some in zip(lines, likely, strict=True)]
    scores = [score - np.logaddexp.reduce(score) for score in scores]
    worth = _gains([(texts[n - 1], texts[n]) for n in joined], model, breaks)
    gains = {n: weight / SURE * gain for n, gain in zip(joined, worth, strict=True)}
    before, after = ([np.zeros(len(score)) for score in scores] for _ in range(2))
    for n in joined:
        before[n] = _carried(before[n - 1] + scores[n - 1], gains[n].T, scores[n])
    for n in reversed(joined):
        after[n - 1] = _carried(after[n] + scores[n], gains[n], scores[n - 1])
    weighed = [list(readings) for readings in lines]
    for n in sorted({*joined, *(n - 1 for n in joined)}):
        told = before[n] + after[n]
        told -= np.logaddexp.reduce(scores[n] + told)  # on average nothing, as unlikely readings keep their scores
        for place, more in zip(likely[n], (SURE * told).tolist(), strict=True):
            reading = lines[n][place]
            weighed[n][place] = Hypothesis(reading.classes, reading.score + more)
        weighed[n] = fewest_errors_first(sorted(weighed[n], key=lambda reading: -reading.score))
    return weighed


def _carried(other: Scores, gains: Scores, own: Scores) -> Scores:
    """(n,) what a neighbour's readings (m,) say of a line's own ones by their gains (n, m); on average nothing."""
    told: Scores = np.logaddexp.reduce(gains + other, axis=1)
    return told - np.logaddexp.reduce(told + own)  # type: ignore[no-any-return]


def _gains(joints: Sequence[tuple[Sequence[Text], Sequence[Text]]], model: NGrams, breaks: Breaks) -> list[Scores]:
    """(m, n) nats for each joint of two lines, for each of m readings before it and n behind it.

    How much likelier the beginning of the second line is behind the end of the first than at the start of a text.
    """
    reach = model.order - 1  # graphemes of a context: further ones do not matter
    bare = [tuple([_bare(text, breaks.space) for text in side] for side in joint) for joint in joints]
    ends = [[((EDGE,) * reach + text)[-reach - 1 :] for text in first] for first, _ in bare]  # one may be a hyphen
    begins = [[(*text, EDGE)[:reach] for text in second] for _, second in bare]
    end_of, begin_of = (
        {text: n for n, text in enumerate({text for some in side for text in some})} for side in (ends, begins)
    )
    pairs = [
        np.array([end_of[text] for text in first])[:, None] * len(begin_of) + [begin_of[text] for text in second]
        for first, second in zip(ends, begins, strict=True)
    ]
    if not pairs:
        return []
    every = np.unique(np.concatenate([some.ravel() for some in pairs]))
    gain = _runs_on(list(end_of), list(begin_of), *np.divmod(every, len(begin_of)), model, breaks)
    return [gain[np.searchsorted(every, some)] for some in pairs]


def _bare(text: Text, space: int) -> Text:
    """A text without spaces at its ends, as it is told."""
    first, last = 0, len(text)
    while first < last and text[first] == space:
        first += 1
    while first < last and text[last - 1] == space:
        last -= 1
    return text[first:last]


def _runs_on(
    ends: Sequence[Text], begins: Sequence[Text], end: Ids, begin: Ids, model: NGrams, breaks: Breaks
) -> Scores:
    """(n,) the same for some ends, each with one beginning, by their places."""
    root, start = (np.full(len(texts), node) for texts, node in ((ends, ROOT), (begins, model.start)))
    hyphened = np.array([breaks.hyphens.issuperset(text[-1:]) for text in ends], bool)
    _, ended = model.write(root, ends)
    _, within = model.write(root, [text[:-1] if some else text for text, some in zip(ends, hyphened, strict=True)])
    space, spaced = model.step(ended, np.full(len(ends), breaks.space))
    whole = np.exp(space.astype(float))  # probability that the last word is whole
    broken = BROKEN * (1 - whole) / (BROKEN * (1 - whole) + (1 - BROKEN) * whole)
    broken = np.where(hyphened, HYPHENED, broken).clip(1e-9, 1 - 1e-9)[end]
    anew, _ = model.write(start, begins)
    begun = [begins[n] for n in begin]
    (word, _), (rest, _) = (model.write(contexts[end], begun) for contexts in (spaced, within))
    on = np.logaddexp(np.log(1 - broken) + word, np.log(broken) + rest) - anew[begin]
    return np.logaddexp(np.log(1 - RUNS_ON), np.log(RUNS_ON) + on)  # type: ignore[no-any-return]
