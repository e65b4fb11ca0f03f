"""What commands show people: tables of results and the progress of a training. Results go to standard output, progress
to standard error, so that either can be sent elsewhere.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from uncial.config import to_dict
from uncial.wording import count_of

if TYPE_CHECKING:
    from uncial.bundle import Bundle
    from uncial.evaluation import Evaluation, Group, Rate, Score
    from uncial.ground_truth import Converted, GroundTruthCheck, LeftOut
    from uncial.language import Learned
    from uncial.ngram import NGrams
    from uncial.run_log import Progress
    from uncial.tune import Tuned

PLAIN_WIDTH = 120  # characters, where the output is no terminal
TELL_SECONDS = 60.0  # between lines of progress, where there is no terminal to draw on

DOCUMENTS = 10  # told on the screen; the JSON and the report have all
CONFUSIONS = 8
LISTED = 5  # of what may be many
LEFT_TO_JSON = {"training": "settings", "held_out": "lines"}  # of a bundle, more than a screen holds


def console(stream: TextIO | None = None) -> Console:
    """A console that prints text as it is: no markup, no emoji names, no colours of its own choice."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


class TrainingScreen:
    """Shows how a training goes: a bar on a terminal, a line a minute elsewhere. Call it with each `Progress`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Draw on this stream; None: standard error."""
        self._console = console(stream or sys.stderr)
        columns = (BarColumn(30), TaskProgressColumn(), TextColumn("{task.description}"))
        self._bar = Bar(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=1.0)
        self._told = time.monotonic()

    def __enter__(self) -> "TrainingScreen":
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._bar.stop()

    def __call__(self, progress: "Progress") -> None:
        """Show the progress."""
        if progress.note:
            self._console.print(progress.note)
        self._bar.update(self._task, completed=progress.done, description=state(progress))
        if not self._console.is_terminal and time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self._console.print(f"{progress.done:.0%}  {state(progress)}")


