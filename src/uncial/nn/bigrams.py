"""A second task beside reading graphemes, in training only: a head that reads the pairs of neighbouring graphemes.

The text "hill" is also "hi", "il", "ll". Whoever has to name pairs must look at how letters are joined and what stands
beside them, and both heads share all layers before them. Nothing of this is kept: what reads is the grapheme head.

Source: Tassopoulou et al. 2021, "Enhancing handwritten text recognition with n-gram sequence decomposition and
multitask learning", the block variant with bigrams alone, on the same layers.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from uncial.nn.ctc import ctc_loss

Bigram = tuple[int, int]


def frequent_bigrams(texts: Iterable[Sequence[int]], most: int) -> tuple[Bigram, ...]:
    """The most frequent pairs of neighbouring classes, at most so many; of equally frequent ones the lower classes."""
    counts = Counter(pair for text in texts for pair in pairwise(text))
    return tuple(sorted(counts, key=lambda pair: (-counts[pair], pair))[:most])


class BigramHead(nn.Module):
    """Logits of the bigrams for each time step, and their loss.

    Rare bigrams are left out of the text, they have no class in common: they share no shape that could be learned, and
    two of them in a row would need a blank between them, for which a narrow line has no time step. What is left of a
    text always fits in where its graphemes do.
    """

    def __init__(self, features: int, classes: int, bigrams: Sequence[Bigram], steps_per_slice: int) -> None:
        """A linear layer, and the table of classes.

        Args:
            features: of each slice, behind the recurrent layers.
            classes: of the grapheme head, blank included.
            bigrams: that get a class, 1 for the first; 0 is the blank here, too.
            steps_per_slice: time steps that are read off each slice.
        """
        super().__init__()
        self.steps = steps_per_slice
        self.linear = nn.Linear(features, steps_per_slice * (len(bigrams) + 1))
        table = torch.zeros(classes, classes, dtype=torch.long)
        for class_, pair in enumerate(bigrams, start=1):
            table[pair] = class_
        self.register_buffer("table", table, persistent=False)

    def forward(self, context: Tensor) -> Tensor:
        """(N, S, F) features behind the recurrent layers -> (N, T, B) logits of the bigrams, T = S x steps."""
        outputs = self.linear(context)
        return outputs.reshape(outputs.shape[0], -1, outputs.shape[2] // self.steps)  # type: ignore[no-any-return]

    def targets(self, classes: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Texts as graphemes, one behind the other, to texts as bigrams.

        Args:
            classes: (sum of counts,) of the graphemes.
            counts: (N,) graphemes of each text.

        Returns:
            The classes of the bigrams, one text behind the other, and (N,) how many each text has.
        """
        text = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        pairs = self.table[classes[:-1], classes[1:]]  # type: ignore[index]
        kept = (pairs > 0) & (text[:-1] == text[1:])
        return pairs[kept], torch.bincount(text[:-1][kept], minlength=len(counts))

    def loss(self, logits: Tensor, lengths: Tensor, classes: Tensor, counts: Tensor) -> Tensor:
        """Mean over the graphemes of a batch, in nats, so that it weighs like their own loss.

        Args:
            logits: (N, T, B) as `forward` gives them.
            lengths: (N,) time steps of each line.
            classes: (sum of counts,) of the graphemes.
            counts: (N,) graphemes of each text.
        """
        return ctc_loss(logits, lengths, *self.targets(classes, counts)).sum() / counts.sum().clamp(min=1)
