"""`train-layout`, `evaluate-layout` and `evaluate-pages`: marked pages in, a line finder or its rates out."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import Backend, Json, Layout, Model, Split, needs_extra, telling_what_is_kept

if TYPE_CHECKING:
    from uncial.document import Failure
    from uncial.sources.marked_pages import MarkedPage

Pages = Annotated[
    list[Path],
    typer.Argument(
        metavar="PAGES...",
        help="PAGE or ALTO files with their images beside them, or folders of these.",
        show_default=False,
    ),
]

Incomplete = Annotated[
    list[str] | None,
    typer.Option(
        "--incomplete",
        metavar="COLLECTION",
        help="Its marks leave out some of the writing; the others are told by themselves, too. May be repeated.",
        show_default=False,
    ),
]

PageSplit = Annotated[
    Split | None,
    typer.Option("--split", help="Which pages. Without it: val, or all if none is of val.", show_default=False),
]


def train_layout(
    data: Pages,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BUNDLE", help="Folder of the layout bundle to make.")],
    lines: Annotated[
        list[Path] | None,
        typer.Option("--lines", metavar="LINES", help="Ground truth of lines to compose pages of; may be repeated."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="BUNDLE",
            help="Begin with this layout bundle's network; 'default' is the shipped one.",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Budget in minutes of wall time.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting that differs; may be given several times."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
) -> None:
    """Train the network that finds lines.

    Learns from the pages of split train, as SOURCES.tsv beside them tells, and from tables and letters composed of
    lines, where --lines names some. With --from it begins with what a bundle has learned. The checkpoint goes into
    BUNDLE.run.
    """
    from uncial.config import from_dict, merge
    from uncial.screen import show_note
    from uncial.sources import read_samples
    from uncial.sources.marked_pages import marked_pages

    with needs_extra("train", "training", "torch", "onnx"):
        from uncial.checkpoint import check_run
        from uncial.train_layout import LayoutConfig
        from uncial.train_layout import train_layout as run
    config = from_dict(LayoutConfig, merge({}, settings or ()) | ({} if minutes is None else {"minutes": minutes}))
    check_run(out, resume=resume)  # now, since reading the lines may take long
    samples = read_samples(lines, "train") if lines else []
    with telling_what_is_kept(out):
        print(run(marked_pages(data), out, config, lines=samples, start=start, resume=resume, watch=show_note))


def tell_left_out(pages: "Sequence[Failure]") -> None:
    """Count and list on standard error the pages that cannot be used."""
    if pages:
        print(f"uncial: {len(pages):,} of the page files are left out:", file=sys.stderr)
    for page in pages:
        print(f"  {page.id}: {page.reason}", file=sys.stderr)


def split_among(pages: "Sequence[MarkedPage]", split: Split | None) -> str:
    """The split that was asked for, or the usual one of these pages; tells where that is all."""
    from uncial.sources.marked_pages import usual_split

    if split is None and usual_split(pages) == "all":
        print("uncial: no page is of split val, so all pages are taken", file=sys.stderr)
    return split.value if split else usual_split(pages)


def evaluate_layout(
    data: Pages,
    layout: Layout = None,
    finder: Annotated[str, typer.Option(metavar="NAME", help="Line finder: network or projection.")] = "network",
    split: PageSplit = None,
    incomplete: Incomplete = None,
    as_json: Json = False,
) -> None:
    """Measure how well lines are found on pages.

    Baseline precision, recall and F1 (READ-BAD, Grüning et al. 2018).
    """
    from uncial.evaluate_layout import evaluate_layout as run
    from uncial.screen_pages import show_layout_rates
    from uncial.sources.marked_pages import marked_pages

    pages = marked_pages(data)
    evaluation = run(pages, finder=finder, bundle=layout, split=split_among(pages, split))
    found: dict[str, Any] = evaluation.plain(incomplete or ())
    tell_left_out(evaluation.left_out)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        show_layout_rates(found)


def evaluate_pages(
    data: Pages,
    model: Model = None,
    layout: Layout = None,
    split: PageSplit = None,
    incomplete: Incomplete = None,
    backend: Backend = "auto",
    as_json: Json = False,
) -> None:
    """Measure how well whole pages are read.

    CER of true lines, of found lines, and of the page in its order. The last is told once more without what is read
    where nothing is marked, such as stamps.
    """
    from uncial.evaluate_pages import evaluate_pages as run
    from uncial.recognizer import Recognizer
    from uncial.screen import reading_bar
    from uncial.screen_pages import show_page_rates
    from uncial.sources.marked_pages import marked_pages

    pages, recognizer = marked_pages(data), Recognizer.load(model, backend=backend, layout=layout)
    with reading_bar("pages") as progress:
        evaluation = run(pages, recognizer, split=split_among(pages, split), progress=progress)
    tell_left_out(evaluation.left_out)
    found = evaluation.plain(incomplete or ())
    print(json.dumps(found, ensure_ascii=False, indent=1)) if as_json else show_page_rates(found)
