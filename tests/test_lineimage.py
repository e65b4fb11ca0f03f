"""Line images: lines scaled, their contrast stretched."""

from typing import Any

import cv2
import numpy as np
import pytest
from conftest import EDGE, draw_line
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from uncial.errors import ImageError
from uncial.image_file import Gray
from uncial.lineimage import PAPER, LineImageConfig, Part, ink, line_image, line_x, source_x, writing

PLAIN = LineImageConfig()
WRITTEN = draw_line("une page de texte").image[15:57, EDGE:]  # about as high as its long letters


def whole(line: Gray) -> Part:
    return Part(0, line.shape[0], 0, line.shape[1])


def test_a_line_of_the_network_s_height_keeps_its_pixels_between_two_margins() -> None:
    line = np.random.default_rng(3).integers(0, 256, (64, 100), dtype=np.uint8)
    image = line_image(line, PLAIN, whole(line))
    assert_array_equal(image[:, 16:-16], line)
    assert_array_equal(np.unique(np.concatenate([image[:, :16], image[:, -16:]])), PAPER)


@pytest.mark.parametrize("height", [32, 50, 64, 128, 301])
def test_lines_are_scaled_to_the_height_with_their_shape_kept(height: int) -> None:
    line = np.full((height, 5 * height), PAPER, np.uint8)
    line[:, 2 * height : 3 * height] = 0
    image = line_image(line, PLAIN, whole(line))
    assert image.shape == (64, 5 * 64 + 32)
    dark = np.flatnonzero(image[32] < 128)
    assert abs(source_x(PLAIN, whole(line), dark[0]) - 2 * height) <= height / 64
    assert abs(source_x(PLAIN, whole(line), dark[-1] + 1) - 3 * height) <= height / 64


@pytest.mark.parametrize("shape", [(64, 1), (1, 64), (64, 3), (0, 0), (64, 0), (0, 64)])
def test_what_is_a_pixel_wide_is_no_line(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"{shape[1]} x {shape[0]} pixels; a line needs at least 4 each way"):
        line_image(np.zeros(shape, np.uint8), PLAIN)


def test_what_is_far_too_long_is_no_line() -> None:
    with pytest.raises(ImageError, match="cut it into parts"):
        line_image(np.zeros((8, 2_100), np.uint8), LineImageConfig(margin=0))


@pytest.mark.parametrize("stretch", [0.5, 1.2, 3.0])
def test_a_stretched_line_keeps_its_height_and_tells_the_places_of_the_original(stretch: float) -> None:
    config = LineImageConfig(stretch=stretch)
    line = np.full((64, 400), PAPER, np.uint8)
    line[:, 100:200] = 0
    image = line_image(line, config, whole(line))
    assert image.shape == (64, round(400 * stretch) + 32)
    dark = np.flatnonzero(image[32] < 128)
    assert abs(source_x(config, whole(line), dark[0]) - 100) <= 1 / stretch
    assert abs(source_x(config, whole(line), dark[-1] + 1) - 200) <= 1 / stretch


@pytest.mark.parametrize("height", [32, 64, 200])
@pytest.mark.parametrize("sides", [(1, 1, 0, 0), (0.6, 0.3, 0, 0), (0, 0, 2, 3), (0.4, 0.6, 3, 0)])
def test_blank_paper_around_the_writing_is_left_out(height: int, sides: tuple[float, ...]) -> None:
    line = cv2.resize(WRITTEN, (WRITTEN.shape[1] * height // 42, height), interpolation=cv2.INTER_AREA)
    above, below, left, right = (round(side * height) for side in sides)
    roomy = np.pad(line, ((above, below), (left, right)), constant_values=PAPER)
    part = writing(roomy)  # type: ignore[arg-type]
    assert (part.of(roomy) < 128).sum() == (line < 128).sum()
    assert part.bottom - part.top < 1.3 * height
    assert part.left >= left - height
    assert part.right <= left + line.shape[1] + height


def test_the_places_of_a_part_are_those_of_the_whole_image() -> None:
    roomy = np.pad(WRITTEN, ((64, 64), (300, 200)), constant_values=PAPER)
    image = line_image(roomy, PLAIN)
    dark, there = (np.flatnonzero((picture < 128).any(axis=0)) for picture in (image, roomy))
    assert source_x(PLAIN, writing(roomy), float(dark[0])) == pytest.approx(there[0], abs=2)
    assert source_x(PLAIN, writing(roomy), float(dark[-1])) == pytest.approx(there[-1], abs=2)


def test_writing_that_reaches_both_edges_gets_some_paper() -> None:
    rows = np.flatnonzero((WRITTEN < 128).any(axis=1))
    closely = cv2.resize(WRITTEN[rows[0] : rows[-1] + 1], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    part = writing(closely)  # type: ignore[arg-type]
    room = len(closely) // 10
    assert (part.top, part.bottom) == (-room, len(closely) + room)
    line = part.of(closely)  # type: ignore[arg-type]
    assert_array_equal(line[room:-room], closely)
    assert_array_equal(line[:room], PAPER)
    assert_array_equal(line[-room:], PAPER)
    assert writing(line) == whole(line)


def test_line_x_takes_back_what_source_x_does() -> None:
    config, part = LineImageConfig(stretch=1.4), Part(10, 90, 33, 700)
    for x in (0.0, 100.5, 900.0):
        assert source_x(config, part, line_x(config, part, x)) == pytest.approx(x)


def test_a_pale_word_at_the_end_stays() -> None:
    pale = (255 - (255 - WRITTEN[:, :120].astype(float)) * 0.3).astype(np.uint8)
    line = np.pad(np.hstack([pale, WRITTEN]), ((0, 0), (100, 0)), constant_values=PAPER)
    first = np.flatnonzero((line < 200).any(axis=0))[0]
    assert writing(line).left <= first


def test_a_rule_at_the_edge_and_a_line_without_end_keep_their_height() -> None:
    rule = np.full((60, 900), PAPER, np.uint8)
    rule[-3:] = 0
    part = writing(rule)
    assert 0.35 * 60 <= part.bottom - part.top < 30
    endless = np.full((64, 7000), PAPER, np.uint8)
    endless[30:50, ::3] = 0
    assert writing(endless) == whole(endless)


@pytest.mark.parametrize("text", ["-", "le", "."])
def test_short_writing_keeps_the_height_of_its_line(text: str) -> None:
    line = draw_line(text).image[:, EDGE:]
    assert writing(line)[:2] == (0, 64)


def test_a_line_that_fills_its_image_is_left_as_it_is_and_so_is_a_blank_one() -> None:
    assert writing(WRITTEN) == whole(WRITTEN)
    blank = np.full((64, 500), 210, np.uint8)
    assert writing(blank) == whole(blank)


def test_what_was_cut_is_not_cut_again() -> None:
    roomy = np.pad(WRITTEN, 90, constant_values=PAPER)
    line = writing(roomy).of(roomy)
    assert np.abs(np.subtract(writing(line), whole(line))).max() <= 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"height": 7}, "at least 8"),
        ({"margin": -1}, "at least 8"),
        ({"stretch": 0.1}, "stretch"),
        ({"stretch": 9.0}, "stretch"),
    ],
)
def test_a_preprocessing_out_of_range_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LineImageConfig(**wrong)


