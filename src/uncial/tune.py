"""Finds how a bundle decodes best: weight of its language model, bonus, prior, and calibration.

The network runs once over each validation line. Settings are chosen on every other line and judged on the rest.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from uncial.bundle import Bundle, add_decoding
from uncial.config import from_dict
from uncial.decoders import DECODERS, BeamConfig, DecodedSpan, beam_readings, best_path, peak_posteriors
from uncial.errors import BundleError, GroundTruthError, ImageError
from uncial.lineimage import line_image
from uncial.metrics import count_edits, pooled
from uncial.ngram import NGrams
from uncial.ngram_file import load_ngrams
from uncial.reliability import (
    Calibration,
    Scale,
    Told,
    bins_of,
    calibrated,
    calibration_error,
    confidence,
    fit,
    geometric_mean,
    of_words,
    words_among,
)
from uncial.runtime import LineImage, LogProbs, Runtime
from uncial.sources import Sample, split_of, with_held_out
from uncial.text import reading_text
from uncial.wording import count_of

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
PRIORS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
LINES_AT_ONCE = 64
LEAST_TOLD = 20  # lines, or words, on either side; fewer do not tell one beam or calibration from another

Progress = Callable[[int, int], None]
KnownLine = tuple[list[int], LogProbs]  # classes of the ground truth, and what the network gives


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to decode.

    Attributes:
        beam: None: the best path.
        cer: a fraction.
        milliseconds: of processor time for a line, without the network.
    """

    beam: BeamConfig | None
    cer: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was found.

    Attributes:
        trials: on the lines for choosing, in the order they were made.
        judged: best path, the settings as they were, and the chosen ones, on the other lines.
        calibration: of confidences; each part that was there stays if it fits the other lines better.
        errors: by the name of each part the expected calibration error on the other lines, as it was and as it is;
            without the parts of which these have nothing.
        better: there are lines enough, and the chosen settings read the others no worse than those that were there;
            else these stay.
        lines: for choosing, and for judging.
    """

    trials: tuple[Trial, ...]
    judged: tuple[Trial, Trial, Trial]
    calibration: Calibration
    errors: Mapping[str, tuple[float, float]]
    better: bool
    lines: tuple[int, int]

    @property
    def taken(self) -> Trial:
        """The settings from now on: the chosen ones if they are `better`, else those that were there."""
        return self.judged[2 if self.better else 1]


def tune(
    bundle: Bundle, samples: Sequence[Sample], most: int = 600, progress: Progress = lambda done, total: None
) -> Tuned:
    """Find the settings and write into the bundle what is no worse than what it has.

    Args:
        bundle: with a language model.
        samples: lines of split "val" are taken.
        most: lines taken, drawn at random; always the same.
        progress: is called with the lines that the network has read and their total.

    Raises:
        BundleError: the bundle has no language model.
        GroundTruthError: there are fewer than two lines of split "val" that can be read.
        StorageError: the bundle could not be written; it is as it was.
    """
    if bundle.language_model is None:
        raise BundleError(f"{bundle.path}: has no language model; make one with: uncial lm TEXT --into {bundle.path}")
    model = load_ngrams(bundle.language_model)
    samples = with_held_out(samples, bundle.held_out)
    lines = network_outputs(bundle, samples, most, progress)
    if len(lines) < 2:
        raise GroundTruthError(
            f"{count_of(len(lines), 'line')} of split 'val' can be read; give ground truth that has some"
        )
    found = weigh(lines, model, from_dict(BeamConfig, bundle.beam), bundle.calibration)
    assert found.taken.beam, "what is taken is a beam, whatever it was before"
    add_decoding(bundle, told(found.taken.beam), found.calibration)
    return found


def told(beam: BeamConfig) -> dict[str, float]:
    """What a bundle keeps of its beam, as plain JSON."""
    return {name: getattr(beam, name) for name in ("weight", "bonus", "prior", "width")}


def weigh(lines: Sequence[KnownLine], model: NGrams, was: BeamConfig, calibration: Calibration) -> Tuned:
    """Choose the settings on every other line and judge them on the rest.

    Args:
        lines: two or more.
        model: to be weighed.
        was: how the bundle searches so far; it stays where what is chosen reads the other lines worse.
        calibration: of the bundle so far; it stays where it fits the other lines better.
    """
    choosing, judging = lines[::2], lines[1::2]
    trials = search(choosing, model, max(was.width, BeamConfig().width))
    chosen = min(trials, key=lambda trial: trial.cer).beam
    assert chosen, "the search tries beams only"
    judged = tried(judging, None, None), tried(judging, model, was), tried(judging, model, chosen)
    enough = min(len(choosing), len(judging)) >= LEAST_TOLD
    better = enough and judged[2].cer <= judged[1].cer
    beam = chosen if better else was
    sure, others = (confidences(some, model, beam) for some in (choosing, judging))
    scaled = {part: _scaled(sure[part], others[part], getattr(calibration, part)) for part in sure}
    taken = Calibration(**{part: scale for part, (scale, _) in scaled.items()})
    errors = {part: both for part, (_, both) in scaled.items() if others[part]}
    return Tuned(tuple(trials), judged, taken, errors, better, (len(choosing), len(judging)))


def _scaled(choosing: Sequence[Told], judging: Sequence[Told], was: Scale) -> tuple[Scale, tuple[float, float]]:
    """The scale that fits some lines or words, or `was` if that fits the others better; the others' errors by both.

    Of less than `LEAST_TOLD` nothing can be told, and `was` stays.
    """

    def off(scale: Scale) -> float:
        return calibration_error(bins_of([(calibrated(how, *scale), edits) for how, edits in judging]))

    taken = min((fit(choosing), was), key=off) if min(len(choosing), len(judging)) >= LEAST_TOLD else was
    return taken, (off(was), off(taken))


def network_outputs(bundle: Bundle, samples: Sequence[Sample], most: int, progress: Progress) -> list[KnownLine]:
    """Validation lines with their log-probabilities, in a random order that is always the same."""
    known = [s for s in samples if split_of(s) == "val" and not s.flaw and not reading_text(s.text).reason]
    random.Random(1).shuffle(known)
    runtime, lines = Runtime(bundle), list[KnownLine]()
    known = known[:most]
    for start in range(0, len(known), LINES_AT_ONCE):
        images: list[LineImage] = []
        classes: list[list[int]] = []
        for sample in known[start : start + LINES_AT_ONCE]:
            try:
                images.append(line_image(sample.image(), bundle.line_image))
            except ImageError:
                continue  # `uncial data check` tells of it
            classes.append(bundle.alphabet.encode(reading_text(sample.text).text, unknown=bundle.alphabet.size))
        lines += zip(classes, runtime.log_probs(images), strict=True)
        progress(min(start + LINES_AT_ONCE, len(known)), len(known))
    return lines


def tried(lines: Sequence[KnownLine], model: NGrams | None, beam: BeamConfig | None) -> Trial:
    """Decode lines in one way."""
    ordered = sorted(lines, key=lambda line: len(line[1]))  # a beam waits for the longest line beside it
    started = time.process_time()
    read: list[Sequence[int]] = []
    for start in range(0, len(ordered), LINES_AT_ONCE):
        some = [log_probs for _, log_probs in ordered[start : start + LINES_AT_ONCE]]
        if beam is None:
            read += [[span.class_ for span in best_path(line)] for line in some]
        else:
            read += [readings[0].classes for readings in beam_readings(some, model, beam)]
    milliseconds = (time.process_time() - started) / len(lines) * 1e3
    edits = pooled(count_edits(classes, list(found)) for (classes, _), found in zip(ordered, read, strict=True))
    return Trial(beam, edits.error_rate, milliseconds)


def search(lines: Sequence[KnownLine], model: NGrams, width: int) -> list[Trial]:
    """Change one setting at a time, as long as it helps; the beam is always of this width."""
    trials: dict[BeamConfig, Trial] = {}

    def cer(beam: BeamConfig) -> float:
        if beam not in trials:
            trials[beam] = tried(lines, model, beam)
        return trials[beam].cer

    best, before = BeamConfig(weight=0.4, bonus=1.5, width=width), None
    while best != before:
        before = best
        best = min((replace(best, weight=weight) for weight in WEIGHTS), key=cer)
        best = min((replace(best, bonus=bonus) for bonus in BONUSES), key=cer)
        best = min((replace(best, prior=prior) for prior in PRIORS), key=cer)
    return list(trials.values())


def confidences(lines: Sequence[KnownLine], model: NGrams, beam: BeamConfig) -> dict[str, list[Told]]:
    """How sure the network is of what was read, not yet calibrated, and how well it was, by part of `Calibration`."""
    decoded = DECODERS["beam"]([log_probs for _, log_probs in lines], model, beam)
    line, word = _told([found.spans for found in decoded], lines, model.graphemes)
    _, fast_word = _told([best_path(log_probs) for _, log_probs in lines], lines, model.graphemes)
    return {"line": line, "word": word, "fast_word": fast_word}


def _told(
    decoded: Sequence[Sequence[DecodedSpan]], lines: Sequence[KnownLine], graphemes: Sequence[str]
) -> tuple[list[Told], list[Told]]:
    """How sure the network is of lines and of their words, and how well they were read."""
    of_lines, words = list[Told](), list[Told]()
    for (classes, log_probs), spans in zip(lines, decoded, strict=True):
        posteriors, read = peak_posteriors(log_probs, spans)[1], [span.class_ for span in spans]
        of_lines.append((confidence(log_probs, posteriors), count_edits(classes, read)))
        places = _words(read, graphemes)
        truth = [tuple(classes[place]) for place in _words(classes, graphemes)]
        sure = [geometric_mean(posteriors[place]) for place in places]
        words += of_words(truth, [tuple(read[place]) for place in places], sure)
    return of_lines, words


def _words(classes: Sequence[int], graphemes: Sequence[str]) -> list[slice]:
    """Where the words of a line stand."""
    return words_among([0 < class_ <= len(graphemes) and graphemes[class_ - 1].isspace() for class_ in classes])
