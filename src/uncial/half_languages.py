"""Language models that do not know the lines they read: each is made without the texts of one half of the pages.

Training for the fewest expected errors reads its own lines with a language model; one that had seen their texts would
leave no errors to learn from.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from uncial.atomic import written_whole
from uncial.bundle import Bundle
from uncial.config import from_dict
from uncial.decoders import BeamConfig
from uncial.errors import ConfigError
from uncial.language import pruned, read_texts, usual_order
from uncial.ngram import NGrams
from uncial.ngram_estimate import Counts
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.nn.batches import TrainingLine
from uncial.nn.expected_errors import ExpectedErrors
from uncial.nn.parallel import Ranks
from uncial.training_lines import TrainingLines

MOST_BYTES, WEIGHT = 8_000_000, 5.0  # as `uncial lm` makes them
WIDTH = 8  # of the beam: a training searches for each line in each epoch


def expected_errors(  # noqa: PLR0913, PLR0917 - what they are made of, and where they are kept
    old: Bundle,
    lines: TrainingLines,
    texts: Sequence[Path],
    folder: Path,
    ranks: Ranks,
    note: Callable[[str], None],
    anew: bool,
) -> ExpectedErrors:
    """The loss of a training, with the two language models that it searches with.

    Args:
        old: the bundle that the training begins with; tells how a language model is weighed.
        lines: of the training.
        texts: running texts besides the lines' own.
        folder: of the run; the models are kept there, so that a run that goes on takes the same.
        ranks: of the processes that train; the first makes them.
        note: is called with sentences on how it goes.
        anew: models that are there already are not taken.

    Raises:
        ConfigError: all lines are of one half, and there is no running text.
        GroundTruthError: a text that cannot be read.
        StorageError: they cannot be written.
    """
    halves = halves_of(lines.training)
    files = [folder / f"without-half-{half}.safetensors" for half in (0, 1)]
    if ranks.rank == 0 and (anew or not all(file.is_file() for file in files)):
        for file, model in zip(files, _models(lines, halves, texts, note), strict=True):
            with written_whole(file, "free some space and --resume") as beside:
                beside.write_bytes(to_bytes(model))
            note(f"{file}: {len(model.class_):,} n-grams")
    ranks.meet()
    beam = replace(from_dict(BeamConfig, old.beam), width=WIDTH)
    return ExpectedErrors([load_ngrams(file) for file in files], halves, beam)


def halves_of(lines: Sequence[TrainingLine]) -> NDArray[np.int64]:
    """(lines,) the half that each belongs to, 0 or 1; lines of one page are of one half."""
    pages = [f"{line.sample.collection}/{line.sample.document}/{line.sample.page or line.sample.id}" for line in lines]
    return np.array([crc32(page.encode()) & 1 for page in pages])


def _models(
    lines: TrainingLines,
    halves: NDArray[np.int64],
    texts: Sequence[Path],
    note: Callable[[str], None],
) -> list[NGrams]:
    """The model without the texts of half 0, and that without those of half 1."""
    alphabet = lines.alphabet
    order = usual_order(alphabet.size)
    counts = Counts.of([], order, alphabet.size)
    for text in read_texts(texts, alphabet, 1.0):
        counts += Counts.of(text.lines, order, alphabet.size)
        note(f"{text.name}: {len(counts.windows):,} n-grams of {order} so far")
    transcripts = [line.classes for line in lines.training[: lines.real]]
    made = []
    for half in (0, 1):
        own = {text for text, where in zip(transcripts, halves, strict=False) if where == half}
        others = [np.array(text) for text in transcripts if text not in own]  # what stands in both is known to neither
        if not others and not texts:
            raise ConfigError("error_weight: lines of more pages are needed, or running text (--texts)")
        both = counts + Counts.of(others, order, alphabet.size) * (WEIGHT if texts else 1.0)
        made.append(pruned(both, alphabet.graphemes, MOST_BYTES, lambda told: None))
    return made
