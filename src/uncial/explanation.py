"""Why a line was read as it was: frozen values, and their JSON.

The numbers are those of one forward pass of the network over one line image, and of a few more in which something was
hidden from it. Making them is the job of `explain`, drawing them that of `explain_page`. Lengths are pixels of the line
image as the network gets it (scaled, with margins), origin top left, x to the right, y down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.architecture import CRNNConfig
from uncial.document import GraphemeSpan, Transcript

Floats = NDArray[np.float32]
Guess = tuple[str, float]  # a grapheme, "" for the blank, and its posterior in [0, 1]

DIGITS = 4  # significant digits of a number in the JSON


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which pixels of the picture a value of a feature map can see; each pair is (down, across).

    The value in row i and column j sees rows start + i * step to start + i * step + size - 1, and so across. What lies
    outside of the picture is padding.

    Attributes:
        size: in pixels.
        step: pixels from the field of a value to that of its neighbour.
        start: first pixel that the value in row 0 and column 0 sees; negative in the padding.
    """

    size: tuple[int, int]
    step: tuple[int, int]
    start: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class ConvolutionLayer:
    """One convolutional layer, and those of its filters that answer most strongly on this line.

    What a filter answers at a place is the sum of products of its weights and the numbers below it, times `scale` plus
    `shift` (batch normalisation and bias); where `activated`, negative answers are cut to 0.

    Attributes:
        name: of the module in the network.
        inputs: maps it looks at; 1 for the layer that looks at the picture.
        outputs: filters it has.
        kernel: rows and columns of a filter.
        stride: how far a filter moves at each step (down, across), in values of its input.
        padding: rows and columns of zeros around its input (down, across).
        activated: a ReLU follows directly.
        field: the receptive field of its values.
        filters: (n,) indices of the filters shown, in [0, outputs).
        listens_to: (n, k) for each of them the input maps with the greatest weights, greatest first.
        weights: (n, k, rows, columns) its weights on these maps.
        scale: (n,).
        shift: (n,).
        maps: (n, H, W) what each filter answers on this line.
    """

    name: str
    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    activated: bool
    field: ReceptiveField
    filters: NDArray[np.int64]
    listens_to: NDArray[np.int64]
    weights: Floats
    scale: Floats
    shift: Floats
    maps: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """The feature map cut into slices, each of which became one vector.

    Attributes:
        features: (S, F) the vectors.
        rows: (S, F) from which row of the feature map, 0 the topmost, each number was kept; None: every row was kept,
            one beside the other.
        height: rows of the feature map.
        field: the receptive field of the feature map's values, before any sweep along its columns.
    """

    features: Floats
    rows: NDArray[np.int64] | None
    height: int
    field: ReceptiveField


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """One direction of one recurrent layer, as it ran over the slices.

    Attributes:
        layer: from 0.
        backward: it ran from right to left.
        states: (S, size) what the cell gives on after each slice, in the order of the slices: the hidden state; of an
            SRU a mix of state and input.
        kept: (S,) how much of what it remembered before each slice the cell kept, mean over its units, in [0, 1]: its
            forget gates (LSTM, SRU) or update gates (GRU); None: a cell without gates, which makes all anew.
    """

    layer: int
    backward: bool
    states: Floats
    kept: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How much the reading of each slice depends on every other.

    Attributes:
        change: (G, S) how far the posteriors at a slice move when a group of slices is replaced by blank paper: half
            the sum of absolute differences, mean over the slice's time steps, in [0, 1].
        group: slices in a group; the last may have fewer.
    """

    change: Floats
    group: int


@dataclass(frozen=True, slots=True)
class Readings:
    """A letter read three times; each reading is its likeliest graphemes, likeliest first.

    Attributes:
        alone: by its own features, without recurrent layers: the shortcut head; or, where the network has none, the
            letter's slices alone between blank paper.
        left: with the slices up to its own last, and blank paper behind; where there is a shortcut head, with the next
            slice too, which that head sees as well.
        both: with the whole line.
    """

    alone: tuple[Guess, ...]
    left: tuple[Guess, ...]
    both: tuple[Guess, ...]

    @property
    def changes(self) -> bool:
        """Without context, or with the left one only, another letter is read, or none."""
        return len({self.alone[0][0], self.left[0][0], self.both[0][0]}) > 1

    @property
    def mistaken(self) -> bool:
        """Without context, or with the left one only, another letter is read."""
        return bool({self.alone[0][0], self.left[0][0]} - {"", self.both[0][0]})


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """Which pixels carried a letter.

    Attributes:
        left: first column of the window.
        weights: (H, W) of a window around the letter: how much each pixel of ink spoke for the letter; negative: it
            spoke against it. Unit: natural-log posterior.
        hidden: pixels that were painted over with paper, those of the greatest weights.
        posterior: of the letter without them.
        posterior_random: of the letter without as many pixels of ink drawn by lot from the same window.
    """

    left: int
    weights: Floats
    hidden: int
    posterior: float
    posterior_random: float


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One grapheme that was read, and why.

    Attributes:
        span: grapheme, time steps, posterior and runners-up.
        peak: the time step at which it is surest.
        left: where the time steps that are its own begin in the line image: those nearer to its peak than to that of a
            neighbour, one slice beyond its span at most.
        right: where they end.
        readings: with and without context.
        saliency: of its pixels.
    """

    span: GraphemeSpan
    peak: int
    left: float
    right: float
    readings: Readings
    saliency: Saliency


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a line was read as it was.

    Attributes:
        image: uint8 (H, W) the line image as the network gets it, before its contrast is stretched.
        ink: (256,) for each gray level the ink that the network sees, 0 paper to 1 dark.
        network: its parts.
        graphemes: of the alphabet; class 0 is the blank, the first grapheme class 1.
        transcript: what was read.
        best_path: the text of the likeliest class at each time step.
        beam: the text that a beam search finds without language model, which weighs all paths of a text together.
        posteriors: (T, C) in [0, 1].
        layers: the convolutional layers in the order they ran.
        slices: what entered the recurrent layers.
        memory: the directions of the recurrent layers, from the first layer up, forward before backward.
        reach: how far slices look.
        letters: for each grapheme of the transcript.
        about: what was explained, for people: {"Image": ..., ...}.
    """

    image: NDArray[np.uint8]
    ink: Floats
    network: CRNNConfig
    graphemes: tuple[str, ...]
    transcript: Transcript
    best_path: str
    beam: str
    posteriors: Floats
    layers: tuple[ConvolutionLayer, ...]
    slices: Slices
    memory: tuple[Direction, ...]
    reach: Reach
    letters: tuple[Letter, ...]
    about: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, numbers with four significant digits."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _rounded(value).tolist()
    if is_dataclass(value):
        plain = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return plain | _told(value) if isinstance(value, Readings) else plain
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _told(readings: Readings) -> dict[str, bool]:
    return {"changes": readings.changes, "mistaken": readings.mistaken}


def _rounded(values: NDArray[Any]) -> NDArray[Any]:
    """Floats with `DIGITS` significant digits of the greatest of them, as doubles; other numbers as they are."""
    if values.dtype.kind != "f":
        return values
    greatest = float(np.abs(values).max(initial=0.0))
    digits = DIGITS - 1 - int(np.floor(np.log10(greatest))) if greatest > 0 else 0
    return values.astype(np.float64).round(digits)
