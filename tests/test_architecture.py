"""What a network is made of, and the time steps it gives, without torch."""

from typing import Any

import pytest
import torch

from uncial.architecture import CRNNConfig
from uncial.nn.crnn import CRNN

SMALL = {"channels": (3, 4), "blocks": (1,), "strides_down": (4, 4), "recurrent": "none", "shortcut": False}


@pytest.mark.parametrize(
    "config",
    [
        CRNNConfig(strides_across=(2, 2), **SMALL),
        CRNNConfig(strides_across=(3, 2), **SMALL),
        CRNNConfig(strides_across=(1, 5), kernel=1, **SMALL),
        CRNNConfig(backbone="none", strides_across=(2, 2), **SMALL),
        CRNNConfig(backbone="dense", strides_across=(3, 2), dense_width=7, **SMALL),
        CRNNConfig(backbone="shi2015", strides_across=(2, 2), **{**SMALL, "height": 32}),
    ],
    ids=lambda c: f"{c.backbone}-{c.step_width}",
)
def test_the_time_steps_told_are_those_the_network_gives(config: CRNNConfig) -> None:
    network = CRNN(config, 3).eval()
    for width in (1, 2, 7, 12, 13):
        with torch.no_grad():
            logits, lengths = network(torch.zeros(1, 1, config.height, width), torch.tensor([width]))
        assert lengths.tolist() == [config.time_steps(width)]
        assert logits.shape == (1, config.time_steps(width), 3)


def test_one_time_step_more_begins_where_the_strides_say() -> None:
    config = CRNNConfig(strides_across=(2, 2, 2, 1))
    assert (config.slice_width, config.step_width, config.step_height) == (8, 4.0, 32)
    assert [config.time_steps(width) for width in (1, 8, 9, 16, 17)] == [2, 2, 4, 4, 6]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"channels": (8, 8)}, "one number for the stem and one for each stage"),
        ({"kernel": 4}, "odd"),
        ({"recurrent_layers": 0}, "at least 1"),
        ({"strides_across": (2, 2, 0, 1)}, "at least 1"),
        ({"added_layers": -1}, "added_layers at least 0"),
        ({"dropout": 1.0}, r"dropout lies in \[0, 1\)"),
        ({"hidden_slices": -0.1}, r"hidden_slices lies in \[0, 1\)"),
        ({"height": 60}, "not a multiple"),
        ({"backbone": "shi2015", "height": 16}, "at least 32"),
        ({"dense_width": 0}, "dense_width and dense_hidden are at least 1"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        CRNNConfig(**wrong)
