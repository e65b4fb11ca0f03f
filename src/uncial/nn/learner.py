"""A network that learns: one optimiser step for each batch, and a moving average of the weights.

The averaged weights are what validates, what is kept and what reads. A loss or gradient that is not finite never
enters weights, average or batch statistics.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from uncial.decoders import best_path
from uncial.errors import TrainingError
from uncial.metrics import EditCounts, count_edits
from uncial.nn.batches import Batch, BatchMaker, plan_batches
from uncial.nn.bigrams import Bigram, BigramHead
from uncial.nn.crnn import CRNN, fastest_autocast, memory_format
from uncial.nn.ctc import ctc_loss
from uncial.nn.expected_errors import ExpectedErrors
from uncial.nn.parallel import Heads, Ranks
from uncial.nn.teacher import Teacher
from uncial.train_config import TrainConfig

GIVE_UP_AFTER = 100  # steps in a row without a finite loss


class Learner:
    """Network, moving average and optimiser."""

    def __init__(self, config: TrainConfig, classes: int, ranks: Ranks, bigrams: Sequence[Bigram] = ()) -> None:
        """A network of chance, from the seed.

        Args:
            config: of the training.
            classes: of the output layer, blank included.
            ranks: the processes that train together.
            bigrams: that a head beside the others reads in training; none: there is no such head.
        """
        torch.manual_seed(config.seed)
        self.config = config
        self.device = ranks.device(config.device)
        self.network = _on(self.device, CRNN(config.network, classes))
        self.average = _on(self.device, CRNN(config.network, classes))
        self.layout = memory_format(self.network)
        self.average.requires_grad_(False).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.network.backbone.requires_grad_(config.backbone_rate > 0)
        self.ranks = ranks
        self.bigrams: BigramHead | None = None
        if bigrams:
            head = BigramHead(self.network.recurrent.size, classes, bigrams, config.network.steps_per_slice)
            self.bigrams = head.to(self.device)
        self.heads = ranks.wrap(Heads(self.network, self.bigrams))
        self.optimizer, self.factors = _optimizer(self.network, self.bigrams, config)
        self.teacher: Teacher | None = None
        self.errors: ExpectedErrors | None = None
        self.line_losses = torch.empty(0)  # (N,) of the last batch, nats a grapheme of each line
        self.bad_in_a_row = 0

    def learn(self, batch: Batch, step: int, done: float) -> float:
        """One optimiser step.

        Args:
            batch: on any device.
            step: optimiser steps so far; seeds the dropout, so that a resumed run draws the same.
            done: share of the budget that is used; sets the learning rate.

        Returns:
            The loss in nats per grapheme; nan where the step was skipped because it was not finite.

        Raises:
            TrainingError: no finite loss for GIVE_UP_AFTER steps.
        """
        torch.manual_seed(self.config.seed * 1_000_003 + step)
        rate = self.config.learning_rate * one_cycle(done, self.config.warmup)
        for group, factor in zip(self.optimizer.param_groups, self.factors, strict=True):
            group["lr"] = rate * factor
        before = [buffer.clone() for buffer in self.heads.buffers()]
        self.network.train()
        if not (self.config.batch_statistics and self.config.backbone_rate):
            for part in self.network.modules():  # all of which are the backbone's
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()
        loss = self.loss(batch.to(self.device, self.layout))
        if stepped(loss, self.heads, before, self.optimizer, self.config.clip, self.ranks):
            # Early weights are forgotten quickly: the average covers a tenth of the run until it reaches its width.
            move_average(self.average, self.network, min(self.config.averaging, (1 + step) / (10 + step)))
            self.bad_in_a_row = 0
            return loss.item()
        self.bad_in_a_row += 1
        if self.bad_in_a_row >= GIVE_UP_AFTER:
            raise TrainingError(
                f"the loss was not finite {GIVE_UP_AFTER} steps in a row (step {step}); the best bundle so far is "
                "kept; try a lower learning_rate or --set precision=float32"
            )
        return math.nan

    def loss(self, batch: Batch) -> Tensor:
        """Mean over the batch's graphemes, in nats, the shares of other heads, teacher and expected errors included."""
        with self.reduced_precision():
            logits, shortcut, bigrams, lengths = self.heads(batch.images, batch.widths)
        graphemes = batch.counts.sum().clamp(min=1)  # a batch may be one line of blank paper
        each = ctc_loss(logits, lengths, batch.classes, batch.counts)
        self.line_losses = each.detach() / batch.counts
        loss = self.config.ctc_weight * each.sum() / graphemes
        if shortcut is not None:  # even without weight: each rank waits for the gradient of every parameter
            aside = ctc_loss(shortcut, lengths, batch.classes, batch.counts).sum() / graphemes
            loss = loss + self.config.shortcut_weight * aside
        if self.bigrams is not None:
            aside = self.bigrams.loss(bigrams, lengths, batch.classes, batch.counts)
            loss = loss + self.config.bigram_weight * aside
        if self.teacher is not None:
            with self.reduced_precision():
                lesson = self.teacher(batch)
            loss = loss + self.config.teacher_weight * lesson.loss(logits, self.config.network.step_width)
        if self.errors is not None:
            loss = loss + self.config.error_weight * self.errors(logits, lengths, batch) / graphemes
        return loss

    @torch.no_grad()
    def read(self, lines: BatchMaker, chosen: Sequence[int]) -> EditCounts:
        """Edit counts of the averaged network over the chosen lines, as it is trained to read: see `_texts`."""
        plan = plan_batches([lines.lines[i].width for i in chosen], 2 * self.config.batch_lines, None)
        plan = [[chosen[i] for i in indices] for indices in plan]
        counts = EditCounts()
        for indices, batch in zip(plan, lines.epoch(plan, None), strict=True):
            moved = batch.to(self.device, self.layout)
            with self.reduced_precision():
                logits, lengths = self.average(moved.images, moved.widths)
            for index, read in zip(indices, self._texts(logits, lengths), strict=True):
                counts += count_edits(lines.lines[index].classes, read)
        return counts

    def _texts(self, logits: Tensor, lengths: Tensor) -> list[Sequence[int]]:
        """What lines (N, T, C) read as: by a search with a language model where that is trained, else the best path."""
        log_probs = logits.float().log_softmax(2).cpu().numpy()
        steps = [line[:length] for line, length in zip(log_probs, lengths.tolist(), strict=True)]
        if self.errors is not None:
            return self.errors.read(steps)
        return [[span.class_ for span in best_path(line)] for line in steps]

    def reduced_precision(self) -> AbstractContextManager[Any]:
        """Autocast to bf16 where this processor gains by it."""
        dtype = fastest_autocast(self.device) if self.config.precision == "auto" else None
        return torch.autocast(self.device.type, dtype) if dtype else nullcontext()

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint needs to go on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **({} if self.bigrams is None else {"bigrams": self.bigrams.state_dict()}),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state made by `state`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        restore_optimizer(self.optimizer, state["optimizer"])
        if self.bigrams is not None:
            self.bigrams.load_state_dict(state["bigrams"])


