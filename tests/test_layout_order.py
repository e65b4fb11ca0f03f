"""Reading order, notes in margins, and what shows of a facing page."""

import numpy as np
import pytest

from uncial.geometry import Box
from uncial.layout.found import FoundLine, page_of, without_scraps
from uncial.layout.order import reading_order


def boxes(*cells):
    return [Box(left, y - 10, right, y) for left, y, right in cells]


def test_two_columns_below_a_heading_are_read_one_after_the_other():
    heading = [(50, 50, 650)]
    left, right = ([(a, y, b) for y in range(100, 400, 30)] for a, b in ((50, 320), (360, 650)))
    order = reading_order(boxes(*right, *heading, *left))
    assert order == [[10], list(range(11, 21)), list(range(10))]


def test_facing_pages_are_read_one_after_the_other_though_lines_run_across_the_fold():
    left = [Box(40, 100 + 30 * n, 400 + 30 * (n % 2), 115 + 30 * n) for n in range(12)]  # some reach over
    right = [Box(430 - 12 * (n % 3), 108 + 30 * n, 800, 123 + 30 * n) for n in range(12)]
    left[4] = Box(40, 220, 790, 235)  # one runs on into the line beside
    snippets = [Box(405, 300, 420, 315), Box(410, 330, 425, 345)]
    columns = reading_order([*left, *right, *snippets])
    assert [len(column) for column in columns] in ([12, 14], [13, 13], [14, 12])
    assert [n for column in columns for n in column if n < 24 and n != 4] == [n for n in range(24) if n != 4]


def test_lines_that_begin_anywhere_are_not_taken_for_columns():
    staggered = [Box(40 + 30 * (n % 7), 100 + 30 * n, 600 + 20 * (n % 5), 115 + 30 * n) for n in range(20)]
    assert reading_order(staggered) == [list(range(20))]


TEXT = [(30 if n < 6 else 200, 100 + 30 * n, 800) for n in range(20)]  # no strip is empty from top to bottom


def note(left, right, top=388, lines=5):
    return [(left, top + 24 * n, right) for n in range(lines)]  # at other levels than the lines beside it


@pytest.mark.parametrize("above", [60, 90])  # the first line of the note: level with the text's margin, or just below
def test_a_note_in_the_margin_is_read_by_itself(above):
    text = [(30, 100 + 30 * n, 800) for n in range(6)] + [(200, 280 + 30 * n, 800) for n in range(14)]
    assert reading_order(boxes(*text, *note(30, 190, 250 + above - 18))) == [list(range(20, 25)), list(range(20))]


def test_a_note_in_the_right_margin_comes_after_the_text():
    text = [(30, 100 + 30 * n, 800 if n < 6 else 600) for n in range(20)]
    assert reading_order(boxes(*text, *note(620, 790))) == [list(range(20)), list(range(20, 25))]


def test_notes_in_one_margin_are_read_from_top_to_bottom():
    two = note(40, 190, 310, 3) + note(30, 190, 550, 3)  # the lower one stands farther left
    assert reading_order(boxes(*TEXT, *two)) == [[20, 21, 22], [23, 24, 25], list(range(20))]


def test_two_notes_joined_by_lines_below_a_wide_one_are_read_once():
    wide = [(30, 460, 800)]  # runs below the upper note; the lines at its level are the text's
    joined = [*note(30, 190, 310, 6), (30, 488, 190), *note(30, 190, 512, 5)]
    text = [line for line in TEXT if line[1] != 460]
    lines = [*text, *wide, *joined]
    order = [n for column in reading_order(boxes(*lines)) for n in column]
    assert sorted(order) == list(range(len(lines)))


def test_a_note_goes_on_below_the_text_and_keeps_the_pieces_of_its_lines():
    assert reading_order(boxes(*TEXT, *note(30, 190, 620, 8))) == [list(range(20, 28)), list(range(20))]
    pieces = [*note(30, 190), (30, 508, 100), (110, 508, 190)]
    assert reading_order(boxes(*TEXT, *pieces)) == [list(range(20, 27)), list(range(20))]


@pytest.mark.parametrize(
    "margin",
    [
        [(130, 280 + 60 * n, 165) for n in range(7)],  # numbers, at every other line
        [(130, 280 + 24 * n, 165) for n in range(7)],  # numbers, close
        [(30, 288 + 90 * n, 190) for n in range(4)],  # notes of a line each
        [(30, 280 + 30 * n, 190) for n in range(6)],  # headwords, level with their lines
        [(x, 288 + 24 * n, x + 50) for n in range(8) for x in (30, 90, 140)],  # columns of a table
    ],
)
def test_what_belongs_to_the_rows_of_the_text_stays_with_them(margin):
    (order,) = reading_order(boxes(*TEXT, *margin))
    levels = [[*TEXT, *margin][n][1] for n in order]
    assert sorted(order) == list(range(20 + len(margin)))
    assert max(np.diff([-level for level in levels])) < 30


def found_lines(*lines):
    return [FoundLine(np.array([[left, y], [right, y]], float), 12.0, 5.0) for left, y, right in lines]


BLOCK = [(200, 100 + 30 * n, 780) for n in range(20)]
SCRAPS = [(0, 105 + 30 * n, 90 - 3 * (n % 4)) for n in range(12)]


def test_scraps_of_a_facing_page_are_left_out():
    kept = without_scraps(found_lines(*SCRAPS, *BLOCK), 900)
    assert [(line.points[0, 0], line.points[0, 1]) for line in kept] == [(left, y) for left, y, _ in BLOCK]
    mirrored = [(899 - right, y, 899 - left) for left, y, right in (*BLOCK, *SCRAPS)]
    assert len(without_scraps(found_lines(*mirrored), 900)) == 20
    two_columns = [(x, 100 + 30 * n, x + 280) for n in range(20) for x in (200, 500)]
    assert len(without_scraps(found_lines(*two_columns, *SCRAPS), 900)) == 40


@pytest.mark.parametrize(
    "margin",
    [
        [(0, 105 + 30 * n, 25) for n in range(12)],  # numbers
        [(0, 105 + 150 * n, 90) for n in range(4)],  # headwords, one every five lines
        [(12, 105 + 30 * n, 90) for n in range(12)],  # a note that is whole
        [(12 * (n % 2), 105 + 30 * n, 90) for n in range(12)],  # a ragged one
        [(0, 105 + 30 * n, 90) for n in range(3)],  # too few to tell
        [(0, 760 + 30 * n, 280) for n in range(8)],  # a list below the text
    ],
)
def test_what_may_belong_to_the_page_is_kept(margin):
    text = found_lines(*BLOCK, *margin)
    assert len(without_scraps(text, 900)) == len(text)


def test_nothing_is_left_out_of_a_picture_that_cuts_off_its_own_lines():
    text = found_lines(*[(0, 100 + 30 * n, 90 if n % 2 else 700) for n in range(20)])
    assert len(without_scraps(text, 900)) == 20


def test_what_is_left_out_of_a_page_is_counted_and_can_be_kept():
    found = found_lines(*SCRAPS, *BLOCK)
    page = page_of(found, (900, 800))
    assert (len(page.lines), page.left_out) == (20, 12)
    whole = page_of(found, (900, 800), cut_off=True)
    assert (len(whole.lines), whole.left_out) == (32, 0)


def test_cells_of_a_table_are_read_row_by_row():
    cells = [(x, y, x + 30) for y in (50, 80, 110, 140) for x in (50, 200, 350)]
    assert reading_order(boxes(*cells)) == [list(range(12))]
