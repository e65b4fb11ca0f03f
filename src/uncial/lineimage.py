"""Line images: opening them, and the one preprocessing for training and reading.

An image is gray, uint8 (H, W), 0 black to 255 white. `line_image` scales a line to the height of the network and adds
paper at both ends; `ink` stretches its contrast. Slant and size of letters are left to the network, which learns them
from augmented lines.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from uncial.errors import ImageError

Gray = NDArray[np.uint8]

PAPER = 255  # gray level of white paper
MOST_PIXELS = 89_000_000  # refused before decoding; an A3 page at 600 dpi has 70 million, and Pillow warns at 89.4
LEAST_SIDE = 4  # pixels; below that nothing can have been written
WIDEST = 16_384  # pixels of a line image; ten times the longest real line, a quarter of what OpenCV can address
MOST_BYTES = 1_000_000_000  # of an image file; MOST_PIXELS of four 16-bit channels have 700 million
LEAST_GRAY = 0.05  # share of pixels below pure white; with fewer, these are ink and not paper
MOST_INK = 0.5  # share of pixels that ink may cover
DARKEST, LIGHTEST = 0.005, 0.95  # shares of pixels: darker than full ink, darker than the lightest paper
MIDDLE = 128  # gray level; what lies below it beside much pure white is ink
LEAST_CONTRAST = 32  # gray levels from paper to full ink; keeps the grain of blank paper from turning into ink
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")  # of files that ground truth stands beside
# What Pillow's decoders raise on damaged files; UserWarning where a program turns warnings into errors.
_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, UserWarning)


@dataclass(frozen=True, slots=True)
class LineImageConfig:
    """The preprocessing of a line image.

    Attributes:
        height: to which lines are scaled, in pixels.
        margin: paper added left and right, in pixels of the scaled line; the network sees the line's ends from afar.
    """

    height: int = 64
    margin: int = 16

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.height < 8 or self.margin < 0:
            raise ValueError("height is at least 8 pixels and margin not negative")


def line_image(gray: Gray, config: LineImageConfig) -> Gray:
    """Scale a line to the height of the network and add the margins; lines of that height keep their pixels.

    Args:
        gray: uint8 (H, W), dark ink on light paper.
        config: the preprocessing.

    Returns:
        uint8 (config.height, W'), W' about W * config.height / H + 2 * config.margin.

    Raises:
        ImageError: too narrow, too low, or far too long to be a line.
    """
    height, width = gray.shape
    if min(height, width) < LEAST_SIDE:
        raise ImageError(
            f"the image is {width} x {height} pixels; a line needs at least {LEAST_SIDE} each way, cut it out again"
        )
    scaled_width = max(1, round(width * config.height / height))
    if scaled_width + 2 * config.margin > WIDEST:
        raise ImageError(
            f"the image is {width} x {height} pixels, {scaled_width} wide at height {config.height}; "
            f"a line may be {WIDEST} wide, cut it into parts"
        )
    if height != config.height:
        # Averaging keeps thin strokes when an image shrinks; a curve keeps edges when it grows.
        method = cv2.INTER_AREA if height > config.height else cv2.INTER_CUBIC
        gray = cv2.resize(gray, (scaled_width, config.height), interpolation=method)  # type: ignore[assignment]
    return np.pad(gray, ((0, 0), (config.margin, config.margin)), constant_values=PAPER)


def ink(image: Gray) -> NDArray[np.float32]:
    """What the network gets: float32 of the same shape, 0 paper to 1 the darkest ink of this line.

    Paper is the median level of all pixels that are not pure white, so that margins and masks do not count; the darkest
    ink is the level that one pixel in 200 of them reaches. Pale pencil and strong ink look alike to the network that
    way. Where paper itself is pure white, what is left is ink alone: few pixels, dark or fading into white at their
    edges, whereas paper is a heap of pixels at the light end. Then paper is pure white.
    """
    counts = np.bincount(image.ravel(), minlength=256)
    counts[PAPER] = 0
    share = np.cumsum(counts) / max(1, counts.sum())
    dark, paper, light = (int(np.searchsorted(share, part)) for part in (DARKEST, 0.5, LIGHTEST))
    few = counts.sum() < MOST_INK * image.size
    to_dark, to_light = paper - dark, light - paper
    fading = to_light > (min(to_dark / 3, LEAST_CONTRAST) if few else to_dark) and light - dark >= LEAST_CONTRAST
    if fading or (few and light < MIDDLE) or counts.sum() < LEAST_GRAY * image.size:
        paper = PAPER
    contrast = max(paper - dark, LEAST_CONTRAST)
    levels = np.clip((paper - np.arange(256, dtype=np.float32)) / contrast, 0, 1).astype(np.float32)
    return levels[image]


def source_x(config: LineImageConfig, source_height: int, x: float) -> float:
    """The place in the original image of a place in its line image.

    Args:
        config: the preprocessing.
        source_height: of the original image, in pixels.
        x: pixels from the left edge of the line image.

    Returns:
        Pixels from the left edge of the original; negative or beyond its width in the margins.
    """
    return (x - config.margin) * source_height / config.height


def load_image(file: Path | str | bytes, name: str = "") -> Gray:
    """Open an image of any usual kind as gray, upright.

    Orientation in EXIF is obeyed; transparent parts are laid on white; 16-bit and float images are scaled to 8 bit;
    of several frames the first counts.

    Args:
        file: where it lies, or its bytes.
        name: for messages; "" takes the path.

    Returns:
        uint8 (H, W), 0 black to 255 white.

    Raises:
        ImageError: no such file, empty, no image, damaged, truncated or above `MOST_PIXELS`.
    """
    name = name or ("image" if isinstance(file, bytes) else str(file))
    data = file if isinstance(file, bytes) else _read(Path(file), name)
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes); copy or scan it again")
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise _gigantic(name, f"has {width} x {height} pixels")
            return _gray(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _gigantic(name, "is too large") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image that can be read; save it as PNG, JPEG, TIFF or WebP") from error
    except MemoryError as error:
        raise ImageError(f"{name}: no memory to decode the image; scale it down") from error
    except (*_DAMAGES, struct.error, zlib.error) as error:
        raise ImageError(f"{name}: the image is damaged or truncated ({error}); copy or scan it again") from error


def _read(path: Path, name: str) -> bytes:
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ImageError(
                f"{name}: the file has {size:,} bytes, the limit is {MOST_BYTES:,}; scale it down or cut it"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{name}: is a folder, not an image; name a file in it") from error
    except OSError as error:
        raise ImageError(
            f"{name}: cannot be opened ({error.strerror or error}); check the path and its rights"
        ) from error


def _gigantic(name: str, finding: str) -> ImageError:
    return ImageError(f"{name}: the image {finding}, the limit is {MOST_PIXELS:,}; scale it down or cut it into parts")


def _gray(image: Image.Image) -> Gray:
    """Decode; uint8 (H, W)."""
    if image.mode.startswith(("I", "F")):
        return _eight_bit(np.asarray(image), 65535 if image.mode.startswith("I;16") else None)
    if image.mode == "La":  # premultiplied; Pillow converts it to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode == "LAB":  # Pillow has no way from LAB to gray; its first channel is the lightness
        image = image.getchannel(0)
    return np.array(image.convert("L"), dtype=np.uint8)


def _eight_bit(values: NDArray[np.generic], white: float | None) -> Gray:
    """Scale numbers of more than eight bits to 0..255.

    Args:
        values: (H, W), any number type.
        white: the value of white; None: 1, 255 or 65535, whichever first holds all values, or the greatest of them.
    """
    numbers = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(numbers.max(initial=0.0))
    if white is None:
        ranges = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
        white = next((full for full in ranges if top <= full), top)
    return np.clip(np.rint(numbers * 255.0 / white), 0, 255).astype(np.uint8)
