"""What commands on whole pages show: tables of how well lines are found and read."""

from typing import Any

from rich.table import Table

from uncial.evaluate_pages import WAYS
from uncial.screen import console


def show_layout_rates(found: dict[str, Any]) -> None:
    """Baseline precision, recall and F1 of each collection."""
    table = Table("", "precision", "recall", "F1", "true lines", "found", box=None, pad_edge=False)
    for name, group in found["groups"].items():
        shown = (f"{group[rate]:.3f}" for rate in ("precision", "recall", "f1"))
        table.add_row(name, *shown, f"{group['true']:,}", f"{group['found']:,}")
    console().print(table)


def show_page_rates(found: dict[str, Any]) -> None:
    """CER of pages in each collection, and how much of it stands where no line should, or lacks."""
    names = (*WAYS, "inserted", "deleted")
    table = Table("CER in %", *names, "graphemes", "s a page", box=None, pad_edge=False)
    for name, group in found["groups"].items():
        shown = (f"{100 * group[rate]:.2f}" for rate in names)
        table.add_row(name, *shown, f"{group['graphemes']:,}", f"{group['seconds']:.2f}")
    console().print(table)
    if left_out := sum(len(page["left out"]) for page in found["pages"].values()):
        console().print(f"Left out: {left_out:,} marked lines whose text is not known for sure; --json names them.")
