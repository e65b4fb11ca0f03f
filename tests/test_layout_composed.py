"""Pages composed of lines, cut out, and side by side: what is marked must be where the ink is."""

import cv2
import numpy as np
import pytest

from uncial.lineimage import ink
from uncial.nn.layout_composed import composed, cropped, side_by_side, standing
from uncial.nn.layout_targets import DrawnLine

BASE = 40  # row of the drawn line on which its letters stand


def a_line():
    """A line image 64 pixels high: letters from row 20 to 40, one of five reaching down to 54."""
    image = np.full((64, 600), 235, np.uint8)
    for n in range(38):
        bottom = 54 if n % 5 == 4 else BASE
        cv2.rectangle(image, (12 + 15 * n, 20), (20 + 15 * n, bottom - 1), 40, -1)
    return image


def a_page(level=100):
    """A page of 300 x 400 with one stroke above a line from 50 to 250."""
    page = np.full((400, 300), 230, np.uint8)
    cv2.rectangle(page, (50, level - 10), (250, level - 1), 30, -1)
    return page, [DrawnLine(np.array([[50.0, level], [250.0, level]]), 10.0, 4.0)]


@pytest.mark.parametrize("seed", range(12))
def test_composed_lines_are_marked_where_their_letters_stand(seed):
    page, lines = composed(a_line, 800, np.random.default_rng(seed))
    assert page.dtype == np.uint8 and page.shape[0] == 800 and len(lines) >= 3
    standing_well = []
    for line in lines:
        (left, y), (right, _) = line.points
        columns = slice(round(left), round(right))
        letters, under = page[round(y) - 4 : round(y) - 1, columns], page[round(y) + 2 : round(y) + 4, columns]
        standing_well.append(letters.mean() < under.mean())
    assert np.mean(standing_well) > 0.8  # dense lines overlap, and a cell may show one letter that reaches down


def test_a_composed_line_begins_and_ends_with_its_ink():
    page, lines = composed(a_line, 800, np.random.default_rng(5))
    for line in lines:
        (left, y), (right, _) = line.points
        strip = page[round(y - line.above) : round(y), :]
        assert (
            strip[:, round(left) : round(left) + 2].min() < 200
            and strip[:, round(right) - 2 : round(right)].min() < 200
        )


def test_tables_have_cells_at_one_level_and_letters_notes_between_their_lines():
    levels = []
    for seed in range(12):
        _, lines = composed(a_line, 800, np.random.default_rng(seed))
        rows = [round(line.points[0, 1] / 8) for line in lines]
        levels.append(len(rows) / len(set(rows)))
    assert max(levels) > 2 and min(levels) < 1.6


def test_the_same_seed_composes_the_same_page():
    (page, lines), (again, same) = (composed(a_line, 400, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(page, again) and [x.above for x in lines] == [x.above for x in same]


def test_blank_line_images_leave_a_blank_page_without_lines():
    page, lines = composed(lambda: np.full((64, 300), 235, np.uint8), 400, np.random.default_rng(1))
    assert lines == [] and page.min() > 40


def test_letters_stand_where_ink_ends_for_the_most_part():
    base, above, below = standing(ink(a_line()))
    assert base == BASE
    assert above == pytest.approx(19, abs=3) and 0 < below < 14


def test_two_pages_side_by_side_keep_their_lines_at_the_height_of_the_first():
    page = a_page()
    larger = (cv2.resize(page[0], (600, 800)), [DrawnLine(2 * page[1][0].points, 20.0, 8.0)])
    both, lines = side_by_side(page, larger, np.random.default_rng(1))
    assert both.shape == (400, 600)
    assert lines[1].points.tolist() == [[350, 100], [550, 100]]
    assert (lines[1].above, lines[1].below) == (10, 4)
    assert both[95, 450] < 60 < both[105, 450]


def test_a_cut_keeps_what_it_shows_of_a_line_and_no_more():
    compared = 0
    for seed in range(40):
        page, lines = cropped(a_page(), np.random.default_rng(seed))
        columns = np.flatnonzero((page < 60).any(axis=0))
        if len(lines) and len(columns):  # a cut between stroke and baseline leaves the baseline alone
            assert lines[0].points[:, 0].min() == pytest.approx(columns[0], abs=2)
            assert lines[0].points[:, 0].max() == pytest.approx(columns[-1], abs=2)
            compared += 1
        assert lines or len(columns) < 20 or page.shape[0] < 200
    assert compared > 20
