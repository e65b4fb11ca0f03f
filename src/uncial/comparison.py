"""What a comparison of systems found: how each did, what each part is worth, and how weights grow; values and tables.

Making them is the job of `compare`, drawing them that of `comparison_page`.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

from uncial.document import Failure
from uncial.evaluation import Rate
from uncial.metrics import EditCounts, bootstrap_difference, bootstrap_interval, pooled
from uncial.systems import PARTS, SYSTEMS, Part

UNITS = ("line", "word")
COLUMNS = (
    *("unit", "system", "weights", "minutes", "lines_learned", "lines_per_second", "read_per_cpu_second"),
    *("lines", "flawless_lines", "cer", "cer_low", "cer_high", "wer", "failure"),
)


@dataclass(frozen=True)
class Result:
    """How one system did on lines that it was not trained on; all systems read the same.

    Attributes:
        system: name in `systems.SYSTEMS`.
        weights: of the network.
        seconds: of training, wall time.
        lines_learned: lines of its training, each view counted.
        read_per_cpu_second: lines read per second of one processor core; opening the images counts.
        lines: how many were read.
        flawless: how many of them without an error.
        pages: grapheme edits of each page, in an order that is the same for all systems.
        words: edits over words.
        curve: (minutes of training, validation CER as a fraction) as it learned.
        examples: (id, ground truth, what it read) of some lines.
    """

    system: str
    weights: int
    seconds: float
    lines_learned: int
    read_per_cpu_second: float
    lines: int
    flawless: int
    pages: tuple[EditCounts, ...]
    words: EditCounts
    curve: tuple[tuple[float, float], ...]
    examples: tuple[tuple[str, str, str], ...]

    @cached_property
    def cer(self) -> Rate:
        """The CER, with its interval over pages."""
        return Rate(pooled(self.pages), bootstrap_interval(self.pages))

    @property
    def lines_per_second(self) -> float:
        """Lines learned from per second of wall time, validations included."""
        return self.lines_learned / max(self.seconds, 1e-6)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what follows from others stands there too, for whoever reads it."""
        low, high = self.cer.interval or (None, None)
        return {
            "system": self.system,
            "weights": self.weights,
            "seconds": self.seconds,
            "lines_learned": self.lines_learned,
            "lines_per_second": self.lines_per_second,
            "read_per_cpu_second": self.read_per_cpu_second,
            "lines": self.lines,
            "flawless_lines": self.flawless,
            "cer": self.cer.value,
            "cer_interval": None if low is None else [low, high],
            "wer": self.words.error_rate,
            "pages": [astuple(page) for page in self.pages],
            "words": astuple(self.words),
            "curve": self.curve,
            "examples": self.examples,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Result":
        """What `to_dict` gave, after JSON."""
        return cls(
            values["system"],
            values["weights"],
            values["seconds"],
            values["lines_learned"],
            values["read_per_cpu_second"],
            values["lines"],
            values["flawless_lines"],
            tuple(EditCounts(*page) for page in values["pages"]),
            EditCounts(*values["words"]),
            tuple((minutes, cer) for minutes, cer in values["curve"]),
            tuple((id_, reference, read) for id_, reference, read in values["examples"]),
        )


@dataclass(frozen=True, slots=True)
class Worth:
    """What a part is worth.

    Attributes:
        part: two systems that differ by it.
        points: CER without it minus CER with it, as a fraction; above 0: it helps.
        interval: 95 % bootstrap interval of that over pages; None where there are not two.
    """

    part: Part
    points: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class UnitComparison:
    """All systems on lines, or on words.

    Attributes:
        unit: "line" or "word"; where it is "word", all that is called a line in the results is one word.
        train: lines to learn from.
        dense_width: pixels across of the dense network's one image.
        results: of each system that was finished, in the order of SYSTEMS.
        failures: systems that could not be finished, and why.
    """

    unit: str
    train: int
    dense_width: int
    results: tuple[Result, ...] = ()
    failures: tuple[Failure, ...] = ()

    @cached_property
    def worth(self) -> tuple[Worth, ...]:
        """What each part is worth of which both systems were finished."""
        of = {result.system: result for result in self.results}
        there = [(p, of[p.without], of[p.with_]) for p in PARTS if p.without in of and p.with_ in of]
        return tuple(
            Worth(part, a.cer.value - b.cer.value, bootstrap_difference(a.pages, b.pages)) for part, a, b in there
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "unit": self.unit,
            "lines_to_learn_from": self.train,
            "dense_width": self.dense_width,
            "systems": [
                {"title": SYSTEMS[result.system].title, "told": SYSTEMS[result.system].told} | result.to_dict()
                for result in self.results
            ],
            "failures": [{"system": failure.id, "reason": failure.reason} for failure in self.failures],
            "worth": [
                {
                    "part": worth.part.name,
                    "without": worth.part.without,
                    "with": worth.part.with_,
                    "points": worth.points,
                    "interval": worth.interval,
                }
                for worth in self.worth
            ],
        }


@dataclass(frozen=True, slots=True)
class Growth:
    """Weights that each system needs for images of one size, in pixels: computed, not measured."""

    width: int
    height: int
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was compared.

    Attributes:
        about: facts for whoever reads it, such as {"minutes": "30"}.
        units: lines, words, or both.
        growth: for the size of image that was used, and for wider and higher ones.
    """

    about: Mapping[str, str]
    units: tuple[UnitComparison, ...]
    growth: tuple[Growth, ...]

    def to_json(self) -> str:
        """One JSON object: names are stable, rates and bounds are fractions, what is unknown is null."""
        values = {
            "about": dict(self.about),
            "units": [unit.to_dict() for unit in self.units],
            "growth": [{"width": g.width, "height": g.height, "weights": dict(g.weights)} for g in self.growth],
        }
        return json.dumps(values, ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """A row for each system, columns as in COLUMNS; rates are fractions."""
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for unit in self.units:
            writer.writerows(_row(unit.unit, result) for result in unit.results)
            writer.writerows({"unit": unit.unit, "system": f.id, "failure": f.reason} for f in unit.failures)
        return table.getvalue()


def in_order(systems: Sequence[str]) -> list[str]:
    """Names of systems in the order of SYSTEMS, each once."""
    return [name for name in SYSTEMS if name in systems]


def _row(unit: str, result: Result) -> dict[str, Any]:
    low, high = result.cer.interval or ("", "")
    return {
        "unit": unit,
        "system": result.system,
        "weights": result.weights,
        "minutes": round(result.seconds / 60, 2),
        "lines_learned": result.lines_learned,
        "lines_per_second": round(result.lines_per_second, 2),
        "read_per_cpu_second": round(result.read_per_cpu_second, 2),
        "lines": result.lines,
        "flawless_lines": result.flawless,
        "cer": result.cer.value,
        "cer_low": low,
        "cer_high": high,
        "wer": result.words.error_rate,
    }
