"""Writes docs/reference-cli.md from the commands' own help. Run it after a change to a command."""

from pathlib import Path

from typer.testing import CliRunner

from uncial.cli import app

COMMANDS = (
    "",
    "read",
    "explain",
    "evaluate",
    "train",
    "compare",
    "lm",
    "tune",
    "synth",
    "train-layout",
    "evaluate-layout",
    "evaluate-pages",
    "data",
    "data check",
    "data convert",
    "export",
    "model",
)
PAGE = Path(__file__).with_name("reference-cli.md")
HEAD = "# All commands\n\nMade from `--help` by `python docs/make_reference.py`; do not edit.\n"


def reference() -> str:
    """The page as it should be."""
    return HEAD + "".join(
        f"\n## uncial {command}".rstrip() + f"\n\n```text\n{_help(command)}\n```\n" for command in COMMANDS
    )


def _help(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="uncial", terminal_width=100)
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
