"""What `uncial compare` shows at its end: how each system reads, and what each part is worth."""

from pathlib import Path

from rich.table import Table

from uncial.comparison import Comparison, UnitComparison
from uncial.screen import console


def show_comparison(comparison: Comparison, page: Path) -> None:
    """Two tables for each unit, and where the page with the rest lies."""
    for unit in comparison.units:
        console().print(_systems(unit))
        for failure in unit.failures:
            console().print(f"{failure.id} could not be finished: {failure.reason}")
        if unit.worth:
            console().print(_worth(unit))
    print(f"\n{page}")


def _systems(unit: UnitComparison) -> Table:
    names = ("weights", "learned", "a second", "read a CPU-s", "CER", "95 % interval", "no error")
    table = Table(f"{unit.unit}s", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right")
    for result in unit.results:
        low, high = result.cer.interval or (None, None)
        table.add_row(
            result.system,
            f"{result.weights:,}",
            f"{result.lines_learned:,}",
            f"{result.lines_per_second:.1f}",
            f"{result.read_per_cpu_second:.1f}",
            f"{result.cer.value:.2%}",
            "–" if low is None else f"{low:.2%} to {high:.2%}",
            f"{result.flawless / result.lines:.1%}",
        )
    return table


def _worth(unit: UnitComparison) -> Table:
    table = Table("worth, in points of CER", box=None, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("95 % interval", justify="right")
    for worth in unit.worth:
        low, high = worth.interval or (None, None)
        interval = "–" if low is None or high is None else f"{100 * low:+.1f} to {100 * high:+.1f}"
        table.add_row(worth.part.name, f"{100 * worth.points:+.1f}", interval)
    return table
