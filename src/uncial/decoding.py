"""Line images to readings, at one of three qualities: what is read how often, and what weighs the readings.

- fast: the best path, no language model.
- balanced: a beam search with the bundle's language model; a line whose letters are narrow is looked at a second time,
  wider, and all readings found are weighed by both views.
- best: all other lines are looked at three times, as they are and slanted to either side.

With a language model, lines of a page that follow one another are weighed together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

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
    align_all,
    bonuses,
    breaks_of,
    fewest_errors_first,
    text_log_probs,
    weighed_across_lines,
)
from uncial.errors import ConfigError
from uncial.lineimage import PAPER
from uncial.ngram import EDGE, NGrams
from uncial.ngram_adapt import knowing
from uncial.ngram_file import load_ngrams
from uncial.runtime import LineImage, LogProbs, Runtime

AUTO = "auto"  # balanced where the bundle has a language model, else fast
WEIGHED = 8  # readings of each view; those behind hardly ever win
DENSE = 0.1875  # of a line's height: where letters are narrower on average, the network is short of pixels
INFEASIBLE = -1e20  # log-probability of a text that the time steps are too few for

Look = tuple[LogProbs, Decoded]  # (T, C) natural-log posteriors of a view of a line, and what was decoded in them


@dataclass(frozen=True, slots=True)
class View:
    """Another look at a line.

    Attributes:
        width: factor by which it is made wider, or narrower.
        slant: pixels by which its top is moved to the right, for each of its height; half of that at either end may be
            pushed out of the image, so no more than a line's margins hold.
    """

    width: float = 1.0
    slant: float = 0.0

    def of(self, line: LineImage) -> LineImage:
        """The line image (H, W) as seen that way, (H, about W * width)."""
        height, width = line.shape
        if self.width != 1.0:
            line = cv2.resize(line, (max(1, round(self.width * width)), height)).astype(np.uint8)
        if self.slant:
            moved = np.array([[1, -self.slant, self.slant * (height - 1) / 2], [0, 1, 0]])
            line = cv2.warpAffine(line, moved, line.shape[::-1], borderValue=PAPER).astype(np.uint8)
        return line


@dataclass(frozen=True, slots=True)
class Quality:
    """How much work goes into a line.

    Attributes:
        decoder: name in `decoders.DECODERS`.
        views: further ones of every line.
        dense: those of lines of narrow letters, instead.
        width: of the beam at least, whatever the bundle says.
    """

    decoder: str
    views: tuple[View, ...] = ()
    dense: tuple[View, ...] = ()
    width: int = 0


SLANTED, WIDER = (View(slant=-0.15), View(slant=0.15)), View(width=1.25)
QUALITIES = {
    "fast": Quality("best-path"),
    "balanced": Quality("beam", (), (WIDER,)),
    "best": Quality("beam", SLANTED, (WIDER,), 64),
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
        self._breaks = breaks_of(bundle.alphabet)
        if words:
            self._model = told(self._model, words, bundle.alphabet)
        # A beam without a language model gains next to nothing, so its weights come with the model.
        beam = from_dict(BeamConfig, bundle.beam) if known else BeamConfig(weight=0, bonus=0)
        self._beam = replace(beam, width=max(beam.width, self._quality.width))

    def __call__(self, lines: Sequence[LineImage], follows: Sequence[bool] = ()) -> list[Look]:
        """Read lines.

        Args:
            lines: uint8 (height, W) each, as `lineimage.line_image` makes them.
            follows: of each whether the text runs on from the line before; (): each stands by itself.

        Returns:
            For each, (T, C) natural-log posteriors of the line as it is, and what was decoded.
        """
        steps = self._runtime.log_probs(lines)
        found = self._decode(steps, self._model, self._beam)
        views = [self._views(*one) for one in zip(lines, found, strict=True)]
        more = self._runtime.log_probs([view.of(lines[n]) for n, some in enumerate(views) for view in some])
        looked = zip(more, self._decode(more, self._model, self._beam), strict=True)
        looks = [((steps[n], found[n]), *islice(looked, len(some))) for n, some in enumerate(views)]
        again = [n for n, some in enumerate(views) if some]
        for n, decoded in zip(again, weighed([looks[n] for n in again], self._model, self._beam), strict=True):
            found[n] = decoded
        return list(zip(steps, self._joined(steps, found, follows), strict=True))

    def _joined(self, steps: Sequence[LogProbs], found: list[Decoded], follows: Sequence[bool]) -> list[Decoded]:
        """What was found, with lines that follow one another weighed together."""
        if not (any(follows) and self._model and self._breaks and self._beam.weight):
            return found
        before = [decoded.readings for decoded in found]
        after = weighed_across_lines(before, follows, self._model, self._beam.weight, self._breaks)
        others = [n for n, some in enumerate(after) if some[0].classes != before[n][0].classes]
        laid = align_all([steps[n] for n in others], [after[n][0].classes for n in others])
        spans = [decoded.spans for decoded in found]
        for n, anew in zip(others, laid, strict=True):
            spans[n] = anew
        return [Decoded(*one) for one in zip(spans, after, strict=True)]

    def _views(self, line: LineImage, decoded: Decoded) -> tuple[View, ...]:
        """How a line is looked at again, after a first look; empty: one look is enough."""
        height, width = line.shape
        graphemes = len(decoded.readings[0].classes)
        if not graphemes:
            return ()
        if width < DENSE * self._stretch * height * graphemes:
            return self._quality.dense
        return self._quality.views


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
    breaks = breaks_of(alphabet)
    return knowing(model, known, breaks.space if breaks else None)


def weighed(lines: Sequence[Sequence[Look]], model: NGrams | None, config: BeamConfig) -> list[Decoded]:
    """Rank what was found in all views of a line by all of them.

    Args:
        lines: the views of each, that of the line as it is first.
        model: the language model, or None.
        config: its weight and the bonuses.
    """
    texts = [_found(views) for views in lines]
    likely = iter(
        text_log_probs(
            [log_probs for views in lines for log_probs, _ in views],
            [some for views, some in zip(lines, texts, strict=True) for _ in views],
        )
    )
    ranked = []
    for views, some, spoken in zip(lines, texts, _spoken(lines, texts, model, config), strict=True):
        seen = list(islice(likely, len(views)))
        score = np.mean(seen, axis=0) + spoken
        score[seen[0] < INFEASIBLE] = -np.inf  # it could not be laid along the line
        order = [int(n) for n in np.argsort(-score, kind="stable") if np.isfinite(score[n])]
        ranked.append(fewest_errors_first([Hypothesis(some[n], float(score[n])) for n in order]))
    laid = align_all([views[0][0] for views in lines], [readings[0].classes for readings in ranked])
    return [Decoded(*one) for one in zip(laid, ranked, strict=True)]


def _found(views: Sequence[Look]) -> list[tuple[int, ...]]:
    """The readings of all views of a line, as classes."""
    return list(dict.fromkeys(reading.classes for _, found in views for reading in found.readings[:WEIGHED]))


def _spoken(
    lines: Sequence[Sequence[Look]],
    texts: Sequence[Sequence[tuple[int, ...]]],
    model: NGrams | None,
    config: BeamConfig,
) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """What language model and bonuses say of each line's texts."""
    every = [text for some in texts for text in some]
    if not every:
        return []
    given = bonuses(lines[0][0][0].shape[1], model, config)
    score = np.array([given[list(text)].sum() for text in every])
    if model and config.weight:
        spoken, _ = model.write(np.full(len(every), model.start), [(*text, EDGE) for text in every])
        score += config.weight * spoken
    return np.split(score, np.cumsum([len(some) for some in texts])[:-1])
