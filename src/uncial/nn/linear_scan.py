"""The linear recurrence c[t] = keep[t] c[t - 1] + add[t], with a gradient of its own and as one node of an ONNX graph.

Autograd would note every step of the loop; here the gradient is the same recurrence run backward. In a graph the
exporter leaves a node of the domain `uncial`, which `nn.onnx_graph` turns into the standard operator Scan.
"""

from typing import Any

import torch
from torch import Tensor

DOMAIN, MARK = "uncial", "LinearScan"


def linear_scan(keep: Tensor, add: Tensor) -> Tensor:
    """The states of a linear recurrence that begins at 0.

    Args:
        keep: (T, N, F) share of the state before that is kept.
        add: (T, N, F) what is added.

    Returns:
        (T, N, F) states.
    """
    return _LinearScan.apply(torch.zeros_like(add[0]), keep, add)  # type: ignore[no-any-return,no-untyped-call]


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, start: Tensor, keep: Tensor, add: Tensor) -> Tensor:
        states = torch.empty_like(add)
        state = start
        for t in range(len(add)):
            state = torch.addcmul(add[t], keep[t], state, out=states[t])
        ctx.save_for_backward(keep, states)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        keep, states = ctx.saved_tensors
        back = gradient.clone(memory_format=torch.contiguous_format)  # becomes the gradient of each addition
        for t in range(len(back) - 2, -1, -1):
            back[t].addcmul_(keep[t + 1], back[t + 1])
        before = torch.zeros_like(states)
        before[1:] = states[:-1]
        return None, back * before, back

    @staticmethod
    def symbolic(graph: Any, start: Any, keep: Any, add: Any) -> Any:
        return graph.op(f"{DOMAIN}::{MARK}", start, keep, add).setType(add.type())
