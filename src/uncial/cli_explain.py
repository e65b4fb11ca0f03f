"""`uncial explain`: a line image in, a page that shows why it was read so out."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import Force, HowWell, Model, Quality, check_place, needs_extra, write_whole
from uncial.cli_output import tell
from uncial.errors import ImageError

if TYPE_CHECKING:
    from uncial.explanation import Explanation
    from uncial.image_file import Gray
    from uncial.recognizer import Recognizer


MOST_FOUND = 3  # lines in a picture that may be of one
AT_WORK = "hiding parts of it again and again, to see what each letter hangs on; this takes a while"


class Form(StrEnum):
    """What an explanation is written as."""

    html = "html"
    json = "json"


def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A line image.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write.")],
    format_: Annotated[
        Form | None,
        typer.Option(
            "--format",
            "-f",
            help="A page to look at, or all its numbers as JSON. Without it: as the ending of -o tells, else HTML.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    quality: HowWell = Quality.auto,
    force: Force = False,
) -> None:
    """Show why a line was read as it was.

    The page opens from disk in any browser: filters and what they found, slices, memory, what context decides, how
    slices become text, and the pixels that carried each letter. It needs PyTorch: pip install -c
    constraints.txt ".[train]".
    """
    with needs_extra("train", "explaining a reading", "torch"):
        import uncial.nn.tracing  # noqa: F401 - watches the network, and is the first to want PyTorch
    from uncial.explain import explain as explain_line
    from uncial.image_file import load_image
    from uncial.recognizer import Recognizer

    check_place(out, [str(image)], force=force)
    recognizer = Recognizer.load(model, quality=quality, backend="torch")
    gray = load_image(image, str(image), single=True)
    tell([*notes_on(recognizer, gray, image), f"{image}: {AT_WORK}"])
    found = explain_line(recognizer, gray)
    explanation = replace(found, about={"Image": image.name, "Model": recognizer.bundle.path.name})
    write_whole(out, written(explanation, format_ or (Form.json if out.suffix.lower() == ".json" else Form.html)))
    tell(read_otherwise(recognizer, gray, explanation.transcript.text))
    print(f"{out}: {explanation.transcript.text}")


def written(explanation: "Explanation", format_: Form) -> str:
    """An explanation as the file that it becomes."""
    import json

    from uncial.explain_page import render

    return render(explanation) if format_ is Form.html else json.dumps(explanation.to_dict(), ensure_ascii=False)


def read_otherwise(explained: "Recognizer", gray: "Gray", text: str) -> list[str]:
    """What `uncial read` makes of a line, if that is another text: an explanation follows the network in fp32."""
    from uncial.recognizer import Recognizer
    from uncial.runtime import Runtime

    usual = Recognizer(explained.bundle, Runtime(explained.bundle), explained.quality).read_line(gray).text
    told = f"uncial read, whose network runs in int8, reads {usual!r}; what is explained is the network in fp32"
    return [told] if usual != text else []


def notes_on(recognizer: "Recognizer", gray: "Gray", image: Path) -> list[str]:
    """What speaks against a picture showing one line: two or three that are found in it may be strokes of one.

    Raises:
        ImageError: it shows a page, or is too small to show a line.
    """
    from uncial.layout import is_strip
    from uncial.lineimage import line_image

    try:
        line_image(gray, recognizer.bundle.line_image)
    except ImageError as error:
        raise ImageError(f"{image}: {error}") from error
    lines = 1 if is_strip(gray) else len(recognizer.find_lines(gray, cut_off=True).lines)
    told = f"{image}: it seems to show a page of {lines} lines; cut out the one that is meant"
    if lines > MOST_FOUND:
        raise ImageError(told)
    return [told] if lines > 1 else []
