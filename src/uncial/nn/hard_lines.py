"""Which training lines are still hard: easy ones are passed over in some epochs, so that time goes to the others.

Source: Qin et al. 2024, "InfoBatch: lossless training speed up by unbiased dynamic data pruning"; unlike there, the
easy lines that stay do not count for more, so that hard lines do.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uncial.nn.parallel import Ranks, summed


class HardLines:
    """What each training line cost when it was last learned from."""

    def __init__(self, lines: int, ranks: Ranks) -> None:
        """Nothing is known of so many lines; the ranks see different ones of them in an epoch."""
        self.ranks = ranks
        self.known: NDArray[np.float32] = np.zeros(lines, np.float32)  # nats a grapheme; 0: never seen
        self.fresh: NDArray[np.float32] = np.zeros(lines, np.float32)  # seen by this rank in the present epoch

    def note(self, indices: Sequence[int], losses: Tensor) -> None:
        """Remember what lines cost.

        Args:
            indices: of the lines of a batch.
            losses: (N,) nats a grapheme of each; what is not finite is not remembered.
        """
        self.fresh[list(indices)] = np.nan_to_num(losses.float().cpu().numpy(), nan=0.0, posinf=0.0)

    def settle(self) -> None:
        """At the end of an epoch: what all ranks have seen is known from now on."""
        seen = summed(torch.from_numpy(self.fresh), self.ranks).numpy()
        self.known = np.where(seen > 0, seen, self.known)
        self.fresh = np.zeros_like(self.fresh)

    def choose(self, lines: Sequence[int], skipped: float, rng: np.random.Generator) -> list[int]:
        """The lines of an epoch: all that are hard or unknown, and a share of the easy ones.

        Args:
            lines: indices of all lines of the epoch.
            skipped: share of the lines below the mean loss that are left out, others in each epoch.
            rng: of the epoch.
        """
        known = self.known[list(lines)]
        if not skipped or not (known > 0).any():
            return list(lines)
        easy = (known > 0) & (known < known[known > 0].mean())
        stays = ~easy | (rng.random(len(known)) >= skipped)
        return [line for line, stay in zip(lines, stays.tolist(), strict=True) if stay]

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs; called by all ranks at once."""
        return {"known": torch.from_numpy(self.known), "fresh": summed(torch.from_numpy(self.fresh), self.ranks)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a state made by `state`; what is fresh stands with one rank, so that it counts once."""
        self.known = state["known"].numpy()
        if self.ranks.rank == 0:
            self.fresh = state["fresh"].numpy()
