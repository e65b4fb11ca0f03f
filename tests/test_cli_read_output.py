"""Where `uncial read` puts what it read: a folder that has some of it already, and tables of many pages."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import pytest
from commands import uncial, write_pairs, written_sheet
from conftest import TEXTS, DrawnLine
from PIL import Image

from uncial.bundle import Bundle
from uncial.cli_options import Format
from uncial.cli_output import into_one
from uncial.cli_read import format_for
from uncial.errors import ConfigError, StorageError

Lines = Sequence[DrawnLine]


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines)


def test_a_folder_that_holds_some_results_is_refused_before_the_work_and_filled_up_by_resume(
    folder: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert uncial("read", "-m", tiny_bundle.path, folder / "line000.png", "-o", f"{out}/").code == 0
    (out / "line000.txt").write_text("corrected by hand", encoding="utf-8")
    ran = uncial("read", "-m", tiny_bundle.path, folder, "-o", out)
    assert ran.code == 8 and f"{out / 'line000.txt'}: is there already; read only what is not there" in ran.told
    assert [file.name for file in out.iterdir()] == ["line000.txt"]

    ran = uncial("read", "-m", tiny_bundle.path, folder, "-o", out, "--resume")
    assert (ran.code, ran.told) == (0, f"uncial: {out}: scans that have their files there and are passed over: 1\n")
    texts = [(out / f"line{number:03}.txt").read_text(encoding="utf-8") for number in range(len(TEXTS))]
    assert texts == ["corrected by hand", *(f"{text}\n" for text in TEXTS[1:])]
    assert uncial("read", "-m", tiny_bundle.path, folder, "-o", out, "--resume").code == 0


def test_of_a_file_of_several_pages_resume_writes_those_that_lack(
    folder: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    pages = [Image.open(folder / f"line00{number}.png") for number in range(3)]
    pages[0].save(tmp_path / "three.tif", save_all=True, append_images=pages[1:])
    words = ("read", "-m", tiny_bundle.path, "--as", "line", tmp_path / "three.tif", "-o", f"{tmp_path}/out/")
    assert uncial(*words).code == 0
    (tmp_path / "out" / "three-0002.txt").unlink()
    (tmp_path / "out" / "three-0001.txt").write_text("mine", encoding="utf-8")
    assert uncial(*words).code == 8
    assert uncial(*words, "--resume").code == 0
    read = [(tmp_path / "out" / f"three-000{number}.txt").read_text(encoding="utf-8") for number in (1, 2, 3)]
    assert read == ["mine", f"{TEXTS[1]}\n", f"{TEXTS[2]}\n"]


def test_an_empty_result_counts_as_there(tiny_bundle: Bundle, tmp_path: Path) -> None:
    Image.new("L", (600, 800), 255).save(tmp_path / "blank.png")
    words = ("read", "-m", tiny_bundle.path, tmp_path / "blank.png", "-o", f"{tmp_path}/out/")
    assert uncial(*words).code == 0
    assert (tmp_path / "out" / "blank.txt").read_bytes() == b""
    assert "passed over: 1" in uncial(*words, "--resume").told


def test_resume_wants_a_folder(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("", encoding="utf-8")
    for more in ((), ("-o", tmp_path / "all.txt"), ("-o", tmp_path / "new"), ("-o", f"{tmp_path}/out/", "--force")):
        ran = uncial("read", "-m", tiny_bundle.path, folder, "--resume", *more)
        assert ran.code == 2 and "--resume goes on with a folder" in ran.told


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_tables_of_several_pages_are_one_table(kind: str, tiny_bundle: Bundle, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), written_sheet())
    out = tmp_path / f"all.{kind}"
    ran = uncial("read", "-m", tiny_bundle.path, "-f", kind, tmp_path / "a.png", tmp_path / "b.png", "-o", out)
    assert ran.code == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="," if kind == "csv" else "\t"))
    assert {row["page"] for row in rows} == {"a.png", "b.png"}
    assert all(row["confidence"] and row["confidence"] != "confidence" for row in rows)


def test_resume_passes_over_nothing_that_another_scan_or_name_stands_for(
    folder: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    pages = [Image.open(folder / f"line00{number}.png") for number in range(3)]
    pages[0].save(tmp_path / "letter.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "letter.png")
    pages[1].save(tmp_path / "letter.bmp")
    out = tmp_path / "out"
    words = ("read", "-m", tiny_bundle.path, "--as", "line", "-o", f"{out}/")
    assert uncial(*words, tmp_path / "letter.png").code == 0
    ran = uncial(*words, tmp_path / "letter.tif", tmp_path / "missing.png", "--resume")  # not the file of letter.png
    assert ran.code == 3 and "missing.png" in ran.told and "passed over: 0" in ran.told
    assert {file.stem for file in out.iterdir()} == {"letter-0001", "letter-0002", "letter-0003", "letter"}
    (out / "letter-0002.txt").unlink()
    ran = uncial(*words, tmp_path / "letter.tif", tmp_path / "missing.png", "--resume")
    assert ran.code == 3 and (out / "letter-0002.txt").exists()
    ran = uncial(*words, tmp_path / "letter.png", tmp_path / "letter.bmp", "--resume")
    assert ran.code == 3 and "letter.txt, which is there already" in ran.told and "passed over: 1" in ran.told


def test_what_cannot_be_read_has_the_same_exit_code_when_the_others_are_there(
    folder: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (folder / "line001.png").write_bytes(b"not an image")
    words = ("read", "-m", tiny_bundle.path, folder, "-o", f"{tmp_path}/out/")
    assert uncial(*words).code == 3
    assert uncial(*words, "--resume").code == 3
    (folder / "line002.png").write_bytes(b"not an image either")
    assert uncial("read", "-m", tiny_bundle.path, folder / "line001.png", folder / "line002.png").code == 4


def test_standard_input_is_never_passed_over(folder: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    words = ("read", "-m", tiny_bundle.path, "-", "-o", f"{tmp_path}/out/", "--resume")
    (tmp_path / "out").mkdir()
    assert uncial(*words, stdin=(folder / "line000.png").read_bytes()).code == 0
    ran = uncial(*words, stdin=(folder / "line001.png").read_bytes())
    assert ran.code == 3 and "stdin.txt, which is there already" in ran.told


@pytest.mark.parametrize(
    ("name", "named", "begins"),
    [
        ("x.pdf", (), b"%PDF"),
        ("x.json", (), b"["),
        ("x.csv", (), b"page,"),
        ("x.png", (), b"\x89PNG"),
        ("x.tei.xml", (), b"<?xml"),
        ("x.pdf", ("-f", "json"), b"["),
        ("x.md", ("-f", "text"), b""),
    ],
)
def test_the_ending_of_a_file_tells_its_format(
    name: str, named: tuple[str, ...], begins: bytes, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "page.jpg"), written_sheet())
    ran = uncial("read", tmp_path / "page.jpg", "-m", tiny_bundle.path, "-o", tmp_path / name, *named)
    assert ran.code == 0, ran.told
    written = (tmp_path / name).read_bytes()
    assert written.startswith(begins) or (begins == b"[" and written.startswith(b"{"))


@pytest.mark.parametrize("name", ["x.docx", "x.hocr.gz"])
def test_an_ending_of_no_format_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"")
    ran = uncial("read", tmp_path / "page.jpg", "-o", tmp_path / name)
    assert (ran.code, f"{name}: ends like no format; choose one of .csv, " in ran.told) == (2, True)


def test_what_came_to_be_there_while_scans_were_read_stays(tmp_path: Path) -> None:
    out = tmp_path / "x.txt"

    def parts() -> Iterator[bytes]:
        out.write_text("of another command", encoding="utf-8")
        yield b"read"

    with pytest.raises(StorageError, match="is there already"):
        into_one(parts(), out, force=False)
    assert out.read_text(encoding="utf-8") == "of another command"
    into_one(parts(), out, force=True)
    assert out.read_bytes() == b"read"


def test_an_ending_of_several_formats_has_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"")
    ran = uncial("read", tmp_path / "page.jpg", "-o", tmp_path / "x.xml")
    assert (ran.code, "x.xml: may be page, alto; say which with -f" in ran.told) == (2, True)


def test_what_is_no_text_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name in (Format.pdf, Format.png):
        with pytest.raises(ConfigError, match=f"-f {name}: is no text.*-o"):
            format_for(name, None)
    assert format_for(None, None) == Format.text
    assert format_for(Format.pdf, "x.pdf") == Format.pdf


def test_an_empty_name_is_no_folder_and_no_screen(folder: Path, tiny_bundle: Bundle) -> None:
    for words in (("",), (folder, "-o", "")):
        ran = uncial("read", "-m", tiny_bundle.path, *words)
        assert (ran.code, ran.out, "a name is empty" in ran.told) == (2, "", True)
