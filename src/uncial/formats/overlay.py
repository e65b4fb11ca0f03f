"""PNG: the page with its lines drawn on it, and beside it what was read, each text where its line stands.

For a look, to judge lines, their order and their text at a glance. Neighbours differ in hue and in lightness, so that
they can be told apart by everybody, and in print (Okabe and Ito 2008, "Color Universal Design").
"""

from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.document import Line, Page
from uncial.formats.plain import one_line
from uncial.formats.words import on_page
from uncial.formats.xml_files import clean
from uncial.geometry import Points, frame_of, length, mean_height
from uncial.scan import Scan

Picture = NDArray[np.uint8]  # (H, W, 3), blue, green, red

Drawn = tuple[Line, Points, Points]  # a line, and its baseline and boundary in pixels of the picture

LONGEST_SIDE = 2_400  # pixels; larger pages are scaled down
BLUE, ORANGE = (178, 114, 0), (0, 94, 213)  # as blue, green, red
BLACK, GREY, PALE, WHITE = (0, 0, 0), (140, 140, 140), (215, 215, 215), (255, 255, 255)
FONT = cv2.FontFace("sans")  # ships inside OpenCV: Latin with its old letters, Greek, Cyrillic, Hebrew, Arabic, Chinese
TINT = 0.16  # how far a line's colour covers the page within its boundary
LETTERS = 0.62  # of the lines' usual height: size of their text
SMALLEST, LARGEST = 12, 48  # pixels of that size
LABEL = 0.008  # of the page's longer side: radius of the order numbers
FEWEST = 7  # pixels of that radius


def write_overlay(page: Page, scan: Scan) -> bytes:
    """A PNG of the page with its lines; twice as wide where there is text."""
    scale = min(1.0, LONGEST_SIDE / max(scan.gray.shape))
    size = (round(scale * scan.gray.shape[1]), round(scale * scan.gray.shape[0]))
    paper = cv2.resize(scan.gray, size, interpolation=cv2.INTER_AREA) if scale < 1 else scan.gray
    picture: Picture = np.repeat(paper[:, :, None], 3, axis=2).astype(np.uint8)

    def moved(points: Points) -> Points:
        return tuple((x * size[0] / page.width, y * size[1] / page.height) for x, y in on_page(points, page))

    drawn = [(line, moved(line.baseline), moved(line.boundary)) for line in page.lines]
    drawn = [(line, baseline, boundary) for line, baseline, boundary in drawn if baseline[0] != baseline[-1]]
    _draw_lines(picture, [moved(region.boundary) for region in page.regions], drawn)
    if any(line.transcript and line.transcript.text for line, _, _ in drawn):
        picture = np.hstack([picture, _text_sheet(picture.shape, drawn)])
    return bytes(cv2.imencode(".png", picture)[1])


def _draw_lines(picture: Picture, regions: Sequence[Points], lines: Sequence[Drawn]) -> None:
    thin = max(1, round(max(picture.shape) / 1200))
    for outline in regions:
        cv2.polylines(picture, [_whole(outline)], True, GREY, thin, cv2.LINE_AA)
    tinted = picture.copy()
    for number, (_, _, boundary) in enumerate(lines):
        cv2.fillPoly(tinted, [_whole(boundary)], _colour(number))
    picture[:] = cv2.addWeighted(tinted, TINT, picture, 1 - TINT, 0)
    for number, (_, baseline, boundary) in enumerate(lines):
        cv2.polylines(picture, [_whole(boundary)], True, _colour(number), thin, cv2.LINE_AA)
        cv2.polylines(picture, [_whole(baseline)], False, _colour(number), 2 * thin, cv2.LINE_AA)
    for number, (_, baseline, _) in enumerate(lines):
        _draw_number(picture, number, baseline)


def _draw_number(picture: Picture, number: int, baseline: Points) -> None:
    """The line's number in reading order, from 1, on a disc before the beginning of its baseline."""
    radius = max(FEWEST, round(LABEL * max(picture.shape)))
    frame = frame_of(baseline)
    places = (at - 1.2 * radius * towards for at, towards in zip(frame.origin, frame.direction, strict=True))
    x, y = (
        min(max(round(place), radius), side - radius - 1)
        for place, side in zip(places, picture.shape[1::-1], strict=True)
    )
    cv2.circle(picture, (x, y), radius, _colour(number), -1, cv2.LINE_AA)
    text = str(number + 1)
    size = round(radius * (1.5, 1.3, 1.0, 0.75)[min(len(text), 4) - 1])
    box = cv2.getTextSize(picture.shape[1::-1], text, (0, 0), FONT, size, 600)
    place = (x - box[0] - round(box[2] / 2), y - box[1] - round(box[3] / 2))
    cv2.putText(picture, text, place, WHITE, FONT, size, 600)


def _text_sheet(shape: tuple[int, ...], lines: Sequence[Drawn]) -> Picture:
    """A white sheet of the page's size with the text of each line along its baseline, and its number before it."""
    sheet = np.full(shape, 255, np.uint8)
    sheet[:, 0] = GREY
    height = median(mean_height(baseline, boundary) for _, baseline, boundary in lines)
    size = round(min(max(LETTERS * height, SMALLEST), LARGEST))
    for line, baseline, _ in lines:
        cv2.polylines(sheet, [_whole(baseline)], False, PALE, 1, cv2.LINE_AA)
        text = clean(one_line(line.transcript.text)).strip() if line.transcript else ""
        if text:
            _draw_text(sheet, text, baseline, size)
    for number, (_, baseline, _) in enumerate(lines):
        _draw_number(sheet, number, baseline)
    return sheet


def _draw_text(sheet: Picture, text: str, baseline: Points, size: int) -> None:
    """A text along the chord of its baseline, condensed where it is longer than its line.

    Args:
        sheet: drawn on.
        text: without line breaks.
        baseline: in pixels of the sheet, with two different ends.
        size: of the letters in pixels.
    """
    left, _, width, _ = cv2.getTextSize((1 << 20, 4 * size), text, (0, 2 * size), FONT, size, 400)
    strip = np.full((3 * size, width + 2 * size, 3), 255, np.uint8)
    cv2.putText(strip, text, (size // 2 - left, 2 * size), BLACK, FONT, size, 400)
    frame = frame_of(baseline)
    along = np.array(frame.direction)
    down = np.array([-along[1], along[0]])
    corner = np.array(frame.origin) - 2 * size * down
    room = max(length(baseline), 4.0 * size)
    _lay(strip, sheet, np.column_stack([along * min(1.0, room / strip.shape[1]), down, corner]))


def _lay(strip: Picture, sheet: Picture, place: NDArray[np.float64]) -> None:
    """Darken a sheet by a strip, laid on it by an affine map, (2, 3)."""
    height, width = strip.shape[:2]
    corners = place @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
    low = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=1)) + 1, sheet.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    shifted = place - np.column_stack([np.zeros((2, 2)), low])
    laid = cv2.warpAffine(strip, shifted, size, flags=cv2.INTER_AREA, borderValue=WHITE)
    part = sheet[low[1] : high[1], low[0] : high[0]]
    part[:] = np.minimum(part, laid)


def _colour(number: int) -> tuple[int, int, int]:
    return (BLUE, ORANGE)[number % 2]


def _whole(points: Points) -> NDArray[np.int32]:
    whole: NDArray[np.int32] = np.rint(np.array(points)).astype(np.int32)
    return whole
