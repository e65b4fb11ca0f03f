"""`uncial read` as people use it: pictures of all kinds, text and JSON out, and bad pictures among good ones."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from commands import uncial, write_pairs, written_sheet
from conftest import TEXTS, DrawnLine
from numpy.typing import NDArray
from PIL import Image

from uncial.bundle import Bundle
from uncial.formats.page_file import read_page_file

Lines = Sequence[DrawnLine]


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines)


def test_a_line_is_printed_as_its_text(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder / "line000.png")
    assert (ran.out, ran.told, ran.code) == (f"{TEXTS[0]}\n", "", 0)


def test_several_lines_are_printed_behind_their_names_as_grep_does(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder / "line001.png", folder / "line000.png")
    assert ran.out == f"{folder}/line001.png:{TEXTS[1]}\n{folder}/line000.png:{TEXTS[0]}\n"


def test_a_folder_stands_for_its_images_in_the_order_of_their_names(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder)
    assert [line.partition(":")[2] for line in ran.out.splitlines()] == list(TEXTS)


def test_an_image_comes_through_standard_input(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-", stdin=(folder / "line002.png").read_bytes())
    assert ran.out == f"{TEXTS[2]}\n"


def test_empty_standard_input_is_told(tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-", stdin=b"")
    assert ran.code == 4
    assert "standard input" in ran.told


def test_a_word_is_read_without_spaces(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "--as", "word", "-f", "json", folder / "line000.png")
    read = json.loads(ran.out)
    assert read["text"] == TEXTS[0].replace(" ", "")
    assert "".join(span["grapheme"] for span in read["graphemes"]) == read["text"]


def test_json_of_one_image_tells_where_each_grapheme_is_and_what_else_it_may_be(
    folder: Path, tiny_bundle: Bundle, drawn_lines: Lines
) -> None:
    read = json.loads(uncial("read", "-m", tiny_bundle.path, "-f", "json", folder / "line000.png").out)
    assert read["text"] == TEXTS[0]
    assert 0.5 < read["confidence"] <= 1
    width, spans = drawn_lines[0].image.shape[1], read["graphemes"]
    assert [span["grapheme"] for span in spans] == list(TEXTS[0])
    for span, following in zip(spans, spans[1:], strict=False):
        assert 0 <= span["left"] < span["right"] <= following["right"] <= width
    for span in spans:
        assert len(span["alternatives"]) == 3
        assert all(other["posterior"] <= span["posterior"] for other in span["alternatives"])


def test_json_of_several_images_is_an_array_that_holds_failures_too(folder: Path, tiny_bundle: Bundle) -> None:
    (folder / "line001.png").write_bytes(b"")
    read = json.loads((ran := uncial("read", "-m", tiny_bundle.path, "-f", "json", folder)).out)
    assert [entry.get("text") for entry in read] == [TEXTS[0], None, *TEXTS[2:]]
    assert "line001.png" in read[1]["error"]
    assert ran.code == 3


def test_a_file_takes_what_would_be_printed(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder / "line003.png", "-o", tmp_path / "new" / "text.txt")
    assert ran.out == ""
    assert (tmp_path / "new" / "text.txt").read_text(encoding="utf-8") == f"{TEXTS[3]}\n"


def test_a_file_that_cannot_be_written_is_told(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, folder / "line003.png", "-o", folder / "line003.png" / "text.txt")
    assert ran.code == 8
    assert ran.told.startswith("uncial: ")


def test_one_bad_image_does_not_stop_the_others(folder: Path, tiny_bundle: Bundle) -> None:
    Image.new("L", (1, 64), 255).save(folder / "line001.png")
    (folder / "line002.png").write_bytes(b"not an image")
    ran = uncial("read", "-m", tiny_bundle.path, folder, folder / "missing.png")
    assert [line.partition(":")[2] for line in ran.out.splitlines()] == [TEXTS[0], TEXTS[3]]
    told = ran.told.splitlines()
    assert [name in line for name, line in zip(("line001", "line002", "missing"), told, strict=True)] == [True] * 3
    assert ran.code == 3


@pytest.mark.parametrize("out", ["line003.txt", "."])
def test_a_file_that_is_there_is_written_over_only_when_asked(
    out: str, folder: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    mine = tmp_path / "line003.txt"
    mine.write_text("corrected by hand", encoding="utf-8")
    words = ("read", "-m", tiny_bundle.path, folder / "line003.png", "-o", tmp_path / out)
    ran = uncial(*words)
    assert ran.code == 8
    assert ran.told.startswith(f"uncial: {mine}: is there already; ") and "with --force" in ran.told
    assert mine.read_text(encoding="utf-8") == "corrected by hand"
    assert uncial(*words, "--force").code == 0
    assert mine.read_text(encoding="utf-8") == f"{TEXTS[3]}\n"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
def test_what_goes_to_a_stream_comes_behind_what_is_there(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    command = f"echo first; {sys.executable} -m uncial read -m {tiny_bundle.path} line003.png -o /dev/stdout"
    with (tmp_path / "all.txt").open("w") as file:
        subprocess.run(command, shell=True, stdout=file, check=True, cwd=folder)
    assert (tmp_path / "all.txt").read_text(encoding="utf-8") == f"first\n{TEXTS[3]}\n"


def test_an_older_result_stays_when_nothing_could_be_read(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    result = tmp_path / "result.txt"
    result.write_text("older", encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, folder / "a.png", folder / "b.png", "-o", result, "--force")
    assert ran.code == 4
    assert result.read_text(encoding="utf-8") == "older"


def missing(path: Path) -> None:
    path.unlink()


def zero_bytes(path: Path) -> None:
    path.write_bytes(b"")


def unreadable(path: Path) -> None:
    path.write_bytes(b"this is no picture of anything")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def gigantic(path: Path) -> None:
    Image.new("1", (60_000, 20_000), 1).save(path)  # 150 MB as pixels, a few kilobytes on the disk


def one_pixel_wide(path: Path) -> None:
    Image.new("L", (1, 64), 255).save(path)


def empty_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [missing, zero_bytes, unreadable, truncated, gigantic, one_pixel_wide, empty_folder],
    ids=lambda f: f.__name__,
)
def test_an_image_that_cannot_be_read_is_named_without_a_traceback(
    spoil: Callable[[Path], None], folder: Path, tiny_bundle: Bundle
) -> None:
    image = folder / "line000.png"
    spoil(image)
    ran = uncial("read", "-m", tiny_bundle.path, image)
    assert (ran.out, ran.code) == ("", 4)
    assert ran.told.startswith("uncial: ")
    assert ran.told.count("\n") == 1
    assert ran.told.count(str(image)) == 1


def cmyk(gray: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    return Image.fromarray(gray).convert("RGB").convert("CMYK"), "TIFF"


def sixteen_bit(gray: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    return Image.fromarray(gray.astype(np.uint16) * 257), "PNG"


def palette(gray: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    return Image.fromarray(gray).convert("P"), "GIF"


def ink_on_nothing(gray: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    black = np.zeros((*gray.shape, 4), np.uint8)
    black[..., 3] = 255 - gray
    return Image.fromarray(black), "PNG"


def colour(gray: NDArray[np.uint8]) -> tuple[Image.Image, str]:
    return Image.fromarray(gray).convert("RGB"), "WEBP"


@pytest.mark.parametrize("kind", [cmyk, sixteen_bit, palette, ink_on_nothing, colour], ids=lambda f: f.__name__)
def test_every_kind_of_image_reads_rightly(
    kind: Callable[[NDArray[np.uint8]], tuple[Image.Image, str]], tiny_bundle: Bundle, drawn_lines: Lines
) -> None:
    image, form = kind(drawn_lines[0].image)
    stored = io.BytesIO()
    image.save(stored, form)
    assert uncial("read", "-m", tiny_bundle.path, "-", stdin=stored.getvalue()).out == f"{TEXTS[0]}\n"


def test_an_unknown_quality_is_answered_with_those_there_are(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "--quality", "good", folder)
    assert (ran.out, ran.code) == ("", 2)
    assert "balanced" in ran.told


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "letter.png"
    Image.fromarray(written_sheet()).save(path)
    return path


def test_a_page_is_read_line_by_line_and_written_as_page_xml(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "page", "-o", tmp_path / "letter.xml", page)
    assert (ran.out, ran.told, ran.code) == ("", "", 0)
    found = read_page_file(tmp_path / "letter.xml")
    assert (found.image, found.width, found.height) == ("letter.png", 1000, 900)
    assert len(found.lines) == 3
    assert all(line.transcript is not None for line in found.lines)
    text = uncial("read", "-m", tiny_bundle.path, page).out
    assert [line for line in text.splitlines() if line] == [line.transcript.text for line in found.lines]


def test_several_pages_are_a_file_each_in_the_folder(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    pages = tmp_path / "letters.tif"
    Image.open(page).save(pages, save_all=True, append_images=[Image.open(page)])
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "alto", "-o", tmp_path / "out", pages, page)
    assert ran.code == 0, ran.told
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "letter.xml", "letters-0001.xml", "letters-0002.xml",
    ]  # fmt: skip
    headed = uncial("read", "-m", tiny_bundle.path, pages).out
    assert headed.startswith(f"==> {pages}#1 <==\n")
    assert f"==> {pages}#2 <==\n" in headed


def test_of_two_scans_of_one_name_nothing_is_overwritten(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / page.name
    other.write_bytes(page.read_bytes())
    ran = uncial("read", "-m", tiny_bundle.path, "-o", f"{tmp_path / 'out'}/", page, other)
    assert ran.code == 3
    assert f"{other}: would be written as letter.txt, as {page} is" in ran.told
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_several_pages_are_no_stream_of_xml(page: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "page", page, page)
    assert ran.code == 2
    assert "name a folder with -o" in ran.told


def test_a_line_image_is_a_page_of_one_line_where_the_format_wants_pages(folder: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "page", "-o", folder / "line.xml", folder / "line000.png")
    assert ran.code == 0, ran.told
    (line,) = read_page_file(folder / "line.xml").lines
    assert line.transcript is not None
    assert line.transcript.text == TEXTS[0]


def test_pages_become_one_searchable_pdf(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "pdf", "-o", tmp_path / "letters.pdf", page, page)
    assert ran.code == 0, ran.told
    assert len(pdfium.PdfDocument(tmp_path / "letters.pdf")) == 2


def test_the_lines_of_a_page_file_are_read_and_its_flaws_told(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    marked = tmp_path / "marked.xml"
    assert uncial("read", "-m", tiny_bundle.path, "-f", "page", "-o", marked, page).code == 0
    again = uncial("read", "-m", tiny_bundle.path, marked)
    assert (len(again.out.splitlines()), again.told, again.code) == (3, "", 0)
    marked.write_text(marked.read_text(encoding="utf-8").replace('<Baseline points="', '<Baseline points="here', 1))
    flawed = uncial("read", "-m", tiny_bundle.path, marked)
    assert flawed.code == 3
    assert "wrong points" in flawed.told
    assert flawed.out.splitlines() == again.out.splitlines()[1:]


def test_a_page_file_without_its_image_is_told(page: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    assert uncial("read", "-m", tiny_bundle.path, "-f", "alto", "-o", tmp_path / "a.xml", page).code == 0
    page.unlink()
    ran = uncial("read", "-m", tiny_bundle.path, tmp_path / "a.xml")
    assert ran.code == 5
    assert "its image letter.png lies neither beside it nor above" in ran.told
