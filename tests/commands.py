"""Runs commands as a shell would, for the tests of the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from conftest import DrawnLine
from typer.testing import CliRunner

from uncial.cli import app
from uncial.image_file import Gray, load_image

ROOT = Path(__file__).parent.parent

# A network that learns nothing much, but goes through all steps of a training within seconds.
QUICK = (
    "network.channels=[4, 6]",
    "network.blocks=[1]",
    "network.strides_down=[4, 4]",
    "network.strides_across=[4, 2]",
    "network.recurrent_layers=1",
    "network.recurrent_size=8",
    "threads=1",
    "device=cpu",
    "precision=float32",
)
QUICK_OPTIONS = tuple(word for setting in QUICK for word in ("--set", setting))


@dataclass(frozen=True)
class Ran:
    """What a command left on the screen, and its exit code."""

    out: str
    told: str
    code: int


def uncial(*words: object, stdin: bytes | None = None) -> Ran:
    """Run `uncial WORDS...`; an exception that the command line does not answer is raised here, too."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, prog_name="uncial")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.stdout, result.stderr, result.exit_code)


def written_sheet() -> Gray:
    """A page with three of the shipped lines of writing on it."""
    sheet = np.full((900, 1000), 235, np.uint8)
    for n, line in enumerate(sorted((ROOT / "examples" / "lines").glob("*.png"))[:3]):
        image = load_image(line)[:, :800]
        place = sheet[150 + 200 * n :, 100:][: image.shape[0], : image.shape[1]]
        place[:] = np.minimum(place, image)
    return sheet


def write_pairs(folder: Path, lines: Sequence[DrawnLine], repeat: int = 1) -> Path:
    """Drawn lines as images with their texts beside them; their names sort in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    for n, line in enumerate(list(lines) * repeat):
        cv2.imwrite(str(folder / f"line{n:03}.png"), line.image)
        (folder / f"line{n:03}.gt.txt").write_text(f"{line.text}\n", encoding="utf-8")
    return folder
