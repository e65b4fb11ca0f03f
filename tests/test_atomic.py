"""Files and folders that appear whole or not at all, and what else stands where they are put."""

import os
from pathlib import Path

import pytest

from uncial.atomic import aside, replace_folder, written_whole
from uncial.errors import StorageError


def listing(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that was put there before."""
    replace_folder(tmp_path / "mine", {"a": b"old", "b": b"old"})
    return tmp_path / "mine"


def test_a_folder_is_replaced_and_nothing_stands_beside_it(folder: Path) -> None:
    replace_folder(folder, {"a": b"new"}, gone=("b",))
    assert listing(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"new"
    assert listing(folder.parent) == ["mine"]


def test_what_somebody_else_put_into_a_folder_goes_along(folder: Path) -> None:
    (folder / "README").write_text("mine")
    (folder / "notes").mkdir()
    (folder / "notes" / "a").write_text("a note, of the name of a file")
    (folder / "link").symlink_to("notes")
    for _ in range(2):
        replace_folder(folder, {"a": b"new"}, gone=("b",))
    assert listing(folder) == ["README", "a", "link", "notes"]
    assert (folder / "README").read_text() == "mine"
    assert (folder / "link" / "a").read_text() == "a note, of the name of a file"
    assert (folder / "link").is_symlink()


def test_a_link_to_a_folder_stays_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "current"
    link.parent.mkdir()
    link.symlink_to(folder)
    for data in (b"new", b"newer"):
        replace_folder(link, {"a": data})
        assert link.is_symlink()
        assert (folder / "a").read_bytes() == data
    assert (listing(link.parent), listing(tmp_path)) == (["current"], ["links", "mine"])


def test_a_link_that_stands_where_the_old_folder_goes_is_no_hindrance(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    aside(folder).symlink_to(tmp_path / "real")
    replace_folder(folder, {"a": b"new"})
    assert (folder / "a").read_bytes() == b"new"
    assert listing(tmp_path) == ["mine", "real"]


def test_the_folder_one_stands_in_can_be_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for data in (b"new", b"newer"):
        replace_folder(Path(), {"a": data})
        assert Path("a").read_bytes() == data
    assert listing(folder.parent) == ["mine"]


def test_a_stop_between_the_two_moves_loses_nothing(folder: Path) -> None:
    (folder / "README").write_text("mine")
    folder.rename(aside(folder))
    replace_folder(folder, {"a": b"new"})
    assert (listing(folder), listing(folder.parent)) == (["README", "a", "b"], ["mine"])


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(StorageError, match="mine: could not be written .*; what was there before is whole; free"):
        replace_folder(tmp_path / "mine", {"a": b"new"})
    assert (tmp_path / "mine").read_text() == "precious"
    assert listing(tmp_path) == ["mine"]


def test_two_that_write_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    with written_whole(path, "try again") as one, written_whole(path, "try again") as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert listing(path.parent) == ["file"]


def test_a_linked_file_is_replaced_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    with written_whole(tmp_path / "link", "try again") as beside:
        beside.write_bytes(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_fails_on_the_way_leaves_the_earlier_file_and_nothing_else(
    error: type[BaseException], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(error), written_whole(tmp_path / "file", "try again") as beside:
        beside.write_bytes(b"half")
        raise error
    assert (tmp_path / "file").read_bytes() == b"old"
    assert listing(tmp_path) == ["file"]


def test_a_file_that_does_not_reach_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "fsync", broken)
    told = "file: could not be written .Input/output error.; nothing was written; try another disk"
    with pytest.raises(StorageError, match=told), written_whole(tmp_path / "file", "try another disk") as beside:
        beside.write_bytes(b"new")
    assert listing(tmp_path) == []
