"""One line beside its ground truth: how it was read, how many errors that has, and how sure it was."""

from collections.abc import Iterable
from dataclasses import dataclass

from uncial.document import Failure, Transcript
from uncial.metrics import EditCounts, count_edits, words
from uncial.reliability import Told, of_words
from uncial.sources import Sample
from uncial.text import comparable, graphemes

WORST = 40  # lines told


@dataclass(frozen=True, slots=True)
class Edits:
    """The edits between ground truth and transcript, counted over graphemes and over words."""

    graphemes: EditCounts
    words: EditCounts

    @classmethod
    def between(cls, reference: str, transcript: str) -> "Edits":
        """Compare two texts."""
        return cls(
            count_edits(graphemes(reference), graphemes(transcript)), count_edits(words(reference), words(transcript))
        )


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line and how it was read.

    Attributes:
        sample: the line as its source gives it.
        reference: its ground truth after the policy for transcribers' marks.
        transcript: what was read, without spans; or why nothing could be read. A failure counts as if every grapheme
            were missing, so that nobody gains by failing.
        repeated: many documents hold this text, see `evaluate.repeated_lines`.
        raw: edits between the texts as they stand.
        normalised: edits between their comparable forms, see `text.comparable`.
    """

    sample: Sample
    reference: str
    transcript: Transcript | Failure
    repeated: bool
    raw: Edits
    normalised: Edits

    @classmethod
    def compared(cls, sample: Sample, reference: str, repeated: bool, transcript: Transcript | Failure) -> "ReadLine":
        """Count the edits of a line; see the attributes."""
        read = transcript.text if isinstance(transcript, Transcript) else ""
        raw, normalised = Edits.between(reference, read), Edits.between(comparable(reference), comparable(read))
        return cls(sample, reference, transcript, repeated, raw, normalised)


def by_page(lines: Iterable[ReadLine]) -> list[list[ReadLine]]:
    """Lines by the page they stand on, in the order of the first line of each."""
    pages: dict[tuple[str, str, str], list[ReadLine]] = {}
    for line in lines:
        pages.setdefault((line.sample.collection, line.sample.document, line.sample.page), []).append(line)
    return list(pages.values())


def worst_lines(lines: Iterable[ReadLine], most: int = WORST) -> tuple[ReadLine, ...]:
    """The lines read with the most errors, worst first; neither flawless lines nor failures."""
    wrong = (x for x in lines if x.raw.graphemes.errors and isinstance(x.transcript, Transcript))
    return tuple(sorted(wrong, key=lambda line: (-line.raw.graphemes.errors, line.sample.id))[:most])


def told_confidences(lines: Iterable[ReadLine], *, calibrated: bool = True) -> list[Told]:
    """Confidence (or what it was before calibration) and edits of each line that was read."""
    read = ((line.transcript, line.raw.graphemes) for line in lines if isinstance(line.transcript, Transcript))
    return [(t.confidence if calibrated or t.uncalibrated is None else t.uncalibrated, edits) for t, edits in read]


def told_words(lines: Iterable[ReadLine]) -> list[Told]:
    """Confidence of each word that was read, and whether all of it is right."""
    read = ((words(x.reference), x.transcript) for x in lines if isinstance(x.transcript, Transcript))
    told = ((truth, words(t.text), t.words) for truth, t in read)
    return [one for truth, text, sure in told if len(text) == len(sure) for one in of_words(truth, text, sure)]
