"""The loss that counts: how many errors are to be expected of what the beam search finds with a language model.

CTC teaches that the right text is likely; what reads is a search in which a language model has its say, and what counts
is how many graphemes of its readings are wrong. So the search is made for each line of a batch, each reading has a
share by its score (log-probability in the image and language), and the loss is the mean of the readings' errors by
their shares: where a wrong reading is ahead of a better one, the network learns to tell the two apart. The language
model stays as it is; it must not know the line, or there would be no errors to learn from, so each line is read with
one that was made without the part of the texts that the line belongs to. Validation lines, which none of them knows,
are read in the same way: the best path alone grows worse.

Source: Povey and Woodland 2002, "Minimum phone error and I-smoothing"; Prabhavalkar et al. 2018, "Minimum word error
rate training for attention-based sequence-to-sequence models".
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from uncial.decoders import SURE, BeamConfig, Hypothesis, beam_readings, beam_search, shares_of
from uncial.ngram import NGrams
from uncial.nn.batches import Batch
from uncial.nn.ctc import text_losses

LEAST = 2e-3  # share of a reading; rarer ones teach nothing


class ExpectedErrors:
    """Searches with language models that do not know the lines."""

    def __init__(self, models: Sequence[NGrams], parts: NDArray[np.integer], beam: BeamConfig) -> None:
        """Hold the models.

        Args:
            models: of the alphabet of the network.
            parts: (lines,) which of them a training line is read with.
            beam: how they are weighed.
        """
        self.models, self.parts, self.beam = models, parts, beam

    def __call__(self, logits: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """The sum over the lines of the expected errors that a network can change.

        Args:
            logits: (N, T, C).
            lengths: (N,) time steps of each line.
            batch: what they were made of.

        Returns:
            A number from 0; lines of one reading, or of readings equally wrong, are not in it.
        """
        log_probs = functional.log_softmax(logits.float(), dim=2)
        rows, texts, scores, errors = self._readings(log_probs, lengths, batch)
        if not rows:
            return logits.sum() * 0.0
        line = torch.tensor(rows, device=logits.device)
        counts = torch.tensor([len(text) for text in texts])
        classes = torch.tensor([class_ for text in texts for class_ in text], dtype=torch.long)
        seen = -text_losses(log_probs[line], lengths[line].cpu(), classes, counts)
        # The score that the search gave, which knows the language, with the gradient of what is seen in the image.
        score = (seen + (torch.tensor(scores, device=seen.device) - seen.detach())) / SURE
        greatest = score.detach().new_full((len(logits),), -torch.inf).scatter_reduce(0, line, score.detach(), "amax")
        shares = (score - greatest[line]).exp()
        shares = shares / shares.new_zeros(len(logits)).index_add(0, line, shares)[line]
        return (shares * torch.tensor(errors, dtype=shares.dtype, device=shares.device)).sum()

    def read(self, log_probs: Sequence[NDArray[np.float32]]) -> list[Sequence[int]]:
        """Classes of lines that none of the models knows, each (T, C) natural-log posteriors."""
        return [readings[0].classes for readings in beam_readings(log_probs, self.models[0], self.beam)]

    def _readings(
        self, log_probs: Tensor, lengths: Tensor, batch: Batch
    ) -> tuple[list[int], list[tuple[int, ...]], list[float], list[int]]:
        """Row in the batch, text, score and errors of each reading that has a share and a rival less or more wrong."""
        from rapidfuzz.distance import Levenshtein

        steps = [line[:n] for line, n in zip(log_probs.detach().cpu().numpy(), lengths.tolist(), strict=True)]
        truths = [text.tolist() for text in torch.split(batch.classes.cpu(), batch.counts.tolist())]
        found: list[tuple[int, tuple[int, ...], float, int]] = []
        for part, model in enumerate(self.models):
            rows = [row for row, line in enumerate(batch.lines) if self.parts[line] == part]
            for row, readings in zip(rows, beam_search([steps[row] for row in rows], model, self.beam), strict=True):
                likely = _likely(readings)
                errors = [Levenshtein.distance(reading.classes, truths[row]) for reading in likely]
                if len(set(errors)) > 1:
                    pairs = zip(likely, errors, strict=True)
                    found += [(row, reading.classes, reading.score, wrong) for reading, wrong in pairs]
        columns = zip(*found, strict=True) if found else ((), (), (), ())
        return tuple(map(list, columns))  # type: ignore[return-value]


def _likely(readings: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The readings with a share that is worth the while."""
    shares = shares_of(readings)
    return [reading for reading, share in zip(readings, shares / shares.sum(), strict=True) if share > LEAST]
