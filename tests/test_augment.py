"""Varied lines: the same for the same seed, of the height they had and the width that was planned, on paper still."""

import cv2
import numpy as np
import pytest
from conftest import draw_line

from uncial.augment import (
    AUGMENTATIONS,
    AugmentConfig,
    Image,
    _black_and_white,
    augment,
    augmented_width,
    degrade,
    warp,
)
from uncial.faded import blank_paper, faint
from uncial.lineimage import WIDEST, ink

LINE = draw_line("1 May 1862").image
ALWAYS = AugmentConfig(chance=1.0)


def chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_same_seed_gives_the_same_line_and_another_seed_another() -> None:
    first, again, other = (augment(LINE, chance(seed), ALWAYS) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


@pytest.mark.parametrize("strength", [0.02, 0.5, 1.0, 2.0])
def test_height_and_kind_stay_and_the_width_is_the_one_planned(strength: float) -> None:
    config = AugmentConfig(strength, 0.7)
    widths = set()
    for seed in range(40):
        varied = augment(LINE, chance(seed), config)
        assert varied.dtype == np.uint8
        assert varied.shape == (LINE.shape[0], augmented_width(LINE.shape[1], chance(seed), config))
        widths.add(varied.shape[1])
    assert len(widths) > 1


@pytest.mark.parametrize("width", [4, 7, 8, 9])
def test_the_narrowest_lines_can_be_varied(width: int) -> None:
    line = LINE[:, 40 : 40 + width]
    for seed in range(20):
        varied = augment(line, chance(seed), AugmentConfig(2.0, 0.8))
        assert varied.shape == (64, augmented_width(width, chance(seed), AugmentConfig(2.0, 0.8)))


def test_no_strength_and_no_chance_leave_the_line_as_it_is() -> None:
    for config in (AugmentConfig(strength=0), AugmentConfig(chance=0)):
        np.testing.assert_array_equal(augment(LINE, chance(1), config), LINE)
        assert augmented_width(LINE.shape[1], chance(1), config) == LINE.shape[1]


def test_the_line_itself_is_not_changed() -> None:
    before = LINE.copy()
    for seed in range(10):
        augment(LINE, chance(seed), ALWAYS)
    np.testing.assert_array_equal(LINE, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_changes_lines_and_keeps_their_shape(name: str) -> None:
    varied = [AUGMENTATIONS[name](LINE, chance(seed), 1.0) for seed in range(20)]
    assert {(line.shape, line.dtype) for line in varied} == {(LINE.shape, np.dtype(np.uint8))}
    assert any((line != LINE).any() for line in varied)


def test_the_geometry_leaves_blank_paper_blank() -> None:
    blank = np.full_like(LINE, 255)
    for seed in range(20):
        assert (warp(blank, chance(seed), 1.0, 1.1) == 255).all()


def test_a_copy_keeps_paper_light_and_ink_on_it_whatever_masks_and_marks_there_are() -> None:
    masked = np.where(LINE < 250, LINE, 180).astype(np.uint8)
    masked[:, LINE.shape[1] // 2 :] = 255
    dot = np.full((64, 200), 255, np.uint8)
    dot[40:46, 20:26] = 0
    blank = np.full((64, 200), 170, np.uint8)
    for seed in range(60):
        for image, mostly in ((masked, 60), (dot, 60), (blank, 60)):
            copy = degrade(image, chance(seed), 1.0)
            assert (copy.shape, copy.dtype) == (image.shape, np.uint8)
            assert np.median(copy) > mostly
        assert degrade(dot, chance(seed), 1.0).min() < 128


def test_a_copy_in_black_and_white_has_ink_where_the_line_has_it() -> None:
    gray = np.minimum(LINE, 180)
    dark = cv2.erode((gray < 100).astype(np.uint8), np.ones((2, 2)))
    for seed in range(30):
        copy = _black_and_white(gray, chance(seed))
        assert copy.shape == gray.shape
        assert ((copy < 64) | (copy > 192)).mean() > 0.75  # grays are the edges of strokes and specks
        assert copy[dark > 0].mean() < 60


def test_a_copy_by_the_light_around_has_no_rims_where_gray_paper_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uncial.augment.LOCAL", 1.0)
    monkeypatch.setattr("uncial.augment.GRAINY", 0.0)
    gray = np.full((64, 40 + LINE.shape[1] + 40), 255, np.uint8)
    gray[:, 40:-40] = np.minimum(LINE, 180)
    for seed in range(30):
        copy = _black_and_white(gray, chance(seed))
        rims = np.concatenate([copy[:, 34:44], copy[:, -44:-34]], axis=1)
        assert (rims < 128).mean() < 0.05


def test_another_cut_is_smaller_or_larger_writing_and_may_show_the_neighbours() -> None:
    ink = (LINE < 128).sum()
    rows, shown = set(), set()
    for seed in range(30):
        small = warp(LINE, chance(seed), 0.1, 0.6, zoom=0.6)
        assert small.shape == (64, round(0.6 * LINE.shape[1]))
        shown.add(bool((small < 128).sum() > 0.45 * ink))  # 0.36 of the ink is the line itself
        rows.add(int(np.flatnonzero((small < 128).any(axis=1))[0]) // 8)
        assert (warp(LINE, chance(seed), 0.1, 1.25, zoom=1.25) < 128).sum() > ink
    assert shown == {True, False}
    assert len(rows) > 2


def contrast(image: Image) -> float:
    """Gray levels between paper (the median) and the darkest ink."""
    return float(np.median(image) - np.quantile(image, 0.01))


def test_paper_stays_lighter_than_ink_and_ink_stays_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(AUGMENTATIONS, "faint")
    for seed in range(40):
        assert contrast(augment(LINE, chance(seed), ALWAYS)) > 60
    monkeypatch.delitem(AUGMENTATIONS, "degrade")  # shadows make paper as dark as they like; it has tests of its own
    for seed in range(40):
        varied = augment(LINE, chance(seed), ALWAYS)
        assert np.median(varied) > 180
        assert contrast(varied) > 60


def test_some_lines_fade_to_a_few_gray_levels_that_can_still_be_told_from_paper() -> None:
    masked = np.where(LINE < 250, LINE, 230).astype(np.uint8)
    masked[:, -40:] = 255
    varied = [faint(masked, chance(seed), 1.0) for seed in range(100)]
    faded = [line for line in varied if line is not masked]
    assert 10 < len(faded) < 35
    assert max(contrast(line) for line in faded) < 65
    assert min(contrast(line) for line in faded) < 20
    for line in faded:
        assert (line[:, -40:] == 255).all()
        dark = ink(line)
        assert dark[masked < 60].mean() > 3 * dark[masked == 230].mean()
    blank = np.full((64, 200), 170, np.uint8)
    assert all(faint(blank, chance(seed), 1.0) is blank for seed in range(40))


def test_a_line_keeps_its_ink_in_the_middle() -> None:
    """What is varied is where strokes stand, by a few pixels: none is thrown off the image."""
    for seed in range(20):
        varied = warp(LINE, chance(seed), 1.0, 1.0)
        assert (varied < 128).sum() == pytest.approx((LINE < 128).sum(), rel=0.35)


def test_of_blank_paper_no_writing_stays() -> None:
    gray = np.where(LINE < 250, LINE, 200).astype(np.uint8)
    gray[:, :16] = 255
    written = cv2.dilate((gray < 120).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    for seed in range(40):
        blank = blank_paper(gray, chance(seed))
        assert (blank.shape, blank.dtype) == (gray.shape, np.uint8)
        assert (blank[:, :16] == 255).all()
        on, off = (float(blank[:, 16:][where[:, 16:]].mean()) for where in (written, ~written))
        assert abs(on - off) < 12  # uneven light
        assert abs(off - 200) < 40


def test_the_longest_lines_there_are_can_fade() -> None:
    longest = np.tile(LINE, (1, WIDEST // LINE.shape[1] + 1))[:, :WIDEST]
    for seed in range(30):
        assert faint(longest, chance(seed), 1.0).shape == longest.shape
        assert blank_paper(longest, chance(seed)).shape == longest.shape


def test_a_strength_or_chance_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="blank lies in"):
        AugmentConfig(blank=1.0)
    for wrong in ({"strength": -0.1}, {"strength": 2.1}, {"chance": 1.1}, {"chance": -1.0}):
        with pytest.raises(ValueError, match="strength lies in"):
            AugmentConfig(**wrong)
