"""Page files in the folders that programs export them into: collections, splits, and what cannot be used."""

import os
import re
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from commands import uncial
from drawn_pages import scan_of, usual_page

from uncial.errors import ConfigError, GroundTruthError
from uncial.evaluate_layout import evaluate_layout
from uncial.evaluate_pages import evaluate_pages
from uncial.formats.page_file import read_page_file
from uncial.formats.page_xml import write_page_xml
from uncial.recognizer import Recognizer
from uncial.sources.marked_pages import grouped, marked_pages


def put(file: Path, image: Path | None = None) -> Path:
    """A page file with its image beside it, or at another place."""
    image = image or file.with_suffix(".png")
    page = replace(usual_page(), image=image.name)
    for place in (file, image):
        place.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), scan_of(page).gray)
    file.write_bytes(write_page_xml(page, scan_of(page)))
    return file


def test_a_collection_is_called_as_the_folder_above_those_that_programs_put_page_files_into(tmp_path: Path) -> None:
    for name in ("letters", "accounts"):
        put(tmp_path / name / "page" / "0001.xml", tmp_path / name / "0001.png")
    assert [(page.id, page.collection) for page in marked_pages([tmp_path])] == [
        ("accounts/0001", "accounts"),
        ("letters/0001", "letters"),
    ]
    assert [page.id for page in marked_pages([tmp_path / "letters" / "page"])] == ["letters/0001"]


def test_two_pages_of_one_name_in_folders_of_one_name_have_ids_of_their_own(tmp_path: Path) -> None:
    for year in ("1862", "1863"):
        put(tmp_path / year / "letters" / "0001.xml")
    assert [page.id for page in marked_pages([tmp_path])] == ["letters/0001", "letters/0001_2"]


def test_the_split_is_told_by_folders_below_the_one_that_is_named_and_by_none_above(tmp_path: Path) -> None:
    root = tmp_path / "test" / "pages"
    put(root / "a" / "one.xml")
    put(root / "valid" / "page" / "two.xml", root / "valid" / "two.png")
    assert [(page.id, page.split) for page in marked_pages([root])] == [("a/one", "train"), ("valid/two", "val")]
    assert marked_pages([root / "a" / "one.xml"])[0].split == "train"


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """A page that can be used, and of each way in which one cannot, one."""
    root = tmp_path / "letters"
    whole = put(root / "alto" / "whole.xml", root / "whole.png")
    (root / "page").mkdir()
    (root / "page" / "again.xml").write_bytes(whole.read_bytes())
    (root / "broken.xml").write_text("<PcGts><Page>", encoding="utf-8")
    put(root / "alone.xml").with_suffix(".png").unlink()
    put(root / "cut.xml").with_suffix(".png").write_bytes(b"\x89PNG\r\n")
    (root / "mets.xml").write_text("<mets/>", encoding="utf-8")
    return root


REASONS = {
    "letters/again": "marks the image that .*whole.xml marks; name one of them",
    "letters/alone": "its image alone.png lies neither beside it nor above; put it there",
    "letters/broken": "not well-formed XML .*export it again",
    "letters/cut": "cut.png: ",
}


def test_pages_that_cannot_be_used_are_listed_with_the_reason_and_the_others_are_evaluated(flawed: Path) -> None:
    pages = marked_pages([flawed])
    assert [page.id for page in pages if not page.flaw] == ["letters/cut", "letters/whole"]  # images are opened later
    assert {page.split for page in pages if page.flaw} == {""}
    done: list[tuple[int, int]] = []
    lines = evaluate_layout(pages, finder="projection", split="train", progress=lambda n, of: done.append((n, of)))
    text = evaluate_pages(pages, Recognizer.load(), split="train")
    assert done == [(1, 2), (2, 2)]
    for found in (lines, text):
        assert [page.id for page in found.pages] == ["letters/whole"]
        told = found.plain()["left out"]
        assert sorted(told) == sorted(REASONS)
        for id_, reason in REASONS.items():
            assert re.search(reason, told[id_]), told[id_]


