"""`uncial data`: look at ground truth, and store it in another form."""

import typer

app = typer.Typer(no_args_is_help=True, help="Look at ground truth, and store it in another form.")


@app.command()
def check() -> None:
    """Tell what is in ground truth and what is wrong with it."""


@app.command()
def convert() -> None:
    """Store ground truth in another form."""
