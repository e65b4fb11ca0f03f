"""Scans: every usual kind of file gives its pages; what is damaged is told page by page, and the rest is read."""

import base64
import io
import zlib
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image

from uncial.document import Failure
from uncial.image_file import Gray
from uncial.scan import Scan, open_scans, scan_names

# Empty PDFs made with pikepdf: one with a password, one without pages; compressed.
LOCKED = (
    "c-n<iJ#Q015bf_DAS5)6%W(U3>s{$&31VA95ZSVmG!dZn?w(`h+*x-Ul<-Gr5fTj&zad>j4JlJm(^1eN=FXqU1$V{XzMXmR?aW+j*zF(C$1-Z&"
    "{QmeSqClXSyou5j;-Q)P3K$|Ih>x!q9^yk2%)FRFrxW?y)q!j$;jp;O15k*c&s+s(z?;;U>*OWhHkJRAng^eU3dB<G$h(<&T3jIu!B-Lxq-GkL"
    "62sP}M!qU8ON*??(dq08?dXUdofkfzhI8Ny;{I$Ne2MGa1mE?xa7|JbN^dTr+xXj^zJK_kdi3hcCpiB3`u*4RrgeA!{m1RE2cJz<ldnQoGRf|B"
    "`n98Y9Ng;b$z?e2y{)as-NFtQKCgq0@Srz7WgA~q*4L<SvUWEPCU>TE+YqK89ze<r%ZQ;`6RMe&gi_JwWa6yjI^%7{lu5W%+HgUf!!xTArnR#P"
    "OO&S;H3mIMaT&q^B{k~^tB-;g{k3yk%I)R^QqBb7UK_&n#3tN(Lpaw=+Ds^A94CZPAtaibXfMzbX;UMdrbK8ZEJd}GrRXVYZCi9z`YggWM`ZJW"
    "OcI_z1{;iGg`1Oni%GGEQO5T$#@c%r=VXh8(#+;q@48o`qNu01nXvKfod*f=vo4&avYlaZHRoI@O}*t3_nA#H<+(^EzVrVG9N}JW%j-peq)})l"
    "&Xl34fE4&2wt9np^cM)r`#%"
)
PAGELESS = (
    "c-n=Iv2MaZ5Jda?ifLRX=ks#LmMk|Iq$ouYNrxy7yoZdCFS0LE;B)dLd=_04J614Vwwt#zyAv#n#e;ez5nQfc-$EgT+a5%gK`zanTSOgMLB5^d8"
    "FFU4Il4XaTyS0X#^^3Eb04+uw0y407He$&V#B2|^x3c#AxMO`L98`tSlpP>7&i6D;>pN-W2z%J=s&NV^H4+6*Xqn5$fpA9ES}nu(v*mjBvrhl"
    "xYKs0ZNfCsTh9M?Z2ID@H;w<Tt<+Qm!Te<*egHl6Q%3"
)


def empty_pdf(packed: str) -> bytes:
    return zlib.decompress(base64.b85decode(packed))


def page(shade: int, width: int = 90, height: int = 60) -> Gray:
    """A page of one shade, with a black bar at its left, so that upright can be told."""
    gray = np.full((height, width), shade, np.uint8)
    gray[:, :9] = 0
    return gray


def saved(kind: str, *pages: Gray, **options: object) -> bytes:
    first, *others = (Image.fromarray(gray) for gray in pages)
    file = io.BytesIO()
    first.save(file, kind, **({"save_all": True, "append_images": others} if others else {}), **options)
    return file.getvalue()


def opened(data: bytes | Path, name: str = "") -> list[Scan]:
    scans = list(open_scans(data, name))
    assert all(isinstance(scan, Scan) for scan in scans), scans
    return scans  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "tolerance"), [("PNG", 0), ("JPEG", 6), ("WEBP", 6), ("BMP", 0), ("JPEG2000", 2)])
def test_an_image_is_one_page_whatever_its_file_is_called(tmp_path: Path, kind: str, tolerance: int) -> None:
    path = tmp_path / "letter.scan"
    path.write_bytes(saved(kind, page(200)))
    (scan,) = opened(path)
    assert (scan.name, scan.stem, scan.path, scan.number, scan.pages) == (str(path), "letter", path, 1, 1)
    assert np.abs(scan.gray[:, 20:].astype(int) - 200).max() <= tolerance


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_a_tiff_gives_all_its_pages_with_their_resolution(tmp_path: Path, options: dict[str, str]) -> None:
    path = tmp_path / "letters.tif"
    path.write_bytes(saved("TIFF", page(200), page(150, 40, 30), page(100), dpi=(300, 300), **options))
    scans = opened(path)
    assert [scan.name for scan in scans] == [f"{path}#{n}" for n in (1, 2, 3)]
    assert [scan.stem for scan in scans] == ["letters-0001", "letters-0002", "letters-0003"]
    assert [(scan.number, scan.pages, scan.dpi) for scan in scans] == [(n, 3, 300) for n in (1, 2, 3)]
    for scan, whole in zip(scans, (page(200), page(150, 40, 30), page(100)), strict=True):
        np.testing.assert_array_equal(scan.gray, whole)


