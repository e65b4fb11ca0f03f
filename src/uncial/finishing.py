"""What a trained bundle gets when its training ends: a graph that reads in int8, and a language model."""

from collections.abc import Iterator
from pathlib import Path

from uncial.bundle import load_bundle
from uncial.nn.batches import BatchMaker, spread
from uncial.own_language import give_language
from uncial.quantise import quantise
from uncial.train_config import TrainConfig
from uncial.wording import count_of

LANGUAGE_LINES = 300  # validation lines by which a language model is weighed


def finish(out: Path, training: BatchMaker, validation: BatchMaker, real: int, config: TrainConfig) -> Iterator[str]:
    """Give the bundle what `int8_lines` and `language_bytes` ask for, where it does not cost accuracy.

    Args:
        out: folder of the bundle.
        training: lines that it learned from, by which scales are set.
        validation: lines that judge.
        real: how many of `training`, from the first on, are of people's hands, of whose texts a language is learned.
        config: settings of the training.

    Yields:
        A sentence on each thing that was tried.

    Raises:
        StorageError: the bundle could not be written; it is as it was.
    """
    if config.int8_lines:
        scaling = training.known(spread(len(training.lines), config.int8_lines))
        judged = validation.known(spread(len(validation.lines), config.validation_lines))
        which = "lines"
        if len(judged) < config.int8_lines:  # too few to tell a tenth of a point
            judged, which = judged + scaling, "lines, most of them learned from"
        yield quantise(load_bundle(out), [image for image, _ in scaling], judged, which)
    bundle = load_bundle(out)
    if config.language_bytes and not bundle.language_model:
        texts = [line.classes for line in training.lines[:real]]
        judged = validation.known(spread(len(validation.lines), LANGUAGE_LINES))
        yield f"weighing a language model of its own texts on {count_of(len(judged), 'line')}"
        yield give_language(bundle, texts, judged, config.language_bytes)
