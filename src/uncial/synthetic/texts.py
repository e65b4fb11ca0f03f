"""What synthetic lines say: running text cut as lines are, names and addresses, dates and sums, and rare characters.

Texts follow `docs/text-policy.md`: what is written is what is to be read, and `^` before a raised ending is not read.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faker import Faker

from uncial.errors import GroundTruthError
from uncial.sources.files import files_of, text_of
from uncial.text import normalise, typed

LOCALES = {
    "en": ("en_GB", "en_US"),
    "fr": ("fr_FR", "fr_BE"),
    "de": ("de_DE", "de_AT"),
    "it": ("it_IT",),
    "es": ("es_ES",),
}
_SAMPLE = 200_000  # characters by which the frequency of letters is judged
_SHORT, _USUAL, _LONG = (2, 16), (22, 62), (62, 82)  # graphemes of a line
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
# n, m: numbers of up to three and two digits; y: a year; M: a month; K: a thousand-odd; X: Roman numerals.
_FORMS = {
    "en": "M m, y|mth M y|m^th M y|£n m s. m d.|£K.m.m|n lbs. m oz.|No. n|Dec^r m y|Sept. m^th y|m/m/y|$K.00|p. n"
    "|Mess^rs|Esq^re|Chap. X|m & m|n Street|fol. n|D^r|M^r|M^rs|@ m/- per doz.|m %",
    "fr": "le m M y|le m 7bre y|m 8bre y|m 9bre y|m Xbre y|N° n|N^o n|n fr. m c.|K fr. m|K francs|n f. m|M^me|M^lle"
    "|M^r|S^t|1^er M y|l'an y|art. n|fol. n|pag. n|m^e|XV^e siècle|m h. m|n kg|m %|née le m M y|décédé le m M y",
    "de": "den m. M y|d. m. M y|Nr. n|No. n|n Mk. m Pf.|K Mark|K Thlr. m Gr.|S. n|§ m|geb. m. m. y|Hr. D^r|m %"
    "|n fl. m kr.",
    "it": "li m M y|m M y|N. n|L. K|lire n|S^r|pag. n|1° M y|n lire e m cent.|m %",
    "es": "a m de M de y|m de M y|N.º n|n rs.|K pesetas|D^n|S^ra|pág. n|1.º de M|¿n?|¡n!",
}
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIV", "XVI", "XX")
_SYMBOLS = list("0123456789" * 3 + "£$€%&@#*=+()[]{}/_~|°«»\"';:!?–—→¥XYZWKQJUVwkzxqyjÀÉÈÊÇÎÔÜßœæùûëïüöä")


@dataclass(frozen=True, slots=True)
class Corpus:
    """A running text, and the language its name begins with ("en_letters.txt"); "en" where it names none."""

    language: str
    text: str


class TextMaker:
    """Makes texts of lines, the same ones for the same seed."""

    def __init__(self, corpora: Sequence[Corpus], seed: int) -> None:
        """Hold the corpora, judge how rare each character is, and seed the makers of names."""
        self.corpora = corpora
        counts = Counter(character for corpus in corpora for character in corpus.text[:_SAMPLE])
        total = counts.total()
        self._rarity = {character: float(np.log(total / count)) for character, count in counts.items()}
        self._fakers: dict[str, Faker] = {}
        for language in sorted({corpus.language for corpus in corpora}):
            faker = self._fakers[language] = Faker(list(LOCALES[language]))
            faker.seed_instance(seed)

    def text(self, rng: np.random.Generator) -> str:
        """What a line says; raised endings stand behind `^`."""
        corpus = self.corpora[int(rng.integers(len(self.corpora)))]
        kind = rng.random()
        if kind < 0.74:
            made = self._running(corpus, rng)
        elif kind < 0.83:
            made = self._named(corpus.language, rng)
        elif kind < 0.94:
            made = self._counted(corpus, rng)
        else:
            made = _symbols(rng)
        return normalise(made.upper() if rng.random() < 0.03 else made)

    def _running(self, corpus: Corpus, rng: np.random.Generator) -> str:
        """A piece of running text; of two, often the one with the rarer characters."""
        pieces = [_piece(corpus.text, rng) for _ in range(2 if rng.random() < 0.5 else 1)]
        return max(pieces, key=lambda piece: sum(self._rarity.get(c, 12.0) for c in piece) / max(len(piece), 1))

    def _named(self, language: str, rng: np.random.Generator) -> str:
        faker = self._fakers[language]
        makers = (faker.name, faker.street_address, faker.city, faker.company, faker.job, faker.phone_number)
        words = [str(makers[int(i)]()) for i in rng.integers(0, len(makers), int(rng.integers(1, 4)))]
        return str(rng.choice([", ", " ", " - ", ". "])).join(words)[:80]

    def _counted(self, corpus: Corpus, rng: np.random.Generator) -> str:
        """Dates, sums and numbers, alone as in registers or within running text."""
        made = [_filled(corpus.language, rng) for _ in range(int(rng.integers(1, 4)))]
        if rng.random() < 0.5:
            return f"{_piece(corpus.text, rng, _SHORT)} {made[0]} {_piece(corpus.text, rng, _SHORT)}"
        return str(rng.choice([" ", ", ", " - ", ". "])).join(made)


def read_corpora(paths: Sequence[Path]) -> list[Corpus]:
    """Running texts, `.txt` or `.txt.xz`, of files and folders; one named twice counts twice.

    Raises:
        GroundTruthError: no such file, none in a folder, damaged, or too short to cut lines from.
    """
    files = [file for path in paths for file in files_of(path) if file.name.endswith((".txt", ".txt.xz"))]
    if not files:
        raise GroundTruthError(f"{', '.join(map(str, paths))}: holds no text; name files that end in .txt or .txt.xz")
    return [_corpus(file) for file in files]


def _corpus(path: Path) -> Corpus:
    text = typed(text_of(path))
    if len(text) < 200:
        raise GroundTruthError(f"{path}: has {len(text)} characters; lines are cut from texts of 200 or more")
    language = path.name[:2].lower()
    return Corpus(language if language in LOCALES and path.name[2:3] in "_.-" else "en", text)


def _piece(text: str, rng: np.random.Generator, lengths: tuple[int, int] | None = None) -> str:
    """Some words in a row, as a line holds them; now and then the last is broken off with a hyphen."""
    chance = rng.random()
    usual = _SHORT if chance < 0.12 else _LONG if chance < 0.25 else _USUAL
    length = int(rng.integers(*(lengths or usual)))
    start = int(rng.integers(0, max(1, len(text) - 200)))
    start = text.find(" ", start) + 1  # of a word; 0, the first, where none follows
    words = text[start : start + length].split("\n")[0].split(" ")
    if len(words) < 2:
        return words[0]
    rest, last = words[:-1], words[-1]
    if not lengths and rng.random() < 0.15 and len(last) > 2 and last.isalpha():
        rest.append(last + "-")
    # What is left of a paragraph is often a word or two: of such lines, a third is enough.
    if not lengths and len(rest) < 3 and rng.random() < 0.67:
        return _piece(text, rng, _USUAL)
    return " ".join(rest)


def _filled(language: str, rng: np.random.Generator) -> str:
    """One of the forms of a language, with numbers and months in it."""
    form = str(rng.choice(_FORMS[language].split("|")))
    months = _MONTHS[language].split()

    def fill(match: re.Match[str]) -> str:
        return {
            "n": str(rng.integers(1, 1000)),
            "m": str(rng.integers(1, 32)),
            "y": str(rng.integers(1640, 2025)),
            "K": str(rng.choice([",", ".", " ", ""])).join((str(rng.integers(1, 100)), f"{rng.integers(0, 1000):03}")),
            "M": months[int(rng.integers(12))],
            "X": str(rng.choice(_ROMAN)),
        }[match.group()]

    # Only letters that stand alone or beside figures are places to fill: "M^me" is a word, "m^e" is not.
    return re.sub(r"(?<![^\W\d_])[nmyMKX](?![^\W\d_]|\^[mlr]|[bp]re)", fill, form)


def _symbols(rng: np.random.Generator) -> str:
    """Rare characters, a few at a time: figures, signs, and letters that running text seldom has."""
    groups = ["".join(rng.choice(_SYMBOLS, int(rng.integers(1, 7)))) for _ in range(int(rng.integers(1, 7)))]
    return " ".join(groups)
