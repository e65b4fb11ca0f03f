"""What a reading depends on: parts of a line are hidden from the network, and it reads again.

Slices are hidden by putting in their place what blank paper gives; pixels by painting them over with paper. Pixels are
hidden near one letter at a time, so only the slices that can see them are made anew, and the rest are taken from the
line as it was read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from uncial.alphabet import BLANK
from uncial.explanation import ReceptiveField
from uncial.nn.crnn import CRNN

AT_ONCE = 32  # copies of a line in one batch; bounds memory, more is not quicker
MOST_GROUPS = 128  # of slices, hidden one after the other
WINDOW = 64  # pixels left and right of a letter's peak in which pixels are asked for


@dataclass(frozen=True)
class Place:
    """Where a letter was read: its class, the time step where it is surest, and those that are its own.

    Attributes:
        class_: of the grapheme.
        peak: time step.
        start: first time step that is nearer to this letter's than to any other's, one slice from its span at most.
        end: the time step after the last.
        first: first slice of its span.
        last: the slice after the last of its span.
    """

    class_: int
    peak: int
    start: int
    end: int
    first: int
    last: int


class HiddenParts:  # budget: five questions to one line, which share its slices and crops
    """One line, and the network that reads it with parts hidden."""

    def __init__(self, network: CRNN, picture: Tensor, features: Tensor, seen: ReceptiveField) -> None:
        """Take up a line that was read.

        Args:
            network: in eval mode; its weights need no gradient.
            picture: (1, 1, H, W) ink.
            features: (1, S, F) of its slices.
            seen: the receptive field of its slices.
        """
        self.network = network
        self.picture = picture
        self.features = features
        self.slice_width = network.config.slice_width
        self.steps = network.config.steps_per_slice
        # What the shortcut head sees on either side: no reading with context shall know less.
        self.beside = 0 if network.shortcut is None else network.shortcut.kernel_size[0] // 2
        left, right = -seen.start[1], seen.start[1] + seen.size[1] - 1  # pixels seen before and from a slice's first on
        self.overlap = max(0, -(-left // self.slice_width), right // self.slice_width)  # slices that see past an edge
        with torch.no_grad():
            self.paper = network.slices(torch.zeros_like(picture), torch.tensor([picture.shape[3]]))[0]

    @torch.no_grad()
    def reach(self) -> tuple[Tensor, int]:
        """How far the posteriors of each slice move when a group of slices is hidden; see `explanation.Reach`.

        Returns:
            (G, S) and the slices in a group.
        """
        count = self.features.shape[1]
        group = -(-count // MOST_GROUPS)
        before = self._posteriors(self.features)
        changes = []
        for first in range(0, count, group * AT_ONCE):
            starts = torch.arange(first, min(count, first + group * AT_ONCE), group)
            hidden = (torch.arange(count) // group == starts[:, None] // group)[:, :, None]
            after = self._posteriors(torch.where(hidden, self.paper, self.features))
            moved = (after - before).abs().sum(2) / 2
            changes.append(moved.reshape(len(starts), count, self.steps).mean(2))
        return torch.cat(changes), group

    @torch.no_grad()
    def alone(self, places: Sequence[Place]) -> Tensor:
        """(N, C) posteriors of each letter read from its own features; see `explanation.Readings`."""
        if self.network.shortcut is not None:
            posteriors = self.network.shortcut_logits(self.features).softmax(2)
            return torch.stack([self._clearest(posteriors[0], place) for place in places])
        return self._read_within(places, [place.start // self.steps for place in places])

    @torch.no_grad()
    def left_only(self, places: Sequence[Place]) -> Tensor:
        """(N, C) posteriors of each letter read with what is left of its end; see `explanation.Readings`."""
        return self._read_within(places, [0] * len(places))

    def pixel_weights(self, places: Sequence[Place]) -> tuple[list[int], Tensor]:
        """How much each pixel of ink around a letter speaks for it.

        Gradient times input (Shrikumar et al. 2017, "Learning important features through propagating activation
        differences", section 2). Averaging the gradient over weaker inks, or over neighbouring pixels, named pixels no
        better; see `benchmarks/faithfulness.py` for the measure. Unit: natural-log posterior.

        Returns:
            The first column of each window, and (N, H, V) weights of the windows.
        """
        found = []
        for some, crop in self._crops(places):
            pixels = crop.pixels.clone().requires_grad_()
            logs = self.network.context_logits(*self._spliced(pixels, crop)).log_softmax(2)
            peaks = torch.stack([logs[n, place.peak, place.class_] for n, place in enumerate(some)])
            gradient = torch.autograd.grad(peaks.sum(), pixels)[0]
            found.append((gradient * crop.pixels)[crop.window].reshape(len(some), crop.pixels.shape[2], -1))
        return self.windows(places)[0], torch.cat(found)

    @torch.no_grad()
    def without_pixels(self, places: Sequence[Place], hidden: Tensor) -> Tensor:
        """The posterior of each letter when pixels of its window are painted over.

        Args:
            places: of the letters.
            hidden: (N, H, V) bool, within the windows of `windows`.

        Returns:
            (N,) the greatest posterior of its class at its own time steps.
        """
        found, done = [], 0
        for some, crop in self._crops(places):
            painted = crop.pixels.clone()
            painted[crop.window] = torch.where(hidden[done : done + len(some)].flatten(), 0, painted[crop.window])
            done += len(some)
            posteriors = self.network.context_logits(*self._spliced(painted, crop)).softmax(2)
            found += [posteriors[n, p.start : p.end, p.class_].max() for n, p in enumerate(some)]
        return torch.stack(found)

    def windows(self, places: Sequence[Place]) -> tuple[list[int], int]:
        """The first column of each letter's window, and the width of all of them, in pixels."""
        width = self.picture.shape[3]
        window = min(2 * WINDOW, width)
        middles = [round((place.peak + 0.5) * self.slice_width / self.steps) for place in places]
        return [min(max(middle - WINDOW, 0), width - window) for middle in middles], window

    def _posteriors(self, features: Tensor) -> Tensor:
        lengths = torch.full((len(features),), features.shape[1])
        return self.network.context_logits(features, lengths).softmax(2)

    def _read_within(self, places: Sequence[Place], firsts: Sequence[int]) -> Tensor:
        """Read each letter with the slices from `first` to its end, and blank paper around them."""
        slices, found = torch.arange(self.features.shape[1]), []
        for n in range(0, len(places), AT_ONCE):
            some = places[n : n + AT_ONCE]
            first = torch.tensor(firsts[n : n + AT_ONCE])[:, None]
            last = torch.tensor([-(-place.end // self.steps) + self.beside for place in some])[:, None]
            shown = ((slices >= first) & (slices < last))[:, :, None]
            posteriors = self._posteriors(torch.where(shown, self.features, self.paper))
            found += [self._clearest(posteriors[i], place) for i, place in enumerate(some)]
        return torch.stack(found)

    def _clearest(self, posteriors: Tensor, place: Place) -> Tensor:
        """Of (T, C) the (C,) at that time step of a letter's own where a blank is least likely."""
        own = posteriors[place.start : place.end]
        return own[own[:, BLANK].argmin()]

    def _crops(self, places: Sequence[Place]) -> "Iterator[tuple[Sequence[Place], _Crops]]":
        """The parts of the picture that are read anew for some letters at a time."""
        slices, across = self.features.shape[1], self.slice_width
        starts, window = self.windows(places)
        need = min(slices, -(-window // across) + 1 + 4 * self.overlap)
        padded = torch.nn.functional.pad(self.picture, (0, slices * across - self.picture.shape[3]))
        for n in range(0, len(places), AT_ONCE):
            firsts = [
                min(max(start // across - 2 * self.overlap, 0), slices - need) for start in starts[n : n + AT_ONCE]
            ]
            pixels = torch.cat([padded[:, :, :, f * across : (f + need) * across] for f in firsts])
            columns = torch.arange(need * across) + torch.tensor(firsts)[:, None] * across
            begin = torch.tensor(starts[n : n + AT_ONCE])[:, None]
            inside = (columns >= begin) & (columns < begin + window)
            widths = (self.picture.shape[3] - torch.tensor(firsts) * across).clamp(max=need * across)
            yield places[n : n + AT_ONCE], _Crops(pixels, widths, firsts, inside[:, None, None, :].expand_as(pixels))

    def _spliced(self, pixels: Tensor, crops: "_Crops") -> tuple[Tensor, Tensor]:
        """The line's slices, those that a crop knows fully taken from it: (N, S, F), and (N,) slices."""
        made, _ = self.network.slices(pixels, crops.widths)
        count, need = self.features.shape[1], made.shape[1]
        rows = []
        for first, new in zip(crops.firsts, made, strict=True):
            begin = first + (self.overlap if first else 0)
            end = first + need - (self.overlap if first + need < count else 0)
            old = self.features[0]
            rows.append(torch.cat((old[:begin], new[begin - first : end - first], old[end:])))
        return torch.stack(rows), torch.full((len(rows),), count)


@dataclass(frozen=True)
class _Crops:
    """Parts of a picture: (N, 1, H, V) pixels, (N,) true widths, first slices, and which pixels are in the windows."""

    pixels: Tensor
    widths: Tensor
    firsts: Sequence[int]
    window: Tensor
