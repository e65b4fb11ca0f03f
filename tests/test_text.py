"""Text as the network spells it, and what becomes of each of the transcribers' marks."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from uncial.text import comparable, graphemes, normalise, reading_text

LETTERS = "aeéœæſß- '\"’«…,.;:!?([)]^<>⟦⟧¬‸\u0301\u0303\u0336\u0338\u00a0\u2009\u2033\u2034\ufe31ǽ\t\nﬁ"
TEXTS = st.text(st.one_of(st.sampled_from(LETTERS), st.characters(codec="utf-8")), max_size=12)


def test_a_grapheme_is_what_a_reader_takes_for_one_character() -> None:
    assert graphemes("e\u0301 a\u0303\u0304 q\u0303") == ["é", " ", "ã\u0304", " ", "q\u0303"]
    assert graphemes("👩‍🔬🇫🇷") == ["👩‍🔬", "🇫🇷"]


def test_white_space_of_every_kind_becomes_one_space_and_none_at_the_ends() -> None:
    assert normalise("\u00a0a\u2009\t b\r\n") == "a b"
    assert normalise(" \n") == ""


@given(TEXTS)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(TEXTS)
def test_the_graphemes_of_a_text_put_together_are_the_text(text: str) -> None:
    assert "".join(graphemes(text)) == normalise(text)


@pytest.mark.parametrize(
    ("transcribed", "text", "marks"),
    [
        ("a >< b", "a b", {"unreadable deletion": 1}),
        ("a <> b ⟦⟧", "a b", {"unreadable deletion": 2}),
        ("the ⟦old⟧ house", "the old house", {"crossed out": 1}),
        ("the >old< house, >a ‹", "the old house, a", {"crossed out": 2}),
        ("M^r S^ t", "Mr St", {"superscript": 2}),
        ("M^  r", "Mr", {"superscript": 1}),
        ("Mᵐᵉ Dʳ", "Mme Dr", {"superscript": 2}),
        ("maga¬", "maga-", {"line-end hyphen": 1}),
        ("in ‸ at ⎀ of ⋎ to Ξ", "in at of to", {"insertion sign": 4}),
        ("Ω que c'est Ξassez agréableΞ", "Ω que c'est assez agréable", {"insertion sign": 2}),
        ("ΞΕΝΟΦΩΝ ‸ Ξ", "ΞΕΝΟΦΩΝ Ξ", {"insertion sign": 1}),
        ("a\u0336b\u0336", "ab", {"struck letter": 2}),
        ("[[Paul]] went", "Paul went", {"editor's brackets": 1}),
        ("bread ....... 3 d.", "bread ... 3 d.", {"dotted leader": 1}),
        ("18, 20 &amp; 23", "18, 20 & 23", {"XML entity": 1}),
        ("⟦M^r⟧", "Mr", {"crossed out": 1, "superscript": 1}),
    ],
)
def test_each_mark_becomes_what_a_reader_wants_and_is_counted(
    transcribed: str, text: str, marks: dict[str, int]
) -> None:
    reading = reading_text(transcribed)
    assert (reading.text, dict(reading.marks), reading.reason) == (text, marks, None)


@pytest.mark.parametrize(
    "text",
    ["a < b", "3 ^", "what ??", "[sic]", "Well... no", "l’œil «ſi»", "⁊ ꝑ q\u0303", "ὁ Ξενοφῶν", "book Ξ of the Ἰλιάς"],
)
def test_what_is_no_transcribers_mark_stays(text: str) -> None:
    reading = reading_text(text)
    assert (reading.text, reading.marks.total(), reading.reason) == (text, 0, None)


@pytest.mark.parametrize("transcribed", ["the [?] house", "a [??]", "a […] b", "[...]", "who???", "[[?]]"])
def test_a_line_with_words_left_unread_is_left_out_with_the_reason(transcribed: str) -> None:
    assert "left words unread" in (reading_text(transcribed).reason or "")


@pytest.mark.parametrize("transcribed", ["", " \t\u00a0", "><", " ⟦⟧ "])
def test_a_line_of_which_no_text_is_left_is_left_out_with_the_reason(transcribed: str) -> None:
    reading = reading_text(transcribed)
    assert (reading.text, reading.reason) == ("", "the text is empty")


@given(TEXTS)
def test_what_is_read_from_ground_truth_is_normalised_and_nothing_is_left_out_untold(transcribed: str) -> None:
    reading = reading_text(transcribed)
    assert reading.text == normalise(reading.text)
    assert reading.reason is not None or reading.text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("l’œil", "l'oeil"),
        ("« oui » !", '" oui "!'),
        ("a — b–c", "a - b-c"),
        ("Æſop , [ or ]", "Aesop, [or]"),
        ("ﬁn…", "fin..."),
        ("12\u2034", "12'''"),
        ("æ\u0301", "ǽ"),
        ("a\t, b", "a, b"),
    ],
)
def test_spellings_that_count_as_the_same_reading_are_comparable(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("e", "é"), ("honour", "honor"), ("a b", "ab")])
def test_case_accents_spelling_and_words_still_count(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@given(TEXTS)
@example("\u2034")  # becomes three primes only by its compatibility form
@example("a\t,")
def test_a_comparable_text_made_comparable_again_stays(text: str) -> None:
    once = comparable(text)
    assert comparable(once) == once
