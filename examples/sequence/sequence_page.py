"""The page of this example: one HTML file without scripts that asks for nothing from outside.

Positive numbers are filled and to the right, negative ones hollow and to the left, so that nothing depends on telling
colours apart.
"""

from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from number_cell import SCALE, Moment, Weights
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What was learned and told.

    Attributes:
        numbers: that were given.
        moments: the steps over them and over the cell's own answers.
        weights: of the cell.
        counts: sequences to learn from, and held out.
        held_out: share of the held-out sequences continued rightly, in [0, 1].
    """

    numbers: list[int]
    moments: list[Moment]
    weights: Weights
    counts: tuple[int, int]
    held_out: float


def render(results: Results) -> str:
    """The HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    largest = max(float(np.abs(moment.after).max()) for moment in results.moments)
    environment.filters |= {"bars": partial(_bars, largest=largest), "number": _number}
    last = results.moments[len(results.numbers) - 1]
    return environment.get_template("page.html").render(
        style=(files("uncial") / "templates" / "explain" / "page.css").read_text(encoding="utf-8"),
        results=results,
        given=len(results.numbers),
        told=[round(moment.next) for moment in results.moments[len(results.numbers) - 1 :]],
        scale=SCALE,
        last=last,
        hand=_by_hand(results.weights, last),
        strip=_strip(results),
    )


def _by_hand(weights: Weights, moment: Moment) -> list[tuple[float, float, float, float, float]]:
    """For each number of the state: from the input, from the state before, the bias, their sum, and its tanh."""
    from_input = weights.given * moment.number / SCALE
    from_state = weights.kept @ moment.before
    total = from_input + from_state + weights.bias
    rows = zip(from_input, from_state, weights.bias, total, np.tanh(total), strict=True)
    return [tuple(float(value) for value in row) for row in rows]  # type: ignore[misc]


def _number(value: float, digits: int = 2, sign: str = "+") -> str:
    """So many digits behind the point, with a sign that is no hyphen."""
    return f"{value:{sign}.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _bars(state: NDArray[np.float32], largest: float) -> Markup:
    """(size,) numbers from -largest to largest as bars from the middle, one below the other, with what they are."""
    parts = ['<line class="axis" x1="60" x2="60" y1="0" y2="100%"/>']
    for n, value in enumerate(state.tolist()):
        wide = abs(value) / (largest or 1) * 56
        left = 60.0 if value >= 0 else 60 - wide
        look = "fill" if value >= 0 else "hollow"
        parts.append(f'<rect class="{look}" x="{left:.1f}" y="{18 * n + 4}" width="{wide:.1f}" height="10"/>')
        parts.append(f'<text x="172" y="{18 * n + 13}" text-anchor="end">{_number(value, 3)}</text>')
    return Markup(f'<svg class="bars-of" viewBox="0 0 176 {18 * len(state)}">{"".join(parts)}</svg>')


def _strip(results: Results) -> Markup:
    """The cell once for each step, side by side: inputs come in from below, answers leave above."""
    parts, step = [], 104
    for n, moment in enumerate(results.moments):
        x = 30 + step * n
        own = " own" if moment.own else ""
        parts.append(f'<line class="wire" x1="{x - 26}" x2="{x - 4}" y1="90" y2="90" marker-end="url(#tip)"/>')
        parts.append(f'<rect class="cell-box" x="{x}" y="66" width="74" height="48" rx="9"/>')
        parts.append(f'<text class="name" x="{x + 37}" y="94" text-anchor="middle">step {n + 1}</text>')
        parts.append(f'<line class="wire" x1="{x + 37}" x2="{x + 37}" y1="146" y2="120" marker-end="url(#tip)"/>')
        given = _number(moment.number, 0, "-")
        parts.append(f'<text class="in{own}" x="{x + 37}" y="168" text-anchor="middle">{given}</text>')
        parts.append(f'<line class="wire" x1="{x + 37}" x2="{x + 37}" y1="66" y2="40" marker-end="url(#tip)"/>')
        known = n + 1 >= len(results.numbers)
        said = _number(round(moment.next), 0, "-") if known else _number(moment.next, 1, "-")
        look = "told" if known else "early" if n else "guess"
        parts.append(f'<text class="{look}" x="{x + 37}" y="26" text-anchor="middle">{said}</text>')
        if known and n + 1 < len(results.moments):
            path = f"M{x + 52},22C{x + 88},30 {x + 74},160 {x + step + 18},163"
            parts.append(f'<path class="fed" d="{path}" marker-end="url(#tip)"/>')
    wide = 36 + step * len(results.moments)
    return Markup(f'<svg class="unfolded" width="{wide}" height="176" viewBox="0 0 {wide} 176">{"".join(parts)}</svg>')
