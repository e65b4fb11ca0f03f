"""What an evaluation found: each line's edits, pooled into rates; frozen values and their JSON.

Rates are made here from lines that were read. Reading them is the job of `evaluate`, showing them that of `report`.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from uncial.document import Failure as Failure
from uncial.document import Transcript
from uncial.metrics import EditCounts, bootstrap_interval, confusions, pooled
from uncial.read_line import ReadLine, by_page, told_confidences, told_words, worst_lines
from uncial.reliability import calibration
from uncial.sources import Sample
from uncial.text import graphemes

MOST_FREQUENT = 40  # confusions told


@dataclass(frozen=True, slots=True)
class Rate:
    """A pooled error rate.

    Attributes:
        counts: of all edits; its `error_rate` is the rate, a fraction.
        interval: 95 % bootstrap interval over pages, fractions; None where there are not two pages.
    """

    counts: EditCounts
    interval: tuple[float, float] | None

    @property
    def value(self) -> float:
        """The rate as a fraction; nan without ground truth."""
        return self.counts.error_rate


@dataclass(frozen=True, slots=True)
class Score:
    """How well some lines were read.

    Attributes:
        lines: how many.
        flawless: how many of them without an error.
        pages: on which they stand.
        cer: errors per grapheme, texts as they stand.
        wer: errors per word, texts as they stand.
        normalised_cer: errors per grapheme, in comparable form.
        normalised_wer: errors per word, in comparable form.
    """

    lines: int
    flawless: int
    pages: int
    cer: Rate
    wer: Rate
    normalised_cer: Rate
    normalised_wer: Rate

    @classmethod
    def of(cls, lines: Iterable[ReadLine]) -> "Score":
        """Pool the edits of lines, and resample their pages for the intervals."""
        pages = by_page(lines)

        def rate(counts: Callable[[ReadLine], EditCounts]) -> Rate:
            of_pages = [pooled(map(counts, page)) for page in pages]
            return Rate(pooled(of_pages), bootstrap_interval(of_pages))

        together = [line for page in pages for line in page]
        return cls(
            len(together),
            sum(not line.raw.graphemes.errors for line in together),
            len(pages),
            rate(lambda line: line.raw.graphemes),
            rate(lambda line: line.raw.words),
            rate(lambda line: line.normalised.graphemes),
            rate(lambda line: line.normalised.words),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is unknown is None."""
        return {
            "lines": self.lines,
            "flawless_lines": self.flawless,
            "pages": self.pages,
            "graphemes": self.cer.counts.reference,
            "words": self.wer.counts.reference,
            **_rates(self.cer, self.wer),
            "normalised": _rates(self.normalised_cer, self.normalised_wer),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A group of lines and its scores, with and without those whose text many documents repeat.

    Attributes:
        name: of the collection, `collection/document`, or "" for all lines.
        every_line: the score of all its lines.
        without_repeated: the score of the lines that are not repeated; the same where none are.
    """

    name: str
    every_line: Score
    without_repeated: Score

    @classmethod
    def of(cls, name: str, lines: list[ReadLine]) -> "Group":
        """Score the lines of a group."""
        kept = [line for line in lines if not line.repeated]
        score = Score.of(lines)
        return cls(name, score, score if len(kept) == len(lines) else Score.of(kept))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.every_line.to_dict(), "without_repeated": self.without_repeated.to_dict()}


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads lines whose text is known.

    Attributes:
        lines: all that have ground truth, read or not.
        left_out: lines whose ground truth cannot be scored; they are in no figure.
        marks: how often each rule of the policy for transcribers' marks changed the ground truth.
        seconds: wall time of opening and reading the images; nan if not measured.
        cpu_seconds: processor time of the same, all threads of this process together.
        about: what read what, for people: {"split": "val", ...}.
    """

    lines: tuple[ReadLine, ...]
    left_out: tuple[Failure, ...] = ()
    marks: Counter[str] = field(default_factory=Counter)
    seconds: float = math.nan
    cpu_seconds: float = math.nan
    about: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def overall(self) -> Group:
        """All lines."""
        return Group.of("", list(self.lines))

    @cached_property
    def collections(self) -> tuple[Group, ...]:
        """Each collection, by name."""
        return _groups(self.lines, lambda sample: sample.collection)

    @cached_property
    def documents(self) -> tuple[Group, ...]:
        """Each document, named `collection/document`."""
        return _groups(self.lines, lambda sample: f"{sample.collection}/{sample.document}")

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """The lines that could not be read, and why."""
        return tuple(line.transcript for line in self.lines if isinstance(line.transcript, Failure))

    @cached_property
    def confusions(self) -> Counter[tuple[str, str]]:
        """How often each grapheme was read as another: (ground truth, read), "" for nothing. Failures do not count."""
        total: Counter[tuple[str, str]] = Counter()
        for line in self.lines:
            if isinstance(line.transcript, Transcript):
                total.update(confusions(graphemes(line.reference), graphemes(line.transcript.text)))
        return total

    @property
    def lines_per_second(self) -> float:
        """Speed by the clock."""
        return len(self.lines) / self.seconds

    @property
    def lines_per_cpu_second(self) -> float:
        """Speed by the processor time: what one core would do."""
        return len(self.lines) / self.cpu_seconds

    def to_json(self) -> str:
        """One JSON object: names are stable, rates and bounds are fractions, what is unknown is null."""
        values = {
            **self.overall.to_dict(),
            "lines_per_second": _finite(self.lines_per_second),
            "lines_per_cpu_second": _finite(self.lines_per_cpu_second),
            "calibration": calibration(*(told_confidences(self.lines, calibrated=c) for c in (True, False))),
            "words_calibration": calibration(told_words(self.lines)),
            "about": dict(self.about),
            "collections": {group.name: group.to_dict() for group in self.collections},
            "documents": {group.name: group.to_dict() for group in self.documents},
            "confusions": [
                {"reference": reference, "read": transcript, "count": count}
                for (reference, transcript), count in self.confusions.most_common(MOST_FREQUENT)
            ],
            "worst_lines": [_plain(line) for line in worst_lines(self.lines)],
            "failures": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
            "left_out": [{"id": failure.id, "reason": failure.reason} for failure in self.left_out],
            "marks": dict(self.marks),
        }
        return json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False)


def _groups(lines: Iterable[ReadLine], name_of: Callable[[Sample], str]) -> tuple[Group, ...]:
    groups: dict[str, list[ReadLine]] = {}
    for line in lines:
        groups.setdefault(name_of(line.sample), []).append(line)
    return tuple(Group.of(name, groups[name]) for name in sorted(groups))


def _rates(cer: Rate, wer: Rate) -> dict[str, Any]:
    return {
        "cer": _finite(cer.value),
        "cer_interval": cer.interval,
        "wer": _finite(wer.value),
        "wer_interval": wer.interval,
    }


def _finite(number: float) -> float | None:
    """JSON has no nan."""
    return number if math.isfinite(number) else None


def _plain(line: ReadLine) -> dict[str, Any]:
    assert isinstance(line.transcript, Transcript)
    return {
        "id": line.sample.id,
        "errors": line.raw.graphemes.errors,
        "cer": _finite(line.raw.graphemes.error_rate),
        "reference": line.reference,
        "transcript": line.transcript.text,
        "confidence": line.transcript.confidence,
    }
