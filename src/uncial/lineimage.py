"""Line images: the one preprocessing for training and reading.

An image is gray, uint8 (H, W), 0 black to 255 white. `line_image` leaves blank paper around the writing out
(`writing`), scales the line to the height of the network and adds paper at both ends; `ink` stretches its contrast.
Slant and size of letters are left to the network, which learns them from augmented lines.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.errors import ImageError
from uncial.image_file import Gray

PAPER = 255  # gray level of white paper
LEAST_SIDE = 4  # pixels; below that nothing can have been written
WIDEST = 16_384  # pixels of a line image; ten times the longest real line, a quarter of what OpenCV can address
LEAST_GRAY = 0.05  # share of pixels below pure white; with fewer, these are ink and not paper
MOST_INK = 0.5  # share of pixels that ink may cover
DARKEST, LIGHTEST = 0.005, 0.95  # shares of pixels: darker than full ink, darker than the lightest paper
MIDDLE = 128  # gray level; what lies below it beside much pure white is ink
TOLD = 64  # pixels of height at which the written part is told
PALE = 32  # gray levels from paper to the darkest ink; with fewer, ink may be but the grain of the paper
PALEST = 10  # gray levels from paper to full ink at least; pencil that has faded keeps a dozen
FULL = 5  # times as far from pale paper as its grain reaches to the light end is full ink, PALE levels at most
ROOM = 0.15  # of the height of the writing: blank rows that stay above and below it
SIDE = 0.5  # of the height of the image that is left: blank columns that stay at both ends
CLOSE = 0.1  # of the height: blank rows put above and below large writing that reaches both edges
LARGE = 12  # of 64 rows: half of the ink takes that many where writing is large; flourishes reach edges, too
TOUCHES = 0.08  # of an edge is ink at most where writing reaches it; more has a shadow or the border of a page
ROOMY = 0.1  # of the height: fewer blank rows than that stay where they are
LOW = 0.35  # of the height stays at least: writing without long letters is lower than its line
LONG = 4.0  # times what stays of the height: shorter writing, a word or a dash, does not tell how high its line is
TALL = 100.0  # times that: a line as long as no real one could become WIDEST; its rows stay
SEEN = 0.3, 0.15  # of the darkest ink, on average over 3 x 3 pixels of a line 64 high: ink in rows, ink in columns
DOTS = 3, 2  # such pixels in a row, in a column: there is writing; a pale word at the end of a line is not to be lost
GRAIN = 2.0  # the grain of paper reaches so many times as far to the dark end as to the light one, ink farther

Place = TypeVar("Place", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class LineImageConfig:
    """The preprocessing of a line image.

    Attributes:
        height: to which lines are scaled, in pixels.
        margin: paper added left and right, in pixels of the scaled line; the network sees the line's ends from afar.
        stretch: how much wider than its shape a line is made, so that narrow letters span more of the slices
            that the network cuts; training and reading cost as much more.
    """

    height: int = 64
    margin: int = 16
    stretch: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.height < 8 or self.margin < 0:
            raise ValueError("height is at least 8 pixels and margin not negative")
        if not 0.25 <= self.stretch <= 4:
            raise ValueError(f"stretch lies in [0.25, 4], not {self.stretch}")


class Part(NamedTuple):
    """A rectangle of an image in pixels: rows from top to before bottom, columns from left to before right.

    Rows may lie beyond the image, where there is paper.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows, those beyond the image included."""
        return self.bottom - self.top

    def of(self, image: Gray) -> Gray:
        """The pixels; not copied, unless rows lie beyond the image."""
        above, below = max(0, -self.top), max(0, self.bottom - len(image))
        inside = image[max(0, self.top) : self.bottom, self.left : self.right]
        return np.pad(inside, ((above, below), (0, 0)), constant_values=PAPER) if above or below else inside


def writing(gray: Gray) -> Part:
    """The part of a line image that is written on, with a little room; lines are cut out more or less closely.

    The network has learned from lines that fill their image, hardly touching its edges: of one with half its height
    of blank paper above and below it reads three times as much wrong, of one cut along its ink a third more, and in
    blank paper at the ends it sees short words (docs/experiments.md).

    Args:
        gray: uint8 (H, W), dark ink on light paper.

    Returns:
        All of the image where it has no writing, or hardly more than its writing; with rows beyond it where large
        writing reaches both edges.

    Raises:
        ImageError: no gray image of 8 bits, or too narrow or low to be a line.
    """
    check_gray(gray, "a line image")
    height, width = gray.shape
    if min(height, width) < LEAST_SIDE:
        raise ImageError(
            f"the image is {width} x {height} pixels; a line needs at least {LEAST_SIDE} each way, cut it out again"
        )
    scale = TOLD / height
    size = max(1, min(WIDEST, round(width * scale))), TOLD
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    seen: NDArray[np.float32] = cv2.blur(ink(small), (3, 3))  # type: ignore[arg-type, assignment]
    along, across = ((seen > SEEN[n]).sum(1 - n) for n in (0, 1))
    rows, columns = np.flatnonzero(along >= DOTS[0]), np.flatnonzero(across >= DOTS[1])
    if not len(rows) or not len(columns):
        return Part(0, height, 0, width)
    top, bottom = rows[0] / scale, (rows[-1] + 1) / scale
    left, right = columns[0] * width / size[0], (columns[-1] + 1) * width / size[0]
    room = ROOM * (bottom - top)
    low = int(np.ceil(LOW * height))
    above = max(0, min(int(top - room), int((top + bottom - low) / 2), height - low))
    below = min(height, max(int(np.ceil(bottom + room)), above + low))
    if below - above > (1 - ROOMY) * height or not LONG < (right - left) / (below - above) < TALL:
        above, below = 0, height
    touched = all(DOTS[0] <= ink_there <= TOUCHES * size[0] for ink_there in along[[0, -1]])
    if touched and _band(seen) >= LARGE:
        room = int(CLOSE * height)
        above, below = -room, height + room
    side = SIDE * (below - above)
    return Part(above, below, max(0, int(left - side)), min(width, int(np.ceil(right + side))))


def _band(seen: NDArray[np.float32]) -> int:
    """The fewest rows side by side that hold half of the ink (H, W): about the height of small letters."""
    ink_to = np.concatenate([[0.0], np.where(seen > SEEN[0], seen, 0).sum(1).cumsum()])
    ends = np.searchsorted(ink_to, ink_to + ink_to[-1] / 2)
    return int((ends - np.arange(len(ends)))[ends < len(ends)].min())


def line_image(gray: Gray, config: LineImageConfig, part: Part | None = None) -> Gray:
    """Scale what is written to the height of the network and add the margins; of the right size it keeps its pixels.

    Args:
        gray: uint8 (H, W), dark ink on light paper.
        config: the preprocessing.
        part: what is written on; None: as `writing` tells.

    Returns:
        uint8 (config.height, W'), W' about w * config.stretch * config.height / h + 2 * config.margin, where the part
        is h x w pixels.

    Raises:
        ImageError: no gray image of 8 bits, too narrow, too low, or far too long to be a line.
    """
    gray = (part or writing(gray)).of(gray)
    height, width = gray.shape
    scaled_width = max(1, round(width * config.stretch * config.height / height))
    if scaled_width + 2 * config.margin > WIDEST:
        raise ImageError(
            f"the image is {width} x {height} pixels, {scaled_width} wide at height {config.height}; "
            f"a line may be {WIDEST} wide, cut it into parts"
        )
    if (height, width) != (config.height, scaled_width):
        # Averaging keeps thin strokes when an image shrinks; a curve keeps edges when it grows.
        method = cv2.INTER_AREA if height > config.height else cv2.INTER_CUBIC
        gray = cv2.resize(gray, (scaled_width, config.height), interpolation=method)  # type: ignore[assignment]
    return np.pad(gray, ((0, 0), (config.margin, config.margin)), constant_values=PAPER)


def check_gray(image: object, what: str) -> None:
    """See that something is a gray image of 8 bits, as all reading takes them.

    Args:
        image: anything.
        what: it is called in the message.

    Raises:
        ImageError: it is none.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype != np.uint8:
        found = f"{image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else f"a {type(image).__name__}"
        raise ImageError(
            f"{what} is gray, an array (height, width) of uint8, not {found}; uncial.load_image opens files so"
        )


def ink(image: Gray) -> NDArray[np.float32]:
    """What the network gets: float32 of the same shape, 0 paper to 1 the darkest ink of this line.

    Pale pencil and strong ink look alike to the network that way.
    """
    paper, contrast = paper_and_contrast(image)
    levels = np.clip((paper - np.arange(256, dtype=np.float32)) / contrast, 0, 1).astype(np.float32)
    return cv2.LUT(image, levels)  # type: ignore[return-value]  # some times as quick as levels[image]


def paper_and_contrast(image: Gray) -> tuple[int, int]:
    """The gray level of a line's paper, and how many levels below it full ink lies.

    Paper is the median level of all pixels that are not pure white, so that margins and masks do not count; the darkest
    ink is the level that one pixel in 200 of them reaches. Where paper itself is pure white, what is left is ink alone:
    few pixels, dark or fading into white at their edges, whereas paper is a heap of pixels at the light end. Then paper
    is pure white. Where there is nothing but the grain of paper, full ink is as far away as can be, and so none. In
    pale lines it is at least PALEST away, and FULL times as far as their grain reaches, which has to stay faint.
    """
    counts = cv2.calcHist([image], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    counts[PAPER] = 0
    share = np.cumsum(counts) / max(1, counts.sum())
    dark, paper, light = (int(np.searchsorted(share, part)) for part in (DARKEST, 0.5, LIGHTEST))
    few = counts.sum() < MOST_INK * image.size
    to_dark, to_light = paper - dark, light - paper
    fading = to_light > (min(to_dark / 3, PALE) if few else to_dark) and light - dark >= PALE
    if fading or (few and light < MIDDLE) or counts.sum() < LEAST_GRAY * image.size:
        paper = PAPER
    if to_dark < min(PALE, GRAIN * to_light):  # blank: of 5,214 real lines none is like that
        return paper, PAPER
    # Of paper that was exposed until it is white, the grain cannot be told: half of it is cut off.
    least = PALE if light >= PAPER - 1 else min(PALE, max(PALEST, FULL * to_light))
    return paper, max(paper - dark, least)


def line_x(config: LineImageConfig, part: Part, x: Place) -> Place:
    """The place in the line image of a place, or of many, in the original: the inverse of `source_x`."""
    return (x - part.left) * config.height * config.stretch / part.height + config.margin


def source_x(config: LineImageConfig, part: Part, x: Place) -> Place:
    """The place in the original image of a place, or of many, in its line image.

    Args:
        config: the preprocessing.
        part: of the original image, that became the line image.
        x: pixels from the left edge of the line image.

    Returns:
        Pixels from the left edge of the original; negative or beyond its width in the margins.
    """
    return part.left + (x - config.margin) * part.height / (config.height * config.stretch)
