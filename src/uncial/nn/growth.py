"""A larger network begins by reading as a smaller one that has learned: wider recurrent layers, added blocks.

What is new has weights of chance, and what is known gives it weights of 0, so it changes nothing at first and learns
from the first steps on (after Chen et al. 2016, "Net2Net", where new units are copies instead).
"""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uncial.nn.crnn import CRNN

GATES = {"lstm": 4, "gru": 3, "simple": 1}  # of a cell, whose weights lie one gate below the other


def widened(weights: Mapping[str, NDArray[np.floating]], network: CRNN) -> dict[str, Tensor]:
    """Weights whose recurrent layers, and the head behind them, are as wide as those of a network.

    Args:
        weights: of another network, by their names in the state dictionary.
        network: with weights of chance, which new units keep; left as it is.

    Returns:
        All of the weights in float32, those of recurrent layers of another kind, or wider than the network's, as they
        were.
    """
    state = {name: value.cpu() for name, value in network.state_dict().items()}
    ways = 2 if network.config.bidirectional else 1
    gates = _gates_of_both(weights, network)
    old = {name: torch.tensor(np.asarray(value, dtype=np.float32)) for name, value in weights.items()}
    return {n: _widened(n, value, state[n], gates, ways) if gates and n in state else value for n, value in old.items()}


def idle_blocks(taken: Collection[str], state: Mapping[str, Tensor]) -> list[str]:
    """Residual blocks that can begin without effect: new ones that pass on what they are given.

    Args:
        taken: names of the weights that are known.
        state: all weights of the network.

    Returns:
        Names of blocks in stages whose first block is known. Where the second normalisation of one has weights of 0,
        it changes nothing.
    """
    last = ".second.norm.weight"
    blocks = [name.removesuffix(last) for name in state if name.endswith(last) and name not in taken]
    return [
        block
        for block in blocks
        if f"{block.rpartition('.')[0]}.0{last}" in taken and f"{block}.shortcut.conv.weight" not in state
    ]


def _gates_of_both(weights: Mapping[str, NDArray[np.floating]], network: CRNN) -> int:
    """Gates of the recurrent layers, 0 where those of the weights are of another kind than the network's."""
    gates = GATES.get(network.config.recurrent, 0)
    states = weights.get("recurrent.layers.0.onward.weight_hh_l0")
    both_ways = "recurrent.layers.0.back.weight_hh_l0" in weights
    alike = states is not None and len(states) == gates * states.shape[1] and both_ways == network.config.bidirectional
    return gates if alike else 0


def _widened(name: str, old: Tensor, fresh: Tensor, gates: int, ways: int) -> Tensor:
    """`old` among the weights of chance of a wider recurrent layer, or as it is where nothing is wider.

    What new units are given keeps weights of chance, what they give to the old ones gets weights of 0.
    """
    part, _, kind = name.rpartition(".")
    features = part.startswith("recurrent.layers.0.") and kind.startswith("weight_ih")  # what the backbone gives
    if part == "recurrent.shares":
        rows, columns = ways, 1
    elif part.startswith("recurrent.layers."):
        rows, columns = gates, 1 if features or kind.startswith("weight_hh") else ways
    elif name == "head.weight":  # its rows are classes
        rows, columns = 1, ways
        fresh = fresh.new_zeros(len(old), fresh.shape[1])
    else:
        return old
    if old.shape == fresh.shape or (features and old.shape[1] != fresh.shape[1]):
        return old
    if any(after < before for after, before in zip(fresh.shape, old.shape, strict=True)):
        return old
    wide = fresh.clone()
    known = _places(old.shape[0], fresh.shape[0], rows)
    if old.ndim == 1:
        wide[known] = old
    else:
        wide[known] = 0
        wide[known[:, None], _places(old.shape[1], fresh.shape[1], columns)] = old
    return wide


def _places(before: int, after: int, parts: int) -> Tensor:
    """Where `before` rows, in so many equal parts, come to lie among `after`: at the beginning of each part."""
    part = torch.arange(before // parts)
    return (torch.arange(parts)[:, None] * (after // parts) + part).flatten()
