"""From ground truth to lines that can be learned from; whatever is left out is counted and listed."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from uncial.alphabet import Alphabet
from uncial.atomic import written_whole
from uncial.decoders import steps_needed
from uncial.errors import GroundTruthError, ImageError
from uncial.lineimage import line_image
from uncial.nn.batches import TrainingLine
from uncial.nn.bigrams import Bigram, frequent_bigrams
from uncial.sources import Sample, split_of
from uncial.text import reading_text
from uncial.train_config import TrainConfig
from uncial.wording import count_of

LEAST_HELD_OUT = 3  # lines; fewer tell nothing


@dataclass(frozen=True, slots=True)
class TrainingLines:
    """The lines of a training.

    Attributes:
        training: lines to learn from.
        validation: lines to choose by.
        alphabet: what the network will spell.
        left_out: (id, reason) of each line that cannot be used.
        synthetic: how many of `training` are synthetic; they stand last.
        read: how many of the others have the text that a bundle read there.
        sources: what each collection of training lines tells of its origin, licence and attribution, where it does.
        held_out: ids of `validation` where no source put them there; a bundle remembers them.
    """

    training: tuple[TrainingLine, ...]
    validation: tuple[TrainingLine, ...]
    alphabet: Alphabet
    left_out: tuple[tuple[str, str], ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    synthetic: int = 0
    held_out: tuple[str, ...] = ()
    read: int = 0

    @property
    def real(self) -> int:
        """How many of `training` are no synthetic ones; they stand first."""
        return len(self.training) - self.synthetic

    def epoch_size(self, share: float) -> int:
        """Lines of an epoch: all real ones, and so many synthetic ones that they make up the share, if there are."""
        return self.real + min(self.synthetic, round(self.real * share / (1 - share)))

    def of_epoch(self, share: float, rng: np.random.Generator) -> list[int]:
        """Indices of an epoch's lines: all real ones, and synthetic ones drawn by the generator."""
        drawn = rng.permutation(self.synthetic)[: self.epoch_size(share) - self.real] + self.real
        return [*range(self.real), *sorted(drawn.tolist())]

    def bigrams(self, most: int) -> tuple[Bigram, ...]:
        """The most frequent pairs of neighbouring graphemes in the real training lines, at most so many."""
        real = self.training[: self.real]
        return frequent_bigrams((line.classes for line in real), most)

    def digest(self, kind: Literal["training", "validation"]) -> str:
        """Tells whether two trainings have the same lines of a kind, with the same texts, in the same order."""
        lines: tuple[TrainingLine, ...] = getattr(self, kind)
        return sha256("\n".join(f"{line.sample.id} {line.classes}" for line in lines).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a bundle tells of them: how many there are of each kind, where from, and which were held out."""
        counts = {"train": len(self.training), "synthetic": self.synthetic, "val": len(self.validation)}
        counts |= {"own_readings": self.read} if self.read else {}
        facts: dict[str, Any] = {"lines": counts, "sources": dict(self.sources)}
        return facts | ({"held_out": list(self.held_out)} if self.held_out else {})

    def summary(self) -> str:
        """One sentence: how many lines of each kind, and what was left out, by reason."""
        reasons = Counter(re.split("[:;]", reason)[0] for _, reason in self.left_out)
        out = "; ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        kinds = [f"{n:,} {kind}" for n, kind in ((self.read, "as they were read"), (self.synthetic, "synthetic")) if n]
        which = f" ({', '.join(kinds)})" if kinds else ""
        return (
            f"{count_of(len(self.training), 'line')} to learn from{which}, {len(self.validation):,} to choose by, "
            f"{len(self.alphabet.graphemes)} graphemes; left out: {out or 'none'}"
        )

    def list_left_out(self, file: Path) -> None:
        """Write a table with tab-separated id and reason of each line left out; what is no UTF-8 is escaped.

        Raises:
            StorageError: it cannot be written.
        """
        table = StringIO()
        writer = csv.writer(table, dialect="excel-tab", lineterminator="\n")
        writer.writerows([("id", "reason"), *self.left_out])
        with written_whole(file, "free some space and --resume") as beside:
            beside.write_bytes(table.getvalue().encode(errors="backslashreplace"))


def gather(
    samples: Sequence[Sample],
    config: TrainConfig,
    base: Alphabet | None,
    synthetic: Sequence[Sample] = (),
    read: Sequence[Sample] = (),
) -> TrainingLines:
    """Sort samples into training and validation lines, and choose the alphabet.

    Args:
        samples: any lines; test lines are passed over.
        config: of the training; preprocessing, network and `rarest` count here.
        base: alphabet of the bundle to start from, whose graphemes stay in front; None: from the texts alone.
        synthetic: drawn lines, all to learn from, whatever their split; they may bring graphemes to the alphabet.
        read: lines with the text that a bundle read there, all to learn from, too; without any samples they are shared
            out like these.

    Raises:
        GroundTruthError: no training or no validation line is left, or two lines have the same id.
    """
    shared = samples or read
    chosen = _by_split(shared, config.held_out)
    chosen["train"] += [*(read if samples else ()), *synthetic]
    left_out: list[tuple[str, str]] = []
    texts = {}
    both = (*chosen["train"], *chosen["val"])
    if twice := [id_ for id_, count in Counter(sample.id for sample in both).items() if count > 1]:
        raise GroundTruthError(f"two lines have the same id, {twice[0]}; rename one of the collections")
    for sample in both:
        reading = reading_text(sample.text)
        reason = sample.flaw or reading.reason
        if reason:
            left_out.append((sample.id, reason))
        else:
            texts[sample.id] = reading.text
    alphabet = _alphabet([texts[s.id] for s in chosen["train"] if s.id in texts], config.rarest, base)
    with ThreadPoolExecutor(2) as pool:  # decoding frees the interpreter
        lines = {
            split: list(
                pool.map(
                    lambda s, split=split: _line(s, texts[s.id], alphabet, config, split),
                    [s for s in some if s.id in texts],
                )
            )
            for split, some in chosen.items()
        }
    left_out += [line for split in lines.values() for line in split if isinstance(line, tuple)]
    usable = {split: tuple(x for x in some if isinstance(x, TrainingLine)) for split, some in lines.items()}
    for split, purpose in (("train", "learn from"), ("val", "choose the best network by")):
        if not usable[split]:
            raise GroundTruthError(
                f"no line to {purpose}: {len(chosen[split])} in split '{split}', none usable"
                + (f"; first reason: {left_out[0][0]}: {left_out[0][1]}" if left_out else "; add lines or pages")
            )
    count, own = (_among(usable["train"], some) for some in (synthetic, read))
    if count == len(usable["train"]):
        raise GroundTruthError("all lines to learn from are synthetic; name them as ground truth, or add real ones")
    apart = () if any(sample.split == "val" for sample in shared) else usable["val"]
    held_out = tuple(line.sample.id for line in apart)
    sources = _sources(usable["train"])
    return TrainingLines(usable["train"], usable["val"], alphabet, tuple(left_out), sources, count, held_out, own)


def _among(lines: Sequence[TrainingLine], samples: Sequence[Sample]) -> int:
    """How many of the lines are of these samples."""
    ids = {sample.id for sample in samples}
    return sum(line.sample.id in ids for line in lines)


def _by_split(samples: Sequence[Sample], held_out: float) -> dict[str, list[Sample]]:
    """Lines of split "train" and "val"; if none says that it is "val", the share that is held out, evenly spread."""
    chosen = {split: [s for s in samples if split_of(s) == split] for split in ("train", "val")}
    if _holds_out(samples, held_out):
        some = [sample for sample in samples if split_of(sample) != "test"]
        sound = [i for i, sample in enumerate(some) if not sample.flaw and not reading_text(sample.text).reason]
        count = min(max(LEAST_HELD_OUT, round(len(sound) * held_out)), len(sound) // 2)
        apart = {sound[(2 * n + 1) * len(sound) // (2 * count)] for n in range(count)}
        chosen["train"] = [sample for i, sample in enumerate(some) if i not in apart]
        chosen["val"] = [sample for i, sample in enumerate(some) if i in apart]
    return chosen


def _holds_out(samples: Sequence[Sample], held_out: float) -> bool:
    return held_out > 0 and not any(sample.split == "val" for sample in samples)


def _sources(lines: Sequence[TrainingLine]) -> dict[str, str]:
    """The notes of each collection, taken from its first line."""
    first = {line.sample.collection: line.sample for line in reversed(lines)}
    notes = {name: sample.source.notes().strip() for name, sample in sorted(first.items())}
    return {name: text for name, text in notes.items() if text}


def _alphabet(texts: Sequence[str], rarest: int, base: Alphabet | None) -> Alphabet:
    found = Alphabet.from_texts(texts, rarest)
    return base.extended(found.graphemes) if base else found


def _line(
    sample: Sample, text: str, alphabet: Alphabet, config: TrainConfig, split: str
) -> TrainingLine | tuple[str, str]:
    missing = alphabet.missing(text)
    if missing and split == "train":
        return sample.id, f"has a grapheme outside the alphabet: {' '.join(missing)}"
    try:
        width = line_image(sample.image(), config.line_image).shape[1]
    except ImageError as error:
        return sample.id, f"has no usable image: {error}"
    # A validation line may hold graphemes that the network cannot spell: they stay errors (class -1 is never read).
    classes = tuple(alphabet.encode(text, unknown=-1))
    steps = config.network.time_steps(width)
    if split == "train" and steps_needed(classes) > steps:
        return sample.id, f"is too narrow for its text: {steps_needed(classes)} time steps needed, {steps} there"
    return TrainingLine(sample, classes, width)
