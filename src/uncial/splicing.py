"""Which training lines are put together anew in an epoch, and where they can be cut.

The words of a text and the ink of a line are real, but the text is new, so the recurrent layers cannot learn it by
heart. Gaps are found once for each line: a bundle aligns the ground truth, and where it is sure of a space and of the
letters on both sides, the widest run of empty columns between these letters is where to cut. What is found is kept in
the folder of the run, so that a resumed one cuts at the same places.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle
from uncial.checkpoint import write_whole
from uncial.decoders import steps_needed
from uncial.decoders.align import align
from uncial.decoders.spans import DecodedSpan
from uncial.lineimage import LineImageConfig, line_image
from uncial.nn.batches import BatchMaker, TrainingLine
from uncial.nn.parallel import Ranks
from uncial.runtime import Runtime
from uncial.splice import Gap, Splice, dark_pixels, middle_of_gap

SURE = 0.5  # posterior of a space, and of the letters beside it, from which on the gap is where the alignment says
AT_ONCE = 64  # lines that are aligned together
NEIGHBOURS = 4  # other lines of a page that are enough to choose from; of fewer, the document or collection is asked
OWN_CHANCE = 1  # behind (seed, epoch, line): other draws than those of the augmentation

Gaps = Mapping[str, tuple[Gap, ...]]  # by the id of the line


class Splices:
    """What each line of an epoch becomes: a pure function of seed, epoch and line."""

    def __init__(self, lines: Sequence[TrainingLine], gaps: Gaps, share: float, network: CRNNConfig) -> None:
        """Sort the lines that can be cut by their page, document and collection.

        Args:
            lines: of the training, in the order of their indices.
            gaps: of those lines that can be cut.
            share: of these that become others, 0 to 1.
            network: what is put together must be wide enough for it to spell.
        """
        self.lines, self.share, self.network = lines, share, network
        self.gaps = [gaps.get(line.sample.id, ()) for line in lines]
        self._groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index, line in enumerate(lines):
            for place in _places(line) if self.gaps[index] else ():
                self._groups[place].append(index)

    def __call__(self, index: int, seeds: Sequence[int]) -> Splice | None:
        """What becomes of a line in an epoch.

        Args:
            index: of the line.
            seeds: (seed, epoch).

        Returns:
            Where to cut it and what to put there; None: it stays as it is.
        """
        rng = np.random.default_rng((*seeds, index, OWN_CHANCE))
        if rng.random() >= self.share or not self.gaps[index]:
            return None
        others = [other for other in self._neighbours(index) if other != index]
        if not others:
            return None
        line, left = self.lines[index], self.gaps[index][rng.integers(len(self.gaps[index]))]
        other = others[rng.integers(len(others))]
        # Of the other line the part that is about as long as what is cut off, so that lines stay as long as they are.
        wanted, width = line.width - left.column, self.lines[other].width
        right = min(self.gaps[other], key=lambda gap: abs(width - gap.column - wanted))
        splice = Splice(other, left, right)
        new = line.spliced(self.lines[other], splice)
        fits = steps_needed(new.classes) <= self.network.time_steps(new.width)
        return splice if fits and new.classes != line.classes else None

    def summary(self) -> str:
        """One sentence: how many lines can be cut, and how many become others."""
        can = sum(bool(gaps) for gaps in self.gaps)
        return f"{can:,} lines have word gaps to cut at; {self.share:.0%} of them are put together anew in each epoch"

    def _neighbours(self, index: int) -> list[int]:
        page, document, collection = (self._groups[place] for place in _places(self.lines[index]))
        return next((group for group in (page, document) if len(group) > NEIGHBOURS), collection)


def gaps_file(folder: Path, rank: int) -> Path:
    """Where one of the processes of a run keeps the gaps that it found."""
    return folder / f"word_gaps_written.{rank}.jsonl"  # those of before lineimage.writing had other columns


def find_gaps_once(  # noqa: PLR0913, PLR0917 - which lines, who finds, and where it is kept
    maker: BatchMaker, chosen: Sequence[int], alphabet: Alphabet, guide: Bundle, folder: Path, ranks: Ranks, anew: bool
) -> Gaps:
    """What `find_gaps` finds, shared out among the processes.

    Args:
        maker: of the training lines.
        chosen: lines to look at.
        alphabet: of their classes.
        guide: bundle that aligns them.
        folder: of the run.
        ranks: the processes that train together.
        anew: files that are there already are not believed.

    Raises:
        BundleError: the guide cannot be opened.
        StorageError: what was found cannot be written.
    """
    parts = [gaps_file(folder, rank) for rank in range(ranks.world)]
    if anew or not parts[ranks.rank].exists():
        found = find_gaps(maker, chosen[ranks.rank :: ranks.world], alphabet, guide)
        table = "".join(f"{json.dumps([name, _written(gaps)])}\n" for name, gaps in found)
        write_whole(parts[ranks.rank], lambda file: file.write(table.encode()))
    ranks.meet()
    rows = [json.loads(row) for part in parts for row in part.read_text(encoding="utf-8").splitlines()]
    return {name: _read(gaps) for name, gaps in rows}


def find_gaps(
    maker: BatchMaker, chosen: Sequence[int], alphabet: Alphabet, guide: Bundle
) -> Iterator[tuple[str, tuple[Gap, ...]]]:
    """The gaps of each line in which the guide is sure of any.

    Args:
        maker: of the lines.
        chosen: lines to look at.
        alphabet: of their classes.
        guide: bundle that aligns them; it may have another alphabet, in which lines that it cannot spell have no gaps,
            and another preprocessing.

    Yields:
        The id of a line and its gaps, from left to right; lines without any are passed over.

    Raises:
        BundleError: the guide cannot be opened.
    """
    runtime, classes = Runtime(guide), alphabet.classes_in(guide.alphabet)
    column = _columns(guide, maker.image)
    widest_last = sorted(chosen, key=lambda index: maker.lines[index].width)
    for start in range(0, len(widest_last), AT_ONCE):
        some = [maker.lines[index] for index in widest_last[start : start + AT_ONCE]]
        same = guide.line_image == maker.image
        images = [maker.line_image(index) for index in widest_last[start : start + AT_ONCE]]
        theirs = images if same else [line_image(line.sample.image(), guide.line_image) for line in some]
        for line, image, log_probs in zip(some, images, runtime.log_probs(theirs), strict=True):
            text = [classes[c] for c in line.classes]
            if min(text) > 0 and steps_needed(text) <= len(log_probs):
                spaces = [alphabet.decode([c]) == " " for c in line.classes]
                gaps = tuple(_gaps(log_probs, align(log_probs, text), spaces, dark_pixels(image), column))
                if gaps:
                    yield line.sample.id, gaps


def _gaps(
    log_probs: NDArray[np.floating],
    spans: Sequence[DecodedSpan],
    spaces: Sequence[bool],
    dark: NDArray[np.int64],
    column: Callable[[float], int],
) -> Iterator[Gap]:
    sure = [log_probs[s.start : s.end, s.class_].max() >= np.log(SURE) for s in spans]
    for place in range(1, len(spans) - 1):
        if spaces[place] and all(sure[place - 1 : place + 2]):
            before, after = spans[place - 1], spans[place + 1]
            between = column((before.start + before.end) / 2), column((after.start + after.end) / 2)
            middle = middle_of_gap(dark, *between)
            if middle is not None:
                yield Gap(place, middle)


def _columns(guide: Bundle, image: LineImageConfig) -> Callable[[float], int]:
    """Time steps of the guide -> columns of a line image made another way."""
    theirs = guide.line_image
    scale = image.height * image.stretch / (theirs.height * theirs.stretch)

    def column(step: float) -> int:
        return round((step * guide.architecture.step_width - theirs.margin) * scale + image.margin)

    return column


def _places(line: TrainingLine) -> tuple[tuple[str, ...], ...]:
    """Page, document and collection of a line."""
    sample = line.sample
    return (sample.collection, sample.document, sample.page), (sample.collection, sample.document), (sample.collection,)


def _written(gaps: Sequence[Gap]) -> str:
    return " ".join(f"{gap.place}:{gap.column}" for gap in gaps)


def _read(gaps: str) -> tuple[Gap, ...]:
    return tuple(Gap(*(int(number) for number in gap.split(":"))) for gap in gaps.split())
