"""What was read: frozen values that know nothing of files, networks or screens.

Lengths across are pixels of the source image, the one a caller gave, before any scaling; origin is its left edge.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphemeSpan:
    """One grapheme of a transcript and the place it was read at.

    Attributes:
        grapheme: as in the alphabet.
        start: first time step.
        end: the time step after the last.
        posterior: of this grapheme at its surest time step, in [0, 1].
        alternatives: the likeliest other graphemes at that time step with their posteriors, likeliest first.
        left: where the slices of these time steps begin, in pixels of the source image.
        right: where they end. The network sees beyond both; the ink of the grapheme may begin earlier and end later.
    """

    grapheme: str
    start: int
    end: int
    posterior: float
    alternatives: tuple[tuple[str, float], ...]
    left: float
    right: float

    def __post_init__(self) -> None:
        """Check that nothing is inside out."""
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span covers time steps start <= t < end, not {self.start} to {self.end}")
        if self.left > self.right:
            raise ValueError(f"a span's left is not right of its right: {self.left}, {self.right}")
        if not 0 <= self.posterior <= 1:
            raise ValueError(f"a posterior lies in [0, 1], not {self.posterior}")


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of one line image as it was read.

    Attributes:
        text: may be empty: then nothing is written there.
        confidence: in [0, 1]; how it is made says `Recognizer`.
        spans: one for each grapheme of the text, in reading order.
    """

    text: str
    confidence: float
    spans: tuple[GraphemeSpan, ...] = ()

    def __post_init__(self) -> None:
        """Check the range of the confidence."""
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"a confidence lies in [0, 1], not {self.confidence}")
