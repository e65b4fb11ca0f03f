"""The linear recurrence against the loop that it stands for."""

import torch
from torch import Tensor

from uncial.nn.linear_scan import linear_scan
from uncial.nn.recurrent import SimpleRecurrentUnit


def loop(keep: Tensor, add: Tensor) -> Tensor:
    states = [add[0]]
    for t in range(1, len(add)):
        states.append(keep[t] * states[-1] + add[t])
    return torch.stack(states)


def test_states_and_gradients_are_those_of_the_loop() -> None:
    torch.manual_seed(1)
    keep, add, weights = (torch.rand(7, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(3))
    ours, theirs = linear_scan(keep, add), loop(keep, add)
    torch.testing.assert_close(ours, theirs)
    for given in (keep, add):
        (own,) = torch.autograd.grad((ours * weights).sum(), given, retain_graph=True)
        (other,) = torch.autograd.grad((theirs * weights).sum(), given, retain_graph=True)
        torch.testing.assert_close(own, other)


def test_one_step_has_no_step_before() -> None:
    keep = torch.ones(1, 1, 2, requires_grad=True)
    linear_scan(keep, torch.ones(1, 1, 2, requires_grad=True)).sum().backward()
    assert keep.grad is not None
    assert not keep.grad.any()


def test_a_layer_of_both_ways_sees_both_sides_and_no_padding() -> None:
    torch.manual_seed(2)
    layer = SimpleRecurrentUnit(4, 3, bidirectional=True)
    x = torch.randn(1, 6, 4)
    whole = layer(x, torch.tensor([6]))
    changed = x.clone()
    changed[0, 3] += 1
    moved = (layer(changed, torch.tensor([6])) != whole)[0]
    assert moved[3:, :3].all(), "the way onward tells what follows"
    assert not moved[:3, :3].any()
    assert moved[:4, 3:].all(), "the way back tells what stands before"
    assert not moved[4:, 3:].any()
    padded = layer(torch.cat((x, torch.randn(1, 5, 4)), dim=1), torch.tensor([6]))
    torch.testing.assert_close(padded[:, :6], whole)
