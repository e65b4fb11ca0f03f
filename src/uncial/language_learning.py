"""Makes a whole language model out of texts: the n-grams, and beside them, if it is wanted, a recurrent model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import Alphabet
from uncial.language import Learned, Text, learn, read_texts
from uncial.language_model import LanguageModel
from uncial.recurrent_language import RecurrentLanguage, bytes_of

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LanguagePlan:
    """What shall become of texts.

    Attributes:
        order: graphemes of the longest n-gram.
        most_bytes: of the file of the whole model; n-grams that bring least are left out.
        weight: how often a line of ground truth counts.
        characters: taken of each running text; None: all.
        minutes: of training the recurrent model; 0: none is trained, and one that is there stays as it is.
    """

    order: int = 7
    most_bytes: int = 8_000_000
    weight: float = 5.0
    characters: int | None = None
    minutes: float = 0.0


def learn_from_texts(
    texts: Sequence[Path],
    alphabet: Alphabet,
    plan: LanguagePlan,
    begun: RecurrentLanguage | None = None,
    note: Note = lambda _: None,
) -> tuple[LanguageModel, tuple[Learned, ...]]:
    """Make the language model of some texts. Ctrl-C ends the training of its recurrent part early and keeps it.

    Args:
        texts: files and folders, see `language.read_texts`.
        alphabet: graphemes of the model.
        plan: its size, and how it learns.
        begun: a recurrent model of this alphabet, to go on from.
        note: is called with sentences on how it goes.

    Returns:
        The model, and what was learned of each text.

    Raises:
        ConfigError: the order or the bytes are out of range.
        GroundTruthError: no such file, nothing understood in it, damaged, or no text in it.
        ModuleNotFoundError: minutes of training without PyTorch.
    """
    if plan.minutes:
        from uncial.nn.language_learner import LanguageTraining, begin, learn_language

        training = LanguageTraining(plan.minutes)
        begun = begin(alphabet.size, training, begun)

    def read() -> Iterator[Text]:
        return read_texts(texts, alphabet, plan.weight, plan.characters)

    room = plan.most_bytes - (bytes_of(begun) if begun else 0)
    ngrams, learned = learn(read(), alphabet, plan.order, room, note)
    if plan.minutes and begun:
        begun = learn_language(*_lines(read()), training, begun, note)
    return LanguageModel(ngrams, begun), learned


def _lines(texts: Iterator[Text]) -> tuple[list[NDArray[np.integer]], list[NDArray[np.integer]]]:
    """All lines, each as often as it counts, and those held out; in as few bytes as they want, for they are many."""
    lines: list[NDArray[np.integer]] = []
    held_out: list[NDArray[np.integer]] = []
    for text in texts:
        narrow: list[NDArray[np.integer]] = [line.astype(np.uint16) for line in text.lines]
        lines += narrow * max(1, round(text.weight))
        held_out += text.held_out
    return lines, held_out
