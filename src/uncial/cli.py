"""The command line: paths in, text on the screen or in files out.

Here, and nowhere else, an error becomes a message and an exit code. Commands import what is heavy when they run, so
that `uncial --help` is there at once.
"""

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from uncial import __version__
from uncial.cli_compare import compare
from uncial.cli_data import app as data
from uncial.cli_evaluate import evaluate
from uncial.cli_explain import explain
from uncial.cli_language import lm, tune
from uncial.cli_layout import evaluate_layout, evaluate_pages, train_layout
from uncial.cli_model import export, model
from uncial.cli_read import read
from uncial.cli_synth import synth
from uncial.cli_train import train
from uncial.errors import StorageError, UncialError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Doors(TyperGroup):
    """All commands, behind the one place that catches errors."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what a user can cure is told without a traceback."""
        _open_streams()
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()  # here, where a full disk has a message; at the end of the process it has none
            return done
        except UncialError as error:
            print(f"uncial: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as interrupt:
            kept = str(interrupt) or "nothing was written"
            print(f"\nuncial: interrupted; {kept}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads what is printed has seen enough
                raise
            raise typer.Exit(_told(error)) from None


def _told(error: OSError) -> int:
    """Tell what the system refused where nothing more is known of it, and give the exit code."""
    if error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        print(f"uncial: {name}: {error.strerror}; check the path and its rights", file=sys.stderr)
        return UncialError.exit_code
    print(f"uncial: standard output: could not be written ({error.strerror}); write elsewhere", file=sys.stderr)
    with suppress(OSError, ValueError):  # what is still to be printed would fail again when the process ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return StorageError.exit_code


def _open_streams() -> None:
    """A standard stream that was closed (`>&-`) gives and takes nothing; what one cannot spell is escaped."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it


app = typer.Typer(
    cls=_Doors,
    name="uncial",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: quick, and the same in a terminal, a pipe and the documentation
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"uncial {__version__}")
        raise typer.Exit


@app.callback()
def uncial(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Read handwriting: scans of pages or lines in, text out.

    Try: uncial read examples/lines
    """


COMMANDS = (
    *(read, explain, evaluate, train, synth, lm, tune, export, model),
    *(train_layout, evaluate_layout, evaluate_pages, compare),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(data, name="data")


def main() -> None:
    """Run the command line."""
    app(prog_name="uncial")
