"""Image files of any usual kind opened with Pillow: upright, in gray, with errors that name the file and the cure.

The one place where images are decoded. Pillow's warnings end here: what matters becomes an error, the rest is dropped.
"""

import ctypes
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from uncial.errors import ImageError, MissingExtraError
from uncial.negative import positive

Gray = NDArray[np.uint8]

MOST_PIXELS = 89_000_000  # refused before decoding; an A3 page at 600 dpi has 70 million, and Pillow warns at 89.4
MOST_BYTES = 1_000_000_000  # of an image file; MOST_PIXELS of four 16-bit channels have 700 million
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")  # of files that ground truth stands beside
LOWEST_DPI, HIGHEST_DPI = 10, 10_000  # what files tell beyond is no resolution but a slip
SUBFILE_TYPE, THUMBNAIL, MASK = 254, 1, 4  # TIFF: the tag that tells what a frame is, and bits of its value
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # at byte 8, behind "ftyp"
# What Pillow's decoders raise on damaged files; UserWarning where a warning tells of damage, see `pages_of`.
_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, UserWarning)


def load_image(file: Path | str | bytes, name: str = "", *, single: bool = False) -> Gray:
    """Open an image of any usual kind as gray, upright, a negative as its positive.

    Orientation in EXIF is obeyed; transparent parts are laid on white; 16-bit and float images are scaled to 8 bit;
    of several frames the first counts.

    Args:
        file: where it lies, or its bytes.
        name: for messages; "" takes the path.
        single: it is that of a line, so a file of several pages is refused.

    Returns:
        uint8 (H, W), 0 black to 255 white.

    Raises:
        ImageError: no such file, empty, no image, damaged, truncated, above `MOST_PIXELS`, or of several pages.
        MissingExtraError: a HEIC file, and the extra that opens these is not installed.
    """
    name = name or ("image" if isinstance(file, bytes) else str(file))
    data = file if isinstance(file, bytes) else read_bytes(Path(file), name)
    with opened(data, name) as image:
        if single and image.format == "TIFF":
            if (count := len(pages_of(image, name)[0])) > 1:
                raise ImageError(f"{name}: has {count} pages, a line image has one; save the line as a file of its own")
            image.seek(0)
        return positive(gray_of(image, name))


@contextmanager
def opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """An image file at its first frame, not decoded yet; see `load_image` for what is raised."""
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes); copy or scan it again")
    _quieten_libtiff()
    with reading(name):
        try:
            image = Image.open(io.BytesIO(data))
        except UnidentifiedImageError:
            if data[4:8] != b"ftyp" or data[8:12] not in HEIF_BRANDS:
                raise
            _learn_heic(name)
            image = Image.open(io.BytesIO(data))
    with image:
        yield image


def size_of(file: Path, name: str) -> tuple[int, int, bool]:
    """How many pages an image file has, how many pixels the first has, and whether all could be found.

    Raises:
        ImageError: it cannot be opened; also HEIC, which is not opened for this.
    """
    _quieten_libtiff()
    with reading(name), Image.open(file) as image:
        pixels = image.width * image.height
        frames, damage = pages_of(image, name)
        return max(1, len(frames)), pixels, damage is None


def to_page(image: Image.Image, number: int, name: str) -> None:
    """Go to a page of an opened file, counted from 1 as `pages_of` finds them.

    Raises:
        ImageError: there is no such page, or it is damaged.
    """
    frames, damage = pages_of(image, name)
    if number > len(frames):
        raise damage or ImageError(f"{name}: the file has {len(frames)} pages now; read it again")
    with reading(name):
        image.seek(frames[number - 1])


def gray_of(image: Image.Image, name: str) -> Gray:
    """Decode the frame that an image stands at; see `load_image`.

    Args:
        image: opened, not decoded yet.
        name: for messages.
    """
    with reading(name):
        return _gray(plain(upright(image, name)))


