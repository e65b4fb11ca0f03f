"""The decoders by their names, all called alike: lines of log-probabilities in, readings of each line out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncial.decoders.align import align_all
from uncial.decoders.beam import BeamConfig, Hypothesis, beam_search
from uncial.decoders.best_path import best_path
from uncial.decoders.risk import fewest_errors_first
from uncial.decoders.spans import DecodedSpan
from uncial.ngram import NGrams


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a line was decoded to.

    Attributes:
        spans: of the reading that is taken.
        readings: that one, which has the fewest expected errors, and the others, likeliest first.
    """

    spans: list[DecodedSpan]
    readings: list[Hypothesis]


# (log-probabilities (T, C) of each line, language model or None, settings of the beam) -> what each line says
Decoder = Callable[[Sequence[NDArray[np.float32]], NGrams | None, BeamConfig], list[Decoded]]


def _best_path(log_probs: Sequence[NDArray[np.float32]], _model: NGrams | None, _config: BeamConfig) -> list[Decoded]:
    decoded = []
    for line in log_probs:
        spans = best_path(line)
        path = float(line.max(axis=1).sum()) if len(line) else 0.0
        decoded.append(Decoded(spans, [Hypothesis(tuple(span.class_ for span in spans), path)]))
    return decoded


def beam_readings(
    log_probs: Sequence[NDArray[np.float32]], model: NGrams | None, config: BeamConfig
) -> list[list[Hypothesis]]:
    """What the beam search finds in each line: the reading with the fewest expected errors, then the likeliest."""
    return [fewest_errors_first(found) for found in beam_search(log_probs, model, config)]


def _beam(log_probs: Sequence[NDArray[np.float32]], model: NGrams | None, config: BeamConfig) -> list[Decoded]:
    """The readings of each line, the first laid along its likeliest alignment."""
    read = beam_readings(log_probs, model, config)
    laid = align_all(log_probs, [some[0].classes for some in read])
    return [Decoded(spans, some) for spans, some in zip(laid, read, strict=True)]


DECODERS: dict[str, Decoder] = {"best-path": _best_path, "beam": _beam}
