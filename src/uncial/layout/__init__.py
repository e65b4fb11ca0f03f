"""Finding lines: page image -> regions, baselines, boundaries, reading order.

A finder takes an upright page, uint8 (H, W), and gives its lines in any order. New members go into `FINDERS`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from uncial.config import choose
from uncial.document import Line, Page, Region
from uncial.errors import ConfigError
from uncial.geometry import Points, box_around, length
from uncial.image_file import Gray
from uncial.layout.found import FoundLine, page_of
from uncial.layout.network import find_with_network, open_finder
from uncial.layout.page_image import is_pale, without_specks
from uncial.layout.projection import find_by_projection

Finder = Callable[[Gray], list[FoundLine]]

FINDERS: dict[str, Finder] = {"network": find_with_network, "projection": find_by_projection}
DEFAULT = "network"
LOW = 96  # pixels; two lines of writing below that could not be read anyway
LONG = 8  # times as wide as high is no page
HIGH = 500  # pixels; a line of writing is lower, 2 cm of paper even at 600 dpi
FILLED = 0.25  # of the height of its image, by a line that is all there is; those of marked pages fill a third or more
UPRIGHT = 1.5  # a turned page must show so many times more line than the page as it is
CLEARLY = 0.03  # by so much a page must be more legible the other way up, or in a mirror
LEGIBLE = 0.6  # in a mirror at least; what is no writing one can read either way is left as it is
Legible = Callable[[Gray, Page], float]  # how surely the lines of an upright page are read, 0 to 1


def find_lines(
    gray: Gray,
    name: str = "",
    *,
    finder: str = DEFAULT,
    bundle: Path | None = None,
    rotate: str = "none",
    legible: Legible | None = None,
    cut_off: bool = False,
) -> Page:
    """Find the lines of a page.

    Args:
        gray: uint8 (H, W), 0 black to 255 white.
        name: of the image.
        finder: name in FINDERS.
        bundle: layout bundle of the network finder; None: the one that ships. It stays open for the next pages.
        rotate: "none": the page stands upright; "auto": it may lie on its side or stand on its head, which takes three
            to four times as long.
        legible: tells which way up a page can be read; None: a page may lie on its side only, and its more even margin
            is taken for the left one, which is right of two pages in three; and writing that shows through stays.
        cut_off: keep pieces of a facing page's lines, too, that the picture's rim cuts off, and on a pale page writing
            that shows through from the other side.

    Returns:
        Regions and lines in reading order; baselines run in reading direction, also on a page that is turned.

    Raises:
        ConfigError: no such finder, one that takes no bundle, or no such way to rotate.
        BundleError: the layout bundle cannot be used.
    """
    find = _finder(finder, bundle)
    turns = choose({"none": (0,), "auto": (0, 1, 3)}, "way to rotate", rotate)

    bare = without_specks(gray)

    def seen(turn: int) -> Page:
        turned = _turned(bare, turn)
        return page_of(find(turned), (turned.shape[1], turned.shape[0]), name, cut_off=cut_off)

    pages, best = {turn: seen(turn) for turn in turns}, 0
    if rotate == "auto":
        if max(_written(pages[1]), _written(pages[3])) > UPRIGHT * _written(pages[0]):
            best = max((1, 3), key=lambda turn: _raggedness(pages[turn]))
        if legible:
            ways = best, (best + 2) % 4
            if ways[1] not in pages:
                pages[ways[1]] = seen(ways[1])
            here, there = (legible(_turned(gray, turn), pages[turn]) for turn in ways)
            best = ways[there > here + CLEARLY]
    page = pages[best] if cut_off else _of_this_side(_turned(gray, best), pages[best], find, legible)
    return _turned_back(page, best)


def _of_this_side(gray: Gray, page: Page, find: Finder, legible: Legible | None) -> Page:
    """The page, without lines where all that is found shows through from the other side: a mirror makes it legible.

    Of twenty pages made so, 15 and 25 gray levels dark, those on which anything was read were more legible in the
    mirror, by 0.10 to 0.38; of the same pages written so palely on this side, none (docs/experiments.md).
    """
    if not page.lines or legible is None or not is_pale(gray, [line.boundary for line in page.lines]):
        return page
    mirrored = np.ascontiguousarray(gray[:, ::-1])
    here, there = legible(gray, page), legible(mirrored, page_of(find(mirrored), (page.width, page.height)))
    if there <= max(here + CLEARLY, LEGIBLE):
        return page
    return replace(page, regions=(), shows_through=len(page.lines))


def _finder(name: str, bundle: Path | None) -> Finder:
    """The finder of this name, with this layout bundle."""
    find = choose(FINDERS, "line finder", name)
    if bundle is None:
        return find
    if name != DEFAULT:
        raise ConfigError(f"line finder {name} takes no layout bundle; leave out {bundle}, or take {DEFAULT}")
    return open_finder(bundle)


def _turned(gray: Gray, turn: int) -> Gray:
    """The image turned by so many quarters to the left."""
    return np.ascontiguousarray(np.rot90(gray, turn))


def is_strip(gray: Gray) -> bool:
    """Whether an image, uint8 (H, W), is too low or too long for a page, whatever it shows."""
    height, width = gray.shape
    return bool(height <= LOW or width >= LONG * height)


def shows_line(page: Page) -> bool:
    """Whether an image on which these lines were found is that of a single line (or word), and not of a page.

    The line of an image that is cut close around it fills it; on most of them, though, nothing is found, as finders are
    made for pages. So one without lines is that of a line if it is as low as lines are.

    Args:
        page: as `find_lines` gives it; of an image that is no strip.
    """
    if max(len(page.lines), page.shows_through) > 1 or (page.width < 1.2 * page.height and page.height > 2 * LOW):
        return False
    if not page.lines:
        return page.height <= HIGH
    (left, top), (right, bottom) = page.lines[0].baseline[0], page.lines[0].baseline[-1]
    around = box_around(page.lines[0].boundary)
    return right - left > abs(bottom - top) and around.bottom - around.top >= FILLED * page.height


def _written(page: Page) -> float:
    """Pixels of baseline."""
    return sum(length(line.baseline) for line in page.lines)


def _raggedness(page: Page) -> float:
    """By how many pixels lines end less evenly than they begin; upside down it is the other way round.

    How much line is found does not tell: upside down it is mostly more.
    """
    if not page.lines:
        return 0.0
    begins, ends = (np.array([line.baseline[end][0] for line in page.lines]) for end in (0, -1))
    spread = [float(np.median(np.abs(places - np.median(places)))) for places in (begins, ends)]
    return spread[1] - spread[0]


def _turned_back(page: Page, turn: int) -> Page:
    """The page found on an image that was turned by so many quarters to the left, on the image as it was."""
    if not turn:
        return page

    def back(points: Points) -> Points:
        if turn == 1:
            return tuple((page.height - 1 - y, x) for x, y in points)
        if turn == 2:
            return tuple((page.width - 1 - x, page.height - 1 - y) for x, y in points)
        return tuple((y, page.width - 1 - x) for x, y in points)

    def line_back(line: Line) -> Line:
        return replace(line, baseline=back(line.baseline), boundary=back(line.boundary))

    def region_back(region: Region) -> Region:
        return replace(region, boundary=back(region.boundary), lines=tuple(map(line_back, region.lines)))

    width, height = (page.width, page.height) if turn == 2 else (page.height, page.width)
    return replace(page, width=width, height=height, regions=tuple(map(region_back, page.regions)))
