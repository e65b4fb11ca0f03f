"""Start from the weights of another bundle: graphemes that both alphabets hold keep theirs, and a larger network reads
at first as the smaller one did.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from uncial.alphabet import BLANK, Alphabet
from uncial.nn.crnn import CRNN
from uncial.nn.growth import idle_blocks, widened

HEADS = ("head.weight", "head.bias", "shortcut.weight", "shortcut.bias")  # one row for each class


def take_over(weights: Mapping[str, NDArray[np.floating]], before: Alphabet, network: CRNN, alphabet: Alphabet) -> str:
    """Load weights into a network with another alphabet, or with some other parts.

    Where recurrent layers are wider, the new units take part in what is known with weights of 0; residual blocks added
    to a stage begin by changing nothing: so a larger network reads as before, and learns from there (after Chen et al.
    2016, "Net2Net", but with new units of chance instead of copies). Other weights that do not fit, since a part is of
    another kind or size, stay as chance made them. New graphemes start with small weights of chance and a bias as low
    as the rarest known one, so that the network does not begin by writing them everywhere.

    Args:
        weights: by their names in the state dictionary, float. Where their network had fewer time steps for each slice,
            each of them is repeated; neighbours of one class merge, so it reads as before.
        before: alphabet of the weights.
        network: changed in place.
        alphabet: of the network.

    Returns:
        One sentence on what was kept and what is new.
    """
    state = {name: value.cpu() for name, value in network.state_dict().items()}  # where `weights` are
    old_class = {g: c for c, g in enumerate(before.graphemes, start=1)}
    same = [(BLANK, BLANK)]
    same += [(c, old_class[g]) for c, g in enumerate(alphabet.graphemes, start=1) if g in old_class]
    new_rows, old_rows = (list(rows) for rows in zip(*same, strict=True))
    taken = set()
    whole = widened(weights, network)
    for name, old in whole.items():
        if name not in state or state[name].shape[1:] != old.shape[1:]:
            continue
        if name in HEADS:
            fresh = state[name] * 0.1 if name.endswith("weight") else torch.full_like(state[name], float(old.min()))
            steps, steps_before = network.config.steps_per_slice, len(old) // before.size
            for step, rows in enumerate(fresh.chunk(steps)):  # views
                rows[new_rows] = old.chunk(steps_before)[step * steps_before // steps][old_rows]
            state[name] = fresh
        elif state[name].shape != old.shape:
            continue
        else:
            state[name] = old.to(state[name].dtype)
        taken.add(name)
    grown = [name for name in whole if name in taken and whole[name].shape[1:] != weights[name].shape[1:]]
    wider = list(dict.fromkeys(name.rpartition(".")[0] for name in grown))
    idle = idle_blocks(taken, state)
    for block in idle:
        state[f"{block}.second.norm.weight"].zero_()
    network.load_state_dict(state)
    new = [g for g in alphabet.graphemes if g not in old_class]
    parts = list(dict.fromkeys(name.rpartition(".")[0] for name, _ in network.named_parameters() if name not in taken))
    parts = [part for part in parts if not part.startswith(tuple(f"{block}." for block in idle))]
    return (
        f"{len(same) - 1} graphemes keep their weights, "
        + (f"{len(new)} new: {' '.join(new)}" if new else "none is new")
        + (f"; wider: {', '.join(wider)}" if wider else "")
        + (f"; blocks that begin without effect: {', '.join(idle)}" if idle else "")
        + (f"; parts that begin with chance: {', '.join(parts)}" if parts else "")
    )
