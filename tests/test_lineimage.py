"""Line images: files of all kinds opened, lines scaled, their contrast stretched."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from uncial import image_file
from uncial.errors import ImageError
from uncial.image_file import Gray, load_image
from uncial.lineimage import PAPER, LineImageConfig, ink, line_image, source_x

PLAIN = LineImageConfig()
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
    with pytest.raises(ImageError, match="limit is 89,000,000; scale it down or cut it"):
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


def test_a_line_of_the_network_s_height_keeps_its_pixels_between_two_margins() -> None:
    line = np.random.default_rng(3).integers(0, 256, (64, 100), dtype=np.uint8)
    image = line_image(line, PLAIN)
    assert_array_equal(image[:, 16:-16], line)
    assert_array_equal(np.unique(np.concatenate([image[:, :16], image[:, -16:]])), PAPER)


@pytest.mark.parametrize("height", [32, 50, 64, 128, 301])
def test_lines_are_scaled_to_the_height_with_their_shape_kept(height: int) -> None:
    line = np.full((height, 5 * height), PAPER, np.uint8)
    line[:, 2 * height : 3 * height] = 0
    image = line_image(line, PLAIN)
    assert image.shape == (64, 5 * 64 + 32)
    dark = np.flatnonzero(image[32] < 128)
    assert abs(source_x(PLAIN, height, dark[0]) - 2 * height) <= height / 64
    assert abs(source_x(PLAIN, height, dark[-1] + 1) - 3 * height) <= height / 64


@pytest.mark.parametrize("shape", [(64, 1), (1, 64), (64, 3), (0, 0), (64, 0), (0, 64)])
def test_what_is_a_pixel_wide_is_no_line(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"{shape[1]} x {shape[0]} pixels; a line needs at least 4 each way"):
        line_image(np.zeros(shape, np.uint8), PLAIN)


def test_what_is_far_too_long_is_no_line() -> None:
    with pytest.raises(ImageError, match="cut it into parts"):
        line_image(np.zeros((8, 2_100), np.uint8), LineImageConfig(margin=0))


@pytest.mark.parametrize("wrong", [{"height": 7}, {"margin": -1}])
def test_a_preprocessing_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 8"):
        LineImageConfig(**wrong)


def pen(paper: int = PAPER, dark: int = 0, grain: float = 0, thickness: int = 3) -> Gray:
    """Zigzags of a pen on a sheet, uint8 (64, 400)."""
    x = np.arange(10, 391, 10)
    points = np.stack([x, 32 + 18 * (-1.0) ** np.arange(len(x))], axis=1).astype(np.int32)
    line = np.full((64, 400), paper, np.uint8)
    cv2.polylines(line, [points], False, dark, thickness, cv2.LINE_AA)
    noise = np.random.default_rng(2).normal(0, grain, line.shape)
    return np.clip(line + noise, 0, 254 if paper < PAPER else 255).astype(np.uint8)


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 40))
def test_ink_lies_between_nothing_and_all(paper: int, dark: int, grain: int) -> None:
    amount = ink(line_image(pen(paper, dark, grain), PLAIN))
    assert (amount.dtype, amount.shape) == (np.float32, (64, 432))
    assert 0 <= amount.min() <= amount.max() <= 1
    assert not amount[:, :16].any()
    assert not amount[:, -16:].any()


def test_darker_pixels_are_never_less_ink() -> None:
    line = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    assert (np.diff(ink(line)[0]) <= 0).all()


@pytest.mark.parametrize("paper", [60, 128, 200, 240, 255])
def test_blank_paper_stays_quiet(paper: int) -> None:
    assert ink(line_image(np.full((64, 400), paper, np.uint8), PLAIN)).max() == 0


def test_the_grain_of_blank_paper_stays_faint_and_that_of_a_masked_line_too() -> None:
    line = pen(paper=200, dark=200, grain=3)
    assert ink(line_image(line, PLAIN)).max() < 0.5
    line[:, 150:] = PAPER
    assert ink(line_image(line, PLAIN)).max() < 0.5


def test_pale_pencil_on_gray_paper_looks_like_strong_ink_on_white() -> None:
    strong, pale = (ink(line_image(line, PLAIN)) for line in (pen(230, 20), pen(180, 140)))
    assert np.abs(strong - pale).max() < 0.06


@pytest.mark.parametrize("thickness", [1, 2, 4, 6])
@pytest.mark.parametrize("smooth", [False, True], ids=["black or white", "smooth edges"])
@pytest.mark.parametrize("height", [64, 256])
def test_ink_on_pure_white_is_all_there(thickness: int, smooth: bool, height: int) -> None:
    line = pen(thickness=thickness)
    if not smooth:
        line = np.where(line < 128, 0, 255).astype(np.uint8)
    line = cv2.resize(line, (400 * height // 64, height), interpolation=cv2.INTER_NEAREST)
    image = line_image(line, PLAIN)
    drawn = (255 - image.astype(float)) / 255
    assert ink(image).sum() >= 0.97 * drawn.sum()
