"""Words are cut where the network finds them, and only where it is sure."""

import numpy as np
import pytest
from conftest import DrawnLine, draw_line
from drawn_samples import Stored
from written_lines import png

from uncial.bundle import Bundle
from uncial.runtime import Runtime
from uncial.sources import Sample
from uncial.word_cut import CutWords, cut_words


def cut(bundle: Bundle, *lines: tuple[str, np.ndarray]) -> CutWords:
    samples = [
        Sample(f"drawn/{n}", text, "drawn", "letters", "7", "train", Stored(png(image)))
        for n, (text, image) in enumerate(lines)
    ]
    return cut_words(samples, bundle, Runtime(bundle))


def place_in(line: np.ndarray, word: np.ndarray) -> int:
    """The column of the line at which the word was cut out."""
    width = word.shape[1]
    return next(x for x in range(line.shape[1] - width + 1) if np.array_equal(line[:, x : x + width], word))


def test_each_word_holds_its_own_letters_and_no_others(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> None:
    line = next(line for line in drawn_lines if line.text == "1 May 1862")
    found = cut(tiny_bundle, (line.text, line.image))
    assert [word.text for word in found.words] == ["1", "May", "1862"]
    middles = dict(enumerate(line.middles))
    for word, letters in zip(found.words, ([0], [2, 3, 4], [6, 7, 8, 9]), strict=True):
        image = word.image()
        left = place_in(line.image, image)
        inside = [n for n, x in middles.items() if line.text[n] != " " and left <= x < left + image.shape[1]]
        assert inside == letters


def test_words_stand_where_their_line_stands(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> None:
    found = cut(tiny_bundle, (drawn_lines[0].text, drawn_lines[0].image))
    assert [(w.id, w.text) for w in found.words] == [("drawn/0-00", "Dear"), ("drawn/0-01", "Ann")]
    assert {(w.collection, w.document, w.page, w.split) for w in found.words} == {("drawn", "letters", "7", "train")}
    assert (found.lines, found.left_out) == (1, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Nell Nell Nell Nell", "read too badly"),
        ("Dear Ann ☞", "does not know: ☞"),
        ("Dear [?]", "left words unread"),
        ("", "empty"),
    ],
)
def test_a_line_without_sure_places_is_left_out_with_the_reason(tiny_bundle: Bundle, text: str, told: str) -> None:
    text = text.replace("Nell", "81 lM")  # of graphemes that the model knows
    found = cut(tiny_bundle, (text, draw_line("Dear Ann").image), ("a hill", draw_line("a hill").image))
    assert [word.text for word in found.words] == ["a", "hill"]
    assert [id_ for id_, _ in found.left_out] == ["drawn/0"]
    assert told in found.left_out[0][1]


def test_a_damaged_image_is_left_out(tiny_bundle: Bundle) -> None:
    sample = Sample("drawn/0", "a hill", "drawn", "", "1", "train", Stored(b"no image"))
    found = cut_words([sample], tiny_bundle, Runtime(tiny_bundle))
    assert found.words == ()
    assert found.left_out[0][0] == "drawn/0"
