"""PDF: the scan stays what it was, and each word is found inside its line, however the page is turned or cut."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from drawn_pages import AT_THE_EDGE, HEIGHT, WIDTH, boundary_box, line_at, lines, page_of, scan_of, usual_page
from hypothesis import example, given, settings
from opened_pdfs import assert_words_lie_in_their_lines, picture_of, text_in, words_in
from PIL import Image

from uncial.document import Line, Page
from uncial.errors import ImageError
from uncial.formats.pdf import merge_pdfs, write_pdf
from uncial.geometry import Points
from uncial.scan import Scan, open_scans

# A picture in which no turn and no mirror goes unseen.
SHADES = np.add.outer(np.arange(70) * 2, np.arange(90)).astype(np.uint8)
SHADES[:20, :30] = 255
TINTED = np.stack([SHADES, SHADES[::-1], SHADES[:, ::-1]], axis=2)


def saved(picture: Image.Image, path: Path, **options: Any) -> Scan:
    picture.save(path, **options)
    (scan,) = open_scans(path)
    assert isinstance(scan, Scan)
    return scan


def page_on(scan: Scan, text: str = "Dear Ann") -> Page:
    height, width = scan.gray.shape
    line = line_at("l", ((2.0, height / 2), (width - 3.0, height / 2)), text)
    box = ((1, 5), (width - 2, 5), (width - 2, height - 5), (1, height - 5))
    page = page_of([[Line(line.id, line.baseline, box, line.transcript)]])
    return Page(scan.name, width, height, page.regions)


def read_again(data: bytes) -> Scan:
    (scan,) = open_scans(data)
    assert isinstance(scan, Scan)
    return scan


def test_every_word_is_found_inside_its_line() -> None:
    page = usual_page()
    data = write_pdf(page, scan_of(page))
    assert_words_lie_in_their_lines(data, page)
    for line in page.lines:
        for word in line.transcript.text.split() if line.transcript else ():
            assert word in text_in(data)
    assert pdfium.PdfDocument(data)[0].get_size() == pytest.approx((WIDTH * 72 / 300, HEIGHT * 72 / 300), abs=0.01)


@settings(max_examples=40, deadline=None)
@given(lines())
@example(AT_THE_EDGE)
def test_whatever_was_read_wherever_it_stands_becomes_a_pdf(line: Line) -> None:
    page = page_of([[line]])
    left, top, right, bottom = boundary_box(line)
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(write_pdf(page, scan_of(page)))) as pdf:
        pdf.pages[0].rotate(0, relative=False)  # as it lies in the scan
        pdf.save(file)
    for _, box in words_in(file.getvalue(), (WIDTH, HEIGHT)):
        assert min(max(left, 0), WIDTH) - 0.2 <= box[0] <= box[2] <= max(0, min(right, WIDTH)) + 0.2
        assert min(max(top, 0), HEIGHT) - 0.2 <= box[1] <= box[3] <= max(0, min(bottom, HEIGHT)) + 0.2


def test_words_fill_the_places_that_they_were_read_at() -> None:
    line = line_at("l", ((40, 300), (860, 300)), "iii mmmmmmmmm")
    narrow, wide = (box for _, box in words_in(write_pdf(page_of([[line]]), scan_of(page_of([]))), (WIDTH, HEIGHT)))
    assert (narrow[0], wide[2]) == pytest.approx((44, 856), abs=4)
    assert wide[2] - wide[0] == pytest.approx(3 * (narrow[2] - narrow[0]), rel=0.05)
    assert narrow[3] - narrow[1] == pytest.approx(60, abs=5), "as high as the line"


def test_letters_of_any_script_are_found_in_the_order_in_which_they_are_read() -> None:
    text = "q\u0303 ſœ 漢字 👩‍🚀 𐌰 Ἀρχή"
    page = page_of([[line_at("l0", ((40, 80), (560, 80)), text), line_at("l1", ((40, 200), (560, 200)), "abc שלום")]])
    found = text_in(write_pdf(page, scan_of(page)))
    for word in [*text.split(), "abc", "שלום"]:
        assert word in found


def test_the_text_is_not_seen() -> None:
    page = usual_page()
    shown = pdfium.PdfDocument(write_pdf(page, scan_of(page)))[0].render(scale=1).to_numpy()
    assert (shown == 230).all()


@pytest.mark.parametrize("name", ["scan.jpg", "scan.jp2"])
@pytest.mark.parametrize("colours", [SHADES, TINTED], ids=["gray", "colour"])
def test_the_bytes_of_photographs_are_taken_over(tmp_path: Path, name: str, colours: Any) -> None:
    scan = saved(Image.fromarray(colours), tmp_path / name)
    data = write_pdf(page_on(scan), scan)
    assert picture_of(data).read_raw_bytes() == (tmp_path / name).read_bytes()
    assert np.abs(read_again(data).gray.astype(int) - scan.gray).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_photographs_stand_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    scan = saved(Image.fromarray(SHADES), tmp_path / f"scan.{suffix}", exif=exif, dpi=(72, 72))
    page = page_on(scan)
    data = write_pdf(page, scan)
    shown = pdfium.PdfDocument(data)[0].render(scale=1, grayscale=True).to_numpy().squeeze()
    assert shown.shape == scan.gray.shape
    assert np.abs(shown.astype(int) - scan.gray).mean() < 4
    assert_words_lie_in_their_lines(data, page)


GRAY = Image.fromarray(SHADES)
EXACT = {
    "scan.png": GRAY,
    "colour.png": Image.fromarray(TINTED),
    "palette.gif": GRAY.convert("P"),
    "fax.tif": GRAY.convert("1"),
    "deep.png": Image.fromarray(SHADES.astype(np.uint16) * 257),
    "lossless.webp": Image.fromarray(TINTED),
    "plain.bmp": GRAY,
    "numbers.tif": Image.fromarray(SHADES.astype(np.float32) / 255),
}


@pytest.mark.parametrize(("name", "picture"), EXACT.items(), ids=EXACT)
def test_other_pictures_keep_all_their_pixels(tmp_path: Path, name: str, picture: Image.Image) -> None:
    scan = saved(picture, tmp_path / name, dpi=(72, 72), **({"lossless": True} if name.endswith("webp") else {}))
    data = write_pdf(page_on(scan), scan)
    assert np.abs(read_again(data).gray.astype(int) - scan.gray).max() <= 1
    assert (picture_of(data).Width, picture_of(data).Height) == scan.gray.shape[::-1]
    if name == "colour.png":
        np.testing.assert_array_equal(pikepdf.PdfImage(picture_of(data)).as_pil_image(), TINTED)


@pytest.mark.parametrize("name", ["print.jpg", "print.tif"])
def test_printers_colours_are_not_turned_into_their_negatives(tmp_path: Path, name: str) -> None:
    scan = saved(GRAY.convert("RGB").convert("CMYK"), tmp_path / name)
    again = read_again(write_pdf(page_on(scan), scan))
    assert np.abs(again.gray.astype(int) - scan.gray).mean() < 12


def test_what_is_transparent_stays_so(tmp_path: Path) -> None:
    ink = Image.new("RGBA", (90, 70))
    ink.putalpha(Image.fromarray(255 - SHADES))
    scan = saved(ink, tmp_path / "scan.png")
    picture = picture_of(write_pdf(page_on(scan), scan))
    assert "/SMask" in picture
    np.testing.assert_array_equal(pikepdf.PdfImage(picture.SMask).as_pil_image(), 255 - SHADES)


def test_a_colour_profile_is_kept_and_a_broken_one_is_not(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, (told, kept) in enumerate([(profile, True), (b"nothing", False)]):
        scan = saved(Image.fromarray(TINTED), tmp_path / f"{number}.jpg", icc_profile=told)
        space = picture_of(write_pdf(page_on(scan), scan)).ColorSpace
        assert (space == pikepdf.Name.DeviceRGB) is not kept
        assert not kept or space[1].read_bytes() == profile


def test_a_page_of_a_tiff_is_the_one_that_was_read(tmp_path: Path) -> None:
    first, second = Image.fromarray(SHADES), Image.fromarray(255 - SHADES)
    first.save(tmp_path / "two.tif", save_all=True, append_images=[second])
    for scan, gray in zip(open_scans(tmp_path / "two.tif"), (SHADES, 255 - SHADES), strict=True):
        assert isinstance(scan, Scan)
        np.testing.assert_array_equal(read_again(write_pdf(page_on(scan), scan)).gray, gray)


def scanned_pdf(path: Path, turn: int = 0, drawing: bytes = b"", crop: tuple[int, ...] = ()) -> None:
    """Two pages that share their resources; each a picture, the second of them turned, cut, or with a drawing on it."""
    file = io.BytesIO()
    Image.fromarray(np.kron(SHADES, np.ones((4, 4), np.uint8))).save(file, "JPEG")
    pdf = pikepdf.Pdf.new()
    shown = {"Type": pikepdf.Name.XObject, "Subtype": pikepdf.Name.Image, "Width": 360, "Height": 280}
    told = {"ColorSpace": pikepdf.Name.DeviceGray, "BitsPerComponent": 8, "Filter": pikepdf.Name.DCTDecode}
    picture = pdf.make_stream(file.getvalue(), pikepdf.Dictionary(**shown, **told))
    resources = pdf.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im=picture)))
    for number in (1, 2):
        content = b"q 180 0 0 140 10 20 cm /Im Do Q" + (b" " + drawing if number == 2 and drawing else b"")
        page = {"MediaBox": [10, 20, 190, 160], "Resources": resources, "Contents": pdf.make_stream(content)}
        if number == 2:
            page |= {"Rotate": turn, **({"CropBox": list(crop)} if crop else {})}
        pdf.pages.append(pikepdf.Page(pdf.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Page, **page))))
    pdf.save(path)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("drawing", [b"", b"0 0 m 40 40 l S", b"q 0.5 0 0 0.5 30 30 cm q", b"Q Q q"])
@pytest.mark.parametrize("crop", [(), (40, 50, 170, 120)], ids=["whole", "cropped"])
def test_a_page_of_a_pdf_stays_as_it_is(tmp_path: Path, turn: int, drawing: bytes, crop: tuple[int, ...]) -> None:
    path = tmp_path / "letters.pdf"
    scanned_pdf(path, turn, drawing, crop)
    _, scan = open_scans(path)
    assert isinstance(scan, Scan)
    page = page_on(scan, "found there")
    data = write_pdf(page, scan)
    with pikepdf.Pdf.open(path) as source, pikepdf.Pdf.open(io.BytesIO(data)) as written:
        (after,), before = written.pages, source.pages[1]
        assert picture_of(data).read_raw_bytes() == before.resources.XObject["/Im"].read_raw_bytes()
        assert before.Contents.read_bytes() in [part.read_bytes() for part in after.Contents]
        assert (after.mediabox, after.cropbox, after.rotation) == (before.mediabox, before.cropbox, before.rotation)
    seen = [pdfium.PdfDocument(file)[n].render(scale=1).to_numpy() for file, n in ((path, 1), (data, 0))]
    np.testing.assert_array_equal(*seen)
    if not (crop and drawing == b""):  # a cropped picture is read whole, with what the page does not show
        assert_words_lie_in_their_lines(data, page)
    assert text_in(data) == "found there"


def test_a_pdf_that_was_written_can_be_read_and_written_again(tmp_path: Path) -> None:
    scan = saved(GRAY, tmp_path / "scan.jpg")
    (tmp_path / "once.pdf").write_bytes(write_pdf(page_on(scan, "first"), scan))
    (again,) = open_scans(tmp_path / "once.pdf")
    assert isinstance(again, Scan)
    np.testing.assert_array_equal(again.gray.shape, scan.gray.shape)
    data = write_pdf(page_on(again, "second"), again)
    assert {"first", "second"} <= {word for word, _ in words_in(data, (90, 70))} | set(
        re.findall(r"\w+", text_in(data))
    )
    assert picture_of(data).read_raw_bytes() == (tmp_path / "scan.jpg").read_bytes()


def test_equal_scans_become_equal_files_and_pages_are_put_together_in_order(tmp_path: Path) -> None:
    path = tmp_path / "letters.pdf"
    scanned_pdf(path, 90)
    scans = [scan for scan in open_scans(path) if isinstance(scan, Scan)] + [saved(GRAY, tmp_path / "scan.jpg")]
    parts = [write_pdf(page_on(scan, f"number {n}"), scan) for n, scan in enumerate(scans)]
    assert parts == [write_pdf(page_on(scan, f"number {n}"), scan) for n, scan in enumerate(scans)]
    merged = merge_pdfs(parts)
    assert merged == merge_pdfs(parts)
    assert [text_in(merged, n) for n in range(3)] == ["number 0", "number 1", "number 2"]
    with pytest.raises(ImageError, match="PDF 2 of 2 is damaged"):
        merge_pdfs([parts[0], b"%PDF-1.7"])


def test_a_scan_that_is_gone_or_another_one_is_told(tmp_path: Path) -> None:
    scan = saved(GRAY, tmp_path / "scan.png")
    page = page_on(scan)
    Image.new("L", (5, 5)).save(tmp_path / "scan.png")
    with pytest.raises(ImageError, match="not the image that was read any more"):
        write_pdf(page, scan)
    (tmp_path / "scan.png").unlink()
    with pytest.raises(ImageError, match="leave scans where they are"):
        write_pdf(page, scan)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8, 0.95])
def test_a_pdf_cut_short_is_written_and_nothing_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], part: float
) -> None:
    path = tmp_path / "letters.pdf"
    scanned_pdf(path)
    _, scan = open_scans(path)
    assert isinstance(scan, Scan)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(len(whole) * part)])
    assert "Dear Ann" in text_in(write_pdf(page_on(scan), scan))
    assert capfd.readouterr() == ("", "")


def test_gigantic_pages_are_as_large_as_viewers_can_show() -> None:
    scan = Scan("wide", "wide", np.full((10, 16_000), 200, np.uint8), dpi=30.0)
    size = pdfium.PdfDocument(write_pdf(Page("wide", 16_000, 10), scan))[0].get_size()
    assert size == pytest.approx((14_400, 9), abs=0.1)


@pytest.mark.parametrize(("turns", "shown"), [(0, 0), (1, 90), (2, 180), (3, 270)])
def test_a_page_that_does_not_stand_upright_is_turned_until_it_does(turns: int, shown: int) -> None:
    page = usual_page()
    gray, text = scan_of(page).gray, text_in(write_pdf(page, scan_of(page)))
    for _ in range(turns):  # counterclockwise

        def turned(points: Points, wide: int = page.width) -> Points:
            return tuple((y, wide - 1 - x) for x, y in points)

        regions = tuple(
            replace(
                region,
                boundary=turned(region.boundary),
                lines=tuple(
                    replace(line, baseline=turned(line.baseline), boundary=turned(line.boundary))
                    for line in region.lines
                ),
            )
            for region in page.regions
        )
        page, gray = replace(page, width=page.height, height=page.width, regions=regions), np.rot90(gray)
    data = write_pdf(page, Scan("letter.png", "letter", np.ascontiguousarray(gray)))
    assert pdfium.PdfDocument(data)[0].get_rotation() == shown
    assert text_in(data) == text
