"""The decoders by their names, all called alike: lines of log-probabilities in, spans of each line out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from uncial.decoders.align import align
from uncial.decoders.beam import BeamConfig, beam_search
from uncial.decoders.best_path import best_path
from uncial.decoders.spans import DecodedSpan
from uncial.ngram import NGrams

# (log-probabilities (T, C) of each line, language model or None, settings of the beam) -> spans of each line
Decoder = Callable[[Sequence[NDArray[np.float32]], NGrams | None, BeamConfig], list[list[DecodedSpan]]]


def _best_path(
    log_probs: Sequence[NDArray[np.float32]], _model: NGrams | None, _config: BeamConfig
) -> list[list[DecodedSpan]]:
    return [best_path(line) for line in log_probs]


def _beam(
    log_probs: Sequence[NDArray[np.float32]], model: NGrams | None, config: BeamConfig
) -> list[list[DecodedSpan]]:
    """The likeliest reading of each line, laid along its likeliest alignment."""
    read = beam_search(log_probs, model, config)
    return [align(line, hypotheses[0].classes) for line, hypotheses in zip(log_probs, read, strict=True)]


DECODERS: dict[str, Decoder] = {"best-path": _best_path, "beam": _beam}
