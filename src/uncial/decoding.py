"""Line images to readings, at one of three qualities: what is read how often, and what weighs the readings.

- fast: the best path, no language model.
- balanced: a beam search with the bundle's language model; a line of narrow letters is looked at a second time, wider,
  and all readings found are weighed by both views.
- best: every line is looked at twice, with a wide beam.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle
from uncial.config import choose, from_dict
from uncial.decoders import (
    DECODERS,
    BeamConfig,
    Decoded,
    Hypothesis,
    align,
    bonuses,
    fewest_errors_first,
    text_log_probs,
)
from uncial.errors import ConfigError
from uncial.ngram import EDGE, NGrams
from uncial.ngram_adapt import knowing
from uncial.ngram_file import load_ngrams
from uncial.runtime import LineImage, LogProbs, Runtime

AUTO = "auto"  # balanced where the bundle has a language model, else fast
WEIGHED = 8  # readings of each view; those behind hardly ever win
DENSE = 0.1875  # of a line's height: where letters are narrower on average, the network is short of pixels
WIDER = 1.25  # a second view of such a line; see docs/experiments.md
INFEASIBLE = -1e20  # log-probability of a text that the time steps are too few for


@dataclass(frozen=True, slots=True)
class Quality:
    """How much work goes into a line.

    Attributes:
        decoder: name in `decoders.DECODERS`.
        view: width of a second view of every line, as a factor of its width; 0: there is none.
        dense: the same of lines of narrow letters.
        width: of the beam at least, whatever the bundle says.
    """

    decoder: str
    view: float = 0.0
    dense: float = 0.0
    width: int = 0


QUALITIES = {
    "fast": Quality("best-path"),
    "balanced": Quality("beam", dense=WIDER),
    "best": Quality("beam", 1.08, WIDER, 16),
}


def quality_of(bundle: Bundle, name: str) -> str:
    """The name in `QUALITIES` that is meant, `AUTO` resolved.

    Raises:
        ConfigError: there is none of this name.
    """
    if name == AUTO:
        return "balanced" if bundle.language_model else "fast"
    choose({AUTO: None, **QUALITIES}, "quality", name)
    return name


class Decoding:
    """Reads line images as a bundle does at some quality."""

    def __init__(self, bundle: Bundle, runtime: Runtime, quality: str = AUTO, words: Sequence[str] = ()) -> None:
        """Load the language model, if the quality asks for one and the bundle has it.

        Args:
            bundle: gives language model and settings of the beam.
            runtime: runs its network.
            quality: name in `QUALITIES`, or "auto".
            words: that the language model shall expect; those that hold a grapheme the bundle does not know are passed
                over.

        Raises:
            BundleError: the language model is damaged.
            ConfigError: no such quality, wrong settings in the bundle, or words without a language model.
        """
        self._runtime = runtime
        self._stretch = bundle.line_image.stretch
        self._quality = QUALITIES[quality_of(bundle, quality)]
        self._decode = DECODERS[self._quality.decoder]
        known = self._quality.decoder != "best-path" and bundle.language_model
        self._model = load_ngrams(known) if known else None
        if words:
            self._model = told(self._model, words, bundle.alphabet)
        # A beam without a language model gains next to nothing, so its weights come with the model.
        beam = from_dict(BeamConfig, bundle.beam) if known else BeamConfig(weight=0, bonus=0)
        self._beam = replace(beam, width=max(beam.width, self._quality.width))

    def __call__(self, lines: Sequence[LineImage]) -> list[tuple[LogProbs, Decoded]]:
        """Read lines.

        Args:
            lines: uint8 (height, W) each, as `lineimage.line_image` makes them.

        Returns:
            For each, (T, C) natural-log posteriors of the line as it is, and what was decoded.
        """
        steps = self._runtime.log_probs(lines)
        found = self._decode(steps, self._model, self._beam)
        factors = [self._second_view(line, decoded) for line, decoded in zip(lines, found, strict=True)]
        again = [n for n, factor in enumerate(factors) if factor]
        wider = self._runtime.log_probs([stretched(lines[n], factors[n]) for n in again])
        for n, view, seen in zip(again, wider, self._decode(wider, self._model, self._beam), strict=True):
            found[n] = weighed((steps[n], view), (found[n], seen), self._model, self._beam)
        return list(zip(steps, found, strict=True))

    def _second_view(self, line: LineImage, decoded: Decoded) -> float:
        """By which factor a line is looked at wider, after a first look; 0: one look is enough."""
        height, width = line.shape
        graphemes = len(decoded.readings[0].classes)
        if not graphemes:
            return 0.0
        return self._quality.dense if width < DENSE * self._stretch * height * graphemes else self._quality.view


def told(model: NGrams | None, words: Sequence[str], alphabet: Alphabet) -> NGrams:
    """The language model that expects these words.

    Raises:
        ConfigError: there is no language model, or no word that the alphabet can spell.
    """
    if model is None:
        raise ConfigError("a word list needs quality balanced or best, and a bundle with a language model (uncial lm)")
    known = [alphabet.encode(word) for word in words if not alphabet.missing(word)]
    if not any(known):
        raise ConfigError(f"none of the {len(words):,} words can be spelt with the bundle's graphemes (uncial model)")
    space = alphabet.graphemes.index(" ") + 1 if " " in alphabet.graphemes else None
    return knowing(model, known, space)


def stretched(line: LineImage, factor: float) -> LineImage:
    """A line image (H, W) made wider, or narrower with a factor below 1."""
    height, width = line.shape
    if factor == 1.0 or not width:
        return line
    return cv2.resize(line, (max(1, round(factor * width)), height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def weighed(views: Sequence[LogProbs], found: Sequence[Decoded], model: NGrams | None, config: BeamConfig) -> Decoded:
    """Rank what was found in all views of a line by all of them.

    Args:
        views: (T, C) natural-log posteriors of each view; T may differ.
        found: in each view.
        model: the language model, or None.
        config: its weight and the bonuses.
    """
    texts = list(dict.fromkeys(reading.classes for decoded in found for reading in decoded.readings[:WEIGHED]))
    seen = np.stack([text_log_probs(view, texts) for view in views])
    given = bonuses(views[0].shape[1], model, config)
    score = seen.mean(axis=0) + np.array([given[list(text)].sum() for text in texts])
    if model and config.weight:
        score += config.weight * language_scores(model, texts)
    score[seen[0] < INFEASIBLE] = -np.inf  # it could not be laid along the line
    order = [int(n) for n in np.argsort(-score, kind="stable") if np.isfinite(score[n])]
    readings = fewest_errors_first([Hypothesis(texts[n], float(score[n])) for n in order])
    return Decoded(align(views[0], readings[0].classes), readings)


def language_scores(model: NGrams, texts: Sequence[Sequence[int]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) natural-log probabilities of whole texts, their ends included."""
    score, contexts = np.zeros(len(texts)), np.full(len(texts), model.start)
    for place in range(max(map(len, texts)) + 1):
        rows = np.array([n for n, text in enumerate(texts) if place <= len(text)])
        classes = np.array([texts[n][place] if place < len(texts[n]) else EDGE for n in rows])
        log_probs, contexts[rows] = model.step(contexts[rows], classes)
        score[rows] += log_probs
    return score
