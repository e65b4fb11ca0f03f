"""A page that shows an evaluation: one HTML file that needs nothing else, for people to judge by.

Charts are inline SVG whose positions are percentages, so they fit a phone and a wall without scaling their text.
The page runs no script and asks for nothing from outside; its content security policy forbids both, so that a
transcript can do no harm even if it looks like markup. This module prepares numbers and words, the template shows them.
"""

import base64
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from uncial import __version__
from uncial.atomic import check_own, written_whole
from uncial.document import Transcript
from uncial.errors import ImageError
from uncial.evaluation import MOST_FREQUENT, Evaluation, Group, Score
from uncial.metrics import aligned
from uncial.read_line import ReadLine, told_confidences, told_words, worst_lines
from uncial.reliability import bins_of, calibration_error
from uncial.text import graphemes
from uncial.wording import count_of

MARK = b"<!doctype html>\n<!-- Uncial evaluation report -->"  # how an earlier report is known
PICTURES = 24  # worst lines shown; with pictures of some 10 kB each
PICTURE = (96, 2400)  # pixels a picture is at most high and wide
PICTURE_QUALITY = 70  # of WebP
LENGTH_BARS = 24  # at most
OPEN_DOCUMENTS = 12  # more are folded away

Values = dict[str, Any]


def report(evaluation: Evaluation, path: Path) -> None:
    """Write the page of an evaluation.

    Args:
        evaluation: what to show; the pictures of its worst lines are opened again.
        path: of the HTML file; an earlier report there is replaced, folders are made.

    Raises:
        StorageError: something that is not an earlier report is at this path, or the file cannot be written; what
            was there is untouched.
    """
    check_report_path(path)
    page = render(evaluation).encode(errors="backslashreplace")
    with written_whole(path, "choose another place") as beside:
        beside.write_bytes(page)


def check_report_path(path: Path | None) -> None:
    """Make sure that a report may be written here, if one is wanted; worth asking before the reading begins.

    Raises:
        StorageError: something that is not an earlier report is at this path.
    """
    check_own(path, MARK, "report", "--report")


def render(evaluation: Evaluation) -> str:
    """The HTML of the page."""
    loader = jinja2.PackageLoader("uncial", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count_of, "percent": percent, "points": points, "speed": speed, "visible": visible}
    documents = sorted(evaluation.documents, key=lambda group: -group.every_line.cer.counts.errors)
    every_line = evaluation.overall.every_line
    return environment.get_template("report.html").render(
        mark=MARK.decode(),
        version=__version__,
        evaluation=evaluation,
        all=every_line,
        counts=every_line.cer.counts,
        hundred=f"{100 * every_line.cer.value:.3g}",
        kept=evaluation.overall.without_repeated,
        repeated=sum(line.repeated for line in evaluation.lines),
        collections=bars(evaluation.collections),
        documents=bars(documents),
        documents_open=len(documents) <= OPEN_DOCUMENTS,
        reliability=reliability(evaluation.lines),
        lengths=lengths(evaluation.lines),
        confusions=[(*pair, count) for pair, count in evaluation.confusions.most_common(MOST_FREQUENT)],
        worst=[worst_line(line) for line in worst_lines(evaluation.lines, PICTURES)],
    )


def percent(fraction: float | None) -> str:
    """A fraction for people: 4.93 %, 12.6 %; a dash for what is unknown."""
    if fraction is None or not np.isfinite(fraction):
        return "–"
    return f"{fraction:.{2 if fraction < 0.09995 else 1}%}".replace("%", "\u202f%")


def points(fraction: float) -> str:
    """A difference of fractions for people, in percentage points."""
    return f"{100 * fraction:.1f} points"


def speed(lines: float) -> str:
    """Lines per second for people: 3.4, 120; a dash for what is unknown."""
    return "–" if not np.isfinite(lines) else f"{lines:,.{0 if lines >= 9.95 else 1}f}"


def visible(unit: str) -> str:
    """A grapheme as it can be seen: an open box for a space, code points for what has no ink of its own."""
    if not unit:
        return "∅"
    if unit == " ":
        return "␣"
    if unicodedata.combining(unit[0]):
        return "◌" + unit
    if not unit.isprintable():
        return " ".join(f"U+{ord(code):04X}" for code in unit)
    return unit


def ticks(highest: float, most: int = 6) -> list[float]:
    """Round numbers from 0 up, the last at or above `highest`, at most about `most` of them."""
    exponent = 10.0 ** np.floor(np.log10(highest / most))
    step = next(float(m * exponent) for m in (1, 2, 2.5, 5, 10) if m * exponent * most >= highest)
    return [n * step for n in range(int(np.ceil(highest / step - 1e-9)) + 1)]


