"""`uncial train`: ground truth in, a bundle out."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uncial.cli_options import DATA, needs_extra, telling_what_is_kept
from uncial.cli_output import tell
from uncial.errors import ConfigError
from uncial.wording import count_of

if TYPE_CHECKING:
    from uncial.sources import Sample
    from uncial.train_config import TrainConfig

Learned = Annotated[list[Path] | None, DATA]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting that differs; may be given several times."),
]


def train(
    data: Learned = None,
    *,
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
    texts: Annotated[
        list[Path] | None,
        typer.Option(metavar="TEXT", help="Running text for the language models of error_weight; may be repeated."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Budget in minutes of wall time.")] = None,
    epochs: Annotated[int | None, typer.Option(metavar="E", help="Budget in passes over the lines.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Settings that go together: standard, new-hand for few lines, from-nothing, or small for a small "
            "network from nothing within an hour on a few processor cores. Without it: from-nothing without "
            "--from, new-hand with --untranscribed or --from and at most 1,000 lines to learn from, else standard.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in TOML.")] = None,
    settings: Settings = None,
    untranscribed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCANS",
            help="Pages and lines, as read takes them, or folders of them: what the bundle of --from reads there is "
            "learned as if it had been transcribed, with DATA or alone. What DATA has texts of, as far as paths and "
            "names of pages tell, is not read, and with --resume nothing is read anew.",
        ),
    ] = None,
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
    with needs_extra("train", "training", "torch", "onnx"):
        from uncial import checkpoint, screen
        from uncial.train import train as run
    check_named(data, untranscribed, start, recipe)
    check_bundles(out, (start, teacher), resume=resume)  # what is quickly told, since reading the lines may take long
    training_settings(config, settings or (), minutes, epochs, recipe or "standard")
    # Before scans are read, since what was read is kept in the run's folder.
    with checkpoint.alone(out, resume=resume) if untranscribed else nullcontext(), telling_what_is_kept(out):
        lines = lines_for(data, untranscribed, synthetic, start, out, resume=resume)
        chosen, changes = training_settings(config, settings or (), minutes, epochs, recipe_for(recipe, lines, start))
        tell_limits(chosen)
        how: dict[str, Any] = {**lines, "start": start, "teacher": teacher, "texts": texts or (), "changes": changes}
        with screen.TrainingScreen() as watch:
            bundle = run(out=out, config=chosen, watch=watch, resume=resume, **how)
    screen.show_trained(bundle, gain_of(bundle.provenance["course"]))


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


def check_named(
    data: Sequence[Path] | None, untranscribed: Sequence[str] | None, start: Path | None, recipe: str | None
) -> None:
    """See that there is something to learn from, and a bundle to begin with where one is needed, and only there.

    Raises:
        ConfigError: what is missing, or too much.
    """
    if start is not None and recipe == "small":
        raise ConfigError("--recipe small: makes a small network from nothing; leave out --from, or name standard")
    if not data and not untranscribed:
        raise ConfigError("nothing to learn from; name ground truth, or scans with --untranscribed and --from")
    if untranscribed and start is None:
        raise ConfigError("--untranscribed: a bundle has to read these scans; name one with --from, such as default")
    if untranscribed and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        cure = "read them first (uncial read SCANS/ -f page -o SCANS/page/) and name SCANS/page as ground truth"
        raise ConfigError(f"--untranscribed: one process reads, and here are several; {cure}")


def lines_for(  # noqa: PLR0913 - what is named of each kind, and where it goes
    data: Sequence[Path] | None,
    untranscribed: Sequence[str] | None,
    synthetic: Sequence[Path] | None,
    start: Path | None,
    out: Path,
    *,
    resume: bool,
) -> "dict[str, Sequence[Sample]]":
    """What `train` learns from: lines that people transcribed, those of scans as the bundle reads them, drawn ones."""
    from uncial.sources import read_samples

    samples, drawn = (read_samples(named) if named else [] for named in (data, synthetic))
    if untranscribed and samples:
        check_shareable(samples)
    read = own_lines(untranscribed, start, samples, out, resume=resume) if untranscribed and start else []
    return {"samples": samples, "read": read, "synthetic": drawn}


def check_shareable(samples: "Sequence[Sample]") -> None:
    """See before many scans are read that transcribed lines are enough to learn from some and choose by others.

    Raises:
        ConfigError: they are not.
    """
    from uncial.sources import split_of

    usable = sum(split_of(sample) != "test" and not sample.flaw and bool(sample.text.strip()) for sample in samples)
    if usable < 2:
        cure = "transcribe more (uncial data check tells what is wrong with them), or leave DATA out"
        told = f"of {count_of(len(samples), 'transcribed line')} in DATA {usable or 'none'} can be used"
        raise ConfigError(f"{told}, and one has to be held out to choose by; {cure}")


def own_lines(
    scans: Sequence[str], start: Path, samples: "Sequence[Sample]", out: Path, *, resume: bool
) -> "Sequence[Sample]":
    """Lines of scans with what the bundle reads there; they are kept in the folder of the run, to go on with.

    Raises:
        ConfigError: ground truth has lines of all these scans.
        TrainingError: a run is to go on that has no such lines.
    """
    from uncial import screen
    from uncial.own_readings import kept, own_readings, place_for

    if not samples:
        screen.show_note("no line is transcribed: the CER below compares with its own readings, and tells little")
    place = place_for(out, samples)
    if resume:
        return kept(place)
    names, unread = left_to_transcribe(scans, samples), list[str]()
    with screen.reading_bar("scans") as progress:
        read = own_readings(start, names, place, tell=unread.append, progress=progress)
    tell([*unread, f"not all could be read: {len(unread):,}, see above"] if unread else ())
    screen.show_note(f"{count_of(len(read), 'line')} as {start} reads them, to be looked at in {place}")
    return read


def left_to_transcribe(scans: Sequence[str], samples: "Sequence[Sample]") -> list[str]:
    """The scans that ground truth has no texts of; what is passed over, or looks like ground truth itself, is told.

    Raises:
        ConfigError: there is none.
        ImageError: one does not exist.
    """
    from uncial.own_readings import untranscribed
    from uncial.scan import passed_over, scan_names
    from uncial.sources.files import TEXT_SUFFIX, some_of

    names = scan_names(list(scans))
    left = untranscribed(names, samples)
    if not left:
        raise ConfigError("--untranscribed: DATA has texts of each of these scans; name others, or leave it out")
    if gone := sorted(set(names) - set(left)):
        tell([f"--untranscribed: passed over, as named twice or with texts in DATA: {some_of(gone)}"])
    if texts := [name for name in left if Path(name).with_suffix(TEXT_SUFFIX).is_file()]:
        cure = "to learn from these, name them as DATA instead"
        tell([f"--untranscribed: {count_of(len(texts), 'image')} with a text beside it that is not used; {cure}"])
    tell(passed_over(scans))
    return left


def recipe_for(named: str | None, lines: "Mapping[str, Sequence[Sample]]", start: Path | None) -> str:
    """The recipe that is named, else the one that fits; that for few lines is told.

    Scans that are learned as they were read are most often of one hand, so however many there are, they are few.
    """
    from uncial import screen
    from uncial.recipes import FEW
    from uncial.sources import split_of

    if named or start is None:
        return named or "from-nothing"
    transcribed = sum(split_of(sample) != "test" for sample in lines["samples"])
    if transcribed > FEW:
        return "standard"
    told = count_of(transcribed + len(lines["read"]), "line")
    screen.show_note(f"{told}: learning by the recipe new-hand, made for few; for the usual one, --recipe standard")
    return "new-hand"


def tell_limits(chosen: "TrainConfig") -> None:
    """Tell which limits a training has, where both time and passes over its lines may end it."""
    from uncial import screen

    if chosen.minutes and chosen.most_epochs:
        passes = f"{chosen.most_epochs} passes over the lines where these are done sooner (--set most_epochs=N)"
        screen.show_note(f"it learns for {chosen.minutes:g} minutes, or {passes}")
