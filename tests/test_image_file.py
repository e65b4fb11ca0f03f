"""Image files of all kinds, damaged and gigantic ones among them, opened as gray."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from uncial import image_file
from uncial.errors import ImageError
from uncial.image_file import load_image
from uncial.lineimage import PAPER

SHADES = np.linspace(0, 255, 24 * 40).reshape(24, 40).astype(np.uint8)  # light below, dark above


def stored(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def on_white() -> Image.Image:
    """Black ink whose transparency is the paper."""
    image = Image.new("LA", (40, 24), 0)
    image.putalpha(Image.fromarray(255 - SHADES))
    return image


def turned() -> bytes:
    """Stored lying on its side, as a telephone does."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return stored(Image.fromarray(np.rot90(SHADES).copy()), "PNG", exif=exif)


GRAY = Image.fromarray(SHADES)
PALETTE = GRAY.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
KINDS: dict[str, tuple[Callable[[], bytes], float]] = {
    "gray PNG": (lambda: stored(GRAY, "PNG"), 0),
    "colour PNG": (lambda: stored(GRAY.convert("RGB"), "PNG"), 0),
    "16-bit PNG": (lambda: stored(Image.fromarray(SHADES.astype(np.uint16) * 257), "PNG"), 0),
    "palette PNG": (lambda: stored(PALETTE, "PNG"), 0),
    "palette GIF": (lambda: stored(PALETTE, "GIF"), 0),
    "PNG with alpha": (lambda: stored(on_white(), "PNG"), 0),
    "colour WebP with alpha": (lambda: stored(on_white().convert("RGBA"), "WEBP", lossless=True), 0),
    "turned by EXIF": (turned, 0),
    "JPEG": (lambda: stored(GRAY, "JPEG", quality=100), 2),
    "CMYK JPEG": (lambda: stored(GRAY.convert("RGB").convert("CMYK"), "JPEG", quality=100), 6),
    "CMYK TIFF": (lambda: stored(GRAY.convert("RGB").convert("CMYK"), "TIFF"), 2),
    "LAB TIFF": (lambda: stored(Image.merge("LAB", [GRAY, *[Image.new("L", GRAY.size, 128)] * 2]), "TIFF"), 0),
    "16-bit TIFF": (lambda: stored(Image.fromarray(SHADES.astype(np.uint16) * 257), "TIFF"), 0),
    "32-bit TIFF": (lambda: stored(Image.fromarray(SHADES.astype(np.int32) * 257), "TIFF"), 0),
    "float TIFF": (lambda: stored(Image.fromarray(SHADES.astype(np.float32) / 255), "TIFF"), 0),
    "packed TIFF": (lambda: stored(GRAY, "TIFF", compression="tiff_lzw"), 0),
    "WebP": (lambda: stored(GRAY, "WEBP", lossless=True), 0),
}


@pytest.mark.parametrize(("make", "tolerance"), KINDS.values(), ids=KINDS)
def test_every_kind_of_image_is_opened_as_the_same_gray(make: Callable[[], bytes], tolerance: float) -> None:
    gray = load_image(make())
    assert (gray.dtype, gray.shape) == (np.uint8, SHADES.shape)
    assert_allclose(gray.astype(int), SHADES, atol=tolerance)


def test_black_and_white_fax_is_opened() -> None:
    fax = Image.fromarray(np.where(SHADES > 127, 255, 0).astype(np.uint8)).convert("1", dither=Image.Dither.NONE)
    assert_array_equal(load_image(stored(fax, "TIFF", compression="group4")), np.where(SHADES > 127, 255, 0))


def test_transparent_colours_of_a_palette_are_paper() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 60, 60, 60])
    assert_array_equal(load_image(stored(image, "PNG", transparency=1)), PAPER)


def damaged(form: str, cut: int) -> bytes:
    noise = np.random.default_rng(5).integers(0, 256, (64, 200), dtype=np.uint8)
    return stored(Image.fromarray(noise), form)[:cut]


REFUSED = {
    "empty": (b"", "0 bytes"),
    "text": (b"not an image at all", "not an image that can be read"),
    "half a PNG": (damaged("PNG", 900), "damaged or truncated"),
    "half a JPEG": (damaged("JPEG", 900), "damaged or truncated"),
    "half a TIFF": (damaged("TIFF", 900), "can be read|damaged or truncated"),
    "half a WebP": (damaged("WEBP", 900), "can be read|damaged or truncated"),
    "a PNG's head": (damaged("PNG", 20), "can be read|damaged or truncated"),
}


@pytest.mark.parametrize(("data", "finding"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_whole_image_is_refused_by_its_name(data: bytes, finding: str) -> None:
    with pytest.raises(ImageError, match=f"page 7: .*({finding})"):
        load_image(data, "page 7")


@pytest.mark.parametrize(
    "side", [9_450, 11_000, 20_000], ids=["above ours", "above Pillow's warning", "above its error"]
)
def test_gigantic_images_are_refused_before_they_are_decoded(side: int) -> None:
    with pytest.raises(ImageError, match="limit is 89,000,000 pixels; scale it down or cut it"):
        load_image(stored(Image.new("1", (side, side)), "PNG"))


def test_gigantic_files_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(stored(GRAY, "PNG"))
    monkeypatch.setattr(image_file, "MOST_BYTES", 100)
    with pytest.raises(ImageError, match=r"a\.png: the file has \d+ bytes, the limit is 100"):
        load_image(tmp_path / "a.png")


def test_paths_that_lead_to_no_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nothing.png: no such file; check the path"):
        load_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder, not an image"):
        load_image(tmp_path)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_damage_gets_past_the_errors_told(change: bytes, place: int) -> None:
    data = bytearray(stored(GRAY, "PNG"))
    data[place : place + len(change)] = change
    try:
        assert load_image(bytes(data)).dtype == np.uint8
    except ImageError as error:
        assert str(error).startswith("image: ")


def test_a_line_image_has_one_page(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((64, 90), shade, np.uint8)) for shade in (250, 200, 150)]
    pages[0].save(tmp_path / "three.tif", save_all=True, append_images=pages[1:])
    pages[1].save(tmp_path / "one.tif")
    with pytest.raises(ImageError, match="has 3 pages, a line image has one; save the line as a file of its own"):
        load_image(tmp_path / "three.tif", single=True)
    assert load_image(tmp_path / "three.tif").mean() == 250
    assert load_image(tmp_path / "one.tif", single=True).mean() == 200
