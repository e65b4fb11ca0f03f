"""What a bundle hands on, besides its weights, to one that is trained from it: parts, preprocessing, language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.errors import ConfigError
from uncial.ngram_adapt import adapt
from uncial.ngram_estimate import Counts
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.train_config import TrainConfig


def begin(
    start: Path | None, teacher: Path | None, config: TrainConfig, changes: Mapping[str, Mapping[str, Any]]
) -> tuple[Bundle | None, Bundle | None, TrainConfig]:
    """The bundles that a training begins with and learns from, and its settings with the parts of the first.

    Args:
        start: folder of the bundle to begin with; None: the training begins with chance, with its settings as they are.
        teacher: folder of the bundle to learn from; None: from ground truth alone.
        config: all settings.
        changes: settings of "network" and "line_image" that shall differ from those of the bundle to begin with.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
        ConfigError: a setting that does not exist or is out of range, or one that needs a bundle without one.
    """
    old, master = (load_bundle(path) if path else None for path in (start, teacher))
    if config.splice_share and old is None and master is None:
        raise ConfigError("splice_share: a bundle has to find word gaps; name one with --from or --teacher")
    if old is not None:
        config = config.going_on_from(old.architecture, old.line_image, changes)
    return old, master, config


def hand_on_language(old: Bundle, new: Bundle, texts: Sequence[Sequence[int]]) -> str:
    """Give a bundle the language model of the one it began with, taken to the texts it learned from.

    Args:
        old: has a language model.
        new: its alphabet begins with that of `old`; its folder is replaced as a whole.
        texts: classes of the new alphabet, one sequence for each line; without any, the language model stays as it is.

    Returns:
        One sentence on what was done.

    Raises:
        StorageError: the bundle could not be written; it is as it was.
        ValueError: `old` has no language model.
    """
    if old.language_model is None:
        raise ValueError(f"{old.path} has no language model")
    model = load_ngrams(old.language_model)
    model = adapt(model, Counts.of(texts, model.order, new.alphabet.size))
    data = to_bytes(replace(model, graphemes=new.alphabet.graphemes))
    about = {**old.provenance.get("language_model", {}), "adapted_to_lines": len(texts)}
    add_decoding(add_language_model(new, data, about), old.beam, old.calibration)
    return f"the language model of {old.path} was taken along and adapted to {len(texts):,} lines"