def state(progress: "Progress") -> str:
    """Where a training stands, in one line."""
    parts = [f"step {progress.step:,}", f"epoch {progress.epoch:.1f}"]
    if not math.isnan(progress.loss):
        parts.append(f"loss {progress.loss:.3f}")
    parts.append(f"{progress.lines_per_second:.1f} lines/s")
    if progress.cer is not None and progress.best_cer is not None:
        parts.append(f"CER {progress.cer:.2%} (best {progress.best_cer:.2%})")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def reading_bar(unit: str = "lines", *, hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar of what was read on standard error, drawn only on a terminal; call it with (read, total).

    Args:
        unit: what is counted.
        hidden: it is not drawn, since something else is shown there.
    """
    screen = console(sys.stderr)
    columns = (
        BarColumn(30),
        TaskProgressColumn(),
        TextColumn(f"{{task.completed:,.0f}} of {{task.total:,.0f}} {unit}"),
    )
    disable = hidden or not screen.is_terminal
    with Bar(*columns, console=screen, disable=disable, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_evaluation(evaluation: "Evaluation") -> None:
    """The rates of an evaluation, its hardest documents, the most frequent confusions, and what is in no figure."""
    screen, overall = console(), evaluation.overall
    screen.print(_table_of_rates(overall.every_line, overall.without_repeated))
    if len(evaluation.documents) > 1:
        screen.print(f"\nhardest of {len(evaluation.documents):,} documents:")
        screen.print(_table_of_documents(evaluation.documents))
    if evaluation.confusions:
        pairs = evaluation.confusions.most_common(CONFUSIONS)
        told = (f"{was or 'nothing'!r} as {to or 'nothing'!r} {count_of(n, 'time')}" for (was, to), n in pairs)
        screen.print(f"\nmost often read wrongly: {', '.join(told)}")
    for kind, some in (("could not be read", evaluation.failures), ("left out", evaluation.left_out)):
        if some:
            screen.print(f"\n{count_of(len(some), 'line')} {kind}; first: {some[0].id}: {some[0].reason}")
    screen.print(f"\n{len(evaluation.lines) / evaluation.seconds:,.0f} lines/s")


def _table_of_rates(every: "Score", without: "Score") -> Table:
    several = without.lines != every.lines
    scores = [("all lines", every), ("without repeated texts", without)] if several else [("", every)]
    table = Table("", *(name for name, _ in scores), box=None, pad_edge=False, show_header=several)
    table.add_row("CER", *(_rate(score.cer) for _, score in scores))
    table.add_row("CER, normalised", *(_rate(score.normalised_cer) for _, score in scores))
    table.add_row("WER", *(_rate(score.wer) for _, score in scores))
    table.add_row("WER, normalised", *(_rate(score.normalised_wer) for _, score in scores))
    table.add_row("lines; without error", *(f"{score.lines:,}; {score.flawless:,}" for _, score in scores))
    table.add_row("graphemes", *(f"{score.cer.counts.reference:,}" for _, score in scores))
    table.add_row("pages", *(f"{score.pages:,}" for _, score in scores))
    return table


def _table_of_documents(documents: "Sequence[Group]") -> Table:
    """The documents with the most errors."""
    table = Table("document", "lines", "CER", "normalised", "WER", box=None, pad_edge=False)
    most = sorted(documents, key=lambda group: -group.every_line.cer.counts.errors)[:DOCUMENTS]
    for name, score in ((group.name, group.every_line) for group in most):
        rates = (score.cer, score.normalised_cer, score.wer)
        table.add_row(name, f"{score.lines:,}", *(f"{rate.value:.2%}" for rate in rates))
    return table


def _rate(rate: "Rate") -> str:
    """A rate with its interval: 12.34% (11.9 to 12.8)."""
    interval = f" ({rate.interval[0]:.2%} to {rate.interval[1]:.2%})" if rate.interval else ""
    return f"{rate.value:.2%}{interval}"


def show_check(found: "GroundTruthCheck") -> None:
    """What is in ground truth, and what is wrong with it."""
    table = Table("", "", box=None, pad_edge=False, show_header=False)
    splits = ", ".join(f"{name} {count:,}" for name, count in found.splits)
    table.add_row("lines", f"{found.lines:,} ({splits}); usable {found.usable:,}")
    table.add_row("documents", f"{found.documents:,} of {found.collections:,} collections, on {found.pages:,} pages")
    if found.widths:
        least, median, most = found.widths.least, found.widths.median, found.widths.most
        table.add_row("widths", f"{least:,} to {most:,} pixels, median {median:,}, scaled and with margins")
    table.add_row("graphemes", f"{sum(n for _, n in found.graphemes):,} of {len(found.graphemes)} kinds")
    table.add_row("", "  ".join(f"{grapheme.replace(' ', '␣')}:{count:,}" for grapheme, count in found.graphemes))
    if found.marks:
        table.add_row("marks removed", ", ".join(f"{name} {count:,}" for name, count in found.marks))
    console().print(table)
    _list("images that stand more than once", [", ".join(ids) for ids in found.same_images])
    _list("texts in many documents", [f"{r.text} ({count_of(r.lines, 'line')})" for r in found.repeated_texts])
    _list("images on which nothing can be seen", found.blank_images)
    _show_left_out(found.left_out)


def show_converted(done: "Converted") -> None:
    """What was written where, and which lines were not."""
    console().print(f"{done.path}: {count_of(done.lines, 'line')}")
    _show_left_out(done.left_out)


def _show_left_out(left_out: "Sequence[LeftOut]") -> None:
    """The lines left out, by the kind of their flaw."""
    kinds: dict[str, list[str]] = {}
    for line in left_out:
        kinds.setdefault(line.kind, []).append(f"{line.id}: {line.reason}")
    for kind, lines in kinds.items():
        _list(f"left out, {kind}", lines)


def _list(name: str, entries: Sequence[str]) -> None:
    """The number of entries and the first few of them."""
    if entries:
        more = (
            [f"and {len(entries) - LISTED:,} more; uncial data check --json has them all"]
            if len(entries) > LISTED
            else []
        )
        console().print(f"\n{name}: {len(entries):,}", *entries[:LISTED], *more, sep="\n  ", soft_wrap=True)


def show_trained(bundle: "Bundle", gain: str = "") -> None:
    """Tell what a training gained, where its bundle is, and what to do next; of torchrun's processes one tells."""
    told = f"{bundle.path}: {len(bundle.alphabet.graphemes)} graphemes; read with: uncial read -m {bundle.path} IMAGE"
    if os.environ.get("RANK", "0") == "0":
        print(*filter(None, (gain, told)), sep="\n")


def bundle_facts(bundle: "Bundle") -> dict[str, Any]:
    """What a bundle is, as plain values."""
    files = [file for file in bundle.path.iterdir() if file.is_file()]
    return {
        "bundle": str(bundle.path),
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 2),
        "network": to_dict(bundle.architecture),
        "line_image": to_dict(bundle.line_image),
        "alphabet": list(bundle.alphabet.graphemes),
        "provenance": bundle.provenance,
    }


