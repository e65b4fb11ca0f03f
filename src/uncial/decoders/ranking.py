"""Ranks the readings that a search has found by all that is known of language.

The search weighs prefixes by n-grams, which is quick; whole readings are few enough for a recurrent language model.
Source: Mikolov et al. 2010, "Recurrent neural network based language model", section 4.1 (lists of readings, ranked by
both models together; there their probabilities are averaged, here their logarithms).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncial.decoders.beam import BeamConfig, Hypothesis
from uncial.language_model import LanguageModel
from uncial.ngram import EDGE, NGrams

Text = Sequence[int]


def ranked(
    lines: Sequence[Sequence[Hypothesis]], model: LanguageModel | None, config: BeamConfig
) -> list[list[Hypothesis]]:
    """The readings of lines, ranked once more where there is a recurrent language model that counts.

    Args:
        lines: the readings of each, as `beam_search` found them with the n-grams of `model`.
        model: of language; None: there is none.
        config: of the search; tells how much the recurrent model counts.
    """
    if not (model and model.recurrent and config.recurrent and config.weight):
        return [list(line) for line in lines]
    told = model.recurrent.log_probs([[reading.classes for reading in line] for line in lines])
    again: list[list[Hypothesis]] = []
    for line, log_probs in zip(lines, told, strict=True):
        by_both = (
            Hypothesis(r.classes, r.score + config.recurrent * (config.weight * float(told) - r.ngrams), r.ngrams)
            for r, told in zip(line, log_probs, strict=True)
        )
        again.append(sorted(by_both, key=lambda reading: -reading.score))
    return again


def language_scores(model: LanguageModel, texts: Sequence[Text], config: BeamConfig) -> NDArray[np.float64]:
    """What language says of readings of one line.

    Args:
        model: of language.
        texts: classes of each reading.
        config: tells how much the recurrent model counts.

    Returns:
        (n,) natural-log probabilities of whole readings: a mean of those of both models.
    """
    told = ngram_scores(model.ngrams, texts)
    if model.recurrent and config.recurrent:
        told += config.recurrent * (model.recurrent.log_probs([texts])[0] - told)
    return told


def ngram_scores(model: NGrams, texts: Sequence[Text]) -> NDArray[np.float64]:
    """(n,) natural-log probabilities of whole texts, their ends included."""
    score, contexts = np.zeros(len(texts)), np.full(len(texts), model.start)
    for place in range(max(map(len, texts), default=-1) + 1):
        rows = np.array([n for n, text in enumerate(texts) if place <= len(text)])
        classes = np.array([texts[n][place] if place < len(texts[n]) else EDGE for n in rows])
        log_probs, contexts[rows] = model.step(contexts[rows], classes)
        score[rows] += log_probs
    return score
