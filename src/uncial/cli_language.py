"""`uncial lm` and `uncial tune`: texts in, a language model out; and how a bundle weighs it best."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import Data, check_place, write_whole
from uncial.errors import BundleError, ConfigError, StorageError

if TYPE_CHECKING:
    from uncial.alphabet import Alphabet
    from uncial.bundle import Bundle
    from uncial.language import Learned
    from uncial.ngram import NGrams

MADE = (".arpa", ".safetensors")  # a language model that is there already


def lm(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...",
            help="Running text, .txt or .txt.xz, or folders of it; ground truth, of which the texts of split train are "
            "taken, but none that the training of --into held out; or one language model, .arpa or .safetensors, which "
            "is taken as it is.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="X", help="The file to write, .safetensors or .arpa.", show_default=False),
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
    force: Annotated[bool, typer.Option("--force", help="Replace the language model of --into, and -o.")] = False,
) -> None:
    """Make a character language model for a bundle.

    With it the bundle tells likely readings from unlikely ones. A part of each text is held out; its perplexity
    tells how many graphemes the model wavers between. Afterwards `uncial tune` finds how much it should be trusted.
    """
    from uncial import language, screen
    from uncial.bundle import load_bundle

    check_places(out, into, texts, force=force)
    bundle = load_bundle(into) if into else None
    alphabet = (bundle if bundle and not alphabet_of else load_bundle(alphabet_of)).alphabet
    learned: tuple[Learned, ...] = ()
    if [text.suffix in MADE for text in texts] == [True]:
        model = opened(texts[0], alphabet)
    else:
        read = language.read_texts(texts, alphabet, weight, characters, bundle.held_out if bundle else ())
        model, learned = language.learn(read, alphabet, order, max_bytes, screen.show_note)
    store(model, learned, out, bundle)
    screen.show_language_model(model, learned)


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


def opened(path: Path, alphabet: "Alphabet") -> "NGrams":
    """A language model that was made before."""
    from uncial.arpa import load_arpa
    from uncial.ngram_file import load_ngrams
    from uncial.screen import show_note

    if path.suffix == ".safetensors":
        return load_ngrams(path)
    model, left_out = load_arpa(path, alphabet.graphemes)
    if left_out:
        show_note(f"{path}: {left_out:,} n-grams hold graphemes that the alphabet lacks and were left out")
    return model


def store(model: "NGrams", learned: "tuple[Learned, ...]", out: Path | None, bundle: "Bundle | None") -> None:
    """Write a language model in the form that the file's name tells, and into the bundle whose graphemes it knows."""
    from uncial.arpa import to_arpa
    from uncial.bundle import add_language_model
    from uncial.ngram_file import to_bytes

    if bundle and model.graphemes != bundle.alphabet.graphemes:
        raise BundleError(
            f"{bundle.path}: has other graphemes than the language model; make one with --into this bundle"
        )
    if out:
        write_whole(out, to_arpa(model) if out.suffix == ".arpa" else to_bytes(model))
    about = {"order": model.order, "n-grams": len(model.class_), "texts": [asdict(text) for text in learned]}
    if bundle:
        add_language_model(bundle, to_bytes(model), about)


def tune(
    data: Data,
    model: Annotated[Path, typer.Option("--model", "-m", metavar="BUNDLE", help="Folder of the bundle.")],
    lines: Annotated[int, typer.Option(metavar="N", min=2, help="Validation lines taken, drawn at random.")] = 600,
) -> None:
    """Find how much a bundle should trust its language model.

    Weight, bonus and prior of the beam, and the calibration of confidences, are chosen on half of the lines of
    split val, judged on the other half, and written into the bundle where that is no worse than what it has.
    """
    from uncial import screen
    from uncial.bundle import load_own
    from uncial.sources import read_samples
    from uncial.tune import tune as find

    with screen.reading_bar() as progress:
        found = find(load_own(model), read_samples(data), lines, progress)
    screen.show_tuned(found)
