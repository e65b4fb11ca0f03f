"""Scans: files of every kind opened page by page; what is damaged does not stop what is not."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from drawn_scans import HEIGHT, WIDTH, drawn_page, flat, pdf, saved, stored, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from uncial.document import Failure
from uncial.scan import Contents, Scan, contents, open_scans, passed_over, scan_names

GRAY = Image.fromarray(drawn_page())
KINDS: dict[str, tuple[Callable[[], bytes], float]] = {
    "png": (lambda: stored(GRAY, "PNG"), 0),
    "jpg": (lambda: stored(GRAY, "JPEG", quality=100), 2),
    "tif": (lambda: stored(GRAY, "TIFF", compression="tiff_lzw"), 0),
    "webp": (lambda: stored(GRAY, "WEBP", lossless=True), 0),
    "jp2": (lambda: stored(GRAY, "JPEG2000"), 0),
    "gif": (lambda: stored(GRAY, "GIF"), 0),
    "bmp": (lambda: stored(GRAY, "BMP"), 0),
    "pgm": (lambda: stored(GRAY, "PPM"), 0),
    "pdf": (lambda: pdf([flat(drawn_page())]), 0),
}


def whole(scan: Scan | Failure) -> Scan:
    assert isinstance(scan, Scan), scan
    return scan


def failed(scan: Scan | Failure) -> Failure:
    assert isinstance(scan, Failure), scan
    return scan


@pytest.mark.parametrize(("suffix", "make", "tolerance"), [(k, *v) for k, v in KINDS.items()], ids=KINDS)
def test_every_kind_is_opened_from_its_file_and_from_memory(
    suffix: str, make: Callable[[], bytes], tolerance: float, tmp_path: Path
) -> None:
    path = tmp_path / f"letter.{suffix}"
    path.write_bytes(make())
    (scan,) = map(whole, open_scans(path))
    assert (scan.name, scan.stem, scan.path, scan.number, scan.pages) == (str(path), "letter", path, 1, 1)
    assert_allclose(scan.gray.astype(int), drawn_page(), atol=tolerance)
    (piped,) = map(whole, open_scans(make()))
    assert (piped.name, piped.stem, piped.path) == ("standard input", "stdin", None)
    assert (scan.file, piped.file) == (path, make())
    assert_array_equal(piped.gray, scan.gray)


def test_what_a_file_holds_counts_and_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_bytes(b"\n \n" + KINDS["pdf"][0]())
    (scan,) = map(whole, open_scans(tmp_path / "letter.jpg"))
    assert_array_equal(scan.gray, drawn_page())


def test_heic_is_opened_where_its_extra_is_installed() -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(np.full((64, 96), 200, np.uint8)).convert("RGB")).save(file)
    (scan,) = map(whole, open_scans(file.getvalue()))
    assert scan.gray.shape == (64, 96)
    assert_allclose(scan.gray.astype(int), 200, atol=4)


def test_heic_without_its_extra_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (failure,) = map(failed, open_scans(b"\0\0\0\x18ftypheic" + b"\0" * 12 + b"mif1" * 40, "a.heic"))
    assert "a.heic: HEIC needs pillow-heif" in failure.reason
    assert 'pip install -c constraints.txt ".[heic]"' in failure.reason


def test_only_the_first_picture_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(drawn_page(n)) for n in (1, 2)]
    (scan,) = map(whole, open_scans(stored(frames[0], "GIF", save_all=True, append_images=frames[1:])))
    assert_array_equal(scan.gray, drawn_page())


@pytest.mark.parametrize("make", [lambda: tiff(12), lambda: pdf([flat(drawn_page(n + 1)) for n in range(12)])])
def test_all_pages_of_a_file_are_opened_in_order_and_numbered(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "book.of.hours"
    path.write_bytes(make())
    scans = [whole(scan) for scan in open_scans(path, "book")]
    assert [scan.name for scan in scans] == [f"book#{n}" for n in range(1, 13)]
    assert (scans[2].stem, scans[11].stem) == ("book.of-0003", "book.of-0012")
    for number, scan in enumerate(scans, 1):
        assert (scan.number, scan.pages) == (number, 12)
        assert_array_equal(scan.gray, drawn_page(number))


def test_thumbnails_in_tiff_are_no_pages() -> None:
    page, small = Image.fromarray(drawn_page()), Image.fromarray(drawn_page(2)[:9, :6])
    small.encoderinfo = {"tiffinfo": {254: 1}}
    (scan,) = map(whole, open_scans(stored(page, "TIFF", save_all=True, append_images=[small])))
    assert_array_equal(scan.gray, drawn_page())


@pytest.mark.parametrize(
    ("make", "dpi"),
    [
        (lambda: stored(GRAY, "JPEG", dpi=(300, 300)), 300),
        (lambda: stored(GRAY, "TIFF", dpi=(400, 400)), 400),
        (lambda: stored(GRAY, "PNG"), None),
        (lambda: stored(GRAY, "PNG", dpi=(1, 1)), None),
        (lambda: pdf([flat(drawn_page())]), 30),
        (lambda: pdf([flat(drawn_page())], Rotate=90), 30),
    ],
)
def test_the_resolution_is_what_the_file_tells(make: Callable[[], bytes], dpi: float | None) -> None:
    (scan,) = map(whole, open_scans(make()))
    assert scan.dpi == (None if dpi is None else pytest.approx(dpi, rel=1e-3))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate"])
def test_a_tiff_that_is_cut_short_gives_the_pages_before(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = tiff(4, compression=compression)
    for length in range(0, len(data) - 16, len(data) // 60):
        scans = list(open_scans(data[:length], "t"))
        good = [scan for scan in scans if isinstance(scan, Scan)]
        assert [type(scan) for scan in scans] == [Scan] * len(good) + [Failure] * (len(scans) - len(good))
        assert 1 <= len(scans) - len(good) <= 2
        for number, scan in enumerate(good, 1):
            assert scan.number == number
            assert_allclose(scan.gray.astype(int), drawn_page(number), atol=90 if compression == "jpeg" else 0)
    assert len(good) == 3  # of the file with all but its last bytes
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [kind for kind in KINDS if kind not in ("tif", "pdf")])
def test_images_cut_short_anywhere_fail_or_open_and_say_nothing_else(
    suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = KINDS[suffix][0]()
    for length in range(0, len(data), max(1, len(data) // 40)):
        (scan,) = open_scans(data[:length])
        assert isinstance(scan, Scan) or scan.reason.startswith("standard input: ")
    assert capfd.readouterr().err == ""


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["tif", "jp2", "pdf"]), st.binary(min_size=1, max_size=60), st.floats(0, 1))
def test_no_damage_gets_past_the_errors_told(suffix: str, change: bytes, where: float) -> None:
    data = bytearray(KINDS[suffix][0]())
    place = int(where * len(data))
    data[place : place + len(change)] = change
    for scan in open_scans(bytes(data), "x"):
        assert scan.gray.size if isinstance(scan, Scan) else scan.reason.startswith("x")


def test_files_that_are_not_there_or_are_folders_fail_and_are_named(tmp_path: Path) -> None:
    assert "nothing.pdf: no such file" in failed(next(open_scans(tmp_path / "nothing.pdf"))).reason
    assert "the folder holds no scans" in failed(next(open_scans(tmp_path))).reason
    assert failed(next(open_scans(b"", "-"))).reason.startswith("-: the file is empty")


def test_gigantic_pages_fail_before_they_are_decoded() -> None:
    frames = [Image.new("1", (20, 30)), Image.new("1", (11_000, 11_000)), Image.new("1", (20, 30))]
    data = stored(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="group4")
    first, second, third = open_scans(data, "t")
    assert whole(first).gray.shape == whole(third).gray.shape == (30, 20)
    assert "t#2: the image has 11000 x 11000 pixels" in failed(second).reason


def test_folders_are_replaced_by_the_scans_in_them(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("b.JPG", "a.pdf", ".c.png", "a.xml", "notes.txt", "d.heic"):
        (tmp_path / name).touch()
    Image.new("L", (9, 9)).save(tmp_path / "e.jfif", "JPEG")
    Image.new("L", (9, 9)).save(tmp_path / "no suffix", "PNG")
    names = scan_names([str(tmp_path), "-", "x.tif", str(tmp_path / "empty")])
    scans = [str(tmp_path / name) for name in ("a.pdf", "b.JPG", "d.heic", "e.jfif", "no suffix")]
    assert names == [*scans, "-", "x.tif", str(tmp_path / "empty")]
    (tmp_path / ".hidden").mkdir()
    assert passed_over([str(tmp_path), "-", "x.tif", str(tmp_path / "empty")]) == [
        f"{tmp_path}: folders in it that are passed over: 1 (empty); name them, too"
    ]


def test_a_pdf_with_a_password_or_without_pages_or_content_fails() -> None:
    document = pikepdf.open(io.BytesIO(pdf([flat(drawn_page())])))
    locked = saved(document, encryption=pikepdf.Encryption(owner="o", user="u"))
    assert "x.pdf: the PDF has a password" in failed(next(open_scans(locked, "x.pdf"))).reason
    open_to_all = saved(document, encryption=pikepdf.Encryption(owner="o", user=""))
    assert whole(next(open_scans(open_to_all))).gray.shape == (HEIGHT, WIDTH)
    assert "x.pdf: the PDF has no pages" in failed(next(open_scans(saved(pikepdf.new()), "x.pdf"))).reason
    assert "x.pdf: the PDF is damaged" in failed(next(open_scans(b"%PDF-1.7 and then nothing", "x.pdf"))).reason


@pytest.mark.parametrize("make", [lambda: tiff(3), lambda: pdf([flat(drawn_page(n + 1)) for n in range(3)])])
def test_a_page_can_be_opened_without_those_before(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_bytes(make())
    assert (contents(path).pages, contents(path).whole) == (3, True)
    for scan, alone in zip(open_scans(path), (next(open_scans(path, only=n)) for n in (1, 2, 3)), strict=True):
        assert (whole(alone).name, whole(alone).stem, whole(alone).pages) == (whole(scan).name, whole(scan).stem, 3)
        assert_array_equal(whole(alone).gray, whole(scan).gray)


def test_what_a_file_holds_is_told_without_decoding_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(stored(GRAY, "PNG")[:60])  # its head, which tells the size
    assert contents(tmp_path / "a.png") == Contents(1, WIDTH * HEIGHT, True)
    (tmp_path / "cut.tif").write_bytes(tiff(3)[: len(tiff(3)) // 2])
    assert not contents(tmp_path / "cut.tif").whole
    (tmp_path / "cut.pdf").write_bytes(pdf([flat(drawn_page())])[:-40])
    assert not contents(tmp_path / "cut.pdf").whole
    assert contents(tmp_path) == contents(tmp_path / "none.png") == Contents()
