"""IAM's layout: the table of lines, the images in their folders, the writers of the forms."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import TEXTS, DrawnLine
from written_sources import write_iam

from uncial.errors import GroundTruthError
from uncial.sources import read_samples

Lines = Sequence[DrawnLine]
ROW = "a01-009u-00 ok 154 19 408 746 1661 89 "


@pytest.fixture
def folder(tmp_path: Path, drawn_lines: Lines) -> Path:
    return write_iam(tmp_path / "iam", drawn_lines)


def add_row(folder: Path, row: str) -> None:
    with (folder / "lines.txt").open("a", encoding="utf-8") as table:
        table.write(row + "\n")


def test_lines_are_those_of_the_table_with_bars_for_spaces(folder: Path) -> None:
    samples = read_samples([folder])
    assert [(s.id, s.text, s.page) for s in samples] == [
        (f"iam/a01-00{n}u-00", text, f"a01-00{n}u") for n, text in enumerate(TEXTS)
    ]


def test_the_table_itself_may_be_named_whatever_its_name(folder: Path) -> None:
    (folder / "lines.txt").rename(folder / "table.txt")
    assert len(read_samples([folder / "table.txt"])) == len(TEXTS)


def test_forms_tell_the_writers(folder: Path) -> None:
    (folder / "forms.txt").write_text("# form writer ...\na01-000u 017 2 prt 7 5 52 36\n", encoding="utf-8")
    assert [sample.document for sample in read_samples([folder])] == ["017", "", "", ""]


def test_the_table_may_lie_in_a_folder_beside_the_images(folder: Path) -> None:
    (folder / "ascii").mkdir()
    (folder / "lines.txt").rename(folder / "ascii" / "lines.txt")
    assert not any(sample.flaw for sample in read_samples([folder]))


def test_images_may_all_lie_in_one_folder(folder: Path) -> None:
    for image in sorted(folder.rglob("*.png")):
        image.rename(folder / image.name)
    assert not any(sample.flaw for sample in read_samples([folder]))


def test_a_bar_of_words_may_hold_spaces(folder: Path) -> None:
    (folder / "lines" / "a01" / "a01-009u").mkdir()
    (folder / "lines/a01/a01-000u/a01-000u-00.png").rename(folder / "lines/a01/a01-009u/a01-009u-00.png")
    add_row(folder, f"{ROW}he said:|B B C .")
    assert read_samples([folder])[-1].text == "he said: B B C ."


def test_a_row_without_an_image_is_told_beside_the_good_ones(folder: Path) -> None:
    add_row(folder, f"{ROW}a|hill")
    flaws = [sample.flaw for sample in read_samples([folder])]
    assert flaws == ["", "", "", "", "has a text but no image: no lines/a01/a01-009u/a01-009u-00.png"]


def test_a_row_without_words_has_an_empty_text(folder: Path) -> None:
    add_row(folder, ROW)
    assert read_samples([folder])[-1].text == ""


@pytest.mark.parametrize("row", ["a01-009u-00 good 154 19 408 746 1661 89 a|hill", "a01-009u-00 ok 154", "A hill."])
def test_a_row_of_another_table_is_told(row: str, folder: Path) -> None:
    add_row(folder, row)
    with pytest.raises(GroundTruthError, match=f"lines.txt: '{row[:20]}.*' is no row of IAM's lines.txt"):
        read_samples([folder])


def test_a_table_without_any_image_is_told_with_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text(f"{ROW}a|hill\n", encoding="utf-8")
    with pytest.raises(GroundTruthError, match="none of its 1 lines has an image .*they belong into .*lines/a01"):
        read_samples([tmp_path])
