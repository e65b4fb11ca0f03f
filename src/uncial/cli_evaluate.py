"""`uncial evaluate`: ground truth and a bundle in, error rates out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import (
    Backend,
    Data,
    HowDecoded,
    HowWell,
    Json,
    Model,
    Quality,
    Split,
    Words,
    quality_for,
    read_words,
)
from uncial.errors import ConfigError
from uncial.wording import count_of

if TYPE_CHECKING:
    from uncial.evaluation import Evaluation
    from uncial.recognizer import Recognizer
    from uncial.sources import Sample


def evaluate(
    data: Data,
    model: Model = None,
    split: Annotated[
        Split | None,
        typer.Option(
            help="Which lines. Without it: val, or what the bundle held out, or else all.",
            show_default=False,
        ),
    ] = None,
    quality: HowWell = Quality.auto,
    decoder: HowDecoded = None,
    backend: Backend = "auto",
    words: Words = None,
    as_json: Json = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write an HTML page, too, over an earlier one."),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option("--lines", metavar="FILE", help="Write a TSV table of all lines, too, over an earlier one."),
    ] = None,
) -> None:
    """Measure how well a bundle reads lines of known text.

    CER and WER are pooled over all lines and told as they stand and normalised, with 95 % intervals over pages.
    """
    from uncial import line_table, screen
    from uncial import report as page
    from uncial.recognizer import Recognizer
    from uncial.sources import read_samples

    check_places(report, lines)
    known, quality = read_words(words), quality_for(quality, decoder)
    samples, recognizer = read_samples(data), Recognizer.load(model, quality=quality, backend=backend, words=known)
    evaluation = _evaluated(samples, recognizer, split, data)
    if report:
        page.report(evaluation, report)
    if lines:
        line_table.write_table(evaluation, lines)
    print(evaluation.to_json()) if as_json else screen.show_evaluation(evaluation)


def check_places(report: Path | None, lines: Path | None) -> None:
    """See before the reading, which may take long, that report and table can be written.

    Raises:
        StorageError: something that is no earlier one is there.
        ConfigError: they are to be one file.
    """
    from uncial.line_table import check_table_path
    from uncial.report import check_report_path

    check_report_path(report)
    check_table_path(lines)
    if report and lines and report.resolve() == lines.resolve():
        raise ConfigError(f"{report}: cannot be both the report and the table of lines; name two files")


def _evaluated(
    samples: "Sequence[Sample]", recognizer: "Recognizer", split: Split | None, data: list[Path]
) -> "Evaluation":
    from uncial.evaluate import evaluate as read_and_compare
    from uncial.screen import reading_bar
    from uncial.sources import with_held_out

    bundle = recognizer.bundle
    known = with_held_out(samples, bundle.held_out)
    if note := held_out_note(samples, known, bundle.held_out, bundle.path, split):
        print(f"uncial: {note}", file=sys.stderr)
    about = {"model": str(bundle.path), "data": " ".join(map(str, data)), "quality": recognizer.quality}
    with reading_bar() as progress:
        return read_and_compare(recognizer, known, split=split, progress=progress, about=about)


def held_out_note(
    samples: "Sequence[Sample]", known: "Sequence[Sample]", held_out: Sequence[str], bundle: Path, split: Split | None
) -> str:
    """What is to be known of a bundle that held lines out when it learned; "": nothing.

    Args:
        samples: that are evaluated.
        known: the same, as `with_held_out` gives them.
        held_out: ids of lines.
        bundle: that held them out.
        split: that was asked for.
    """
    from uncial.sources import split_of

    if held_out and not {sample.id for sample in samples}.intersection(held_out):
        told = f"{bundle} held out {count_of(len(held_out), 'line')} when it learned, none of which is here"
        return f"{told}; if it learned from these under another name, the figures are too good"
    if split is None and known != samples:
        count = sum(split_of(sample) == "val" for sample in known)
        return f"reading the {count:,} of {len(samples):,} lines that {bundle} held out; --split all reads all"
    return ""
