"""Training in several processes under `torchrun`, or in one: the same loop for both."""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from uncial.errors import ConfigError, TrainingError
from uncial.nn.bigrams import BigramHead
from uncial.nn.crnn import CRNN


class Heads(nn.Module):
    """The network as training sees it: all that its heads tell, in one forward pass."""

    def __init__(self, network: CRNN, bigrams: BigramHead | None) -> None:
        """Wrap, not copy."""
        super().__init__()
        self.network = network
        self.bigrams = bigrams

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
        """(N, 1, H, W), (N,) -> logits (N, T, C), those of shortcut and bigrams or None, lengths (N,)."""
        slices, lengths = self.network.slices(images, widths)
        shortcut = self.network.shortcut_logits(slices) if self.network.shortcut is not None else None
        steps = lengths * self.network.config.steps_per_slice
        context = self.network.context(slices, lengths)
        bigrams = self.bigrams(context) if self.bigrams is not None else None
        return self.network.logits(context), shortcut, bigrams, steps


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that train together; rank 0 validates, writes and tells."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: str) -> "Ranks":
        """Join the others if `torchrun` started this process (nccl on CUDA, gloo elsewhere).

        Args:
            device: "auto", "cpu", "cuda" or "mps"; what the gradients to be exchanged will lie on.
        """
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if not torch.distributed.is_initialized():
            if device in ("auto", "cuda") and torch.cuda.is_available():
                own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
                torch.cuda.set_device(own)  # else all would add up on the first
                torch.distributed.init_process_group("nccl", device_id=own)
            else:
                torch.distributed.init_process_group("gloo")
        return cls(torch.distributed.get_rank(), world)

    def device(self, name: str) -> torch.device:
        """The device of this rank; "auto" takes CUDA, then MPS, then the CPU.

        Raises:
            ConfigError: PyTorch does not find this device here.
        """
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if name != "auto" and not there[name]:
            raise ConfigError(f"device '{name}' is not there, or PyTorch was built without it; choose 'auto' or 'cpu'")
        if name == "auto":
            name = next(best for best in ("cuda", "mps", "cpu") if there[best])
        if name == "cuda":
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device(name)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over all ranks."""
        return nn.parallel.DistributedDataParallel(module) if self.world > 1 else module

    def share(self, batches: list[list[int]]) -> list[list[int]]:
        """This rank's batches: as many as every other rank has.

        Raises:
            TrainingError: there are fewer batches than ranks.
        """
        if self.world == 1:
            return batches
        if len(batches) < self.world:
            raise TrainingError(
                f"{len(batches)} batches an epoch cannot be shared by {self.world} processes; "
                "start fewer of them, or lower batch_lines"
            )
        return batches[self.rank : len(batches) // self.world * self.world : self.world]

    def all(self, here: bool) -> bool:
        """Whether it holds on every rank, so that all take the same turn."""
        return self.sum(float(not here)) == 0

    def agree(self, seconds: float) -> float:
        """Rank 0's clock, so that all ranks end together."""
        return self.sum(seconds if self.rank == 0 else 0.0)

    def sum(self, value: float) -> float:
        """The sum over all ranks, the same on each."""
        return float(summed(torch.tensor(value, dtype=torch.float64), self).item())

    def meet(self) -> None:
        """Wait until every rank is here."""
        if self.world > 1:
            torch.distributed.barrier()


def summed(values: Tensor, ranks: Ranks) -> Tensor:
    """The sum of tensors of one shape over all ranks, the same on each; a copy, on the CPU."""
    whole = values.clone()
    if ranks.world > 1:
        whole = whole.cuda() if torch.distributed.get_backend() == "nccl" else whole
        torch.distributed.all_reduce(whole)
    return whole.cpu()
