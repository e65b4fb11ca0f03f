"""What `uncial lm` and `uncial tune` show: the size of a language model, and how it is best weighed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from uncial.screen import console

if TYPE_CHECKING:
    from uncial.language import Learned
    from uncial.language_model import LanguageModel
    from uncial.tune import Tuned


def show_language_model(made: "LanguageModel", learned: "Sequence[Learned]") -> None:
    """The size of a language model, and how well it guesses each text."""
    from uncial.ngram_file import to_bytes

    size = f"{len(to_bytes(made.ngrams, made.recurrent)) / 1e6:.2f} MB"
    cells = f"{len(made.recurrent.hidden)} recurrent cells, {size}" if made.recurrent else size
    print(f"{len(made.ngrams.class_):,} n-grams of up to {made.ngrams.order} graphemes, {cells}")
    table = Table("text", "lines", "perplexity, held out", box=None, pad_edge=False)
    for text in learned:
        table.add_row(text.name, f"{text.lines:,}", f"{text.perplexity:.2f}" if text.perplexity else "–")
    if learned:
        console().print(table)


def show_tuned(found: "Tuned") -> None:
    """All ways to decode that were tried, and how the chosen one does on lines that it was not chosen by."""
    table = Table("weight", "bonus", "prior", "recurrent", "width", "CER", "CPU-ms", "", box=None, pad_edge=False)
    for trial in (*found.trials, *found.judged):
        beam = trial.beam
        numbers = (beam.weight, beam.bonus, beam.prior, beam.recurrent, beam.width) if beam else ()
        settings = [f"{number:g}" for number in numbers] or ["best path", "", "", "", ""]
        if trial is found.judged[0]:
            table.add_section()
            table.add_row(f"chosen on {found.lines[0]:,} lines; judged on {found.lines[1]:,} others:")
        was = "as it was" if trial is found.judged[1] else ""
        table.add_row(*settings, f"{trial.cer:.2%}", f"{trial.milliseconds:.2f}", was)
    console().print(table, "")
    for part, errors in found.errors.items():
        (temperature, shift), (before, after) = getattr(found.calibration, part), (f"{100 * x:.1f}" for x in errors)
        what = {"fast_word": "word, quality fast"}.get(part, part)
        told = f"temperature {temperature:g}, shift {shift:g}; off by {after} points, {before} as it was"
        console().print(f"confidence of a {what}: {told}")
    if not found.better:
        console().print("the beam stays as it was, since that reads those others better; try more lines")
