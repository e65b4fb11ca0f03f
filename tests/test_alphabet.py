"""Graphemes and their classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncial.alphabet import BLANK, Alphabet
from uncial.errors import AlphabetError
from uncial.text import normalise

TEXTS = st.text(st.one_of(st.sampled_from("abé \u0301\u0303"), st.characters(codec="utf-8")), max_size=12)


def test_class_0_is_the_blank_and_the_graphemes_follow_in_order() -> None:
    alphabet = Alphabet(("b", "a"))
    assert BLANK == 0
    assert alphabet.size == 3
    assert alphabet.encode("ab") == [2, 1]
    assert alphabet.decode([1, 2, 2]) == "baa"


@given(st.lists(TEXTS, max_size=4))
def test_texts_encoded_and_decoded_are_the_texts_normalised(texts: list[str]) -> None:
    alphabet = Alphabet.from_texts(texts)
    for text in texts:
        classes = alphabet.encode(text)
        assert alphabet.decode(classes) == normalise(text)
        assert all(BLANK < class_ < alphabet.size for class_ in classes)


def test_an_alphabet_of_texts_is_sorted_and_holds_what_occurs_often_enough() -> None:
    assert Alphabet.from_texts(["cab", "ab", "e\u0301"]).graphemes == ("a", "b", "c", "é")
    assert Alphabet.from_texts(["cab", "ab", "é"], least=2).graphemes == ("a", "b")


@given(st.lists(st.characters(codec="utf-8"), unique=True, max_size=6), st.lists(st.sampled_from("abcé€"), max_size=8))
def test_an_extended_alphabet_keeps_every_class_and_holds_the_new_graphemes(own: list[str], more: list[str]) -> None:
    alphabet = Alphabet(tuple(own))
    extended = alphabet.extended(more)
    assert extended.graphemes[: len(own)] == alphabet.graphemes
    assert set(extended.graphemes) == {*own, *more}
    assert extended.extended(more) == extended


def test_an_unknown_grapheme_is_named_with_the_text_and_a_cure() -> None:
    alphabet = Alphabet.from_texts(["a b"])
    assert alphabet.missing("a € b q\u0303 €") == ["€", "q\u0303"]
    with pytest.raises(AlphabetError, match=r"'a €.*does not hold '€', 'q\u0303'; train with --from"):
        alphabet.encode("a € q\u0303")


def test_an_unknown_grapheme_gets_the_class_that_is_asked_for() -> None:
    assert Alphabet(("a",)).encode("a€a", unknown=-1) == [1, -1, 1]


@pytest.mark.parametrize("graphemes", [("a", "b", "a"), ("a", "")])
def test_a_grapheme_that_stands_twice_or_is_empty_is_refused(graphemes: tuple[str, ...]) -> None:
    with pytest.raises(AlphabetError, match="each grapheme once and none empty"):
        Alphabet(graphemes)
