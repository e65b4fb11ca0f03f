"""`uncial synth`: running text and handwriting fonts in, a line archive out."""

from pathlib import Path
from typing import Annotated

import typer

from uncial.cli_options import needs_extra


def synth(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...",
            help="Running text, .txt or .txt.xz, or folders of it; a name that begins with a language (en_, fr_, de_, "
            "it_, es_) chooses its names and dates. A file named twice counts twice.",
            show_default=False,
        ),
    ],
    fonts: Annotated[Path, typer.Option(metavar="DIR", help="Folder of fonts, as tools/fetch_fonts.py makes it.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="X.zip", help="The line archive to write.")],
    lines: Annotated[int, typer.Option(metavar="N", min=1, help="How many lines.")] = 10_000,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Of all chance: the same gives the same lines.")] = 1,
) -> None:
    """Draw lines of text in handwriting fonts, to train on.

    They stand beside real ones, all of split `train`: mix them in with `uncial train … --synthetic X.zip`.
    """
    from uncial import screen

    with needs_extra("synth", "drawing lines", "faker", "fontTools"):
        from uncial.synthesise import write_synthetic
    with screen.reading_bar() as progress:
        write_synthetic(texts, fonts, out, count=lines, seed=seed, progress=progress)