def one_cycle(done: float, warmup: float) -> float:
    """Share of the peak learning rate: up along a cosine while warming up, then down along one to a thousandth.

    Source: Smith & Topin 2019, "Super-convergence".
    """
    if done < warmup:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * done / warmup)) / 2
    return 0.001 + 0.999 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def stepped(
    loss: Tensor,
    module: nn.Module,
    before: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    clip: float,
    ranks: Ranks,
) -> bool:
    """One step down the gradient, or none where loss or gradient is not finite.

    Args:
        loss: of the module.
        module: what learns.
        before: copies of its buffers, made before the forward pass; they are put back where no step is taken.
        optimizer: of the module's weights.
        clip: length of the gradient at most.
        ranks: the processes that train together; all of them step, or none.

    Returns:
        Whether it was taken.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    length = torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
    if finite := ranks.all(math.isfinite(float(length)) and math.isfinite(loss.item())):
        optimizer.step()
    else:
        for buffer, value in zip(module.buffers(), before, strict=True):
            buffer.copy_(value)
    return finite


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up what an optimiser has learned of its gradients; its settings stay those that it was made with."""
    settings = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)


@torch.no_grad()
def move_average(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    """Set average = decay * average + (1 - decay) * network, batch statistics too."""
    ours, theirs = average.state_dict().values(), network.state_dict().values()
    floats = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)
    for a, b in zip(ours, theirs, strict=True):
        if not a.is_floating_point():
            a.copy_(b)


def _on(device: torch.device, network: CRNN) -> CRNN:
    """The network on a device, its filters laid out as is best there."""
    return network.to(device, memory_format=memory_format(network))  # type: ignore[call-overload,no-any-return]


def _optimizer(network: CRNN, bigrams: BigramHead | None, config: TrainConfig) -> tuple[torch.optim.AdamW, list[float]]:
    """AdamW, and the factor on the learning rate of each of its groups."""
    early = {id(p) for p in network.backbone.parameters()} if config.backbone_rate != 1 else set()
    parts = (network,) if bigrams is None else (network, bigrams)
    groups, factors = [], []
    for inside, factor in ((False, 1.0), (True, config.backbone_rate)):
        some = [p for part in parts for p in part.parameters() if p.requires_grad and (id(p) in early) == inside]
        # Decay on biases and normalisation pulls towards nothing useful.
        for decay, wanted in ((config.weight_decay, True), (0.0, False)):
            if chosen := [p for p in some if (p.ndim > 1) == wanted]:
                groups.append({"params": chosen, "weight_decay": decay})
                factors.append(factor)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True), factors
