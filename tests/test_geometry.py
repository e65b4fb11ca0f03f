"""Points, frames and baselines: by property where one holds for all, and on the shapes that annotators draw."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from uncial.geometry import (
    Box,
    Points,
    area,
    band,
    baseline_of,
    box_around,
    finely,
    frame_of,
    length,
    level_curve,
    mean_height,
    smooth_baseline,
)

PLACES = st.tuples(st.integers(-5000, 5000), st.integers(-5000, 5000))
POINTS = st.lists(PLACES, min_size=1, max_size=12).map(tuple)


def turned(points: Points, degrees: float) -> Points:
    """Points turned around (500, 500), clockwise as the page is seen."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((500 + (x - 500) * c - (y - 500) * s, 500 + (x - 500) * s + (y - 500) * c) for x, y in points)


@settings(deadline=None)
@given(POINTS)
def test_a_box_touches_the_outermost_points(points: Points) -> None:
    box = box_around(points)
    assert all(box.left <= x <= box.right and box.top <= y <= box.bottom for x, y in points)
    assert box_around(box.corners) == box


def test_no_points_have_no_box() -> None:
    with pytest.raises(ValueError, match="unpack"):
        box_around(())


def test_areas_and_lengths_are_those_of_school() -> None:
    square = Box(10, 10, 14, 13).corners
    assert area(square) == area(square[::-1]) == 12
    assert area(((0, 0), (4, 0), (0, 3))) == 6
    assert length(((0, 0), (3, 4), (3, 10))) == 11
    assert (length(()), length(((5, 5),))) == (0, 0)


@settings(deadline=None)
@given(PLACES, PLACES, POINTS)
def test_a_frame_leads_there_and_back(first: tuple[int, int], last: tuple[int, int], points: Points) -> None:
    assume(first != last)
    frame = frame_of((first, last))
    inner = frame.inside(points)
    assert_allclose(np.stack(frame.page(inner[:, 0], inner[:, 1]), axis=1), points, atol=1e-6)


@settings(deadline=None)
@given(PLACES, PLACES)
def test_in_its_own_frame_a_baseline_runs_level_from_the_origin(first: tuple[int, int], last: tuple[int, int]) -> None:
    assume(first != last)
    ends = frame_of((first, last)).inside((first, last))
    assert_allclose(ends, [(0, 0), (math.dist(first, last), 0)], atol=1e-6)


def test_a_baseline_that_ends_where_it_begins_has_no_frame() -> None:
    with pytest.raises(ValueError, match="two different ends"):
        frame_of(((5, 5), (9, 9), (5, 5)))


@pytest.mark.parametrize("smoothing", [1, 20, 60, 500])
def test_a_straight_baseline_stays_at_its_level(smoothing: float) -> None:
    x = np.arange(0, 800.0)
    assert_allclose(level_curve(np.array([(0, 7), (799, 7)], float), x, smoothing), 7)


def test_one_point_drawn_amiss_does_not_bend_the_line() -> None:
    x = np.arange(0, 800.0)
    baseline = np.array([(0, 0), (390, 0), (400, 30), (410, 0), (799, 0)], float)
    assert np.abs(level_curve(baseline, x, 100)).max() < 2


def test_a_gentle_bend_is_followed() -> None:
    x = np.arange(0, 1000.0)
    arc = 20 * np.sin(x / 1000 * math.pi)
    level = level_curve(np.stack([x, arc], axis=1)[::37], x, 60)  # 999 = 27 * 37: the last point is among them
    assert np.abs(level - arc).max() < 2


def test_a_bend_is_followed_on_large_lines_too_where_not_every_pixel_is_looked_at() -> None:
    x = np.arange(0, 8000.0)
    arc = 150 * np.sin(x / 8000 * math.pi)
    level = level_curve(np.stack([x, arc], axis=1)[::200], x, 600)
    assert np.abs(level - arc)[400:-400].max() < 3


def test_points_in_any_order_give_the_same_level() -> None:
    x, baseline = np.arange(0, 300.0), np.array([(0, 0), (100, 6), (200, 3), (299, 0)], float)
    assert_allclose(level_curve(baseline, x, 30), level_curve(baseline[[2, 0, 3, 1]], x, 30))


def test_beyond_its_ends_a_baseline_goes_on_level() -> None:
    level = level_curve(np.array([(100, 5), (200, 5)], float), np.arange(-500, 700.0), 40)
    assert_allclose(level, 5)


def test_a_smoothed_baseline_keeps_its_ends_and_loses_its_jitter() -> None:
    jittery = tuple((x, 100 + (3 if x % 40 else -3)) for x in range(0, 601, 20))
    smooth = smooth_baseline(jittery, 120)
    assert (round(smooth[0][0]), round(smooth[-1][0])) == (0, 600)
    assert np.ptp([y for _, y in smooth]) < 3  # of 6


@pytest.mark.parametrize("degrees", [0, 10, -35])
def test_a_boundary_without_a_baseline_is_read_from_left_to_right(degrees: float) -> None:
    (left, top), (right, bottom) = baseline_of(turned(Box(100, 480, 900, 520).corners, degrees))
    wanted = turned(((100, 510), (900, 510)), degrees)  # three quarters of the way down
    assert_allclose([(left, top), (right, bottom)], wanted, atol=1.5)


def test_an_upright_boundary_is_read_from_top_to_bottom() -> None:
    (_, top), (_, bottom) = baseline_of(Box(480, 100, 520, 900).corners)
    assert (round(top), round(bottom)) == (100, 900)


def test_a_boundary_hardly_longer_than_high_is_taken_as_level() -> None:
    (left, top), (right, bottom) = baseline_of(((0, 0), (60, 5), (70, 50), (5, 48)))
    assert (left, right) == (0, 70)
    assert top == bottom


def test_many_points_at_one_corner_do_not_tilt_the_baseline() -> None:
    crowd = tuple((900 - n / 100, 480.0) for n in range(500))
    plain = baseline_of(Box(100, 480, 900, 520).corners)
    assert_allclose(baseline_of(((100, 480), *crowd[::-1], (900, 520), (100, 520))), plain, atol=1.5)


def test_two_points_are_no_boundary() -> None:
    with pytest.raises(ValueError, match="three points"):
        baseline_of(((0, 0), (5, 5)))


def test_a_band_lies_as_far_above_and_below_its_baseline_as_it_is_told() -> None:
    assert set(band(((0, 100), (200, 100)), 30, 10)) == {(0, 70), (200, 70), (200, 110), (0, 110)}
    assert round(mean_height(((0, 100), (200, 100)), band(((0, 100), (200, 100)), 30, 10))) == 40


@settings(deadline=None)
@given(st.lists(PLACES, min_size=3, max_size=8, unique=True).map(tuple))
def test_a_finer_polygon_has_the_same_corners_and_the_same_area(polygon: Points) -> None:
    fine = finely(polygon)
    assert set(polygon) <= set(fine)
    assert area(fine) == pytest.approx(area(polygon), abs=1e-3)
    assert max(math.dist(a, b) for a, b in zip(fine, fine[1:], strict=False)) <= 12
