"""The systems that `uncial compare` sets side by side: each adds or lacks one part; plain settings, no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from uncial.architecture import CRNNConfig


@dataclass(frozen=True, slots=True)
class System:
    """One of the networks that are compared.

    Attributes:
        title: what it is, in a few words.
        told: what it can and cannot see, in two plain sentences.
        network: settings of `CRNNConfig` that make it what it is; all others are those of the rest.
    """

    title: str
    told: str
    network: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network, and the two systems that differ by it (names in SYSTEMS): without and with."""

    name: str
    without: str
    with_: str


SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        "dense": System(
            "dense layers, all pixels at once",
            "Every pixel of the whole image is joined to every hidden unit, and these to every time step. It does not "
            "know that pixels are neighbours, and what it learns of a letter in one place helps it nowhere else.",
            {"backbone": "dense", "recurrent": "none"},
        ),
        "cnn": System(
            "convolutions alone",
            "The same small filters slide over the whole line, so a stroke learned once is known everywhere. Each time "
            "step sees only its surroundings, and no letter can lean on the word it stands in.",
            {"recurrent": "none"},
        ),
        "rnn": System(
            "LSTM alone, on columns of pixels",
            "Two layers read the line pixel column by pixel column, both ways, and remember what they have seen. "
            "Each row of pixels is a number of its own to them, so the same letter a little higher is another one.",
            {"backbone": "none", "column": "stack", "steps_per_slice": 1, "recurrent": "lstm"},
        ),
        "crnn-simple-forward": System(
            "convolutions and simple recurrent cells, one way",
            "Convolutions find the strokes, and plain recurrent cells carry on what stood to the left. What comes to "
            "the right is unknown, and what lies far back fades.",
            {"recurrent": "simple", "bidirectional": False},
        ),
        "crnn-simple": System(
            "convolutions and simple recurrent cells, both ways",
            "A second set of cells reads from right to left, so each letter is seen between its neighbours on either "
            "side. What lies far away still fades, since each step writes over the whole memory.",
            {"recurrent": "simple"},
        ),
        "crnn-lstm": System(
            "convolutions and LSTM cells, both ways",
            "LSTM cells have gates that choose what to keep, what to add and what to tell. So they hold on to what "
            "matters over many steps, and they can be trained to.",
            {"recurrent": "lstm"},
        ),
        "crnn-lstm-sweep": System(
            "convolutions, a sweep down and up, LSTM cells both ways",
            "Before a column of features becomes one vector, a small recurrent layer reads it downwards and upwards. "
            "So it can tell what stands above what, where otherwise only the largest value of the column is kept.",
            {"recurrent": "lstm", "column": "sweep"},
        ),
    }
)

PARTS = (
    Part("convolutions in place of dense layers", "dense", "cnn"),
    Part("convolutions before the recurrent layers", "rnn", "crnn-lstm"),
    Part("context from the left", "cnn", "crnn-simple-forward"),
    Part("context from the right as well", "crnn-simple-forward", "crnn-simple"),
    Part("cells with gates (LSTM)", "crnn-simple", "crnn-lstm"),
    Part("the sweep down and up each column", "crnn-lstm", "crnn-lstm-sweep"),
)


def network_of(name: str, base: CRNNConfig) -> CRNNConfig:
    """The network of a system.

    Args:
        name: in SYSTEMS.
        base: the settings that all systems share; what a system is made of is laid over them.
    """
    return replace(base, **SYSTEMS[name].network)
