"""Lines -> padded batches: planned by width, varied by augmentation, the same again for the same seed.

A plan is a pure function of (widths, seed, epoch), and each line's augmentation of (seed, epoch, line), so training
that was killed goes on with exactly the batches it would have had.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uncial.architecture import CRNNConfig
from uncial.augment import AugmentConfig, augment, augmented_width
from uncial.decoders import steps_needed
from uncial.faded import blank_paper
from uncial.lineimage import LineImageConfig, ink, line_image
from uncial.sources import Sample
from uncial.splice import Splice, spliced_image

TYPICAL_WIDTH = 768  # pixels; a batch holds as many pixels as `batch_lines` lines of this width
BLANK, BLANK_PAPER = 2, 3  # behind (seed, epoch, line): other draws than those of the augmentation and of splices
AHEAD = 4  # batches prepared while the network learns from one


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """A line ready to be learned from: its sample, its classes and the width of its line image in pixels."""

    sample: Sample
    classes: tuple[int, ...]
    width: int

    def spliced(self, other: "TrainingLine", splice: Splice) -> "TrainingLine":
        """This line with the right part of another; the text up to the space at the cut is its own."""
        return replace(
            self,
            classes=self.classes[: splice.left.place + 1] + other.classes[splice.right.place + 1 :],
            width=splice.left.column + other.width - splice.right.column,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded line images and their texts.

    Attributes:
        images: (N, 1, H, W) float32 ink, 0 paper to 1 dark, 0 beyond each line's width.
        widths: (N,) int64 true widths in pixels.
        classes: (sum of counts,) int64, the texts one behind the other.
        counts: (N,) int64 graphemes of each text.
        lines: index of each among the lines that the batch was made of; () where nobody asks.
    """

    images: Tensor
    widths: Tensor
    classes: Tensor
    counts: Tensor
    lines: tuple[int, ...] = ()

    def to(self, device: torch.device, layout: torch.memory_format) -> "Batch":
        """The same batch on a device, images in the layout of memory that the network has."""
        images = self.images.to(device, memory_format=layout)
        widths, classes, counts = (tensor.to(device) for tensor in (self.widths, self.classes, self.counts))
        return Batch(images, widths, classes, counts, self.lines)


def plan_batches(
    widths: Sequence[int], batch_lines: int, rng: np.random.Generator | None, at_once: int = 1, rising: int = 0
) -> list[list[int]]:
    """Group lines of like width into batches of bounded memory.

    Args:
        widths: of the line images, in pixels.
        batch_lines: lines of TYPICAL_WIDTH in a batch; of narrow lines up to four times as many, of wide ones fewer.
        rng: shuffles lines among neighbouring widths and then the batches; None: widest first, always the same.
        at_once: so many batches in a row are of like width, since as many processes learn from them at once and each
            waits for the slowest. What is left over stands last.
        rising: the batches that hold the first so many lines stand from narrow to wide (Amodei et al. 2016,
            "Deep Speech 2", SortaGrad).

    Returns:
        Batches of indices into `widths`; each line once.
    """
    sizes = np.asarray(widths, dtype=float)
    if rng is None:
        order = np.argsort(-sizes, kind="stable")
    else:
        order = np.argsort(sizes * np.exp(rng.uniform(-0.03, 0.03, len(sizes))), kind="stable")
    batches: list[list[int]] = []
    widest = 0.0
    for index in order.tolist():
        widest = max(widest, sizes[index]) if batches else sizes[index]
        full = not batches or len(batches[-1]) >= 4 * batch_lines
        if full or (len(batches[-1]) + 1) * widest > batch_lines * TYPICAL_WIDTH:
            batches.append([])
            widest = sizes[index]
        batches[-1].append(index)
    return batches if rng is None else _shuffled(batches, rng, at_once, rising)


def _shuffled(batches: list[list[int]], rng: np.random.Generator, at_once: int, rising: int) -> list[list[int]]:
    """Batches from narrow to wide in groups of so many neighbours, the groups in any order but the first lines as they
    were; those left over, from anywhere, last.
    """
    over = sorted(rng.choice(len(batches), len(batches) % at_once, replace=False)) if at_once > 1 else []
    left = [batches.pop(index) for index in reversed(over)]
    groups = [batches[start : start + at_once] for start in range(0, len(batches), at_once)]
    order = rng.permutation(len(groups))
    lines = np.cumsum([sum(map(len, groups[index])) for index in order])
    first = int(np.searchsorted(lines, rising, side="right"))
    order[:first].sort()
    return [batch for index in order for batch in groups[index]] + left


