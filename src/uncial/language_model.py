"""What a bundle knows of language: n-grams that a search weighs by, and a recurrent model that ranks what it found."""

from dataclasses import dataclass
from pathlib import Path

from uncial.ngram import NGrams
from uncial.ngram_file import load_ngrams, load_recurrent
from uncial.recurrent_language import RecurrentLanguage


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The parts of a language model.

    Attributes:
        ngrams: over the bundle's alphabet.
        recurrent: over the same, but for graphemes that came later; None: there is none.
    """

    ngrams: NGrams
    recurrent: RecurrentLanguage | None = None


def load_language_model(path: Path) -> LanguageModel:
    """Open the language model of a bundle.

    Raises:
        BundleError: no such file, or damaged.
    """
    return LanguageModel(load_ngrams(path), load_recurrent(path))
