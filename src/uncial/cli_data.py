"""`uncial data`: look at ground truth, and store it in another form."""

from pathlib import Path
from typing import Annotated

import typer

from uncial.cli_options import Data, Form, Json, Split
from uncial.errors import ConfigError, GroundTruthError

app = typer.Typer(no_args_is_help=True, help="Look at ground truth, and store it in another form.")
FORM_OF = {".zip": Form.archive, ".parquet": Form.parquet}  # by the suffix of what is to be written
FILES = (".7z", ".bz2", ".csv", ".gz", ".json", ".jsonl", ".tar", ".tgz", ".tsv", ".txt", ".xml", ".xz")


@app.command()
def check(data: Data, as_json: Json = False) -> None:
    """Tell what is in ground truth, and which lines cannot be learned from.

    Every image is decoded. Lists graphemes with their counts, documents, widths, lines and texts that stand twice, and
    each line that is left out with its reason: flawed source, empty or uncertain text, unusable image, text that CTC
    cannot spell in the width of its image.
    """
    import dataclasses
    import json

    from uncial import ground_truth, screen
    from uncial.sources import read_samples

    samples = read_samples(data)
    with screen.reading_bar() as progress:
        found = ground_truth.check(samples, progress=progress)
    if as_json:
        print(json.dumps(dataclasses.asdict(found), ensure_ascii=False))
    else:
        screen.show_check(found)
    if not found.usable:
        raise GroundTruthError(f"{', '.join(map(str, data))}: there is no line that can be learned from")


@app.command()
def convert(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PATH", help="The file or folder to write.")],
    form: Annotated[
        Form | None, typer.Option(help="Without it: what -o ends in, .zip or .parquet; else pairs.", show_default=False)
    ] = None,
    split: Annotated[Split, typer.Option(help="Which lines.")] = Split.all,
) -> None:
    """Store ground truth in another form; texts and image files stay as they are.

    Pairs become a folder. An archive or Parquet becomes one file if -o ends in .zip or .parquet, and otherwise a folder
    with a file for each collection.
    """
    from uncial import ground_truth, screen
    from uncial.sources import read_samples

    wanted = form or _form_of(out)
    samples = read_samples(data, split)
    with screen.reading_bar() as progress:
        done = ground_truth.convert(samples, out, wanted, progress)
    screen.show_converted(done)


def _form_of(out: Path) -> Form:
    suffix = out.suffix.lower()
    if suffix in FILES:
        raise ConfigError(
            f"{out}: lines are stored in a folder, in one .zip or in one .parquet file, not in {suffix}; name such a "
            "place (with --form, a folder may have this name)"
        )
    return FORM_OF.get(suffix, Form.pairs)
