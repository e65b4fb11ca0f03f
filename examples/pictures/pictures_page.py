"""The page of this example: one HTML file without scripts that asks for nothing from outside.

Positive weights are filled squares and negative ones hollow, marks differ in shape, and maps are gray, so that nothing
depends on telling colours apart.
"""

import base64
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import torch
from letter_pictures import LetterPicture
from markupsafe import Markup
from numpy.typing import NDArray
from two_networks import SHIFTS, Convolutional, Dense, shifted

from uncial.nn.tracing import Trace, trace

PLACES = ((-8, -8), (0, 0), (8, 8))  # pixels down and right; multiples of 4, by which the last map moves whole values
SHOWN = 48  # held-out pictures
MAPS = 8  # of the last layer, those that differ most between the first two kinds
MARKS = ("M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M-4,-4h8v8h-8z", "M0,-5L5,4H-5z")  # circle, square, triangle
DASHES = ("none", "6 4", "2 4")


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What was learned, and from what.

    Attributes:
        kinds: the letters.
        known: what the networks learned from.
        held_out: what they were tried on.
        convolutional: in eval mode.
        dense: in eval mode.
        accuracies: by the name of a network, in [0, 1] for each of SHIFTS; the convolutional one first.
        context: share of the held-out letters that the shipped model reads rightly in their lines.
    """

    kinds: list[str]
    known: tuple[LetterPicture, ...]
    held_out: tuple[LetterPicture, ...]
    convolutional: Convolutional
    dense: Dense
    accuracies: dict[str, list[float]]
    context: float


@torch.no_grad()
def render(results: Results) -> str:
    """The HTML."""
    told = [results.kinds[n] for n in results.convolutional(_tensor(results.held_out)).argmax(1).tolist()]
    examples = [_first_right(results, told, kind) for kind in results.kinds[:2]]
    seen = [trace(results.convolutional.crnn, _tensor([example])) for example in examples]
    first = [_answers(trace_.layers[0].maps) for trace_ in seen]
    last = [_last_maps(results.convolutional, _tensor([example])) for example in examples]
    chosen = _most_different(*last)
    shown = max(chosen, key=lambda n: last[0][n].max() - last[1][n].max())  # one that looks for the first letter
    most = [maps[chosen] for maps in last]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    step = -(-len(told) // SHOWN)
    return environment.get_template("page.html").render(
        style=(files("uncial") / "templates" / "explain" / "page.css").read_text(encoding="utf-8"),
        results=results,
        shifts=SHIFTS,
        chart=_chart(results),
        sheet=[(_png(1 - p.pixels), p.kind, t) for p, t in list(zip(results.held_out, told, strict=True))[::step]],
        filters=[_squares(kernel[0]) for kernel in seen[0].layers[0].weights],
        rows=[
            (example.kind, _png(1 - example.pixels), _tiles(own, first), _tiles(deep, most))
            for example, own, deep in zip(examples, first, most, strict=True)
        ],
        last=[n + 1 for n in chosen],
        field=_field(seen[0]),
        moves=_moves(results, examples[0], shown),
        shown=shown + 1,
        moved=examples[0].kind,
    )


def _first_right(results: Results, told: list[str], kind: str) -> LetterPicture:
    """The first held-out picture of a kind that was told rightly; else the first of it."""
    of = [(p, t == kind) for p, t in zip(results.held_out, told, strict=True) if p.kind == kind]
    return next((picture for picture, right in of if right), of[0][0])


def _moves(results: Results, example: LetterPicture, filter_: int) -> list[dict[str, Any]]:
    """What both networks make of one letter at several places."""
    picture, kind = _tensor([example]), results.kinds.index(example.kind)
    both = (results.convolutional, results.dense)
    pictures = [shifted(picture, *place) for place in PLACES]
    features = [[network.features(moved)[0].numpy() for network in both] for moved in pictures]
    kept, units = (np.stack(of_one) for of_one in zip(*features, strict=True))
    moves = []
    for n, moved in enumerate(pictures):
        maps = _last_maps(results.convolutional, moved)[[filter_]]
        moves.append(
            {
                "picture": _png(1 - moved[0, 0].numpy()),
                "maps": _tiles(maps, [maps]),
                "kept": _squares(kept[n].reshape(2, -1), kept.max()),
                "units": _squares(units[n].reshape(1, -1), units.max()),
                "sure": [float(network(moved).softmax(1)[0, kind]) for network in both],
            }
        )
    return moves


def _answers(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """What passes the ReLU."""
    return np.maximum(maps, 0)


def _last_maps(network: Convolutional, picture: torch.Tensor) -> NDArray[np.float32]:
    """(24, H', W') the maps of which only the strongest answers are kept: those behind the residual block."""
    return network.crnn.backbone(picture, torch.tensor([picture.shape[3]]))[0][0].numpy()  # type: ignore[no-any-return]


def _field(seen: Trace) -> int:
    """Pixels across that a value of the last map sees: as many as the widest convolution before it."""
    return max(layer.field.size[1] for layer in seen.layers)


def _most_different(one: NDArray[np.float32], other: NDArray[np.float32]) -> list[int]:
    """The filters whose strongest answers on two pictures lie farthest apart."""
    apart = np.abs(one.max(axis=(1, 2)) - other.max(axis=(1, 2)))
    return np.argsort(-apart, kind="stable")[:MAPS].tolist()  # type: ignore[no-any-return]


def _tiles(maps: NDArray[np.float32], beside: list[NDArray[np.float32]]) -> list[dict[str, Any]]:
    """Each map as a picture, and the place of its strongest answer in percent of the map.

    Args:
        maps: (n, H, W) answers, at least 0.
        beside: the same filters' maps that are shown for comparison; black is the strongest answer in any of them.
    """
    most = np.max([some.max(axis=(1, 2)) for some in beside], axis=0)
    tiles = []
    for answers, black in zip(maps, most, strict=True):
        row, column = np.unravel_index(int(answers.argmax()), answers.shape)
        height, width = answers.shape
        strongest = float(answers.max())
        place = (100 * (column + 0.5) / width, 100 * (row + 0.5) / height) if strongest > 0 else None
        tiles.append({"picture": _png(1 - answers / (black or 1)), "strongest": strongest, "place": place})
    return tiles


def _tensor(pictures: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures]))[:, None]


def _png(levels: NDArray[np.floating]) -> str:
    """(H, W) levels, 0 black to 1 white, as the address of an image inside the page."""
    data = cv2.imencode(".png", np.rint(255 * levels).astype(np.uint8))[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _squares(weights: NDArray[np.floating], largest: float | None = None) -> Markup:
    """(R, C) numbers as squares, the larger the farther from 0; filled above 0 and hollow below."""
    most = float(largest or np.abs(weights).max()) or 1.0
    parts = []
    for row, column in np.ndindex(*weights.shape):
        value = float(weights[row, column])
        side = 9 * abs(value / most) ** 0.5
        at, look = (side, "fill") if value >= 0 else (max(0.0, side - 1.4), "hollow")
        x, y = 10 * column + 5 - at / 2, 10 * row + 5 - at / 2
        if side > 0.8:
            parts.append(f'<rect class="{look}" x="{x:.1f}" y="{y:.1f}" width="{at:.1f}" height="{at:.1f}"/>')
    rows, columns = weights.shape
    return Markup(f'<svg class="squares" viewBox="0 0 {10 * columns} {10 * rows}">{"".join(parts)}</svg>')


def _chart(results: Results) -> Markup:
    """Accuracy by shift, a line for each network; told apart by mark, dash and name."""
    chance = 1 / len(results.kinds)
    low = min(chance, *(share for line in results.accuracies.values() for share in line)) - 0.05

    def at(far: float, share: float) -> tuple[float, float]:
        return 44 + far * 46, 20 + (1 - share) / (1 - low) * 220

    parts = []
    for tenth in range(int(np.ceil(low * 10)), 11):
        y = at(0, tenth / 10)[1]
        parts.append(f'<line class="grid" x1="44" x2="420" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts.append(f'<text x="36" y="{y + 4:.0f}" text-anchor="end">{tenth * 10}&#8201;%</text>')
    parts += [f'<text x="{at(far, 0)[0]:.0f}" y="262" text-anchor="middle">{far}</text>' for far in SHIFTS]
    for (name, shares), mark, dash in zip(results.accuracies.items(), MARKS, DASHES, strict=True):
        points = [at(far, share) for far, share in zip(SHIFTS, shares, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        look = "first" if name == next(iter(results.accuracies)) else "other"
        parts.append(f'<polyline class="{look}" stroke-dasharray="{dash}" points="{line}"/>')
        parts += [f'<path class="{look} mark" d="{mark}" transform="translate({x:.1f},{y:.1f})"/>' for x, y in points]
    look = 'class="chart" viewBox="0 0 430 272" role="img" aria-label="Accuracy by shift"'
    return Markup(f"<svg {look}>{''.join(parts)}</svg>")
