"""`uncial explain`: a line image in, a page that shows why it was read so out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uncial.cli_options import Force, HowWell, Model, Quality, check_place, write_whole


class Form(StrEnum):
    """What an explanation is written as."""

    html = "html"
    json = "json"


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A line image.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    format_: Annotated[
        Form, typer.Option("--format", "-f", help="A page to look at, or all its numbers as JSON.")
    ] = Form.html,
    model: Model = None,
    quality: HowWell = Quality.auto,
    force: Force = False,
) -> None:
    """Show why a line was read as it was.

    The page opens from disk in any browser: filters and what they found, slices, memory, what context decides, how
    slices become text, and the pixels that carried each letter. It needs PyTorch: pip install 'uncial[train]'.
    """
    import json
    from dataclasses import replace

    from uncial.explain import explain as explain_line
    from uncial.explain_page import render
    from uncial.image_file import load_image
    from uncial.recognizer import Recognizer

    check_place(out, [str(image)], force=force)
    recognizer = Recognizer.load(model, quality=quality, backend="torch")
    explanation = explain_line(recognizer, load_image(image, str(image)))
    explanation = replace(explanation, about={"Image": image.name, "Model": recognizer.bundle.path.name})
    page = render(explanation) if format_ is Form.html else json.dumps(explanation.to_dict(), ensure_ascii=False)
    write_whole(out, page)
    print(f"{out}: {explanation.transcript.text}")
