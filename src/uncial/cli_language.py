"""`uncial lm` and `uncial tune`: texts in, a language model out; and how a bundle weighs it best."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import Data, check_place, needs_extra, write_whole
from uncial.errors import BundleError, ConfigError, StorageError

if TYPE_CHECKING:
    from uncial.alphabet import Alphabet
    from uncial.bundle import Bundle
    from uncial.language import Learned
    from uncial.language_model import LanguageModel
    from uncial.recurrent_language import RecurrentLanguage

MADE = (".arpa", ".safetensors")  # a language model that is there already


def lm(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...",
            help="Running text, .txt or .txt.xz, or folders of it; ground truth, of which the texts of split train are "
            "taken; or one language model, .arpa or .safetensors, which is taken as it is.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="X",
            help="The file to write: .safetensors, or .arpa, which holds the n-grams alone.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="Put it into this bundle.", show_default=False)
    ] = None,
    alphabet_of: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="Whose graphemes it knows. Without it: of --into, or of the shipped model.",
            show_default=False,
        ),
    ] = None,
    order: Annotated[int, typer.Option(metavar="N", min=2, help="Graphemes of the longest n-gram.")] = 7,
    max_bytes: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of the .safetensors file; what brings least is left out.")
    ] = 8_000_000,
    weight: Annotated[
        float, typer.Option(metavar="W", min=0.01, help="How often a line of ground truth counts.")
    ] = 5.0,
    characters: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Taken of each running text; without it, all.", show_default=False),
    ] = None,
    recurrent: Annotated[
        float,
        typer.Option(
            metavar="MINUTES",
            min=0,
            help="Of training a recurrent language model as well, which ranks the readings that are found with the "
            "n-grams (needs the extra 'train'). One that the bundle has learns on; with 0 it stays as it is.",
        ),
    ] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="Replace the language model of --into, and -o.")] = False,
) -> None:
    """Make a character language model, with which a bundle tells likely readings from unlikely ones.

    A part of each text is held out; its perplexity tells how many graphemes the model wavers between. Afterwards
    `uncial tune` finds how much the bundle should trust it.
    """
    from uncial import screen, screen_language
    from uncial.language_learning import LanguagePlan, learn_from_texts

    check_places(out, into, texts, force=force)
    bundle, alphabet, begun = known_before(into, alphabet_of)
    if [text.suffix in MADE for text in texts] == [True]:
        made, learned = opened(texts[0], alphabet, begun)
    else:
        plan = LanguagePlan(order, max_bytes, weight, characters, recurrent)
        with needs_extra("train", "--recurrent", "torch"):
            made, learned = learn_from_texts(texts, alphabet, plan, begun, screen.show_note)
    store(made, learned, out, bundle)
    screen_language.show_language_model(made, learned)


def check_places(out: Path | None, into: Path | None, texts: Sequence[Path], *, force: bool) -> None:
    """Make sure, before the work, that there is something to write and nothing is lost."""
    from uncial.bundle import load_own

    if not out and not into:
        raise ConfigError("name a file with -o or a bundle with --into, or the language model goes nowhere")
    if out and out.suffix not in MADE:
        raise ConfigError(f"{out}: a language model is written as {' or '.join(MADE)}; choose one of these endings")
    if out:
        check_place(out, map(str, texts), force=force)
    if into and load_own(into).language_model and not force:
        raise StorageError(f"{into}: has a language model already; replace it with --force")


def known_before(
    into: Path | None, alphabet_of: Path | None
) -> "tuple[Bundle | None, Alphabet, RecurrentLanguage | None]":
    """The bundle to write into, the graphemes, and the recurrent language model the bundle has, if they are its own."""
    from uncial.bundle import load_bundle
    from uncial.ngram_file import load_recurrent

    bundle = load_bundle(into) if into else None
    alphabet = (bundle if bundle and not alphabet_of else load_bundle(alphabet_of)).alphabet
    known = bundle.language_model if bundle and bundle.alphabet == alphabet else None
    return bundle, alphabet, load_recurrent(known) if known else None


def opened(
    path: Path, alphabet: "Alphabet", begun: "RecurrentLanguage | None"
) -> "tuple[LanguageModel, tuple[Learned, ...]]":
    """A language model that was made before, learned from no text now; a recurrent part that it lacks stays."""
    from uncial.arpa import load_arpa
    from uncial.language_model import LanguageModel, load_language_model
    from uncial.screen import show_note

    if path.suffix == ".safetensors":
        made = load_language_model(path)
        return LanguageModel(made.ngrams, made.recurrent or begun), ()
    ngrams, left_out = load_arpa(path, alphabet.graphemes)
    if left_out:
        show_note(f"{path}: {left_out:,} n-grams hold graphemes that the alphabet lacks and were left out")
    return LanguageModel(ngrams, begun), ()


def store(made: "LanguageModel", learned: "tuple[Learned, ...]", out: Path | None, bundle: "Bundle | None") -> None:
    """Write a language model in the form that the file's name tells, and into the bundle whose graphemes it knows."""
    from uncial.arpa import to_arpa
    from uncial.bundle import add_language_model
    from uncial.ngram_file import to_bytes

    ngrams, data = made.ngrams, to_bytes(made.ngrams, made.recurrent)
    if bundle and ngrams.graphemes != bundle.alphabet.graphemes:
        raise BundleError(
            f"{bundle.path}: has other graphemes than the language model; make one with --into this bundle"
        )
    if out:
        write_whole(out, to_arpa(ngrams) if out.suffix == ".arpa" else data)
    cells = {"recurrent_cells": len(made.recurrent.hidden)} if made.recurrent else {}
    about = {"order": ngrams.order, "n-grams": len(ngrams.class_), **cells, "texts": [asdict(t) for t in learned]}
    if bundle:
        add_language_model(bundle, data, about)


def tune(
    data: Data,
    model: Annotated[Path, typer.Option("--model", "-m", metavar="BUNDLE", help="Folder of the bundle.")],
    lines: Annotated[int, typer.Option(metavar="N", min=2, help="Validation lines taken, drawn at random.")] = 600,
) -> None:
    """Find how much a bundle should trust its language model, and how sure it may say it is.

    Weight, bonus, prior and width of the beam, and the calibration of confidences, are chosen on half of the lines of
    split val, judged on the other half, and written into the bundle where that is no worse than what it has.
    """
    from uncial import screen, screen_language
    from uncial.bundle import load_own
    from uncial.sources import read_samples
    from uncial.tune import tune as find

    with screen.reading_bar() as progress:
        found = find(load_own(model), read_samples(data), lines, progress)
    screen_language.show_tuned(found)