def test_a_moving_picture_gives_its_first_frame() -> None:
    (scan,) = opened(saved("GIF", page(200), page(100)), "standard input")
    assert (scan.name, scan.stem, scan.path) == ("standard input", "page", None)
    assert abs(int(scan.gray[30, 60]) - 200) < 4


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    (scan,) = opened(saved("JPEG", page(200), exif=exif))
    assert scan.gray.shape == (90, 60)
    assert scan.gray[4].max() < 60, "what was left is on top"


def test_a_pdf_of_scans_gives_their_own_pixels(tmp_path: Path) -> None:
    path = tmp_path / "letters.pdf"
    path.write_bytes(saved("PDF", page(200), page(120, 400, 300), resolution=200))
    one, two = opened(path)
    assert (one.name, one.stem, two.stem) == (f"{path}#1", "letters-0001", "letters-0002")
    assert one.gray.shape == (60, 90)
    assert two.gray.shape == (300, 400)
    assert two.dpi == pytest.approx(200, abs=1)
    assert np.abs(two.gray[:, 30:].astype(int) - 120).max() <= 6


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_pdf_page_that_is_shown_turned_is_read_turned(turn: int) -> None:
    pdf = pdfium.PdfDocument(saved("PDF", page(200, 300, 200)))
    pdf[0].set_rotation(turn)
    file = io.BytesIO()
    pdf.save(file)
    (scan,) = opened(file.getvalue())
    expected = np.rot90(page(200, 300, 200), -(turn // 90))
    assert scan.gray.shape == expected.shape
    assert np.abs(scan.gray.astype(int) - expected).mean() < 4


def test_a_pdf_page_that_is_no_picture_is_drawn() -> None:
    pdf = pdfium.PdfDocument.new()
    pdf.new_page(144, 72)
    file = io.BytesIO()
    pdf.save(file)
    (scan,) = opened(file.getvalue())
    assert scan.gray.shape == (300, 600)
    assert scan.dpi == pytest.approx(300)
    assert scan.gray.min() == 255


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (b"", "empty"),
        (b"nothing that is an image", "not an image"),
        (empty_pdf(LOCKED), "password"),
        (empty_pdf(PAGELESS), "no pages"),
        (b"%PDF-1.7 and no more", "damaged"),
        (saved("PNG", page(9))[:70], "damaged"),
    ],
)
def test_what_cannot_be_opened_is_told_with_its_name(data: bytes, finding: str) -> None:
    (failure,) = open_scans(data, "standard input")
    assert isinstance(failure, Failure)
    assert failure.id == "standard input"
    assert failure.reason.startswith("standard input: ")
    assert finding in failure.reason


def test_a_file_that_is_not_there_is_a_failure_too(tmp_path: Path) -> None:
    (failure,) = open_scans(tmp_path / "none.png")
    assert isinstance(failure, Failure)
    assert "no such file" in failure.reason


def test_pages_before_the_damage_of_a_tiff_are_read() -> None:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (60, 90), dtype=np.uint8) for _ in range(5)]
    whole = saved("TIFF", *noise)
    cut = list(open_scans(whole[: round(len(whole) * 0.7)], "t.tif"))
    assert [isinstance(found, Scan) for found in cut[:3]] == [True] * 3
    for scan, gray in zip(cut[:3], noise, strict=False):
        np.testing.assert_array_equal(scan.gray, gray)  # type: ignore[union-attr]


def test_a_damaged_page_of_a_pdf_does_not_stop_the_others() -> None:
    whole = bytearray(saved("PDF", *(page(shade, 200, 150) for shade in (200, 180, 160, 140))))
    places = [n for n in range(len(whole)) if whole[n : n + 3] == b"\xff\xd8\xff"]
    whole[places[2] : places[2] + 400] = bytes(400)  # the third picture
    found = list(open_scans(bytes(whole), "p.pdf"))
    assert len(found) == 4
    assert all(isinstance(found[n], Scan) for n in (0, 1, 3))


@pytest.mark.parametrize("kind", ["TIFF", "PDF", "PNG", "JPEG", "WEBP"])
def test_no_cut_gets_past_the_failures_told(kind: str) -> None:
    several = [page(shade) for shade in (200, 100)] if kind in ("TIFF", "PDF") else [page(200)]
    whole = saved(kind, *several)
    for part in np.linspace(0, 1, 23):
        for found in open_scans(whole[: round(len(whole) * part)], "cut"):
            assert isinstance(found, Scan | Failure)


def test_folders_give_their_scans_in_order_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.PDF", "a.jpg", ".c.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    names = scan_names([str(tmp_path), "-", str(tmp_path / "empty")])
    assert names == [str(tmp_path / "a.jpg"), str(tmp_path / "b.PDF"), "-", str(tmp_path / "empty")]
