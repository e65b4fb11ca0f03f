"""What every decoder gives: graphemes and the time steps they were read at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodedSpan:
    """One grapheme that was read.

    Attributes:
        class_: of the alphabet, never the blank.
        start: first time step.
        end: the time step after the last; `start` < `end`.
    """

    class_: int
    start: int
    end: int