def show_bundle(bundle: "Bundle") -> None:
    """A bundle's facts as a table, as many as a screen holds."""
    facts = bundle_facts(bundle)
    table = Table("", "", show_header=False, box=None, pad_edge=False)
    table.add_row("bundle", facts["bundle"])
    table.add_row("size", f"{facts['megabytes']} MB")
    table.add_row(
        "alphabet", f"{len(facts['alphabet'])} graphemes: {' '.join(g.replace(' ', '␣') for g in facts['alphabet'])}"
    )
    for name in ("network", "line_image"):
        table.add_row(name, ", ".join(f"{key} {_brief(value)}" for key, value in facts[name].items()))
    for key, value in facts["provenance"].items():
        table.add_row(
            key, f"{len(value):,} {LEFT_TO_JSON[key]}; --json has them" if key in LEFT_TO_JSON else _brief(value)
        )
    console().print(table)


def _brief(value: Any) -> str:
    """A fact in a few words: of a list the names, of a text its licence, if it tells one, or else its first line."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_brief(below)}" for key, below in value.items())
    if isinstance(value, list):
        return ", ".join(x.get("name", "…") if isinstance(x, dict) else str(x) for x in value)
    if isinstance(value, float):
        return f"{value:g}"
    lines = str(value).splitlines() or [""]
    licence = next((line for line in lines if line.startswith("licence: ")), None)
    return licence or (f"{lines[0]} …" if len(lines) > 1 else lines[0])


def show_note(note: str) -> None:
    """A line of progress on standard error."""
    console(sys.stderr).print(note)


def show_language_model(model: "NGrams", learned: "Sequence[Learned]") -> None:
    """The size of a language model, and how well it guesses each text."""
    from uncial.ngram_file import to_bytes

    print(f"{len(model.class_):,} n-grams of up to {model.order} graphemes, {len(to_bytes(model)) / 1e6:.2f} MB")
    table = Table("text", "lines", "perplexity, held out", box=None, pad_edge=False)
    for text in learned:
        table.add_row(text.name, f"{text.lines:,}", f"{text.perplexity:.2f}" if text.perplexity else "–")
    if learned:
        console().print(table)


def show_tuned(found: "Tuned") -> None:
    """All ways to decode that were tried, and how the chosen one does on lines that it was not chosen by."""
    table = Table("weight", "bonus", "prior", "width", "CER", "CPU-ms a line", "", box=None, pad_edge=False)
    for trial in (*found.trials, *found.judged):
        settings = ["best path", "", "", ""]
        if beam := trial.beam:
            settings = [f"{x:g}" for x in (beam.weight, beam.bonus, beam.prior, beam.width)]
        if trial is found.judged[0]:
            table.add_section()
            table.add_row("chosen on {:,} lines; judged on {:,} others:".format(*found.lines))
        was = "as it was" if trial is found.judged[1] else ""
        table.add_row(*settings, f"{trial.cer:.2%}", f"{trial.milliseconds:.2f}", was)
    console().print(table, "")
    for part, errors in found.errors.items():
        (temperature, shift), (before, after) = getattr(found.calibration, part), (100 * x for x in errors)
        what = {"fast_word": "word, quality fast"}.get(part, part)
        told = f"temperature {temperature:g}, shift {shift:g}; off by {after:.1f} points, {before:.1f} as it was"
        console().print(f"confidence of a {what}: {told}")
    if not found.better:
        console().print("the beam stays as it was: better on the other lines, or these are too few; try more")
