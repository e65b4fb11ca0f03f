"""Weights of a bundle in a network with another alphabet."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from drawn_samples import SMALL

from uncial.alphabet import BLANK, Alphabet
from uncial.decoders import best_path
from uncial.nn.crnn import CRNN
from uncial.nn.takeover import HEADS, take_over

BEFORE = Alphabet(("a", "b", "c", "é"))
AFTER = Alphabet(("é", "b", "x", "a", "€"))  # without c, with x and €, in another order
COMES_FROM = {BLANK: BLANK, 1: 4, 2: 2, 4: 1}  # class after: class before


def network(alphabet: Alphabet, seed: int) -> CRNN:
    torch.manual_seed(seed)
    return CRNN(SMALL, alphabet.size).eval()


@pytest.fixture
def old() -> CRNN:
    return network(BEFORE, 1)


def weights_of(old: CRNN) -> dict[str, np.ndarray]:
    return {name: value.numpy().astype(np.float16) for name, value in old.state_dict().items()}


def test_graphemes_of_both_alphabets_keep_their_rows_and_all_else_is_taken_over(old: CRNN) -> None:
    new = network(AFTER, 2)
    take_over(weights_of(old), BEFORE, new, AFTER)
    before = {name: torch.tensor(value.astype(np.float32)) for name, value in weights_of(old).items()}
    for name, value in new.state_dict().items():
        if name in HEADS:
            for after, origin in COMES_FROM.items():
                assert torch.equal(value[after], before[name][origin]), name
        else:
            assert torch.equal(value.float(), before[name]), name


def test_what_both_can_spell_is_read_as_before_and_new_graphemes_are_not_written_everywhere(old: CRNN) -> None:
    new = network(AFTER, 2)
    old.load_state_dict({name: torch.tensor(value.astype(np.float32)) for name, value in weights_of(old).items()})
    take_over(weights_of(old), BEFORE, new, AFTER)
    images, widths = torch.rand(2, 1, 16, 40), torch.tensor([40, 40])
    with torch.no_grad():
        logits, theirs = new(images, widths)[0], old(images, widths)[0]
    for after, before in COMES_FROM.items():
        torch.testing.assert_close(logits[..., after], theirs[..., before])
    lowest = weights_of(old)["head.bias"].min()
    assert new.head.bias[3].item() == new.head.bias[5].item() == pytest.approx(lowest)
    assert new.head.weight[[3, 5]].abs().max() < 0.1 / np.sqrt(new.head.in_features) + 1e-6


def test_it_says_what_is_kept_and_what_is_new(old: CRNN) -> None:
    said = take_over(weights_of(old), BEFORE, network(AFTER, 2), AFTER)
    assert said == "3 graphemes keep their weights, 2 new: x €"
    said = take_over(weights_of(old), BEFORE, network(BEFORE, 2), BEFORE)
    assert said == "4 graphemes keep their weights, none is new"


def test_the_same_seed_gives_new_graphemes_the_same_weights(old: CRNN) -> None:
    one, other = network(AFTER, 2), network(AFTER, 2)
    for new in (one, other):
        take_over(weights_of(old), BEFORE, new, AFTER)
    assert torch.equal(one.head.weight, other.head.weight)
    assert (one.head.weight[3] != one.head.weight[5]).any()


def test_a_network_with_more_time_steps_for_each_slice_reads_as_before() -> None:
    torch.manual_seed(3)
    coarse, fine = (CRNN(replace(SMALL, steps_per_slice=steps), 4).eval() for steps in (1, 2))
    weights = {name: value.numpy() for name, value in coarse.state_dict().items()}
    alphabet = Alphabet(tuple("abc"))
    take_over(weights, alphabet, fine, alphabet)
    images, widths = torch.rand(2, 1, 16, 96), torch.tensor([96, 96])
    with torch.no_grad():
        (before, steps), (after, finer) = coarse(images, widths), fine(images, widths)
    assert finer.tolist() == (2 * steps).tolist()
    torch.testing.assert_close(after, before.repeat_interleave(2, dim=1))
    spelled = [[span.class_ for span in best_path(line.numpy())] for line in before]
    assert [[span.class_ for span in best_path(line.numpy())] for line in after] == spelled


def test_an_added_layer_begins_by_changing_nothing_and_learns(old: CRNN) -> None:
    new = CRNN(replace(SMALL, added_layers=1), BEFORE.size).eval()
    whole = {name: value.numpy() for name, value in old.state_dict().items()}
    assert "recurrent.layers.1" in take_over(whole, BEFORE, new, BEFORE)
    images, widths = torch.rand(2, 1, 16, 96), torch.tensor([96, 96])
    with torch.no_grad():
        torch.testing.assert_close(new(images, widths)[0], old.eval()(images, widths)[0])
    new(images, widths)[0].sum().backward()
    assert new.recurrent.shares[0].grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_larger_network_begins_by_reading_as_before_and_all_of_it_learns(kind: str, bidirectional: bool) -> None:
    small = replace(SMALL, recurrent=kind, recurrent_layers=2, bidirectional=bidirectional)
    torch.manual_seed(6)
    old = CRNN(small, BEFORE.size).eval()
    for part in old.modules():  # as of a network that has learned
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_()
            part.weight.data.uniform_(0.5, 1.5)
    blocks = (small.blocks[0] + 1, *small.blocks[1:])
    new = CRNN(replace(small, recurrent_size=small.recurrent_size + 3, blocks=blocks), BEFORE.size).eval()
    whole = {name: value.numpy() for name, value in old.state_dict().items()}
    said = take_over(whole, BEFORE, new, BEFORE)
    block = f"backbone.stages.0.{small.blocks[0]}"
    layers = [name for name, _ in old.recurrent.named_modules() if name.endswith(("onward", "back"))]
    wider = ", ".join([f"recurrent.{name}" for name in layers] + ["head"])
    assert said == (
        f"4 graphemes keep their weights, none is new; wider: {wider}; blocks that begin without effect: {block}"
    )
    images, widths = torch.rand(2, 1, 16, 96), torch.tensor([96, 80])
    with torch.no_grad():
        torch.testing.assert_close(new(images, widths)[0], old(images, widths)[0])
    optimizer = torch.optim.SGD(new.parameters(), lr=0.01)
    for _ in range(3):  # what comes before weights of 0 learns once these have
        optimizer.zero_grad()
        new(images, widths)[0].square().sum().backward()
        optimizer.step()
    assert all(
        value.grad.abs().sum() > 0
        for name, value in new.named_parameters()
        if "shortcut.weight" not in name and "shortcut.bias" not in name
    )


@pytest.mark.parametrize("parts", [{"channels": (4, 7)}, {"backbone": "none"}, {"backbone": "none", "column": "stack"}])
def test_any_number_of_features_is_taken_over(parts: dict[str, Any]) -> None:
    torch.manual_seed(7)
    config = replace(SMALL, **parts)
    old, new = CRNN(config, BEFORE.size), CRNN(config, BEFORE.size)
    whole = {name: value.numpy() for name, value in old.state_dict().items()}
    assert take_over(whole, BEFORE, new, BEFORE) == "4 graphemes keep their weights, none is new"
    for name, value in new.state_dict().items():
        assert torch.equal(value, old.state_dict()[name]), name


def test_layers_upon_other_features_begin_with_chance(old: CRNN) -> None:
    new = CRNN(replace(SMALL, column="stack", recurrent_size=SMALL.recurrent_size + 2), BEFORE.size)
    said = take_over({name: value.numpy() for name, value in old.state_dict().items()}, BEFORE, new, BEFORE)
    assert "parts that begin with chance: recurrent.layers.0.onward, recurrent.layers.0.back" in said


def test_layers_of_another_kind_are_not_taken_for_narrower_ones(old: CRNN) -> None:
    gru = CRNN(replace(SMALL, recurrent="gru"), BEFORE.size)
    weights = {name: value.numpy() for name, value in gru.state_dict().items()}
    wider = CRNN(replace(SMALL, recurrent_size=2 * SMALL.recurrent_size), BEFORE.size)
    assert "recurrent.layers.0.onward" in take_over(weights, BEFORE, wider, BEFORE)


def test_parts_of_another_kind_or_size_begin_with_chance_and_it_says_so(old: CRNN) -> None:
    torch.manual_seed(4)
    new = CRNN(replace(SMALL, recurrent="gru", recurrent_layers=1), BEFORE.size)
    chance = {name: value.clone() for name, value in new.state_dict().items()}
    said = take_over(weights_of(old), BEFORE, new, BEFORE)
    assert said == (
        "4 graphemes keep their weights, none is new; "
        "parts that begin with chance: recurrent.layers.0.onward, recurrent.layers.0.back"
    )
    for name, value in new.state_dict().items():
        expected = chance[name] if name.startswith("recurrent") else torch.tensor(weights_of(old)[name])
        assert torch.equal(value.float(), expected.float()), name


def test_a_network_with_other_strides_keeps_every_weight(old: CRNN) -> None:
    new = CRNN(replace(SMALL, strides_down=(4, 2)), BEFORE.size)
    assert take_over(weights_of(old), BEFORE, new, BEFORE).endswith("none is new")