def pen(paper: int = PAPER, dark: int = 0, grain: float = 0, thickness: int = 3) -> Gray:
    """Zigzags of a pen on a sheet, uint8 (64, 400)."""
    x = np.arange(10, 391, 10)
    points = np.stack([x, 32 + 18 * (-1.0) ** np.arange(len(x))], axis=1).astype(np.int32)
    line = np.full((64, 400), paper, np.uint8)
    cv2.polylines(line, [points], False, dark, thickness, cv2.LINE_AA)
    noise = np.random.default_rng(2).normal(0, grain, line.shape)
    return np.clip(line + noise, 0, 254 if paper < PAPER else 255).astype(np.uint8)


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 40))
def test_ink_lies_between_nothing_and_all(paper: int, dark: int, grain: int) -> None:
    line = pen(paper, dark, grain)
    amount = ink(line_image(line, PLAIN, whole(line)))
    assert (amount.dtype, amount.shape) == (np.float32, (64, 432))
    assert 0 <= amount.min() <= amount.max() <= 1
    assert not amount[:, :16].any()
    assert not amount[:, -16:].any()


def test_darker_pixels_are_never_less_ink() -> None:
    line = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    assert (np.diff(ink(line)[0]) <= 0).all()


@pytest.mark.parametrize("paper", [60, 128, 200, 240, 255])
def test_blank_paper_stays_quiet(paper: int) -> None:
    assert ink(line_image(np.full((64, 400), paper, np.uint8), PLAIN)).max() == 0


def test_the_grain_of_blank_paper_stays_faint_and_that_of_a_masked_line_too() -> None:
    line = pen(paper=200, dark=200, grain=3)
    assert ink(line_image(line, PLAIN)).max() < 0.7
    line[:, 150:] = PAPER
    assert ink(line_image(line, PLAIN)).max() < 0.7


@pytest.mark.parametrize(("paper", "grain"), [(253, 2), (255, 4), (200, 1)])
def test_what_grain_is_left_of_bright_paper_stays_faint(paper: int, grain: int) -> None:
    grainy = np.clip(np.random.default_rng(1).normal(paper, grain, (64, 600)), 0, 255).astype(np.uint8)
    assert ink(line_image(grainy, PLAIN)).mean() < 0.1


def test_pencil_of_a_dozen_gray_levels_is_nearly_full_ink() -> None:
    assert ink(line_image(pen(185, 171, grain=1), PLAIN)).max() > 0.8


def test_pale_pencil_on_gray_paper_looks_like_strong_ink_on_white() -> None:
    strong, pale = (ink(line_image(line, PLAIN)) for line in (pen(230, 20), pen(180, 140)))
    assert np.abs(strong - pale).max() < 0.06


@pytest.mark.parametrize("thickness", [1, 2, 4, 6])
@pytest.mark.parametrize("smooth", [False, True], ids=["black or white", "smooth edges"])
@pytest.mark.parametrize("height", [64, 256])
def test_ink_on_pure_white_is_all_there(thickness: int, smooth: bool, height: int) -> None:
    line = pen(thickness=thickness)
    if not smooth:
        line = np.where(line < 128, 0, 255).astype(np.uint8)
    line = cv2.resize(line, (400 * height // 64, height), interpolation=cv2.INTER_NEAREST)
    image = line_image(line, PLAIN)
    drawn = (255 - image.astype(float)) / 255
    assert ink(image).sum() >= 0.97 * drawn.sum()


@pytest.mark.parametrize("image", [np.zeros((64, 90, 3), np.uint8), np.zeros((64, 90))], ids=["colour", "float"])
def test_what_is_no_gray_image_is_refused_with_the_cure(image: Any) -> None:
    with pytest.raises(ImageError, match="an array .* of uint8, not .*; uncial.load_image opens files so"):
        line_image(image, PLAIN)
