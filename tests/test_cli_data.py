"""`uncial data` as people use it: good ground truth, and each way in which it can be flawed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from commands import uncial, write_pairs
from conftest import TEXTS, DrawnLine
from PIL import Image
from written_sources import WRITERS

Lines = Sequence[DrawnLine]


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_pairs(tmp_path / "lines", drawn_lines)


def test_a_check_tells_lines_graphemes_and_widths(folder: Path) -> None:
    ran = uncial("data", "check", folder)
    assert (ran.code, ran.told) == (0, "")
    assert "usable 4" in ran.out
    assert f"{sum(map(len, TEXTS))} of {len(set(''.join(TEXTS)))} kinds" in ran.out
    assert "pixels, median" in ran.out


def test_a_check_comes_as_one_json_object(folder: Path) -> None:
    found = json.loads(uncial("data", "check", folder, "--json").out)
    assert (found["lines"], found["usable"], found["left_out"]) == (4, 4, [])
    assert dict(found["graphemes"])["n"] == "".join(TEXTS).count("n")


def image_without_text(folder: Path) -> None:
    (folder / "line001.gt.txt").unlink()


def text_without_image(folder: Path) -> None:
    (folder / "line001.png").unlink()


def empty_text(folder: Path) -> None:
    (folder / "line001.gt.txt").write_text(" \n", encoding="utf-8")


def text_longer_than_the_time_steps(folder: Path) -> None:
    (folder / "line001.gt.txt").write_text("far more text than time steps " * 9, encoding="utf-8")


def empty_image(folder: Path) -> None:
    (folder / "line001.png").write_bytes(b"")


def truncated_image(folder: Path) -> None:
    (folder / "line001.png").write_bytes((folder / "line001.png").read_bytes()[:-300])


def gigantic_image(folder: Path) -> None:
    Image.new("1", (9_450, 9_450)).save(folder / "line001.png")


def one_pixel_wide_image(folder: Path) -> None:
    Image.new("L", (1, 64), 255).save(folder / "line001.png")


FLAWS: dict[Callable[[Path], None], str] = {
    image_without_text: "no text",
    text_without_image: "no image",
    empty_text: "empty",
    text_longer_than_the_time_steps: "time steps",
    empty_image: "0 bytes",
    truncated_image: "truncated",
    gigantic_image: "the limit is 89,000,000",
    one_pixel_wide_image: "1 x 64",
}


@pytest.mark.parametrize(("spoil", "reason"), FLAWS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_flawed_line_is_listed_with_its_reason_and_the_others_count(
    spoil: Callable[[Path], None], reason: str, folder: Path
) -> None:
    spoil(folder)
    ran = uncial("data", "check", folder)
    assert ran.code == 0
    assert "usable 3" in ran.out
    assert any("line001" in line and reason in line for line in ran.out.splitlines())


def test_lines_that_stand_twice_are_told(folder: Path, drawn_lines: Lines) -> None:
    write_pairs(folder, drawn_lines, repeat=3)
    assert "images that stand more than once: 4" in uncial("data", "check", folder).out


def nothing(folder: Path) -> None:
    folder.mkdir()


def only_images(folder: Path) -> None:
    folder.mkdir()
    Image.new("L", (99, 64), 255).save(folder / "a.png")


def only_texts(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.gt.txt").write_text("a hill", encoding="utf-8")


def no_folder(folder: Path) -> None:
    """A path at which nothing stands."""


def no_archive(folder: Path) -> None:
    folder.with_suffix(".zip").write_bytes(b"PK but no zip")


@pytest.mark.parametrize("words", [("data", "check"), ("evaluate",), ("train", "-o", "new")], ids=" ".join)
@pytest.mark.parametrize("make", [nothing, only_images, only_texts, no_folder, no_archive], ids=lambda f: f.__name__)
def test_data_that_is_none_is_told_in_one_line_by_every_command(
    make: Callable[[Path], None], words: tuple[str, ...], tmp_path: Path
) -> None:
    make(tmp_path / "data")
    data = tmp_path / ("data.zip" if make is no_archive else "data")
    ran = uncial(*words, data)
    assert (ran.out, ran.code) == ("", 5)
    assert ran.told.startswith(f"uncial: {data}: ")
    assert ran.told.count("\n") == 1


@pytest.mark.parametrize(("name", "form"), [("a", "pairs"), ("a.zip", "archive"), ("a.parquet", "parquet")])
def test_converted_ground_truth_is_read_back_the_same(name: str, form: str, folder: Path, tmp_path: Path) -> None:
    ran = uncial("data", "convert", folder, "-o", tmp_path / name, "--form", form)
    assert (ran.out.strip(), ran.code) == (f"{tmp_path / name}: 4 lines", 0)
    before, after = (json.loads(uncial("data", "check", d, "--json").out) for d in (folder, tmp_path / name))
    assert [after[key] for key in ("lines", "graphemes", "widths")] == [
        before[key] for key in ("lines", "graphemes", "widths")
    ]


def test_the_form_follows_from_the_name_of_the_result(folder: Path, tmp_path: Path) -> None:
    uncial("data", "convert", folder, "-o", tmp_path / "a.zip")
    uncial("data", "convert", folder, "-o", tmp_path / "a.parquet")
    uncial("data", "convert", folder, "-o", tmp_path / "a")
    assert (tmp_path / "a.zip").read_bytes()[:2] == b"PK"
    assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "a" / "line000.gt.txt").read_text(encoding="utf-8") == f"{TEXTS[0]}\n"


def test_converting_overwrites_nothing(folder: Path) -> None:
    ran = uncial("data", "convert", folder, "-o", folder / "line000.png", "--form", "archive")
    assert ran.code == 8
    assert "overwritten" in ran.told


def test_lines_are_not_stored_in_a_folder_that_is_named_like_a_text_file(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "lines.txt"
    refused = uncial("data", "convert", folder, "-o", place)
    assert (refused.out, refused.code, place.exists()) == ("", 2, False)
    assert "not in .txt" in refused.told
    assert uncial("data", "convert", folder, "-o", place, "--form", "pairs").code == 0
    assert place.is_dir()


def test_converting_lists_what_could_not_be_taken_along(folder: Path, tmp_path: Path) -> None:
    image_without_text(folder)
    ran = uncial("data", "convert", folder, "-o", tmp_path / "a.zip")
    assert f"{tmp_path / 'a.zip'}: 3 lines" in ran.out
    assert "line001" in ran.out


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_ground_truth_is_checked(kind: str, tmp_path: Path, drawn_lines: Lines) -> None:
    ran = uncial("data", "check", WRITERS[kind](tmp_path / "drawn", drawn_lines))
    assert (ran.code, ran.told) == (0, "")
    assert "usable 4" in ran.out


def test_several_collections_are_checked_together(tmp_path: Path, drawn_lines: Lines) -> None:
    folders = [write_pairs(tmp_path / name, drawn_lines) for name in ("one", "two")]
    assert "documents  2 of 2 collections" in uncial("data", "check", *folders).out


def test_only_the_lines_of_a_split_are_converted_if_asked_for(tmp_path: Path, drawn_lines: Lines) -> None:
    data = WRITERS["archive"](tmp_path / "drawn", drawn_lines)
    assert ": 1 line\n" in uncial("data", "convert", data, "-o", tmp_path / "a", "--split", "val").out
    ran = uncial("data", "convert", data, "-o", tmp_path / "b", "--split", "test")
    assert (ran.code, (tmp_path / "b").exists()) == (5, False)
    assert "no line in split 'test'; there are: train (3), val (1)" in ran.told


def test_a_form_that_contradicts_the_suffix_makes_a_folder(folder: Path, tmp_path: Path) -> None:
    uncial("data", "convert", folder, "-o", tmp_path / "a.zip", "--form", "parquet")
    assert [path.name for path in (tmp_path / "a.zip").iterdir()] == ["lines.parquet"]


def test_ground_truth_without_a_usable_line_is_checked_and_is_an_error(folder: Path) -> None:
    for text in folder.glob("*.gt.txt"):
        text.write_text("", encoding="utf-8")
    ran = uncial("data", "check", folder)
    assert (ran.code, "usable 0" in ran.out, "no line that can be learned from" in ran.told) == (5, True, True)
