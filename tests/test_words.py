"""A list of words to expect: what is read with it, and what is wrong with it."""

from pathlib import Path

import pytest
from conftest import TEXTS

from uncial.alphabet import Alphabet
from uncial.cli_options import read_words
from uncial.decoding import told
from uncial.errors import ConfigError
from uncial.ngram_estimate import Counts, estimate

ALPHABET = Alphabet.from_texts(TEXTS)
MODEL = estimate(Counts.of([ALPHABET.encode(text) for text in TEXTS], 4, ALPHABET.size))


def test_each_line_of_a_list_is_a_word_and_stands_once(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("\ufeffAnn\n\n  Dear Ann \nAnn\n", encoding="utf-8")
    assert read_words(file) == ("Ann", "Dear Ann")
    assert read_words(None) == ()


@pytest.mark.parametrize(
    ("content", "finding"), [(None, "cannot be read"), (b"\xff\xfe", "not UTF-8"), (b"\n \n", "holds no word")]
)
def test_a_list_that_cannot_be_used_is_told(tmp_path: Path, content: bytes | None, finding: str) -> None:
    file = tmp_path / "names.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"names\.txt: .*{finding}"):
        read_words(file)


def test_words_that_can_be_spelt_are_expected_and_others_are_passed_over() -> None:
    model = told(MODEL, ["Maya", "Ωmega"], ALPHABET)
    maya = ALPHABET.encode("Maya")
    assert model.score(maya) > MODEL.score(maya) + 1
    assert model.graphemes == MODEL.graphemes


def test_words_without_a_language_model_or_that_nobody_can_spell_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs quality balanced"):
        told(None, ["Ann"], ALPHABET)
    with pytest.raises(ConfigError, match="none of the 2 words"):
        told(MODEL, ["Ω", "Ψ"], ALPHABET)


def test_words_are_expected_of_an_alphabet_without_a_space_too() -> None:
    words = ["kim", "lou", "max", "ulf"]
    alphabet = Alphabet.from_texts(["".join(words)])
    model = estimate(
        Counts.of([alphabet.encode(text) for text in ("mukifl", "oxaluk", "fimolu")] * 3, 4, alphabet.size)
    )
    expecting = told(model, words, alphabet)
    for word in words:
        assert expecting.score(alphabet.encode(word)) > model.score(alphabet.encode(word)) + 0.5
