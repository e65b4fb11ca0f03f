"""Pages of PDF: a scan's own pixels where a page is nothing else, rendered otherwise, upright; damage is found."""

import io
import zlib
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pytest
from drawn_scans import HEIGHT, POINTS, WIDTH, drawn_page, flat, pdf, saved, stored
from numpy.testing import assert_allclose, assert_array_equal
from pikepdf import Array

from uncial.document import Failure
from uncial.formats.pdf_text import Placement
from uncial.image_file import Gray, load_image
from uncial.pdf_file import MOST_RENDERED, place_of
from uncial.scan import Scan, open_scans

SHOWN = {0: drawn_page(), 90: np.rot90(drawn_page(), -1), 180: np.rot90(drawn_page(), 2), 270: np.rot90(drawn_page())}
MATRICES = {
    "upright": ("144 0 0 216 0 0", drawn_page()),
    "mirrored": ("-144 0 0 216 144 0", drawn_page()[:, ::-1]),
    "upside down": ("-144 0 0 -216 144 216", drawn_page()[::-1, ::-1]),
    "turned left": ("0 216 -144 0 144 0", np.rot90(drawn_page())),
    "turned right": ("0 -216 144 0 0 216", np.rot90(drawn_page(), -1)),
    "a margin": ("140 0 0 212 2 2", drawn_page()),
}


def opened(data: bytes) -> Gray:
    (scan,) = open_scans(data)
    assert isinstance(scan, Scan), scan
    return scan.gray


def rendered(data: bytes, shape: tuple[int, ...]) -> Gray:
    """What PDFium shows, at about the same size."""
    with pypdfium2.PdfDocument(data) as document:
        picture = document[0].render(scale=WIDTH / POINTS[0], grayscale=True).to_pil().convert("L")
        return np.asarray(picture.resize(shape[::-1]))


@pytest.mark.parametrize("rotation", SHOWN)
def test_a_scan_keeps_its_pixels_and_is_turned_as_its_page_is(rotation: int) -> None:
    assert_array_equal(opened(pdf([flat(drawn_page())], Rotate=rotation)), SHOWN[rotation])


@pytest.mark.parametrize(("matrix", "shown"), MATRICES.values(), ids=MATRICES)
def test_a_scan_keeps_its_pixels_and_is_turned_as_it_is_drawn(matrix: str, shown: Gray) -> None:
    data = pdf([flat(drawn_page())], matrix)
    assert_array_equal(opened(data), shown)
    if matrix.startswith(("144", "-144")):
        assert_allclose(rendered(data, shown.shape).astype(int), shown, atol=3)


def test_a_jpeg_keeps_its_pixels() -> None:
    jpeg = stored(drawn_page(), "JPEG", quality=60)
    assert_array_equal(opened(pdf([(jpeg, "/DCTDecode")])), load_image(jpeg))


def test_a_scan_with_the_invisible_text_of_an_earlier_ocr_keeps_its_pixels() -> None:
    text = b"BT 3 Tr /F 20 Tf 20 100 Td (old text) Tj ET"
    assert_array_equal(opened(pdf([flat(drawn_page())], extra=text)), drawn_page())


@pytest.mark.parametrize(
    ("matrix", "extra"),
    [
        ("144 0 0 216 0 0", b"BT /F 20 Tf 20 100 Td (stamp) Tj ET"),
        ("144 0 0 216 0 0", b"0 0 50 50 re f"),
        ("72 0 0 108 30 30", b""),
        ("142 20 -20 213 0 0", b""),
        ("288 0 0 432 0 0", b""),
    ],
    ids=["a stamp", "a black corner", "a small picture", "a leaning scan", "a scan cut off by its page"],
)
@pytest.mark.parametrize("rotation", [0, 90])
def test_pages_with_more_or_less_than_a_scan_are_rendered(matrix: str, extra: bytes, rotation: int) -> None:
    data = pdf([flat(drawn_page())], matrix, extra=extra, Rotate=rotation)
    shape = (900, 600) if rotation == 0 else (600, 900)
    gray = opened(data)
    assert gray.shape == pytest.approx(shape, abs=1)
    with pypdfium2.PdfDocument(data) as document:
        picture = document[0].render(scale=300 / 72, grayscale=True).to_pil().convert("L")
    assert_array_equal(gray, np.asarray(picture))


def test_an_empty_page_is_white_paper() -> None:
    data = pdf([flat(drawn_page())], "0.001 0 0 0.001 -5 -5")
    assert opened(data).min() > 200


