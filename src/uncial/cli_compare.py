"""`uncial compare`: ground truth in, what each part of a network is worth out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uncial.cli_options import Data, Json, Model, Unit, needs_extra

if TYPE_CHECKING:
    from uncial.compare import Plan
    from uncial.screen import TrainingScreen


def compare(
    data: Data,
    minutes: Annotated[float, typer.Option(metavar="M", help="Training time of each system, in minutes.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of bundles, figures and the report.")],
    unit: Annotated[
        Unit, typer.Option(help="What is read: whole lines, single words cut from them, or both.")
    ] = Unit.line,
    systems: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Some systems only, such as dense,cnn,crnn-lstm; without it, all.", show_default=False
        ),
    ] = "",
    split: Annotated[str, typer.Option(metavar="SPLIT", help="Lines to read at the end: val or test.")] = "val",
    model: Model = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A training setting, for all systems; may be given several times."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure what each part of a network is worth.

    Trains a dense network, convolutions alone, an LSTM alone, and both together with simple or LSTM cells, one way or
    both, on the same lines for the same time, and reads the same lines with each. Writes comparison.html, .json and
    .csv. Given again, the same command goes on where it was stopped. Words are cut where --model finds them.
    """
    from uncial.screen import show_note
    from uncial.screen_comparison import show_comparison
    from uncial.sources import read_samples

    samples = read_samples(data)
    with needs_extra("train", "training", "torch", "onnx"):
        from uncial.compare import PAGE
        from uncial.compare import compare as run
    plan = _plan(minutes, unit, systems, split, model, settings or [])
    with _on_the_screen() as watch:
        found = run(samples, out, plan, watch=watch, note=show_note)
    print(found.to_json()) if as_json else show_comparison(found, out / PAGE)


def _plan(minutes: float, unit: Unit, systems: str, split: str, model: Path | None, settings: Sequence[str]) -> "Plan":
    from uncial.compare import Plan
    from uncial.comparison import UNITS
    from uncial.config import merge
    from uncial.systems import SYSTEMS

    names = tuple(systems.split(",")) if systems else tuple(SYSTEMS)
    return Plan(minutes, UNITS if unit == Unit.both else (unit.value,), names, split, merge({}, settings), model)


@contextmanager
def _on_the_screen() -> Iterator["TrainingScreen"]:
    """Show the trainings; tell who interrupts them how to go on."""
    from uncial.screen import TrainingScreen

    try:
        with TrainingScreen() as watch:
            yield watch
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was done is kept; give the same command again to go on") from None
