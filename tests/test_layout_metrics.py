"""Baseline precision and recall, against figures worked out by hand."""

import pytest

from uncial.layout_metrics import count_baselines, lying_on, sampled, tolerances

LINES = [((0.0, y), (400.0, y)) for y in (100.0, 140.0, 180.0)]


def moved(line, down):
    return tuple((x, y + down) for x, y in line)


def test_the_truth_itself_is_found_wholly():
    counts = count_baselines(LINES, LINES)
    assert (counts.precision, counts.recall, counts.f1) == (1, 1, 1)


def test_the_tolerance_is_a_quarter_of_the_distance_to_the_next_line():
    assert tolerances([sampled(line) for line in LINES]) == [10, 10, 10]


def test_a_line_that_strays_fades_out_between_one_and_three_tolerances():
    alone = LINES[1:2]
    for down, share in ((10, 1.0), (15, 0.75), (20, 0.5), (30, 0.0)):
        counts = count_baselines(LINES, [LINES[0], moved(alone[0], down), LINES[2]])
        assert counts.right - 2 == pytest.approx(share)


def test_a_line_found_in_two_halves_costs_precision_and_no_recall():
    halves = [((0.0, 100.0), (198.0, 100.0)), ((202.0, 100.0), (400.0, 100.0))]
    counts = count_baselines(LINES, [*halves, *LINES[1:]])
    assert counts.recall == 1
    assert counts.precision == pytest.approx(3 / 4)


def test_half_a_line_is_half_recalled_but_for_the_tolerance():
    counts = count_baselines(LINES, [((0.0, 100.0), (200.0, 100.0)), *LINES[1:]])
    assert counts.recall == pytest.approx((2 + 0.5 + 20 / 400) / 3, abs=0.01)  # 10 px whole, then 20 px fading
    assert counts.precision == 1


def test_two_lines_merged_are_paired_with_one_of_them():
    cells = [((0.0, 100.0), (100.0, 100.0)), ((300.0, 100.0), (400.0, 100.0)), *LINES[1:]]
    counts = count_baselines(cells, LINES)
    assert counts.recall == 1
    assert counts.right < 2.5


def test_pages_without_lines_cost_only_what_was_found_on_them():
    counts = count_baselines([], LINES) + count_baselines(LINES, [])
    assert (counts.true, counts.found, counts.covered, counts.right) == (3, 3, 0, 0)


def test_what_a_line_lies_on_is_told_in_shares():
    shares = lying_on(
        [((0.0, 101.0), (200.0, 101.0)), ((200.0, 140.0), (600.0, 140.0)), ((0.0, 500.0), (9.0, 500.0))], LINES
    )
    assert shares.shape == (3, 3)
    assert shares[0].tolist() == [1, 0, 0]
    assert shares[1, 1] == pytest.approx(0.55, abs=0.03)  # half of it, and what fades out
    assert not shares[2].any() and not shares[:, 2].any()
