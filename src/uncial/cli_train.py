"""`uncial train`: ground truth in, a bundle out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import Data, needs_extra
from uncial.errors import ConfigError

if TYPE_CHECKING:
    from uncial.train_config import TrainConfig

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting that differs; may be given several times."),
]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BUNDLE", help="Folder of the bundle to make.")],
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="BUNDLE", help="Begin with this bundle's network and weights."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Budget in minutes of wall time.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="E", help="Budget in passes over the lines.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in TOML.")] = None,
    settings: Settings = None,
    synthetic: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATA", help="Drawn lines (uncial synth) to mix in by synthetic_share (0.3)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
) -> None:
    """Train on ground truth and keep the best network as a bundle.

    Learns from the lines of split `train` and chooses by those of split `val`; lines without a split are shared out
    by page. Checkpoint, log and list of left-out lines go into the folder BUNDLE.run.
    """
    chosen, changes = training_settings(config, settings or (), minutes, epochs)
    from uncial.screen import TrainingScreen, show_trained
    from uncial.sources import read_samples

    samples = read_samples(data)
    drawn = read_samples(synthetic) if synthetic else []
    how: dict[str, Any] = {"synthetic": drawn, "start": start, "changes": changes, "resume": resume}
    with needs_extra("train", "training", "torch", "onnx"):
        from uncial.train import train as run
    try:
        with TrainingScreen() as watch:
            bundle = run(samples, out, chosen, watch=watch, **how)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept(out)) from None
    show_trained(bundle)


def training_settings(
    config: Path | None, settings: Sequence[str], minutes: float | None, epochs: int | None
) -> tuple["TrainConfig", dict[str, Any]]:
    """The settings of a training: defaults, then the TOML file, then `--set`, then the budget.

    Returns:
        All settings, and those of the network that were given and not left at their defaults.

    Raises:
        ConfigError: a setting that does not exist or is out of range, or two budgets.
    """
    from uncial.config import from_dict, merge, read_toml
    from uncial.train_config import TrainConfig

    if minutes is not None and epochs is not None:
        raise ConfigError("--minutes and --epochs: a training has one budget; leave one of them out")
    values = merge(read_toml(config) if config else {}, settings)
    budget: dict[str, Any] = {}
    if minutes is not None:
        budget = {"minutes": minutes}
    elif epochs is not None:
        budget = {"minutes": 0.0, "epochs": epochs}
    return from_dict(TrainConfig, values | budget), values.get("network", {})


def kept(out: Path) -> str:
    """What an interrupted training leaves behind, and how to go on."""
    checkpoint = out.with_name(f"{out.name}.run") / "checkpoint.pt"
    best = f"the best network so far is the bundle {out}" if out.exists() else "there is no bundle yet"
    again = "go on from the last checkpoint with --resume" if checkpoint.exists() else "nothing else was kept"
    return f"{best}; {again}"