def upright(image: Image.Image, name: str) -> Image.Image:
    """The frame that an image stands at, decoded and turned as its EXIF says.

    Raises:
        ImageError: damaged, truncated or above `MOST_PIXELS`.
    """
    check_size(*image.size, name)
    with reading(name):
        image.load()
        return ImageOps.exif_transpose(image)


def pages_of(image: Image.Image, name: str) -> tuple[list[int], ImageError | None]:
    """Which frames of a file are pages: of TIFF all but thumbnails and masks, of anything else the first.

    Args:
        image: opened; stands at any frame afterwards.
        name: for messages.

    Returns:
        Numbers of frames as `seek` takes them, and what keeps the rest of a damaged file from being found.
    """
    if image.format != "TIFF":
        return [0], None
    frames: list[int] = []
    try:
        for frame in count():
            with reading(name), suppress(EOFError):
                # Where the description of a page is cut short, Pillow would go on as if there were no more.
                warnings.filterwarnings("error", message="Corrupt EXIF data|Truncated File Read")
                image.seek(frame)
                kind = image.tag_v2.get(SUBFILE_TYPE, 0)  # type: ignore[attr-defined]
                frames += [] if isinstance(kind, int) and kind & (THUMBNAIL | MASK) else [frame]
                continue
            break
    except ImageError as error:
        return frames, error
    return frames or [0], None


def plain(image: Image.Image) -> Image.Image:
    """The same picture without transparency, in one of few modes: 1, L, RGB, CMYK or another that Pillow turns to L."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bit(np.asarray(image), 65535 if image.mode.startswith("I;16") else None))
    if image.mode == "La":  # premultiplied; Pillow converts it to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.getchannel(0) if image.mode == "LAB" else image  # Pillow has no way from LAB; this is the lightness


def dpi_of(image: Image.Image) -> float | None:
    """Pixels per inch as the file tells; None: it does not, or nothing that can be true."""
    told: Any = image.info.get("dpi")
    try:
        dpi = float(told[0] if isinstance(told, tuple) else told)
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return dpi if LOWEST_DPI <= dpi <= HIGHEST_DPI else None


def check_size(width: int, height: int, name: str) -> None:
    """Refuse what memory would not hold.

    Raises:
        ImageError: it has more than `MOST_PIXELS`.
    """
    if width * height > MOST_PIXELS:
        raise _gigantic(name, f"has {width} x {height} pixels")


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file.

    Raises:
        ImageError: no such file, a folder, no right to read it, or above `MOST_BYTES`.
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
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be opened ({reason}); check the path and its rights") from error


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; False also for a name that no file can have."""
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False


def is_pipe(path: Path) -> bool:
    """Whether what stands there can be read once only, as what a shell puts in the place of <(command)."""
    with suppress(OSError, ValueError):
        return path.is_fifo()
    return False


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on an image into one of our errors, and keep its warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))  # Pillow tells it in words only
        raise _gigantic(name, f"has {int(pixels[0]):,} pixels" if pixels else "is too large") from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: not an image that can be read, nor a PDF; save it as PNG, JPEG, TIFF, WebP or PDF"
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name}: no memory to decode the image; scale it down") from error
    except (*_DAMAGES, struct.error, zlib.error) as error:
        raise ImageError(f"{name}: the image is damaged or truncated ({error}); copy or scan it again") from error


def _gigantic(name: str, finding: str) -> ImageError:
    limit = f"the limit is {MOST_PIXELS:,} pixels"
    return ImageError(f"{name}: the image {finding}, {limit}; scale it down or cut it into parts")


def _learn_heic(name: str) -> None:
    """Teach Pillow to open HEIC, which takes a package that not everybody has."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{name}: HEIC needs pillow-heif, which is not installed; save it as JPEG", "heic"
        ) from error


@cache
def _quieten_libtiff() -> None:
    """Keep libtiff, which Pillow decodes with, from writing on standard error; Pillow raises what matters."""
    with suppress(OSError, AttributeError):  # where libtiff is no library of its own, its words cannot be stopped
        library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]
        for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _gray(image: Image.Image) -> Gray:
    """The gray levels, uint8 (H, W)."""
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
