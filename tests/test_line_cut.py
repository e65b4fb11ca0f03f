"""Lines cut out of pages: level whatever their slope, without their neighbours, and refused when they are no lines."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from uncial.errors import ImageError
from uncial.geometry import Box, Points
from uncial.image_file import Gray
from uncial.line_cut import cut_line, strip_of


def page_with_line(degrees: float = 0, paper: int = 200) -> tuple[Gray, Points, Points]:
    """A sheet with a line of black bars on a baseline, ink of neighbours near it, its baseline and boundary."""
    page = np.full((600, 900), paper, np.uint8)
    for x in range(200, 700, 20):
        page[270:300, x : x + 10] = 0
    page[225:235], page[335:345] = 40, 40
    turn = cv2.getRotationMatrix2D((450, 300), -degrees, 1)
    page = cv2.warpAffine(page, turn, (900, 600), flags=cv2.INTER_CUBIC, borderValue=paper)

    def at(points: Points) -> Points:
        return tuple((float(x), float(y)) for x, y in np.array(points) @ turn[:, :2].T + turn[:, 2])

    return page, at(((190, 300), (450, 300), (710, 300))), at(Box(185, 250, 715, 320).corners)


@pytest.mark.parametrize("degrees", [0, 5, -20, 90, 180])
def test_a_line_is_cut_level_whatever_its_slope_and_without_its_neighbours(degrees: float) -> None:
    page, baseline, boundary = page_with_line(degrees)
    cut = cut_line(page, baseline, boundary)
    straight = cut_line(*page_with_line(0))
    assert abs(cut.shape[0] - straight.shape[0]) <= 2
    assert abs(cut.shape[1] - straight.shape[1]) <= 2
    rows = np.flatnonzero((cut < 100).any(axis=1))
    assert abs(len(rows) - 30) <= 3
    assert not np.isin(rows[[0, -1]], (0, len(cut) - 1)).any()
    assert abs((cut < 100).mean() - (straight < 100).mean()) < 0.02


def test_a_line_keeps_the_pixels_of_its_page() -> None:
    page, baseline, boundary = page_with_line()
    cut = cut_line(page, baseline, boundary)
    top, left = 250 - 2, 185 - 2  # widened by 2.5 % of its height
    assert_array_equal(cut, page[top : top + cut.shape[0], left : left + cut.shape[1]])


def test_a_bent_baseline_is_straightened() -> None:
    x = np.arange(50, 850)
    page, arc = np.full((400, 900), 210, np.uint8), 200 + 40 * np.sin((x - 50) / 800 * np.pi)
    for column, level in zip(x, arc.round().astype(int), strict=True):
        page[level - 3 : level, column] = 10
    points = tuple(zip(x.tolist(), arc.tolist(), strict=True))[::20]
    boundary = (*((a, b - 25) for a, b in points), *((a, b + 15) for a, b in points[::-1]))
    rows = np.flatnonzero((cut_line(page, points, boundary)[:, 60:-60] < 100).any(axis=1))
    assert np.ptp(rows) < 8


def test_beyond_the_boundary_there_is_paper_of_the_line_s_own_shade() -> None:
    page, baseline, _ = page_with_line(paper=170)
    slanted = ((185, 250), (715, 290), (715, 320), (185, 320))
    cut = cut_line(page, baseline, slanted)
    assert_allclose(cut[:6, -60:].astype(int), 170, atol=3)


def test_a_line_without_a_baseline_is_cut_along_its_boundary() -> None:
    page, _, boundary = page_with_line()
    assert cut_line(page, (), boundary).shape == cut_line(*page_with_line()).shape


def test_points_beyond_the_page_s_edge_are_moved_onto_it() -> None:
    page = page_with_line()[0]
    cut = cut_line(page, ((-500, 300), (5_000, 300)), Box(-500, 250, 5_000, 320).corners)
    assert 900 <= cut.shape[1] <= 910


NO_LINES = {
    "beyond the page": (Box(2_000, 10, 3_000, 60).corners, "outside the page"),
    "without extent": (((5, 5), (5, 5), (5, 5)), "outside the page"),
    "without points": ((), "outside the page"),
}


@pytest.mark.parametrize(("boundary", "finding"), NO_LINES.values(), ids=NO_LINES)
def test_a_line_without_extent_is_refused(boundary: Points, finding: str) -> None:
    with pytest.raises(ImageError, match=f"{finding}.*check its points"):
        cut_line(page_with_line()[0], (), boundary)


@pytest.mark.parametrize("shape", [(40, 20_000), (20_000, 40), (6_000, 6_000)])
def test_a_line_as_large_as_a_wall_is_refused(shape: tuple[int, int]) -> None:
    page = np.full(shape, 200, np.uint8)
    baseline = ((0, shape[0] / 2), (shape[1] - 1, shape[0] / 2))
    with pytest.raises(ImageError, match="too many for one line"):
        cut_line(page, baseline, Box(0, 0, shape[1], shape[0]).corners)


@pytest.mark.parametrize("degrees", [0, 5, -20, 90])
def test_a_place_in_the_strip_lies_on_the_page_where_its_pixels_came_from(degrees: float) -> None:
    page, baseline, boundary = page_with_line(degrees)
    cut = cut_line(page, baseline, boundary)
    strip = strip_of(baseline, boundary, (900, 600))
    assert cut.shape == (len(strip.y), len(strip.x))
    ink = np.flatnonzero((cut < 100).any(axis=0))
    corners = np.array(strip.across(ink[0] - 1, ink[-1] + 2))
    marked = np.zeros(page.shape, np.uint8)
    cv2.fillPoly(marked, [np.rint(corners).astype(np.int32)], 1)
    beyond = np.zeros(page.shape, np.uint8)
    cv2.fillPoly(beyond, [np.rint(np.array(strip.across(0, ink[0] - 1))).astype(np.int32)], 1)
    bars = page < 20  # the line's own ink is black, that of its neighbours dark gray
    assert (marked[bars] == 1).mean() > 0.99
    assert (beyond[bars] == 1).mean() < 0.01
