"""The systems that are compared differ by what their parts say, and weights grow as the layers do."""

from dataclasses import fields

import pytest

from uncial.architecture import CRNNConfig
from uncial.nn.crnn import CRNN, parameters, weights_of
from uncial.systems import PARTS, SYSTEMS, network_of

BASE = CRNNConfig(channels=(4, 6), blocks=(1,), strides_down=(4, 4), strides_across=(4, 2), recurrent_size=5)
# What may differ between the two systems of a part: the setting that is the part, and what it cannot do without.
DIFFER = {
    ("dense", "cnn"): {"backbone"},
    ("rnn", "crnn-lstm"): {"backbone", "column", "steps_per_slice"},
    ("cnn", "crnn-simple-forward"): {"recurrent", "bidirectional"},
    ("crnn-simple-forward", "crnn-simple"): {"bidirectional"},
    ("crnn-simple", "crnn-lstm"): {"recurrent"},
    ("crnn-lstm", "crnn-lstm-sweep"): {"column"},
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.with_)
def test_the_two_systems_of_a_part_differ_in_nothing_else(part) -> None:
    without, with_ = network_of(part.without, BASE), network_of(part.with_, BASE)
    other = {f.name for f in fields(CRNNConfig) if getattr(without, f.name) != getattr(with_, f.name)}
    assert other == DIFFER[part.without, part.with_]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_weights_told_are_those_of_the_network(name) -> None:
    config = network_of(
        name,
        CRNNConfig(
            dense_width=64,
            dense_hidden=7,
            channels=(4, 6),
            blocks=(1,),
            strides_down=(4, 4),
            strides_across=(4, 2),
            recurrent_size=5,
        ),
    )
    assert weights_of(config, 9) == parameters(CRNN(config, 9))
    assert config.shortcut


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_is_told_in_two_sentences(name) -> None:
    assert SYSTEMS[name].told.count(". ") == 1
    assert SYSTEMS[name].told.endswith(".")
