"""Finding lines on drawn pages: what a finder must keep, tracing, order, and pages that lie on their side."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from uncial.document import Line, Page, Region
from uncial.errors import BundleError, ConfigError
from uncial.layout import FINDERS, find_lines, is_strip, network, shows_line
from uncial.layout.bundle import load_layout, save_layout
from uncial.layout.page_image import without_specks
from uncial.layout.tracing import traced_lines
from uncial.layout_metrics import count_baselines
from uncial.recognizer import Recognizer

EXAMPLE = Path(__file__).parent.parent / "examples" / "pages" / "will.jpg"


def drawn_page(baselines, size=(900, 700), skew=0.0):
    """A page of paper with words drawn above each baseline (left, y, right), and the true baselines."""
    rng = np.random.default_rng(1)
    page = np.full(size, 225, np.uint8)
    true = []
    for left, y, right in baselines:
        end = y + skew * (right - left)
        x = float(left)
        while x < right:
            base = y + skew * (x - left)
            for _ in range(int(rng.integers(3, 8))):
                height, x = int(rng.choice([9, 9, 9, 17])), x + 7
                cv2.ellipse(page, ((x, base - height / 2), (6, height), 12), 40, 2)
            x += 12
        true.append(((float(left), float(y)), (float(right), float(end))))
    return page, true


ROWS = [(80, y, 600) for y in range(120, 800, 60)]


@pytest.mark.parametrize("name", sorted(FINDERS))
def test_every_finder_finds_the_lines_of_a_clean_page(name):
    page, true = drawn_page(ROWS)
    counts = count_baselines(true, [line.baseline for line in find_lines(page, finder=name).lines])
    assert counts.recall > 0.9
    assert counts.precision > 0.8


@pytest.mark.parametrize("name", sorted(FINDERS))
def test_every_finder_finds_nothing_on_an_empty_page(name):
    assert find_lines(np.full((900, 700), 225, np.uint8), finder=name).lines == ()


@pytest.mark.parametrize("name", sorted(FINDERS))
def test_every_finder_follows_a_page_that_was_scanned_askew(name):
    page, true = drawn_page(ROWS, skew=0.04)
    counts = count_baselines(true, [line.baseline for line in find_lines(page, finder=name).lines])
    assert counts.recall > 0.85


@pytest.mark.parametrize("name", sorted(FINDERS))
def test_every_finder_keeps_its_lines_on_the_page_and_in_order(name):
    page, _ = drawn_page(ROWS)
    found = find_lines(page, "letter", finder=name)
    levels = [line.baseline[0][1] for line in found.lines]
    assert found.image == "letter" and levels == sorted(levels)
    assert all(0 <= x < 700 and 0 <= y < 900 for line in found.lines for x, y in line.boundary)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (40, 1600)])
@pytest.mark.parametrize("name", sorted(FINDERS))
def test_every_finder_bears_an_image_of_any_shape(name, shape):
    assert isinstance(find_lines(np.full(shape, 200, np.uint8), finder=name), Page)


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_page_on_its_side_is_found_when_asked_for(quarters):
    page, true = drawn_page(ROWS)
    turned = np.ascontiguousarray(np.rot90(page, quarters))
    found = find_lines(turned, rotate="auto")
    assert (found.width, found.height) == turned.shape[::-1]
    (x, y), (to_x, to_y) = found.lines[0].baseline[0], found.lines[0].baseline[-1]
    assert abs(to_y - y) > 5 * abs(to_x - x)
    # Nobody reads it here, and drawn strokes look alike upside down: which way the line runs cannot be told.


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_is_read_whichever_way_up_it_stands(quarters):
    will = cv2.imread(str(EXAMPLE), cv2.IMREAD_GRAYSCALE)
    turned = np.ascontiguousarray(np.rot90(will, quarters))
    found = Recognizer.load(quality="fast").read_page(turned, rotate="auto")
    assert (found.width, found.height) == turned.shape[::-1]
    along = np.mean([np.subtract(line.baseline[-1], line.baseline[0]) for line in found.lines], axis=0)
    assert np.argmax([along @ way for way in ((1, 0), (0, -1), (-1, 0), (0, 1))]) == quarters
    assert any(line.transcript and "testament" in line.transcript.text for line in found.lines)


@pytest.mark.parametrize(("scores", "up"), [((0.9, 0.5), 1), ((0.5, 0.9), -1), ((0.8, 0.81), 1), ((0.0, 0.0), 1)])
def test_a_page_is_turned_upside_down_only_if_it_is_clearly_more_legible(scores, up):
    page, _ = drawn_page(ROWS)
    told = iter(scores)
    found = find_lines(page, rotate="auto", legible=lambda gray, lines: next(told))
    assert np.sign(found.lines[0].baseline[-1][0] - found.lines[0].baseline[0][0]) == up


def test_specks_of_a_page_in_black_and_white_are_no_lines():
    page, true = drawn_page(ROWS, size=(1800, 1400))
    clean = np.where(page < 128, 0, 255).astype(np.uint8)
    specked = np.where(np.random.default_rng(1).random(page.shape) < 0.02, 0, clean).astype(np.uint8)
    found = find_lines(specked)
    counts = count_baselines(true, [line.baseline for line in found.lines])
    assert counts.recall > 0.9 and counts.precision > 0.9
    assert without_specks(page) is page
    assert (without_specks(specked) == 0).sum() < 1.2 * (clean == 0).sum() < (specked == 0).sum()


def pale(levels):
    """The example as if written so many gray levels darker than the paper, and the same as seen from the other side."""
    will = cv2.GaussianBlur(cv2.imread(str(EXAMPLE), cv2.IMREAD_GRAYSCALE), (0, 0), 1).astype(float)
    dark = np.clip((np.quantile(will, 0.9) - will) / 80, 0, 1) * levels
    behind = cv2.GaussianBlur(dark[:, ::-1], (0, 0), 1.5)
    grain = np.random.default_rng(1).normal(0, 1, will.shape)
    return tuple(np.round(200 - seen + grain).astype(np.uint8) for seen in (dark, behind))


def test_faded_writing_is_found_and_that_of_the_other_side_is_not_unless_asked_for():
    faded, behind = pale(20)
    reader = Recognizer.load(quality="fast")
    page = reader.read_page(faded)
    assert len(page.lines) >= 5 and not page.shows_through
    assert "testament" in page.text
    verso = reader.read_page(behind)
    assert not verso.lines and verso.shows_through >= 5
    assert len(reader.read_page(behind, cut_off=True).lines) == verso.shows_through
    assert len(find_lines(behind).lines) == verso.shows_through  # nobody reads it: it cannot be told
    assert reader.read_page(behind, rotate="auto") == verso


@pytest.mark.parametrize("rows", [ROWS, ROWS[:3], [(80, 400, 160)]])
def test_a_page_of_dark_ink_is_not_looked_at_in_a_mirror_however_little_it_is(rows):
    page, _ = drawn_page(rows)
    assert find_lines(page, legible=lambda gray, lines: pytest.fail("looked at")).lines


@pytest.mark.parametrize(("scores", "stays"), [((0.5, 0.58), True), ((0.7, 0.72), True), ((0.5, 0.7), False)])
def test_a_pale_page_is_of_the_other_side_only_if_it_is_read_in_the_mirror_and_clearly_better(scores, stays):
    page, _ = drawn_page(ROWS)
    faded = (225 - (225 - page.astype(int)) // 8).astype(np.uint8)
    told = iter(scores)
    found = find_lines(faded, legible=lambda gray, lines: next(told))
    assert bool(found.lines) is stays
    assert bool(found.shows_through) is not stays
    assert shows_line(replace(found, height=400)) is False


def test_strips_that_cannot_be_read_do_not_stop_the_telling_of_which_way_is_up():
    gray = np.full((40, 3000), 220, np.uint8)
    line = Line("l", ((0.0, 2.0), (2999.0, 2.0)), ((0.0, 0.0), (2999.0, 0.0), (2999.0, 3.0), (0.0, 3.0)))
    page = Page("thin", 3000, 40, (Region("r", line.boundary, (line,)),))
    assert Recognizer.load(quality="fast")._legible(gray, page) == 0


def test_an_unknown_finder_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match="network, projection"):
        find_lines(np.zeros((9, 9), np.uint8), finder="magic")


def maps_with(*strokes, size=(100, 200)):
    maps = np.zeros((4, *size), np.float32)
    maps[2], maps[3] = 8, 3
    for start, end in strokes:
        cv2.line(maps[0], start, end, 1.0, 3)
    maps[0] = cv2.GaussianBlur(maps[0], (3, 3), 1)  # highest in the middle, as a network tells it
    return maps


def test_a_broken_line_is_joined_and_a_line_end_parts_two_cells():
    maps = maps_with(((10, 50), (80, 52)), ((92, 52), (190, 54)))
    assert len(traced_lines(maps)) == 1
    cv2.line(maps[1], (86, 45), (86, 60), 1.0, 3)
    assert len(traced_lines(maps)) == 2


def test_a_speck_is_no_line_and_heights_are_told():
    (line,) = traced_lines(maps_with(((10, 30), (190, 40)), ((50, 80), (50, 80))))
    assert (line.above, line.below) == (8, 3)
    assert abs(line.points[0, 1] - 30) < 1.5


def test_a_cell_of_two_figures_is_a_line_though_it_is_less_wide_than_high():
    maps = maps_with(((30, 50), (37, 50)), ((70, 50), (190, 50)))
    for x in (30, 37, 70, 190):
        cv2.line(maps[1], (x, 45), (x, 55), 1.0, 3)
    cell, wide = sorted(traced_lines(maps), key=lambda line: line.points[0, 0])
    assert abs(cell.points[0, 0] - 30) <= 1 and abs(cell.points[-1, 0] - 37) <= 1
    assert abs(wide.points[0, 0] - 70) <= 1 and abs(wide.points[-1, 0] - 190) <= 1


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_cells_that_nearly_touch_are_parted_where_one_ends(gap):
    maps = maps_with(((10, 50), (190, 50)))  # no gap in the baseline, only marks of line ends
    for x in (100, 100 + gap):
        cv2.line(maps[1], (x, 45), (x, 55), 1.0, 3)
    left, right = sorted(traced_lines(maps), key=lambda line: line.points[0, 0])
    assert abs(left.points[-1, 0] - 100) <= 1 and abs(right.points[0, 0] - 100 - gap) <= 1


def test_a_layout_bundle_that_was_damaged_is_refused(tmp_path):
    saved = save_layout(tmp_path / "mine", b"graph", 640, {"pages": 1})
    assert load_layout(saved.path).size == 640
    saved.graph.write_bytes(b"other")
    with pytest.raises(BundleError, match="wrong checksum"):
        load_layout(saved.path)
    with pytest.raises(BundleError, match="train-layout"):
        load_layout(tmp_path / "none")


def test_a_layout_bundle_stays_open_until_it_is_made_anew(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(network, "load_layout", lambda path: loaded.append(path) or load_layout(path))
    page, graph = drawn_page(ROWS)[0], load_layout().graph.read_bytes()
    mine = save_layout(tmp_path / "mine", graph, 640, {}).path
    first, second = (find_lines(page, bundle=mine) for _ in range(2))
    assert first == second and len(first.lines) > 5 and loaded == [mine]
    save_layout(mine, graph, 64, {})
    assert len(find_lines(page, bundle=mine).lines) < 2 and loaded == [mine, mine]


def test_a_finder_without_a_network_takes_no_bundle(tmp_path):
    with pytest.raises(ConfigError, match="projection takes no layout bundle; leave out .*mine, or take network"):
        find_lines(np.zeros((9, 9), np.uint8), finder="projection", bundle=tmp_path / "mine")


def with_lines(width, height, *boxes):
    """A page with a line in each box (left, top, right, bottom)."""
    lines = tuple(
        Line(f"l{n}", ((left, bottom), (right, bottom)), ((left, top), (right, top), (right, bottom), (left, bottom)))
        for n, (left, top, right, bottom) in enumerate(boxes)
    )
    return Page("p", width, height, (Region("r", ((0, 0), (width, 0), (width, height)), lines),))


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (with_lines(3000, 2000), False),
        (with_lines(3000, 2000, (900, 300, 1800, 380)), False),
        (with_lines(1600, 300, (50, 100, 1500, 200)), True),
        (with_lines(1600, 300, (50, 20, 1500, 140), (50, 160, 1500, 290)), False),
        (with_lines(400, 170), True),  # a word, of which finders of lines see nothing
        (with_lines(150, 180), True),
        (with_lines(700, 900, (50, 100, 600, 800)), False),
    ],
)
def test_an_image_shows_a_line_if_it_is_as_low_as_one_or_one_fills_it(page, line):
    assert shows_line(page) is line


def test_a_line_that_runs_down_a_landscape_page_does_not_make_it_that_of_a_line():
    line = Line("l", ((300, 20), (300, 180)), ((240, 20), (300, 20), (300, 180), (240, 180)))
    assert not shows_line(Page("p", 400, 200, (Region("r", line.boundary, (line,)),)))


@pytest.mark.parametrize(("shape", "strip"), [((96, 100), True), ((97, 700), False), ((200, 1600), True)])
def test_an_image_that_is_low_or_long_is_a_strip(shape, strip):
    assert is_strip(np.zeros(shape, np.uint8)) is strip


def test_the_shipped_line_finder_stays_below_four_megabytes():
    assert sum(file.stat().st_size for file in load_layout().path.iterdir()) < 4_000_000


def test_regions_hold_their_lines():
    found = find_lines(drawn_page(ROWS)[0])
    assert all(isinstance(region, Region) and all(isinstance(line, Line) for line in region.lines)
               for region in found.regions)  # fmt: skip
