"""`uncial train`: ground truth in, a bundle out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import Data, needs_extra, telling_what_is_kept
from uncial.errors import ConfigError
from uncial.wording import count_of

if TYPE_CHECKING:
    from uncial.sources import Sample
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
        typer.Option(
            "--from",
            metavar="BUNDLE",
            help="Begin with this bundle's network and weights; 'default' and 'small' are shipped.",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Learn from this bundle, too: for a network smaller than its own."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Budget in minutes of wall time.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="E", help="Budget in passes over the lines.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Settings that go together: standard, new-hand for few lines, from-nothing, or small for a small "
            "network from nothing within an hour on a few processor cores. Without it: from-nothing without "
            "--from, new-hand with --from and at most 1,000 lines to learn from, else standard.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in TOML.")] = None,
    settings: Settings = None,
    synthetic: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATA", help="Drawn lines (uncial synth) to mix in by synthetic_share (0.3)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
) -> None:
    """Train on ground truth, and keep the best as a bundle.

    Learns from the lines of split `train` and chooses by those of split `val`; lines without a split are shared out
    by page. Checkpoint, log and list of left-out lines go into the folder BUNDLE.run.
    """
    from uncial.screen import TrainingScreen, show_trained
    from uncial.sources import read_samples

    with needs_extra("train", "training", "torch", "onnx"):
        from uncial.train import train as run
    check_recipe(recipe, start)
    check_bundles(out, (start, teacher), resume=resume)  # what is quickly told, since reading the lines may take long
    training_settings(config, settings or (), minutes, epochs, recipe or "standard")
    samples, drawn = read_samples(data), read_samples(synthetic) if synthetic else []
    recipe = recipe_for(recipe, samples, start, budgeted=minutes is not None or epochs is not None)
    chosen, changes = training_settings(config, settings or (), minutes, epochs, recipe)
    how: dict[str, Any] = {"synthetic": drawn, "start": start, "teacher": teacher, "changes": changes}
    with telling_what_is_kept(out), TrainingScreen() as watch:
        bundle = run(samples, out, chosen, resume=resume, watch=watch, **how)
    show_trained(bundle, gain_of(bundle.provenance["course"]))


def check_bundles(out: Path, read: Sequence[Path | None], *, resume: bool) -> None:
    """See that the bundles that are read can be opened, and that a new run overwrites nothing.

    Raises:
        BundleError: one of them cannot be opened.
        StorageError: something stands where the bundle is to be made.
        TrainingError: there is no run to go on with.
    """
    from uncial.bundle import load_bundle
    from uncial.checkpoint import check_run

    check_run(out, resume=resume)
    for path in read:
        if path is not None:
            load_bundle(path)


def gain_of(course: Mapping[str, Any]) -> str:
    """What the kept network has over the one that the run began with, if that was read; "": it was not."""
    if course["start_cer"] is not None:
        return f"CER of the lines to choose by: {course['start_cer']:.2%} at first, {course['cer']:.2%} now"
    if course["step"]:
        return ""
    return (
        "nothing that was learned reads the lines to choose by better, so what it began with is kept; give more lines"
    )


def training_settings(
    config: Path | None, settings: Sequence[str], minutes: float | None, epochs: int | None, recipe: str = "standard"
) -> tuple["TrainConfig", dict[str, Any]]:
    """The settings of a training: defaults, then the recipe, the TOML file, `--set`, then the budget.

    Returns:
        All settings, and those of `network` and `line_image` that were given and not left at their defaults.

    Raises:
        ConfigError: a setting that does not exist or is out of range, or two budgets.
    """
    from uncial.config import from_dict, merge, read_toml
    from uncial.recipes import with_recipe
    from uncial.train_config import TrainConfig

    values = merge(with_recipe(recipe, read_toml(config) if config else {}), settings)
    return from_dict(TrainConfig, values | budget_of(minutes, epochs)), {
        table: values.get(table, {}) for table in ("network", "line_image")
    }


def budget_of(minutes: float | None, epochs: int | None) -> dict[str, Any]:
    """The settings of the budget that was named, if one was.

    Raises:
        ConfigError: two were, or one that is not above 0.
    """
    if minutes is not None and epochs is not None:
        raise ConfigError("--minutes and --epochs: a training has one budget; leave one of them out")
    for name, amount in (("minutes", minutes), ("epochs", epochs)):
        if amount is not None and not amount > 0:
            raise ConfigError(f"--{name} {amount:g}: a budget is above 0; leave it out for that of the recipe")
    if epochs is not None:
        return {"minutes": 0.0, "epochs": epochs}
    return {} if minutes is None else {"minutes": minutes}


def check_recipe(named: str | None, start: Path | None) -> None:
    """See that a recipe that makes a network has no bundle to begin with.

    Raises:
        ConfigError: it has.
    """
    if start is not None and named == "small":
        raise ConfigError("--recipe small: makes a small network from nothing; leave out --from, or name standard")


def recipe_for(named: str | None, samples: "Sequence[Sample]", start: Path | None, *, budgeted: bool = False) -> str:
    """The recipe that is named, else the one that fits; that for few lines is told, and its budget if none is given."""
    from uncial.recipes import FEW, with_recipe
    from uncial.screen import show_note
    from uncial.sources import split_of

    if named or start is None:
        return named or "from-nothing"
    lines = sum(split_of(sample) != "test" for sample in samples)
    if lines > FEW:
        return "standard"
    told, budget = count_of(lines, "line"), with_recipe("new-hand", {})["minutes"]
    show_note(f"{told}: learning by the recipe new-hand, made for few; for the usual one, --recipe standard")
    if not budgeted:
        show_note(f"without --minutes or --epochs it learns for {budget:g} minutes")
    return "new-hand"
