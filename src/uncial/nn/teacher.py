"""A trained network that a smaller one learns from: which letters each piece of ink might be, and how likely.

Networks trained by CTC write a letter in one or two time steps and the blank in all others, and no two of them choose
the same steps; so comparing them step by step teaches mostly the blank, and timing (Kurata & Audhkhasi 2019, "Guiding
CTC posterior spike timings"; Hilmes et al. 2025, "Analyzing the importance of blank for CTC-based knowledge
distillation"). Here they are compared grapheme by grapheme: the teacher aligns the ground truth, each grapheme gets the
columns of ink nearer to it than to its neighbours, and over these columns the posteriors of each network are summed
without the blank and made to sum to 1. The student is to have the teacher's distribution (Hinton et al. 2015,
"Distilling the knowledge in a neural network"). Columns are a measure that both share, whatever their slices, time
steps, heights and stretches; where a letter ends and how often it stands there is left to the loss of CTC.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from uncial.alphabet import Alphabet
from uncial.decoders import steps_needed
from uncial.decoders.align import align
from uncial.lineimage import LineImageConfig
from uncial.nn.batches import Batch
from uncial.nn.crnn import CRNN

LEAST = 1e-6  # columns of ink added to each grapheme, so that a logarithm is finite


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the teacher tells of a batch.

    Attributes:
        bounds: (N, L + 1) where the ink of each grapheme of a text begins and that of the last ends, in pixels of the
            batch's images, rising; equal from the text's end on, and all along a line that the teacher cannot spell.
        posteriors: (N, L, C - 1) of each grapheme of the student's alphabet, summing to 1.
    """

    bounds: Tensor
    posteriors: Tensor

    def loss(self, logits: Tensor, step_width: float) -> Tensor:
        """How far the student is from the teacher: Kullback-Leibler divergence, mean over the graphemes, in nats.

        Args:
            logits: (N, T, C) of the student.
            step_width: pixels of the batch's images that one of its time steps stands for.

        Returns:
            A number from 0; 0 also where the teacher can spell no line of the batch.
        """
        ours = letter_posteriors(logits.float().softmax(2)[:, :, 1:], self.bounds, step_width).log()
        there = self.bounds[:, 1:] > self.bounds[:, :-1]
        apart = functional.kl_div(ours, self.posteriors, reduction="none").sum(2)
        return (apart * there).sum() / there.sum().clamp(min=1)


class Teacher:
    """A trained network, and how its graphemes and its images are to those of the student."""

    def __init__(
        self,
        network: CRNN,
        alphabet: Alphabet,
        image: LineImageConfig,
        students_alphabet: Alphabet,
        students_image: LineImageConfig,
    ) -> None:
        """Hold the network; it is used as it is, in eval mode, on the device where it is."""
        self.network = network.eval()
        self.height = image.height
        self.stretch = image.height * image.stretch / (students_image.height * students_image.stretch)
        self.classes = np.array(students_alphabet.classes_in(alphabet))
        self.known = torch.tensor(np.flatnonzero(self.classes[1:] > 0))  # graphemes of the student, counted from 0
        self.theirs = torch.tensor(self.classes[1:][self.classes[1:] > 0] - 1)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Lesson:
        """Look at the lines of a batch, as they are varied there, and at their texts."""
        images, widths = self._resized(batch.images, batch.widths)
        logits, lengths = self.network(images, widths)
        log_probs = logits.float().log_softmax(2)
        texts = np.split(self.classes[batch.classes.cpu().numpy()], batch.counts.cumsum(0)[:-1].cpu().numpy())
        bounds = torch.zeros(len(texts), int(batch.counts.max()) + 1)
        for row, text, steps, length in zip(bounds, texts, log_probs.cpu().numpy(), lengths.tolist(), strict=True):
            if len(text) and text.min() > 0 and steps_needed(text.tolist()) <= length:
                spans = align(steps[:length], text.tolist())
                between = [(a.end + b.start) / 2 for a, b in zip(spans, spans[1:], strict=False)]
                row[: len(text) + 1] = torch.tensor([0, *between, length])
                row[len(text) + 1 :] = length
        bounds = bounds.to(log_probs.device)
        step_width = self.network.config.step_width
        theirs = letter_posteriors(log_probs.exp()[:, :, 1:], bounds * step_width, step_width)
        posteriors = theirs.new_zeros(*theirs.shape[:2], len(self.classes) - 1)
        posteriors[:, :, self.known.to(theirs.device)] = theirs[:, :, self.theirs.to(theirs.device)]
        posteriors += LEAST
        return Lesson(bounds * (step_width / self.stretch), posteriors / posteriors.sum(2, keepdim=True))

    def summary(self) -> str:
        """One sentence: how much of the student's alphabet it can teach."""
        return f"the teacher knows {len(self.known):,} of {len(self.classes) - 1:,} graphemes"

    def _resized(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """The images as this network's preprocessing would have made them, but for their margins."""
        height, width = images.shape[2:]
        if height == self.height and self.stretch == 1:
            return images, widths
        size = (self.height, max(1, round(width * self.stretch)))
        images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        widths = (widths * self.stretch).round().long().clamp(1, size[1])
        inside = torch.arange(size[1], device=widths.device) < widths[:, None]
        return images * inside[:, None, None, :], widths


def letter_posteriors(posteriors: Tensor, bounds: Tensor, step_width: float) -> Tensor:
    """What stands in the ink of each grapheme, whatever time step it is written in.

    Args:
        posteriors: (N, T, G) of each grapheme, without the blank.
        bounds: (N, L + 1) as in `Lesson`, in pixels.
        step_width: pixels that a time step stands for.

    Returns:
        (N, L, G) means over the steps between two bounds, a step that lies there in part counting in part; they sum to
        1 over the graphemes.
    """
    steps = torch.arange(posteriors.shape[1] + 1, device=bounds.device) * step_width
    first = torch.maximum(bounds[:, :-1, None], steps[None, None, :-1])
    last = torch.minimum(bounds[:, 1:, None], steps[None, None, 1:])
    pooled = (last - first).clamp(min=0) @ posteriors + LEAST
    return pooled / pooled.sum(2, keepdim=True)
