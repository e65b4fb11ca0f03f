"""A page that shows why a line was read as it was: one HTML file that needs nothing else.

The numbers of an `Explanation` travel inside the page, rounded to eight bits where they are only looked at, and packed;
small scripts, written for this page, draw them. A content security policy lets these scripts run and nothing else, and
forbids every request, so that the page opens from disk and a transcript can do no harm even if it looks like markup.
"""

import base64
import hashlib
import json
import zlib
from importlib.resources import files
from itertools import pairwise
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from uncial import __version__
from uncial.explanation import ConvolutionLayer, Explanation, Letter, ReceptiveField
from uncial.text import graphemes

SCRIPTS = ("base.js", "features.js", "slices.js", "memory.js", "letters.js", "text.js")
SHOWN_CLASSES = 24  # rows of the posteriors' heat map
LEAST_POSTERIOR = 0.05  # of a class at some time step, else it has no row

Values = dict[str, Any]


class _Numbers:
    """Arrays laid one behind the other, and where each of them lies."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, values: NDArray[Any]) -> Values:
        """Note an array: whole numbers up to 255 and bools exactly, floats in steps of a 255th of their range."""
        if values.dtype.kind == "f":
            greatest = float(np.abs(values).max(initial=0.0)) or 1.0
            signed = bool((values < 0).any())
            scale = greatest / (127 if signed else 255)
            stored = np.rint(values / scale).astype(np.int8 if signed else np.uint8)
        else:
            scale, signed, stored = 1.0, False, values.astype(np.uint8)
        place = {"at": len(self.data), "shape": list(values.shape), "scale": scale, "signed": signed}
        self.data += stored.tobytes()
        return place

    def packed(self) -> str:
        """All of them as base64 of a zlib stream."""
        return base64.b64encode(zlib.compress(bytes(self.data), 9)).decode()


def render(explanation: Explanation) -> str:
    """The HTML of the page."""
    numbers = _Numbers()
    facts = json.dumps(_facts(explanation, numbers), ensure_ascii=False, separators=(",", ":"))
    folder = files("uncial") / "templates" / "explain"
    script = "(async () => {\n" + "\n".join((folder / n).read_text(encoding="utf-8") for n in SCRIPTS) + "\n})();\n"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("uncial", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("explain/page.html").render(
        version=__version__,
        explanation=explanation,
        network=explanation.network,
        **_counts(explanation),
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        facts=facts.replace("<", "\\u003c"),
        numbers=numbers.packed(),
    )


def _counts(explanation: Explanation) -> dict[str, int]:
    """How many letters context changes: read as another one without it, or not seen."""
    readings = [letter.readings for letter in explanation.letters]
    mistaken = sum(one.mistaken for one in readings)
    return {"mistaken": mistaken, "unseen": sum(one.changes for one in readings) - mistaken}


def _facts(explanation: Explanation, numbers: _Numbers) -> Values:
    """What the scripts need: words and small numbers as they are, arrays as places in `numbers`."""
    network, slices = explanation.network, explanation.slices
    classes = shown_classes(explanation.posteriors)
    names = ("", *explanation.graphemes)
    return {
        "text": explanation.transcript.text,
        "decoded": _decoded(explanation),
        "picture": numbers.add(explanation.image),
        "ink": [round(float(level), 4) for level in explanation.ink],
        "sliceWidth": network.slice_width,
        "stepsPerSlice": network.steps_per_slice,
        "column": network.column,
        "recurrent": network.recurrent,
        "layers": [_layer(layer, numbers) for layer in explanation.layers],
        "slices": {
            "features": numbers.add(slices.features),
            "rows": None if slices.rows is None or slices.height > 255 else numbers.add(slices.rows),
            "height": slices.height,
            "field": _field(slices.field),
        },
        "memory": [
            {
                "layer": direction.layer,
                "backward": direction.backward,
                "states": numbers.add(direction.states),
                "kept": None if direction.kept is None else [round(float(share), 3) for share in direction.kept],
            }
            for direction in explanation.memory
        ],
        "reach": {"change": numbers.add(explanation.reach.change), "group": explanation.reach.group},
        "classes": [names[c] for c in classes],
        "posteriors": numbers.add(explanation.posteriors[:, classes]),
        "path": [names[c] for c in explanation.posteriors.argmax(axis=1)],
        "letters": [_letter(letter, numbers) for letter in explanation.letters],
    }


def _decoded(explanation: Explanation) -> list[list[tuple[str, bool]]]:
    """Best path, beam and transcript as parts of text, each told whether it differs from the reading before."""
    readings = [graphemes(t) for t in (explanation.best_path, explanation.beam, explanation.transcript.text)]
    rows = [[("".join(readings[0]), False)]]
    for before, after in pairwise(readings):
        edits = Levenshtein.opcodes(before, after)
        rows.append([("".join(after[e.dest_start : e.dest_end]), e.tag != "equal") for e in edits])
    return rows


def shown_classes(posteriors: NDArray[np.float32]) -> list[int]:
    """The classes that are likely somewhere in (T, C) posteriors, the blank first; at most `SHOWN_CLASSES`."""
    greatest = posteriors.max(axis=0)
    likely = [c for c in np.argsort(-greatest, kind="stable").tolist() if c and greatest[c] >= LEAST_POSTERIOR]
    return [0, *sorted(likely[: SHOWN_CLASSES - 1])]


def _layer(layer: ConvolutionLayer, numbers: _Numbers) -> Values:
    digits = 6 if layer.inputs == 1 else 4  # the magnifier adds up what the first layer does

    def rounded(values: NDArray[np.float32]) -> list[Any]:
        return np.round(values.astype(np.float64), digits).tolist()  # type: ignore[no-any-return]

    return {
        "name": layer.name,
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "activated": layer.activated,
        "field": _field(layer.field),
        "filters": layer.filters.tolist(),
        "listensTo": layer.listens_to.tolist(),
        "weights": rounded(layer.weights),
        "scale": rounded(layer.scale),
        "shift": rounded(layer.shift),
        "maps": numbers.add(layer.maps),
    }


def _field(field: ReceptiveField) -> Values:
    return {"size": field.size, "step": field.step, "start": field.start}


def _letter(letter: Letter, numbers: _Numbers) -> Values:
    def guesses(some: tuple[tuple[str, float], ...]) -> list[tuple[str, float]]:
        return [(grapheme, round(posterior, 4)) for grapheme, posterior in some]

    saliency, readings = letter.saliency, letter.readings
    strongest = np.argsort(-saliency.weights, axis=None, kind="stable")[: saliency.hidden]
    mask = np.zeros(saliency.weights.shape, np.uint8)
    mask.flat[strongest] = 1
    return {
        "grapheme": letter.span.grapheme,
        "start": letter.span.start,
        "end": letter.span.end,
        "peak": letter.peak,
        "left": letter.left,
        "right": letter.right,
        "posterior": round(letter.span.posterior, 4),
        "others": guesses(letter.span.alternatives),
        "readings": [guesses(readings.alone), guesses(readings.left), guesses(readings.both)],
        "changes": readings.changes,
        "mistaken": readings.mistaken,
        "saliency": {
            "left": saliency.left,
            "weights": numbers.add(saliency.weights),
            "mask": numbers.add(mask),
            "hidden": saliency.hidden,
            "posterior": round(saliency.posterior, 4),
            "random": round(saliency.posterior_random, 4),
        },
    }