def test_gigantic_pages_are_rendered_with_fewer_pixels() -> None:
    data = pdf([flat(drawn_page())], MediaBox=Array([0, 0, 14_000, 7_000]))
    height, width = opened(data).shape
    assert height * width <= 1.01 * MOST_RENDERED
    assert width == pytest.approx(2 * height, abs=2)


@pytest.mark.parametrize("rotation", SHOWN)
def test_the_image_is_placed_where_it_is_shown(rotation: int) -> None:
    data = pdf([flat(drawn_page())], "140 0 0 212 2 3", Rotate=rotation)
    place = Placement.in_box(*place_of(data, 1, "x"), (1, 1))
    corners = {(2, 215): (0, 0), (142, 215): (1, 0), (142, 3): (1, 1), (2, 3): (0, 1)}  # in the PDF: on the scan
    turned = {0: lambda u, v: (u, v), 90: lambda u, v: (1 - v, u), 180: lambda u, v: (1 - u, 1 - v)}
    turned[270] = lambda u, v: (v, 1 - u)
    for corner, (across, down) in corners.items():
        assert place.point(turned[rotation](across, down)) == pytest.approx(corner, abs=1e-3)


@pytest.mark.parametrize("kind", ["flat", "JPEG"])
def test_images_cut_short_fail_and_their_neighbours_do_not(kind: str) -> None:
    good = [flat(drawn_page(n)) if kind == "flat" else (stored(drawn_page(n), "JPEG"), "/DCTDecode") for n in (1, 2, 3)]
    good[1] = (good[1][0][: len(good[1][0]) // 2], good[1][1])
    first, second, third = open_scans(pdf(good), "letters.pdf")
    assert isinstance(first, Scan)
    assert isinstance(third, Scan)
    assert isinstance(second, Failure)
    assert second.id == "letters.pdf#2"
    assert second.reason.startswith("letters.pdf#2: the image")


@pytest.mark.parametrize("bits", [1, 2, 4, 16])
def test_pixels_of_other_than_8_bits_are_whole_unless_they_are_cut_short(bits: int) -> None:
    rows = HEIGHT * (WIDTH * bits // 8 + (WIDTH * bits % 8 > 0))
    for size, kind in ((rows, Scan), (rows - 10, Failure)):
        with pikepdf.open(io.BytesIO(pdf([(zlib.compress(bytes(size)), "/FlateDecode")]))) as document:
            document.pages[0].Resources.XObject.Scan.BitsPerComponent = bits
            (found,) = open_scans(saved(document))
        assert isinstance(found, kind), found


def test_a_pdf_damaged_after_page_3_gives_pages_1_to_3_and_names_the_others(tmp_path: Path) -> None:
    pages = [drawn_page(n) for n in range(1, 7)]
    data = pdf([flat(page) for page in pages])
    place = data.index(flat(pages[3])[0][:40]) + 20  # within the pixels of page 4
    (tmp_path / "letters.pdf").write_bytes(data[:place])
    scans = list(open_scans(tmp_path / "letters.pdf", "letters.pdf"))
    for page, scan in zip(pages[:3], scans, strict=False):
        assert isinstance(scan, Scan)
        assert_array_equal(scan.gray, page)
    assert [scan.id for scan in scans[3:] if isinstance(scan, Failure)] == [f"letters.pdf#{n}" for n in (4, 5, 6)]
    assert all("letters.pdf#" in scan.reason for scan in scans[3:] if isinstance(scan, Failure))


def test_a_pdf_cut_short_anywhere_fails_or_opens_but_never_gives_a_wrong_page(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = pdf([flat(drawn_page(n)) for n in range(1, 5)])
    for length in range(0, len(data), len(data) // 50):
        scans = list(open_scans(data[:length], "x"))
        assert any(isinstance(scan, Failure) for scan in scans)
        for scan in scans:
            if isinstance(scan, Scan):
                assert_array_equal(scan.gray, drawn_page(scan.number))
            else:
                assert scan.reason.startswith("x")
    assert capfd.readouterr().err == ""


def test_a_pdf_of_one_page_is_named_without_a_number() -> None:
    (scan,) = open_scans(pdf([flat(drawn_page())]), "x.pdf")
    assert isinstance(scan, Scan)
    assert (scan.name, scan.gray.shape) == ("x.pdf", (HEIGHT, WIDTH))
