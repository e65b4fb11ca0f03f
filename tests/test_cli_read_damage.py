"""`uncial read` on what is damaged, empty, hostile or in the way: each is told with its name, and nothing is lost."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from commands import ROOT, Ran, uncial, written_sheet
from conftest import TEXTS, DrawnLine
from drawn_scans import saved, stored
from opened_pdfs import picture_of
from PIL import Image

from uncial.bundle import Bundle
from uncial.image_file import Gray
from uncial.scan import Scan, open_scans

PAGE_NS = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.fixture(scope="module")
def sheet() -> Gray:
    return written_sheet()


def tiff_of(*pages: Gray, compression: str = "tiff_lzw") -> bytes:
    first, *others = map(Image.fromarray, pages)
    return stored(first, "TIFF", save_all=True, append_images=others, compression=compression)


def pdf_of(*pages: Gray) -> bytes:
    """A page behind the other in the file, too, and the table of contents at its front, as scanners write it."""
    first, *others = map(Image.fromarray, pages)
    return stored(first, "PDF", save_all=True, append_images=others, resolution=100)


def told_once(ran: Ran, name: object, finding: str) -> None:
    """One line on standard error, with the name and the finding, and no traceback."""
    (line,) = ran.told.splitlines()
    assert line.startswith(f"uncial: {name}"), line
    assert re.search(finding, line), line


@pytest.mark.parametrize(
    ("make", "finding"),
    [
        (lambda pdf: saved(pdf, encryption=pikepdf.Encryption(owner="o", user="u")), "has a password; save a copy"),
        (lambda _: saved(pikepdf.new()), "has no pages"),
        (lambda pdf: saved(pdf)[:60], "damaged"),
    ],
    ids=["a password", "no pages", "its head alone"],
)
def test_a_pdf_that_cannot_be_opened_is_told(make, finding: str, sheet: Gray, tiny_bundle: Bundle, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bad.pdf").write_bytes(make(pikepdf.open(io.BytesIO(pdf_of(sheet)))))
    alone = uncial("read", "-m", tiny_bundle.path, tmp_path / "bad.pdf")
    assert (alone.out, alone.code) == ("", 4)
    told_once(alone, tmp_path / "bad.pdf", finding)
    (tmp_path / "good.png").write_bytes(stored(sheet, "PNG"))
    beside = uncial("read", "-m", tiny_bundle.path, tmp_path / "bad.pdf", tmp_path / "good.png")
    assert beside.code == 3
    assert f"==> {tmp_path / 'good.png'} <==" in beside.out
    told_once(beside, tmp_path / "bad.pdf", finding)


def lines_by_page(ran: Ran) -> dict[str, int]:
    """How many lines were printed below the heading of each page."""
    parts = re.split(r"^==> (.*) <==$", ran.out, flags=re.M)[1:]
    return {Path(name).name: len(text.split("\n")) for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("processes", [1, 2])
def test_of_a_pdf_damaged_after_page_3_the_first_pages_are_read_and_the_rest_is_told(
    processes: int, sheet: Gray, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    whole = pdf_of(*[sheet] * 5)
    cut = [n.start() for n in re.finditer(rb"\xff\xd8\xff", whole)][3] + 2000  # within the picture of page 4
    (tmp_path / "letters.pdf").write_bytes(whole[:cut])
    (tmp_path / "letter.png").write_bytes(stored(sheet, "PNG"))
    files = (tmp_path / "letters.pdf", tmp_path / "letter.png")
    ran = uncial("read", "-m", tiny_bundle.path, "--as", "page", "--processes", processes, *files)
    assert list(lines_by_page(ran)) == ["letters.pdf#1", "letters.pdf#2", "letters.pdf#3", "letter.png"]
    assert all(count >= 3 for count in lines_by_page(ran).values())
    assert ran.code == 3
    assert ran.told
    for line in ran.told.splitlines():
        assert re.match(rf"uncial: {tmp_path}/letters\.pdf#[45]: ", line)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "raw"])
def test_of_a_truncated_tiff_the_first_pages_are_read_and_the_rest_is_told(
    compression: str, sheet: Gray, tiny_bundle: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = tiff_of(sheet, sheet, sheet, compression=compression)
    (tmp_path / "letters.tif").write_bytes(whole[: len(whole) * 5 // 6])
    ran = uncial("read", "-m", tiny_bundle.path, "--as", "page", tmp_path / "letters.tif")
    assert list(lines_by_page(ran)) == ["letters.tif#1", "letters.tif#2"]
    assert ran.code == 3
    told_once(ran, f"{tmp_path / 'letters.tif'}#3", "damaged or truncated")
    assert capfd.readouterr().err == "", "libtiff has its say on standard error itself"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_truncated_image_is_told(kind: str, sheet: Gray, tiny_bundle: Bundle, tmp_path: Path) -> None:
    whole = stored(sheet, kind)
    (tmp_path / "letter.img").write_bytes(whole[: len(whole) // 2])
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "letter.img")
    assert (ran.out, ran.code) == ("", 4)
    told_once(ran, tmp_path / "letter.img", "damaged or truncated")


def test_a_page_without_writing_is_told_and_is_no_failure(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "blank.png").write_bytes(stored(np.full((900, 700), 235, np.uint8), "PNG"))
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "blank.png")
    assert (ran.out.strip(), ran.code) == ("", 0)
    told_once(ran, tmp_path / "blank.png", "no writing was found on this page")
    assert uncial("read", "-m", tiny_bundle.path, "-f", "page", tmp_path / "blank.png").out.startswith("<?xml")


HOSTILE = {
    "a DTD": '<!DOCTYPE PcGts SYSTEM "http://localhost:9/page.dtd">',
    "an external entity": '<!DOCTYPE PcGts [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
    "an endless joke": f'<!DOCTYPE PcGts [<!ENTITY l0 "ha">{BOMB}]>',
}


def page_xml(image: str = "letter.png", *, head: str = "", points: str = "100,140 900,140 900,240 100,240") -> str:
    text = "&secret;" if "secret" in head else "&l9;" if "l9" in head else "no news"
    return (
        f'{head}<PcGts xmlns="{PAGE_NS}"><Page imageFilename="{image}" imageWidth="1000" imageHeight="900">'
        f'<TextRegion id="r"><Coords points="90,100 990,100 990,890 90,890"/>'
        f'<TextLine id="far"><Coords points="{points}"/><TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>'
        '<TextLine id="near"><Coords points="100,340 900,340 900,440 100,440"/></TextLine>'
        "</TextRegion></Page></PcGts>"
    )


@pytest.mark.parametrize("head", HOSTILE.values(), ids=HOSTILE)
def test_xml_that_declares_things_is_refused_and_nothing_is_fetched_or_unfolded(
    head: str, sheet: Gray, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_bytes(stored(sheet, "PNG"))
    (tmp_path / "letter.xml").write_text(page_xml(head=head), encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "letter.xml")
    assert (ran.out, ran.code) == ("", 5)
    told_once(ran, tmp_path / "letter.xml", "document type declaration|entity")
    assert "root:" not in ran.told


@pytest.mark.parametrize("points", ["5000,5000 6000,5000 6000,5100 5000,5100", "-90,-90 -20,-90 -20,-20 -90,-20"])
def test_a_polygon_outside_the_page_is_told_and_the_other_line_is_read(
    points: str, sheet: Gray, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_bytes(stored(sheet, "PNG"))
    (tmp_path / "letter.xml").write_text(page_xml(points=points), encoding="utf-8")
    ran = uncial("read", "-m", "small", tmp_path / "letter.xml")
    assert (len(ran.out.splitlines()), ran.code) == (1, 3)
    told_once(ran, tmp_path / "letter.xml", r"far.*outside the page \(1000 x 900 pixels\); check its points")


def test_xml_whose_image_is_missing_is_told_beside_others(sheet: Gray, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(stored(sheet, "PNG"))
    (tmp_path / "bad.xml").write_text(page_xml("gone.jpg"), encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "bad.xml", tmp_path / "good.png")
    assert (list(lines_by_page(ran)), ran.code) == (["good.png"], 3)
    told_once(ran, tmp_path / "bad.xml", "its image gone.jpg lies neither beside it nor above; put it there")


@pytest.mark.parametrize("out", ["file/", "file/below/", "file/text.txt"])
def test_a_place_below_a_file_is_told_before_anything_is_read(out: str, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, "-o", f"{tmp_path}/{out}", ROOT / "examples" / "lines")
    assert ran.code == 8
    told_once(ran, tmp_path / "file", "choose another -o")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_without_rights_is_told_before_anything_is_read(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    ran = uncial("read", "-m", tiny_bundle.path, "-o", tmp_path / "out", ROOT / "examples" / "lines")
    assert ran.code == 8
    told_once(ran, tmp_path / "out", "may not be written; choose another -o")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write in")
def test_a_folder_that_refuses_files_is_told(tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-o", "/proc/uncial/", ROOT / "examples" / "lines")
    assert ran.code == 8
    assert "Traceback" not in ran.told
    assert "/proc/uncial" in ran.told


def test_what_is_read_is_not_written_over(sheet: Gray, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "letter.png").write_bytes(stored(sheet, "PNG"))
    (tmp_path / "letter.pdf").write_bytes(pdf := pdf_of(sheet))
    (tmp_path / "letter.xml").write_text(xml := page_xml(), encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "page", "-o", tmp_path, tmp_path / "letter.xml")
    assert ran.code == 3
    told_once(ran, tmp_path / "letter.xml", f"would be written over {tmp_path}/letter.xml, which is read")
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "pdf", "-o", tmp_path / "letter.pdf", tmp_path / "letter.pdf")
    assert ran.code == 8
    told_once(ran, tmp_path / "letter.pdf", "is read, so it is not written over")
    assert (tmp_path / "letter.xml").read_text(encoding="utf-8") == xml
    assert (tmp_path / "letter.pdf").read_bytes() == pdf


@pytest.mark.parametrize("processes", [1, 2])
def test_of_inputs_of_one_name_the_first_is_written_and_the_others_are_told(
    processes: int, drawn_lines: tuple[DrawnLine, ...], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    files = [tmp_path / name / "line.png" for name in ("a", "b", "c")] + [tmp_path / "a" / "line.tif"]
    for file, line in zip(files, drawn_lines, strict=True):
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(line.image).save(file)
    out = tmp_path / "out"
    ran = uncial("read", "-m", tiny_bundle.path, "--processes", processes, "-o", f"{out}/", *files)
    assert ran.code == 3
    assert [line.split(": ")[1] for line in ran.told.splitlines()] == [str(file) for file in files[1:]]
    assert ran.told.count(f"as {files[0]} is; read them into two folders") == 3
    assert [file.name for file in out.iterdir()] == ["line.txt"]
    assert (out / "line.txt").read_text(encoding="utf-8") == f"{TEXTS[0]}\n"


def test_files_beside_the_result_are_left_alone(
    drawn_lines: tuple[DrawnLine, ...], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    Image.fromarray(drawn_lines[0].image).save(tmp_path / "line.png")
    name = "a" * 251 + ".txt"  # as long as names may be
    (tmp_path / ".result.txt.new").write_text("mine", encoding="utf-8")
    (tmp_path / "real.txt").touch()
    (tmp_path / "link.txt").symlink_to("real.txt")
    for out in ("result.txt", name, "link.txt"):
        assert uncial("read", "-m", tiny_bundle.path, "-o", tmp_path / out, tmp_path / "line.png").code == 0
        assert (tmp_path / out).read_text(encoding="utf-8") == f"{TEXTS[0]}\n"
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / ".result.txt.new").read_text(encoding="utf-8") == "mine"
    assert {file.name for file in tmp_path.iterdir()} == {
        "line.png", "result.txt", ".result.txt.new", name, "real.txt", "link.txt",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_gray_image_on_standard_input_becomes_a_searchable_pdf(
    kind: str, sheet: Gray, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    file = stored(sheet, kind)
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "pdf", "-o", tmp_path / "letter.pdf", "-", stdin=file)
    assert (ran.told, ran.code) == ("", 0)
    data = (tmp_path / "letter.pdf").read_bytes()
    (scan,) = open_scans(data)
    assert isinstance(scan, Scan)
    assert np.abs(scan.gray.astype(int) - sheet).mean() < 3
    if kind == "JPEG":
        assert picture_of(data).read_raw_bytes() == file


def test_a_pdf_on_standard_input_stays_as_it_is(sheet: Gray, tiny_bundle: Bundle, tmp_path: Path) -> None:
    file = pdf_of(sheet, sheet)
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "pdf", "-o", tmp_path / "two.pdf", "-", stdin=file)
    assert (ran.told, ran.code) == ("", 0)
    with pikepdf.open(io.BytesIO(file)) as before, pikepdf.open(tmp_path / "two.pdf") as after:
        shown = [
            [
                picture.read_raw_bytes()
                for page in pdf.pages
                for picture in dict(page.resources.XObject.items()).values()
            ]
            for pdf in (before, after)
        ]
    assert len(shown[0]) == 2
    assert shown[0] == shown[1]


def test_a_page_that_lies_on_its_side_is_read_with_rotate(tmp_path: Path) -> None:
    will = np.asarray(Image.open(ROOT / "examples" / "pages" / "will.jpg").convert("L"))
    for name, gray in (("upright.png", will), ("lying.png", np.rot90(will))):
        (tmp_path / name).write_bytes(stored(gray.copy(), "PNG"))
    upright, lying = (
        uncial("read", "--quality", "fast", "--rotate", "auto", "--as", "page", tmp_path / name).out.split("\n")
        for name in ("upright.png", "lying.png")
    )
    assert lying[0].startswith("Ceci est mon") and upright[0].startswith("Ceci est mon")
    assert abs(len(lying) - len(upright)) < 3
    assert "Ceci est mon" not in uncial("read", "--quality", "fast", "--as", "page", tmp_path / "lying.png").out
