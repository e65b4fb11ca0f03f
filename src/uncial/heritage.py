"""What a bundle hands on, besides its weights, to one that is trained from it: parts, preprocessing, language."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from uncial.alphabet import Alphabet
from uncial.bundle import SETTINGS, Bundle, load_bundle
from uncial.errors import BundleError, ConfigError
from uncial.language import check_running
from uncial.ngram import trie
from uncial.ngram_adapt import adapt, levels_of, shorter
from uncial.ngram_estimate import Counts, longest_order
from uncial.ngram_file import Language, load_ngrams, to_bytes
from uncial.train_config import TrainConfig
from uncial.wording import count_of


def begin(
    start: Path | None,
    teacher: Path | None,
    config: TrainConfig,
    changes: Mapping[str, Mapping[str, Any]],
    texts: Sequence[Path] = (),
) -> tuple[Bundle | None, Bundle | None, TrainConfig]:
    """The bundles that a training begins with and learns from, and its settings with the parts of the first.

    Args:
        start: folder of the bundle to begin with; None: the training begins with chance, with its settings as they are.
        teacher: folder of the bundle to learn from; None: from ground truth alone.
        config: all settings.
        changes: settings of "network" and "line_image" that shall differ from those of the bundle to begin with.
        texts: running texts for the language models of `error_weight`.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
        ConfigError: a setting that does not exist or is out of range, or one that needs a bundle without one.
    """
    old, master = (load_bundle(path) if path else None for path in (start, teacher))
    if config.splice_share and old is None and master is None:
        raise ConfigError("splice_share: a bundle has to find word gaps; name one with --from or --teacher")
    if config.error_weight:
        if old is None or old.language_model is None:
            raise ConfigError("error_weight: needs a bundle with a language model to begin with; name one with --from")
        if config.splice_share:
            raise ConfigError("error_weight: no language model lacks the texts of spliced lines; set splice_share to 0")
        check_running(texts)
    elif texts:
        raise ConfigError("--texts: only language models of error_weight are made of them; set it, or leave them out")
    if old is not None:
        config = config.going_on_from(old.architecture, old.line_image, changes)
    return old, master, config


def inherited(sources: Mapping[str, str], old: Bundle | None, teacher: Bundle | None) -> dict[str, Any]:
    """Where a bundle comes from: the bundles it began with and learned from by name, and the sources of all.

    Names of folders may come to stand for other bundles; which one it began with tells the SHA-256 of its bundle.json.

    Licences and attributions of a bundle's sources hold for what is made of it, too.

    Args:
        sources: of the lines that it learns from itself, see `TrainingLines`.
        old: that it begins with; None: with chance.
        teacher: that it learns from besides the lines; None: from nobody.
    """
    told, parents = dict(sources), {"begun_with": old, "teacher": teacher}
    names = {role: parent.path.resolve().name for role, parent in parents.items() if parent}
    facts = names | ({"begun_with_sha256": sha256((old.path / SETTINGS).read_bytes()).hexdigest()} if old else {})
    for role, parent in parents.items():
        for name, notes in (parent.provenance.get("sources") or {}).items() if parent else ():
            other = told.get(name, notes) != notes  # another collection of the same name
            told.setdefault(f"{name} (of {names[role]})" if other else name, notes)
    return facts | {"sources": told}


def going_along(
    out: Path | None, old: Bundle | None, alphabet: Alphabet, texts: Sequence[Sequence[int]]
) -> tuple[Language | None, str]:
    """The language model that goes along with a bundle whenever it is trained further.

    Args:
        out: folder of the bundle of a run that goes on: what was added to it meanwhile stays; None: a run begins.
        old: that the run began with; None: with chance.
        alphabet: of the run.
        texts: see `language_of`.

    Returns:
        It, or None, and one sentence on it; "": there is nothing to tell.

    Raises:
        BundleError: a language model is damaged.
    """
    with suppress(BundleError):  # one that is not there, or is damaged, is written anew
        own = load_bundle(out) if out and out.exists() else None
        about = own.provenance.get("language_model", {}) if own else {}
        at_its_end = old is None and "lines" in about  # what `own_language` gave it is found anew
        if own and own.language_model and own.alphabet == alphabet and not at_its_end:
            kept = Language(own.language_model.read_bytes(), about, own.beam, own.calibration)
            return kept, f"the language model of {out} stays as it is"
    return language_of(old, alphabet, texts) if old and old.language_model else (None, "")


def language_of(old: Bundle, alphabet: Alphabet, texts: Sequence[Sequence[int]]) -> tuple[Language, str]:
    """Take the language model of a bundle to the texts that another, which begins with it, learns from.

    Args:
        old: has a language model.
        alphabet: of the other bundle; it begins with that of `old`.
        texts: classes of that alphabet, one sequence for each line; without any, the language model stays as it is.

    Returns:
        What goes along, and one sentence on what was done.

    Raises:
        BundleError: the language model is damaged.
        ValueError: `old` has no language model.
    """
    if old.language_model is None:
        raise ValueError(f"{old.path} has no language model")
    about, size = dict(old.provenance.get("language_model", {})), alphabet.size
    done = f"is adapted to {count_of(len(texts), 'line')}" if texts else "stays as it is"
    if not texts and alphabet == old.alphabet:
        data = old.language_model.read_bytes()
    else:
        whole = load_ngrams(old.language_model)
        model = shorter(whole, longest_order(size))
        if model.order < whole.order:
            done += f", with n-grams of at most {model.order} graphemes, since the alphabet is large"
        model = adapt(model, Counts.of(texts, model.order, size)) if texts else trie(levels_of(model, size), size)
        data = to_bytes(replace(model, graphemes=alphabet.graphemes))
    if texts:
        about["adapted_to_lines"] = len(texts)
    return Language(data, about, old.beam, old.calibration), f"the language model of {old.path} goes along and {done}"
