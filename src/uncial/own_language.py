"""Gives a trained network a language model of the text it learned from, if it reads better with it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uncial.bundle import Bundle, add_decoding, add_language_model
from uncial.decoders import BeamConfig
from uncial.errors import ConfigError
from uncial.language import pruned, usual_order
from uncial.ngram_estimate import Counts
from uncial.ngram_file import to_bytes
from uncial.runtime import LineImage, Runtime
from uncial.tune import told, tried, weigh

LEAST_JUDGED = 20  # lines; fewer do not tell whether it pays
LEAST_TUNED = 60  # lines; fewer do not tell one weight from another, so that the usual ones are taken
LEAST_GAIN = 0.98  # times the errors of the best path; a search that does not pay is not made


def give_language(
    bundle: Bundle, texts: Sequence[Sequence[int]], judged: Sequence[tuple[LineImage, Sequence[int]]], most_bytes: int
) -> str:
    """Add a language model to a bundle without one, and what it weighs best, unless it does not pay.

    Args:
        bundle: stays as it is unless the language model was found to be good.
        texts: classes of the training lines, one sequence each.
        judged: line images, as `line_image` makes them, with their classes, not learned from.
        most_bytes: of the language model's file.

    Returns:
        One sentence on what was found.

    Raises:
        StorageError: the bundle could not be written; it is as it was.
    """
    if len(judged) < LEAST_JUDGED:
        return f"too few lines to choose by ({len(judged)}) to tell if a language model pays: the bundle has none"
    order = usual_order(bundle.alphabet.size)
    counts = Counts.of([np.array(text) for text in texts], order, bundle.alphabet.size)
    try:
        model = pruned(counts, bundle.alphabet.graphemes, most_bytes, lambda note: None)
    except ConfigError:  # no end for a training of hours
        return f"no language model of this alphabet fits into language_bytes = {most_bytes:,}: the bundle has none"
    log_probs = Runtime(bundle).log_probs([image for image, _ in judged])
    lines = [(list(classes), given) for (_, classes), given in zip(judged, log_probs, strict=True)]
    beam, calibration = BeamConfig(), bundle.calibration
    if len(lines) < LEAST_TUNED:
        without, with_it = tried(lines, None, None), tried(lines, model, beam)
    else:
        found = weigh(lines, model, beam, calibration)
        without, with_it, calibration = found.judged[0], found.taken, found.calibration
    assert with_it.beam, "it was read with a language model"
    found_out = f"CER {with_it.cer:.2%} with a language model of its own texts, {without.cer:.2%} without"
    if with_it.cer >= without.cer * LEAST_GAIN:
        if calibration.fast_word != bundle.calibration.fast_word:  # found, and it needs no language model
            add_decoding(bundle, bundle.beam, replace(bundle.calibration, fast_word=calibration.fast_word))
        return f"{found_out}: too little is gained, the bundle has none"
    about = {"order": model.order, "n-grams": len(model.class_), "lines": len(texts)}
    add_language_model(bundle, to_bytes(model), about, beam=told(with_it.beam), calibration=calibration.plain())
    return f"{found_out}: reading takes it"
