"""What a bundle hands on, besides its weights, to one that is trained from it: parts, preprocessing, language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.config import from_dict, to_dict
from uncial.errors import ConfigError
from uncial.lineimage import LineImageConfig
from uncial.ngram import load_ngrams
from uncial.ngram_adapt import adapt
from uncial.ngram_estimate import Counts
from uncial.train_config import TrainConfig


def begin(
    start: Path | None, config: TrainConfig, changes: Mapping[str, Mapping[str, Any]]
) -> tuple[Bundle | None, TrainConfig]:
    """The bundle that a training begins with, and the settings of the training with its network and preprocessing.

    Args:
        start: folder of the bundle; None: the training begins with chance, and its settings stay as they are.
        config: all settings.
        changes: settings of "network" and "line_image" that shall differ from those of the bundle.

    Raises:
        BundleError: there is no bundle, or it is damaged.
        ConfigError: a setting that does not exist or is out of range, or one that needs a bundle without one.
    """
    if start is None:
        if config.splice_share:
            raise ConfigError("splice_share: a bundle has to find word gaps; begin with one (--from), or set it to 0")
        return None, config
    old = load_bundle(start)
    network = from_dict(CRNNConfig, to_dict(old.architecture) | dict(changes.get("network", {})), "network")
    image = from_dict(LineImageConfig, to_dict(old.line_image) | dict(changes.get("line_image", {})), "line_image")
    return old, replace(config, network=network, line_image=image)


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
    data = replace(model, graphemes=new.alphabet.graphemes).to_bytes()
    about = {**old.provenance.get("language_model", {}), "adapted_to_lines": len(texts)}
    add_decoding(add_language_model(new, data, about), old.beam, old.calibration)
    return f"the language model of {old.path} was taken along and adapted to {len(texts):,} lines"
