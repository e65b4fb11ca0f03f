"""The alphabet of a model: graphemes <-> classes.

Class 0 is the CTC blank, always; only this module knows it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from uncial.errors import AlphabetError
from uncial.text import graphemes as split_graphemes

BLANK = 0


@dataclass(frozen=True)
class Alphabet:
    """Graphemes of a model and their classes 1..n; class 0 is the CTC blank.

    Attributes:
        graphemes: in the order of their classes.

    Raises:
        AlphabetError: a grapheme stands twice, or is empty.
    """

    graphemes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that each grapheme stands once and build the way back."""
        twice = [g for g, count in Counter(self.graphemes).items() if count > 1 or not g]
        if twice:
            raise AlphabetError(f"an alphabet holds each grapheme once and none empty; see {twice[:5]!r}")
        object.__setattr__(self, "_classes", {g: c for c, g in enumerate(self.graphemes, start=1)})

    @classmethod
    def from_texts(cls, texts: Iterable[str], least: int = 1) -> "Alphabet":
        """All graphemes that occur at least `least` times in the texts, in Unicode order."""
        counts = Counter(g for text in texts for g in split_graphemes(text))
        return cls(tuple(sorted(g for g, count in counts.items() if count >= least)))

    @property
    def size(self) -> int:
        """Classes of the output layer: the graphemes and the blank."""
        return len(self.graphemes) + 1

    def missing(self, text: str) -> list[str]:
        """The graphemes of a text that this alphabet does not hold, each once, in order."""
        return [g for g in dict.fromkeys(split_graphemes(text)) if g not in self._classes]  # type: ignore[attr-defined]

    def encode(self, text: str, unknown: int | None = None) -> list[int]:
        """The classes of a text's graphemes.

        Args:
            text: any text; it is normalised.
            unknown: class for graphemes that this alphabet does not hold; None: they are an error.

        Raises:
            AlphabetError: the text has graphemes that this alphabet does not hold, and `unknown` is None.
        """
        classes = [self._classes.get(g, unknown) for g in split_graphemes(text)]  # type: ignore[attr-defined]
        if None in classes:
            names = ", ".join(repr(g) for g in self.missing(text))
            raise AlphabetError(f"{text!r}: the alphabet does not hold {names}; train with --from to add it")
        return classes

    def decode(self, classes: Iterable[int]) -> str:
        """The text of a sequence of classes 1..n (no blanks)."""
        return "".join(self.graphemes[c - 1] for c in classes)

    def extended(self, more: Iterable[str]) -> "Alphabet":
        """This alphabet with the graphemes it lacks added behind, so that its own classes stay as they are."""
        return Alphabet(self.graphemes + tuple(sorted(set(more) - set(self.graphemes))))

    def classes_in(self, other: "Alphabet") -> tuple[int, ...]:
        """For each class of this alphabet, the blank included, the class of the other; -1 where it has none."""
        return (BLANK, *(other._classes.get(g, -1) for g in self.graphemes))  # type: ignore[attr-defined]
