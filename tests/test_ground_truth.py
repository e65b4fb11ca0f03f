"""What a check finds in ground truth, and that conversion loses and overwrites nothing."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import TEXTS, TINY, DrawnLine
from written_lines import Row, png, samples_of
from written_sources import write_archive

from uncial.ground_truth import check
from uncial.lineimage import LineImageConfig
from uncial.sources import Sample, read_samples

Lines = Sequence[DrawnLine]


WIDE = png(np.tile(np.array([200, 200, 40], np.uint8), (64, 100)))


def kinds(samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """Id within the collection, and kind of flaw, of the lines left out."""
    return [(line.id.partition("/")[2], line.kind) for line in check(samples).left_out]


def test_a_check_counts_lines_places_and_graphemes(tmp_path: Path, drawn_lines: Lines) -> None:
    found = check(read_samples([write_archive(tmp_path, drawn_lines)]))
    assert (found.lines, found.usable, found.collections, found.documents, found.pages) == (4, 4, 1, 2, 4)
    assert found.splits == (("train", 3), ("val", 1))
    text = "".join(TEXTS)
    assert dict(found.graphemes) == {grapheme: text.count(grapheme) for grapheme in set(text)}
    assert [n for _, n in found.graphemes] == sorted((n for _, n in found.graphemes), reverse=True)
    widths = sorted(line.image.shape[1] + 32 for line in drawn_lines)
    assert (found.widths.least, found.widths.most) == (widths[0], widths[-1])
    assert found.widths.median == pytest.approx((widths[1] + widths[2]) / 2, abs=0.5)
    assert (found.left_out, found.same_images, found.repeated_texts, found.blank_images) == ((), (), (), ())


def test_graphemes_are_those_that_the_network_would_spell(tmp_path: Path) -> None:
    found = check(samples_of(tmp_path, [Row("e\u0301te\u0301 ¬ M^r", image=WIDE)]))
    assert dict(found.graphemes) == {"\xe9": 2, "t": 1, " ": 2, "-": 1, "M": 1, "r": 1}
    assert dict(found.marks) == {"line-end hyphen": 1, "superscript": 1}


def test_texts_that_training_leaves_out_are_told(tmp_path: Path) -> None:
    samples = samples_of(tmp_path, [Row("a hill", image=WIDE), Row(" "), Row("a [?] hill"), Row("⟦⟧")])
    assert kinds(samples) == [("001", "empty text"), ("002", "uncertain text"), ("003", "empty text")]


BAD_IMAGES: dict[str, tuple[bytes, str]] = {
    "zero bytes": (b"", "0 bytes"),
    "noise": (b"no image", "not an image that can be read"),
    "truncated": (png(np.random.default_rng(1).integers(0, 256, (64, 300), dtype=np.uint8))[:5_000], "truncated"),
    "one pixel wide": (png(np.zeros((64, 1), np.uint8)), "the image is 1 x 64 pixels; a line needs at least 4"),
    "gigantic": (png(np.zeros((9_500, 9_500), np.uint8)), "the limit is 89,000,000 pixels; scale it down"),
    "far too long": (png(np.zeros((8, 9_000), np.uint8)), "cut it into parts"),
}


@pytest.mark.parametrize(("data", "reason"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_an_unusable_image_is_told_and_the_others_count(data: bytes, reason: str, tmp_path: Path) -> None:
    found = check(samples_of(tmp_path, [Row("a hill", image=data), Row("Dear Ann", image=WIDE)]))
    assert (found.usable, [(line.id, line.kind) for line in found.left_out]) == (1, [("drawn/000", "unusable image")])
    assert reason in found.left_out[0].reason
    assert not found.left_out[0].reason.startswith("drawn/000")


def test_a_text_that_ctc_cannot_spell_in_its_image_is_told_and_one_that_just_fits_is_not(tmp_path: Path) -> None:
    steps = TINY.time_steps(164 + 32)
    image = png(np.full((64, 164), 200, np.uint8))
    fits, too_long, repeated = "ab" * (steps // 2), "ab" * (steps // 2) + "ab", "a" * (steps // 2 + 2)
    found = check(samples_of(tmp_path, [Row(text, image=image) for text in (fits, too_long, repeated)]), network=TINY)
    assert [(line.id, line.kind) for line in found.left_out] == [
        ("drawn/001", "too narrow for its text"),
        ("drawn/002", "too narrow for its text"),  # between two equal graphemes CTC needs a blank
    ]
    assert f"needs {len(too_long)} time steps, the image of 196 pixels gives {steps}" in found.left_out[0].reason


def test_margins_count_as_room_for_the_text(tmp_path: Path) -> None:
    samples = samples_of(tmp_path, [Row("abcdefghijkl", image=png(np.full((64, 30), 200, np.uint8)))])
    assert check(samples, TINY, LineImageConfig(margin=0)).usable == 0
    assert check(samples, TINY, LineImageConfig(margin=16)).usable == 1


def test_images_of_the_same_pixels_are_told_whatever_their_files(tmp_path: Path, drawn_lines: Lines) -> None:
    image = drawn_lines[0].image
    webp = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    rows = [Row("a", image=png(image)), Row("b", image=png(drawn_lines[1].image)), Row("c", image=webp)]
    assert check(samples_of(tmp_path, rows)).same_images == (("drawn/000", "drawn/002"),)


def test_texts_in_more_than_eight_documents_are_told(tmp_path: Path) -> None:
    rows = [
        Row(text, document=str(n), image=WIDE)
        for text, times in (("I agree", 9), ("Dear Ann", 8))
        for n in range(times)
    ]
    (told,) = check(samples_of(tmp_path, rows)).repeated_texts
    assert (told.text, told.lines, told.documents) == ("I agree", 9, 9)


def test_images_on_which_nothing_can_be_seen_are_told(tmp_path: Path, drawn_lines: Lines) -> None:
    grain = np.random.default_rng(1).normal(200, 2, (64, 300)).clip(0, 254).astype(np.uint8)
    masked = grain.copy()
    masked[:, 200:] = 255
    pencil = grain.copy()
    pencil[30:34, 20:280] -= 30
    images = [np.full((64, 99), 255, np.uint8), grain, masked, pencil, drawn_lines[0].image]
    found = check(samples_of(tmp_path, [Row("a", image=png(image)) for image in images]))
    assert found.blank_images == ("drawn/000", "drawn/001", "drawn/002")
    assert found.usable == 5


def test_progress_is_told_line_by_line(tmp_path: Path, drawn_lines: Lines) -> None:
    samples, told = read_samples([write_archive(tmp_path, drawn_lines)]), []
    check(samples, progress=lambda *numbers: told.append(numbers))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
