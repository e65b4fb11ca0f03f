"""The decoders by their names, all called alike: lines of log-probabilities in, readings of each line out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncial.decoders.align import align_all
from uncial.decoders.beam import BeamConfig, Hypothesis, beam_search
from uncial.decoders.best_path import best_path
from uncial.decoders.spans import DecodedSpan
from uncial.ngram import NGrams


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a line was decoded to.

    Attributes:
        spans: of the likeliest reading.
        readings: that one and the runners-up, best first.
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


def _beam(log_probs: Sequence[NDArray[np.float32]], model: NGrams | None, config: BeamConfig) -> list[Decoded]:
    """The likeliest readings of each line, the first laid along its likeliest alignment."""
    read = beam_search(log_probs, model, config)
    laid = align_all(log_probs, [some[0].classes for some in read])
    return [Decoded(spans, some) for spans, some in zip(laid, read, strict=True)]


DECODERS: dict[str, Decoder] = {"best-path": _best_path, "beam": _beam}
