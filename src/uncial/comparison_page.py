"""A page that shows a comparison of systems: one HTML file that needs nothing else, made like the evaluation's.

This module prepares numbers and words, the template shows them. Places in charts are percent of their width or height.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

from uncial import __version__
from uncial.comparison import Comparison, Growth, Result, UnitComparison, Worth
from uncial.errors import ImageError
from uncial.metrics import count_edits
from uncial.report import percent, picture, place, speed, ticks
from uncial.sources import Sample
from uncial.systems import SYSTEMS
from uncial.text import graphemes
from uncial.wording import count_of

Values = dict[str, Any]
WORST_RATE = 1.0  # the end of the axis for rates, at most: what reads less than nothing is off the scale


def comparison_page(comparison: Comparison, samples: Sequence[Sample]) -> str:
    """The HTML of the page.

    Args:
        comparison: what to show; at least one unit.
        samples: among them the example lines, whose pictures are opened.
    """
    loader = jinja2.PackageLoader("uncial", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count_of, "percent": percent, "speed": speed, "gain": gain, "weights": weights}
    of = {sample.id: sample for sample in samples}
    return environment.get_template("comparison.html").render(
        version=__version__,
        about=comparison.about,
        systems=SYSTEMS,
        units=[_unit(unit, of) for unit in comparison.units],
        growth=growth(comparison.growth),
    )


def gain(fraction: float) -> str:
    """A difference of rates for people, in points, with its sign: +12.3, −0.4."""
    return f"{100 * fraction:+.1f}".replace("-", "−")


def weights(number: int) -> str:
    """A number of weights for people: 812 thousand, 4.21 million."""
    return f"{number / 1e6:.3g} million" if number >= 1e6 else f"{number / 1e3:.3g} thousand"


def rates(results: Sequence[Result]) -> Values:
    """A bar for the CER of each system.

    Returns:
        "ticks": (place, fraction); "rows": (result, places of the rate and of its interval's ends).
    """
    ends = [[rate for rate in (r.cer.value, *(r.cer.interval or ())) if np.isfinite(rate)] for r in results]
    scale = ticks(min(max((rate for some in ends for rate in some), default=0) or 0.01, WORST_RATE))
    rows = [
        (result, [min(100.0, place(rate, scale[-1])) for rate in some])
        for result, some in zip(results, ends, strict=True)
    ]
    return {"ticks": [(place(tick, scale[-1]), tick) for tick in scale], "rows": rows}


def gains(worth: Sequence[Worth]) -> Values:
    """A bar for what each part is worth, to the right of zero where it helps and to the left where it harms.

    Returns:
        "zero": its place; "ticks": (place, fraction); "rows": (worth, left and width of the bar, places of the ends of
        its interval).
    """
    ends = [end for one in worth for end in (one.points, *(one.interval or ())) if np.isfinite(end)]
    highest, lowest = max([0.0, *ends]), min([0.0, *ends])
    step = ticks(max(highest - lowest, 0.01))[1]
    first, last = np.floor(lowest / step - 1e-9) * step, max(np.ceil(highest / step - 1e-9), 1) * step
    scale = np.arange(round((last - first) / step) + 1) * step + first

    def at(value: float) -> float:
        return place(value, float(last), float(first))

    rows = [
        (one, min(at(0), at(one.points)), abs(at(one.points) - at(0)), [at(end) for end in one.interval or ()])
        for one in worth
    ]
    return {"zero": at(0), "ticks": [(at(float(tick)), float(tick)) for tick in scale], "rows": rows}


def curves(results: Sequence[Result]) -> Values | None:
    """How the validation CER fell as each system learned.

    Returns:
        "x" and "y": ticks as (place, value), y from the top; "lines": (number of the system in SYSTEMS from 1, its
        name, points as SVG has them, in percent). None before any validation.
    """
    shown = [result for result in results if result.curve]
    if not shown:
        return None
    minutes = ticks(max(x for result in shown for x, _ in result.curve) or 0.01)
    scale = ticks(min(max(y for result in shown for _, y in result.curve) or 0.01, WORST_RATE))
    lines = []
    for result in shown:
        points = [(place(x, minutes[-1]), 100 - min(100.0, place(y, scale[-1]))) for x, y in result.curve]
        number = list(SYSTEMS).index(result.system) + 1
        lines.append((number, result.system, " ".join(f"{x:g},{y:g}" for x, y in points)))
    return {
        "x": [(place(tick, minutes[-1]), tick) for tick in minutes],
        "y": [(100 - place(tick, scale[-1]), tick) for tick in scale],
        "lines": lines,
    }


def growth(sizes: Sequence[Growth]) -> Values:
    """Weights as the image grows, system by system.

    Returns:
        "sizes"; "rows": (name, [(weights, bar in percent of the most of all, times those for the first size)]).
    """
    most = max((count for size in sizes for count in size.weights.values()), default=1)
    names = list(sizes[0].weights) if sizes else []
    rows = [
        (
            name,
            [(s.weights[name], place(s.weights[name], most), s.weights[name] / sizes[0].weights[name]) for s in sizes],
        )
        for name in names
    ]
    return {"sizes": sizes, "rows": rows}


def _unit(unit: UnitComparison, of: Mapping[str, Sample]) -> Values:
    things = sorted({example for result in unit.results for example in _named(result)}, key=lambda pair: pair[0])
    return {
        "unit": unit,
        "rates": rates(unit.results),
        "gains": gains(unit.worth),
        "curves": curves(unit.results),
        "examples": [_example(id_, text, unit.results, of) for id_, text in things],
    }


def _named(result: Result) -> list[tuple[str, str]]:
    return [(id_, reference) for id_, reference, _ in result.examples]


def _example(id_: str, reference: str, results: Sequence[Result], of: Mapping[str, Sample]) -> Values:
    """An example line, its picture (None where it cannot be opened), and what each system read, with its errors."""
    try:
        shown = picture(of[id_].image()) if id_ in of else None
    except ImageError:
        shown = None
    read = [(r.system, text) for r in results for other, _, text in r.examples if other == id_]
    counted = [(system, text, count_edits(graphemes(reference), graphemes(text)).errors) for system, text in read]
    return {"id": id_, "reference": reference, "picture": shown, "read": counted}
