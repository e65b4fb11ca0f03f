"""From log-probabilities to grapheme spans. A decoder takes many lines at once; see `DECODERS`."""

from uncial.decoders.across_lines import breaks_of, weighed_across_lines
from uncial.decoders.align import align, align_all, steps_needed
from uncial.decoders.beam import BeamConfig, Hypothesis, beam_search, bonuses
from uncial.decoders.best_path import best_path
from uncial.decoders.reading import DECODERS, Decoded, Decoder, beam_readings
from uncial.decoders.rescore import text_log_probs
from uncial.decoders.risk import SURE, fewest_errors_first, shares_of
from uncial.decoders.spans import DecodedSpan, peak_posteriors

__all__ = [
    "DECODERS",
    "SURE",
    "BeamConfig",
    "Decoded",
    "DecodedSpan",
    "Decoder",
    "Hypothesis",
    "align",
    "align_all",
    "beam_readings",
    "beam_search",
    "best_path",
    "bonuses",
    "breaks_of",
    "fewest_errors_first",
    "peak_posteriors",
    "shares_of",
    "steps_needed",
    "text_log_probs",
    "weighed_across_lines",
]
