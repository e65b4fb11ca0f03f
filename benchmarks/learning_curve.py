"""The learning curve of the shipped model: validation CER against hours of training and lines seen, run by run.

    python benchmarks/learning_curve.py [-o docs/benchmarks]

Reads the logs of the runs that were kept (`docs/training/run-N.csv`), each of which went on from the one before, and
writes learning-curve.md, .svg and .json. The CER is that of the run's own validations: best path in full precision on
up to 2,000 validation lines of all collections, which differ a little from run to run.
"""

import argparse
import csv
from pathlib import Path

from results import line_chart, stacked, table, write

DOCS = Path(__file__).parents[1] / "docs"
RUNS = DOCS / "training"

Point = tuple[float, float, float]  # hours, million lines, CER in percent


def main() -> None:
    """Put the runs one behind the other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-o", "--out", type=Path, default=DOCS / "benchmarks")
    chosen = options.parse_args()
    runs = curves({path.stem: path for path in sorted(RUNS.glob("run-*.csv"))})
    by_hours = {name: [(hours, cer) for hours, _, cer in points] for name, points in runs.items()}
    by_lines = {name: [(lines, cer) for _, lines, cer in points] for name, points in runs.items()}
    figure = stacked(
        [
            line_chart("The shipped model learns", "hours on two processor cores", "validation CER, %", by_hours),
            line_chart("The same by lines seen", "million lines", "validation CER, %", by_lines),
        ]
    )
    rows = [
        (name, f"{points[-1][0]:.1f}", f"{points[-1][1]:.2f}", f"{points[-1][2]:.2f}") for name, points in runs.items()
    ]
    head = ("at the end of", "hours", "million lines", "validation CER, %")
    text = f"# Learning curve\n\n![CER by hours and by lines](learning-curve.svg)\n\n{table(head, rows)}\n"
    write(chosen.out, "learning-curve", text, dict(runs), figure)


def curves(logs: dict[str, Path]) -> dict[str, list[Point]]:
    """The validations of each run, with hours and lines counted from the beginning of the first."""
    hours = lines = 0.0
    runs: dict[str, list[Point]] = {}
    for name, path in logs.items():
        with path.open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["cer"]]
        runs[name] = [
            (hours + float(row["seconds"]) / 3600, lines + float(row["lines"]) / 1e6, 100 * float(row["cer"]))
            for row in rows
        ]
        hours, lines, _ = runs[name][-1]
    return runs


if __name__ == "__main__":
    main()
