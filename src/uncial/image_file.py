"""Images as files: opened as gray, upright, whatever a camera, a scanner or a program wrote.

An image is gray, uint8 (H, W), 0 black to 255 white.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from uncial.errors import ImageError, MissingExtraError

Gray = NDArray[np.uint8]

MOST_PIXELS = 89_000_000  # refused before decoding; an A3 page at 600 dpi has 70 million, and Pillow warns at 89.4
MOST_BYTES = 1_000_000_000  # of an image file; MOST_PIXELS of four 16-bit channels have 700 million
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")  # of files that ground truth stands beside
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")  # bytes 8 to 12 of what phones write
# What Pillow's decoders raise on damaged files; UserWarning where a program turns warnings into errors.
_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, UserWarning)


class ImageFrames:
    """The frames of an image file: pages of a TIFF; of all other kinds the first counts.

    Attributes:
        count: how many frames there are, at least 1; of a file that ends too soon, those that can be found.
    """

    def __init__(self, data: bytes, name: str) -> None:
        """Open, not decode.

        Args:
            data: of the whole file.
            name: for messages.

        Raises:
            ImageError: empty, no image, or damaged.
            MissingExtraError: it is HEIC, and the package for it is not installed.
        """
        if not data:
            raise ImageError(f"{name}: the file is empty (0 bytes); copy or scan it again")
        if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
            _register_heif(name)
        self.name = name
        with _told(name):
            self._image = Image.open(io.BytesIO(data))
            self.count = _frames(self._image) if self._image.format == "TIFF" else 1

    def page(self, number: int = 0) -> tuple[Gray, float | None]:
        """Decode a frame, counted from 0: uint8 (H, W), and its pixels per inch where the file tells.

        Raises:
            ImageError: damaged, truncated or above `MOST_PIXELS`.
        """
        with self.opened(number) as image:
            return gray_of(ImageOps.exif_transpose(image)), _dpi(image)

    @contextmanager
    def opened(self, number: int = 0) -> Iterator[Image.Image]:
        """A frame, counted from 0, as Pillow opens it: not yet decoded, not yet turned upright.

        Raises:
            ImageError: see `page`; also for what is found only while it is decoded.
        """
        with _told(self.name):
            if self.count > 1:
                self._image.seek(number)
            width, height = self._image.size
            if width * height > MOST_PIXELS:
                raise gigantic(self.name, f"has {width} x {height} pixels")
            yield self._image


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
    return ImageFrames(file if isinstance(file, bytes) else read_bytes(Path(file), name), name).page()[0]


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageError."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise gigantic(name, "is too large") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not an image that can be read; save it as PNG, JPEG, TIFF or WebP") from error
    except MemoryError as error:
        raise ImageError(f"{name}: no memory to decode the image; scale it down") from error
    except (*_DAMAGES, struct.error, zlib.error) as error:
        raise ImageError(f"{name}: the image is damaged or truncated ({error}); copy or scan it again") from error


def _frames(image: Image.Image) -> int:
    """How many frames can be found; the list of a damaged file breaks off."""
    count = 1
    try:
        while True:
            image.seek(count)
            count += 1
    except (*_DAMAGES, struct.error):
        image.seek(0)
    return count


def _register_heif(name: str) -> None:
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError as error:
        raise MissingExtraError(
            f"{name}: is a HEIC image, which needs a package of its own; install it with: pip install 'uncial[heic]', "
            "or save the image as JPEG"
        ) from error


def _dpi(image: Image.Image) -> float | None:
    """Pixels per inch across, where the file tells something that can be true."""
    told = image.info.get("dpi")
    value = float(told[0]) if isinstance(told, tuple) and told and told[0] else 0.0
    return value if 30 <= value <= 5000 else None


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: no such file, a folder, above `MOST_BYTES`, or not to be opened.
    """
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


def gigantic(name: str, finding: str) -> ImageError:
    """The error of an image that is too large to decode."""
    return ImageError(f"{name}: the image {finding}, the limit is {MOST_PIXELS:,}; scale it down or cut it into parts")


def gray_of(image: Image.Image) -> Gray:
    """Decode an image of any mode; uint8 (H, W)."""
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