def bars(groups: Sequence[Group]) -> Values:
    """A bar for the CER of each group, with its interval and, where it differs, the CER without repeated lines.

    Returns:
        "ticks": (place, fraction), "rows": name, scores and places; places are percent of the width.
    """

    def ends(score: Score) -> list[float]:
        return [rate for rate in (score.cer.value, *(score.cer.interval or ())) if np.isfinite(rate)]

    scores = [score for group in groups for score in (group.every_line, group.without_repeated)]
    scale = ticks(max((rate for score in scores for rate in ends(score)), default=0) or 0.01)
    rows = [
        {
            "name": group.name,
            "score": group.every_line,
            "kept": group.without_repeated,
            "places": [place(rate, scale[-1]) for rate in ends(group.every_line)],
            "kept_places": [place(rate, scale[-1]) for rate in ends(group.without_repeated)[:1]],
            "differs": group.every_line != group.without_repeated,
        }
        for group in groups
    ]
    return {"ticks": [(place(tick, scale[-1]), tick) for tick in scale], "rows": rows}


def place(value: float, highest: float, lowest: float = 0.0) -> float:
    """Where a value stands on an axis, in percent of its length."""
    return round(100 * (value - lowest) / (highest - lowest), 3)


def reliability(lines: Sequence[ReadLine]) -> Values | None:
    """Is the confidence right? Lines sorted by it, in bins of as many lines: its mean against the graphemes right.

    Returns:
        "bins": mean confidence, share of graphemes right, lines, places x and y in percent; "lowest": where both axes
        begin; "ticks"; "gap": mean of |confidence - share right| over the lines; "gap_before": the same of what the
        network alone says; "mean": of the confidence minus the share right; "words": as "gap", of words and how many
        are right as a whole, nan where none are told. None without transcripts.
    """
    found = bins_of(told_confidences(lines))
    if not found:
        return None
    bins = [{"confidence": b.confidence, "right": b.right, "lines": b.lines} for b in found]
    lowest = min(0.9, np.floor(10 * min(min(b["confidence"], b["right"]) for b in bins)) / 10)
    for one in bins:
        one |= {"x": place(one["confidence"], 1, lowest), "y": 100 - place(one["right"], 1, lowest)}
    off = np.array([one["confidence"] - one["right"] for one in bins])
    weights = np.array([one["lines"] for one in bins])
    scale = [lowest + (1 - lowest) * n / 5 for n in range(6)]
    return {
        "bins": bins,
        "lowest": lowest,
        "ticks": [(20 * n, tick) for n, tick in enumerate(scale)],
        "gap": calibration_error(found),
        "gap_before": calibration_error(bins_of(told_confidences(lines, calibrated=False))),
        "mean": float(np.average(off, weights=weights)),
        "words": calibration_error(bins_of(told_words(lines))),
    }


def lengths(lines: Sequence[ReadLine]) -> Values:
    """How long lines are, in graphemes: a histogram of the ground truth and one of the transcripts over it.

    Returns:
        "bars": first and last length, lines by ground truth and by transcript, and both heights in percent;
        "highest": lines of the highest bar; "labels": (place, length) across.
    """
    true = [len(graphemes(line.reference)) for line in lines]
    read = [len(graphemes(line.transcript.text)) for line in lines if isinstance(line.transcript, Transcript)]
    width = max(1, int(np.ceil((max(true + read) + 1) / LENGTH_BARS)))
    width = next(w for n in range(9) for w in (10**n, 2 * 10**n, 5 * 10**n) if w >= width)
    edges = np.arange(0, max(true + read) + width + 1, width)
    counts = [np.histogram(some, edges)[0].tolist() for some in (true, read)]
    highest = max(max(some) for some in counts)
    shown = [
        {"first": int(first), "last": int(first) + width - 1, "true": t, "read": r}
        | {"true_height": place(t, highest), "read_height": place(r, highest)}
        for first, t, r in zip(edges, *counts, strict=False)
    ]
    labels = [(place(n, len(shown)), one["first"]) for n, one in enumerate(shown)][:: max(1, len(shown) // 6)]
    return {"bars": shown, "highest": highest, "labels": labels}


def worst_line(line: ReadLine) -> Values:
    """One of the worst lines: its picture, and both texts in pieces that are alike or differ.

    Returns:
        "line"; "picture": a data URI, or None and "reason"; "reference" and "transcript": (kind, text) pieces, of kind
        "same", "other" (read as another), "missing" (not read) or "added" (nothing there).
    """
    assert isinstance(line.transcript, Transcript)
    pairs = aligned(graphemes(line.reference), graphemes(line.transcript.text))
    pieces: Values = {"line": line, "reference": [], "transcript": [], "picture": None, "reason": ""}
    for kind, some in groupby(pairs, key=_kind):
        show = "".join if kind == "same" else lambda side: "".join(visible(unit) for unit in side if unit)
        reference, transcript = (show(side) for side in zip(*some, strict=True))
        pieces["reference"].append((kind, reference))
        pieces["transcript"].append((kind, transcript))
    try:
        pieces["picture"] = picture(line.sample.image())
    except ImageError as error:
        pieces["reason"] = str(error)
    return pieces


def _kind(pair: tuple[str, str]) -> str:
    reference, transcript = pair
    if reference == transcript:
        return "same"
    return "other" if reference and transcript else "missing" if reference else "added"


def picture(image: NDArray[np.uint8]) -> str:
    """A line image, uint8 (H, W) gray, as a data URI (WebP), made smaller where it is large."""
    height, width = image.shape
    scale = min(1.0, PICTURE[0] / height, PICTURE[1] / width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, PICTURE_QUALITY])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()