def spread(count: int, most: int) -> range:
    """Indices of `most` of `count` lines, or somewhat fewer, spread evenly; 0: of all."""
    return range(0, count, -(-count // most) if most else 1)


class BatchMaker:
    """Makes batches of training lines; decoded images are kept while they fit into `memory` bytes."""

    def __init__(self, lines: Sequence[TrainingLine], network: CRNNConfig, image: LineImageConfig, memory: int) -> None:
        """Hold the lines; nothing is decoded yet."""
        self.lines = lines
        self.network = network
        self.image = image
        self.splices: Callable[[int, Sequence[int]], Splice | None] | None = None  # (index, seeds); None: no line is
        self._room = memory
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def batch(self, indices: Sequence[int], variation: AugmentConfig | None, seeds: Sequence[int] = ()) -> Batch:
        """The padded batch of these lines.

        Args:
            indices: into the lines.
            variation: how to augment, or None: the lines as they are.
            seeds: (seed, epoch) of the augmentation.
        """
        seen = [self._seen(index, variation, seeds) for index in indices]
        images = [self._image(index, *view, variation, seeds) for index, view in zip(indices, seen, strict=True)]
        widths = [image.shape[1] for image in images]
        # Whole time steps, so that every batch of a bucket meets the same few shapes.
        step = self.network.slice_width
        padded = np.zeros((len(images), 1, self.network.height, -(-max(widths) // step) * step), np.float32)
        for row, image in zip(padded, images, strict=True):
            row[0, :, : image.shape[1]] = ink(image)
        classes = [line.classes for line, _ in seen]
        return Batch(
            torch.from_numpy(padded),
            torch.tensor(widths),
            torch.tensor([c for text in classes for c in text], dtype=torch.long),
            torch.tensor([len(text) for text in classes]),
            tuple(indices),
        )

    def widths(
        self, variation: AugmentConfig | None, seeds: Sequence[int] = (), chosen: Sequence[int] | None = None
    ) -> list[int]:
        """The width of each line's image in pixels, as `batch` will make it; of the chosen lines, or of all."""
        chosen = range(len(self.lines)) if chosen is None else chosen
        lines = [self._seen(index, variation, seeds)[0] for index in chosen]
        if variation is None:
            return [line.width for line in lines]
        drawn = (
            augmented_width(line.width, np.random.default_rng((*seeds, index)), variation)
            for index, line in zip(chosen, lines, strict=True)
        )
        return [w if self._fits(line, w) else line.width for line, w in zip(lines, drawn, strict=True)]

    def epoch(
        self, batches: Sequence[Sequence[int]], variation: AugmentConfig | None, seeds: Sequence[int] = ()
    ) -> Iterator[Batch]:
        """The batches one after the other, prepared ahead in a thread of their own."""
        with ThreadPoolExecutor(1) as pool:
            waiting = iter(batches)
            ahead = [pool.submit(self.batch, b, variation, seeds) for b in islice(waiting, AHEAD)]
            try:
                while ahead:
                    batch = ahead.pop(0).result()
                    ahead += [pool.submit(self.batch, b, variation, seeds) for b in islice(waiting, 1)]
                    yield batch
            finally:
                for future in ahead:
                    future.cancel()

    def _seen(
        self, index: int, variation: AugmentConfig | None, seeds: Sequence[int]
    ) -> tuple[TrainingLine, Splice | None]:
        """A line as it is in this epoch, before it is augmented, and how it was put together, if it was."""
        line, splice = self.lines[index], None
        if variation and variation.blank and np.random.default_rng((*seeds, index, BLANK)).random() < variation.blank:
            return replace(line, classes=()), None
        if variation is not None and self.splices is not None:
            splice = self.splices(index, seeds)
        return (line if splice is None else line.spliced(self.lines[splice.other], splice)), splice

    def _image(
        self,
        index: int,
        line: TrainingLine,
        splice: Splice | None,
        variation: AugmentConfig | None,
        seeds: Sequence[int],
    ) -> NDArray[np.uint8]:
        image = self.line_image(index)
        if splice is not None:
            image = spliced_image(image, self.line_image(splice.other), splice)
        if variation is None:
            return image
        if not line.classes:
            image = blank_paper(image, np.random.default_rng((*seeds, index, BLANK_PAPER)))
        varied = augment(image, np.random.default_rng((*seeds, index)), variation)
        return varied if self._fits(line, varied.shape[1]) else image

    def _fits(self, line: TrainingLine, width: int) -> bool:
        """Whether CTC can spell the line at this width; one squeezed below that would only teach infinity."""
        return self.network.time_steps(width) >= steps_needed(line.classes)

    def line_image(self, index: int) -> NDArray[np.uint8]:
        """A line as it is read, uint8 (H, W), not augmented."""
        if index in self._kept:
            return self._kept[index]
        image = line_image(self.lines[index].sample.image(), self.image)
        if image.nbytes <= self._room:
            self._room -= image.nbytes
            self._kept[index] = image
        return image

    def known(self, chosen: Sequence[int]) -> list[tuple[NDArray[np.uint8], tuple[int, ...]]]:
        """The line image, not augmented, and the classes of each of the chosen lines."""
        return [(self.line_image(index), self.lines[index].classes) for index in chosen]