def test_the_command_counts_and_lists_what_is_left_out_on_standard_error(flawed: Path) -> None:
    ran = uncial("evaluate-layout", flawed, "--split", "all", "--finder", "projection")
    assert ran.code == 0
    head, *told = ran.told.splitlines()
    assert head == "uncial: 4 of the page files are left out:"
    assert sorted(line.split(":")[0].strip() for line in told) == sorted(REASONS)


def test_pages_none_of_which_can_be_used_are_an_error_that_tells_why(flawed: Path) -> None:
    with pytest.raises(GroundTruthError, match=r"none of 1 page files can be used; .*broken.xml: not well-formed"):
        marked_pages([flawed / "broken.xml"])
    with pytest.raises(GroundTruthError, match="no PAGE or ALTO file with its image beside it"):
        marked_pages([flawed / "mets.xml"])
    pages = marked_pages([flawed / "cut.xml"])
    with pytest.raises(GroundTruthError, match=r"no page of split all \(1 left out; .*cut.png"):
        evaluate_layout(pages, split="all")
    with pytest.raises(GroundTruthError, match=r"no page of split all has a text \(1 left out; .*cut.png"):
        evaluate_pages(pages, Recognizer.load(), split="all")


def test_rates_are_told_of_all_of_each_collection_and_of_those_that_are_complete(flawed: Path) -> None:
    pages = [replace(page, collection=name) for name in "ab" for page in marked_pages([flawed]) if not page.flaw]
    assert list(grouped(pages, ())) == ["all", "a", "b"]
    groups = grouped(pages, ["b", "b"])
    assert list(groups) == ["all", "all but incomplete", "a", "b"]
    assert groups["all but incomplete"] == groups["a"] == pages[:2] and groups["all"] == pages
    assert list(grouped(pages, ["b", "a"])) == ["all", "a", "b"]
    with pytest.raises(ConfigError, match="no page is of c; the collections are a, b"):
        grouped(pages, ["a", "c"])


def test_the_commands_tell_complete_collections_by_themselves(flawed: Path) -> None:
    told = uncial("evaluate-layout", flawed, "--split", "all", "--finder", "projection", "--incomplete", "notes")
    assert told.code == 2 and "no page is of notes" in told.told


@pytest.mark.parametrize(("place", "name"), [("", "letters/page/"), ("letters/", "page/"), ("letters/page/", "")])
def test_the_table_of_splits_may_lie_in_any_folder_above_a_page(tmp_path: Path, place: str, name: str) -> None:
    for page in "abc":
        put(tmp_path / "letters" / "page" / f"{page}.xml")
    table = tmp_path / place / "SOURCES.tsv"
    rows = "".join(f"{name}{page}.png\t{split}\n" for page, split in (("a", "Test"), ("b", "validation"), ("c", "")))
    table.write_text(f"\ufefffile\tsplit\n{rows}", encoding="utf-8")  # as spreadsheets write it
    assert [page.split for page in marked_pages([tmp_path / "letters"])] == ["test", "val", "train"]
    table.write_text(f"file\tsplit\n{name}a.png\ttets\n", encoding="utf-8")
    with pytest.raises(GroundTruthError, match="is of split 'tets', which is none; write train, val or test"):
        marked_pages([tmp_path / "letters"])
    table.write_bytes("file\tsplit\té\n".encode("latin-1"))
    with pytest.raises(GroundTruthError, match=r"SOURCES.tsv: cannot be read as text .*save it as UTF-8"):
        marked_pages([tmp_path / "letters"])


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_page_file_whose_name_is_no_utf_8_is_read(tmp_path: Path) -> None:
    file = put(tmp_path / "a.xml")
    odd = tmp_path / os.fsdecode(b"caf\xe9.xml")
    file.rename(odd)
    assert len(read_page_file(odd).lines) == len(usual_page().lines)
