"""Ground truth stored in another form: nothing is lost, nothing overwritten, and nothing left half written."""

import errno
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import DrawnLine
from PIL import Image
from written_lines import Row, png, samples_of
from written_sources import WRITERS, write_archive, write_page, write_unpacked

from uncial.errors import ConfigError, GroundTruthError, StorageError
from uncial.ground_truth import convert
from uncial.sources import Sample, read_samples
from uncial.sources.writing import FORMS

Lines = Sequence[DrawnLine]


def facts(sample: Sample) -> tuple[str, str, str, str, str, bytes]:
    return sample.text, sample.collection, sample.document, sample.page, sample.split, sample.image().tobytes()


def place(folder: Path, form: str) -> Path:
    """Where a collection named "drawn" goes; a folder's or file's name is that of its collection."""
    return folder / form / f"drawn{FORMS[form][1]}"


@pytest.mark.parametrize(("first", "second"), list(product(FORMS, FORMS)))
def test_nothing_is_lost_from_form_to_form(first: str, second: str, tmp_path: Path, drawn_lines: Lines) -> None:
    before = read_samples([write_archive(tmp_path, drawn_lines)])
    convert(before, place(tmp_path / "1", first), first)
    convert(read_samples([place(tmp_path / "1", first)]), place(tmp_path / "2", second), second)
    after = read_samples([place(tmp_path / "2", second)])
    assert sorted(map(facts, after)) == sorted(map(facts, before))
    assert sorted(sample.source.file() for sample in after) == sorted(sample.source.file() for sample in before)
    assert {sample.source.notes() for sample in after} == {"drawn for the tests"}


AWKWARD = {
    "document named as a split": ("train", "p", ""),
    "page named as a split": ("", "test", ""),
    "document with slashes": ("a/b\\c", "p/q", "val"),
    "dots and spaces": (".hidden ", ". .", "train"),
    "what file systems refuse": ('a:b*c?"<>|', "100 %", "test"),
    "an underscore": ("a", "_", ""),
    "no document": ("", "p 7", "test"),
    "other scripts": ("Ὅμηρος", "页", "val"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", AWKWARD.values(), ids=AWKWARD)
def test_awkward_names_come_back_as_they_were(
    where: tuple[str, str, str], form: str, tmp_path: Path, drawn_lines: Lines
) -> None:
    document, page, split = where
    samples = read_samples([write_archive(tmp_path, drawn_lines)])
    samples = [replace(sample, document=document, page=page, split=split) for sample in samples]
    convert(samples, place(tmp_path, form), form)
    assert sorted(map(facts, read_samples([place(tmp_path, form)]))) == sorted(map(facts, samples))


@pytest.mark.parametrize("form", FORMS)
def test_tabs_and_line_breaks_become_spaces(form: str, tmp_path: Path, drawn_lines: Lines) -> None:
    (sample, *_) = read_samples([write_archive(tmp_path, drawn_lines)])
    convert([replace(sample, text="Dear\tAnn,\na  hill", document="d")], place(tmp_path, form), form)
    assert read_samples([place(tmp_path, form)])[0].text == "Dear Ann, a  hill"


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("form", FORMS)
def test_every_source_is_stored_in_every_form(kind: str, form: str, tmp_path: Path, drawn_lines: Lines) -> None:
    before = read_samples([WRITERS[kind](tmp_path / "drawn", drawn_lines)])
    done = convert(before, place(tmp_path / "out", form), form)
    after = read_samples([done.path])
    assert (done.lines, done.left_out) == (4, ())
    assert sorted(map(facts, after)) == sorted(map(facts, before))


@pytest.mark.parametrize("form", FORMS)
def test_several_collections_keep_their_names_in_a_folder_and_become_documents_in_one_file(
    form: str, tmp_path: Path, drawn_lines: Lines
) -> None:
    for name in ("one", "two"):
        write_unpacked(tmp_path / "in" / name, drawn_lines)
    samples = read_samples([tmp_path / "in"])
    done = convert(samples, tmp_path / f"all{FORMS[form][1]}", form)
    after = read_samples([done.path])
    assert sorted((s.text, s.image().tobytes()) for s in after) == sorted(
        (s.text, s.image().tobytes()) for s in samples
    )
    places = {(s.collection, s.document) for s in after}
    wanted = {
        "pairs": {("all", f"{c}/{d}") for c, d in product(("one", "two"), ("d0", "d1"))},
        "archive": {("all", f"{c}/{d}") for c, d in product(("one", "two"), ("d0", "d1"))},
        "parquet": set(product(("one", "two"), ("d0", "d1"))),
    }
    assert places == wanted[form]
    if form != "pairs":
        convert(samples, tmp_path / "folder", form)
        assert sorted(map(facts, read_samples([tmp_path / "folder"]))) == sorted(map(facts, samples))


@pytest.mark.parametrize("form", FORMS)
def test_the_same_lines_give_the_same_bytes(form: str, tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_archive(tmp_path, drawn_lines)])
    places = [convert(samples, place(tmp_path / name, form), form).path for name in "ab"]
    written = [{f.relative_to(p).as_posix(): f.read_bytes() for f in [p, *p.rglob("*")] if f.is_file()} for p in places]
    assert written[0] == written[1]


def test_an_image_that_others_could_not_open_is_stored_as_png(tmp_path: Path) -> None:
    file = tmp_path / "a.png"  # in truth a BMP
    Image.fromarray(np.arange(6_400, dtype=np.uint32).reshape(64, 100).astype(np.uint8)).save(file, "BMP")
    (tmp_path / "a.gt.txt").write_text("a hill", encoding="utf-8")
    samples = read_samples([tmp_path])
    convert(samples, tmp_path / "b.zip", "archive")
    with zipfile.ZipFile(tmp_path / "b.zip") as stored:
        assert stored.read("a.png").startswith(b"\x89PNG")
    assert (read_samples([tmp_path / "b.zip"])[0].image() == samples[0].image()).all()


def test_an_unpacked_archive_converts_to_the_one_it_came_from(tmp_path: Path, drawn_lines: Lines) -> None:
    first = convert(read_samples([write_archive(tmp_path, drawn_lines)]), tmp_path / "a" / "drawn.zip", "archive").path
    with zipfile.ZipFile(first) as stored:
        stored.extractall(tmp_path / "b" / "drawn")
    again = convert(read_samples([tmp_path / "b" / "drawn"]), tmp_path / "c" / "drawn.zip", "archive").path
    assert again.read_bytes() == first.read_bytes()


def flawed(folder: Path, drawn_lines: Lines) -> list[Sample]:
    good, *_ = drawn_lines
    return [
        *samples_of(folder, [Row("good", image=png(good.image)), Row(" "), Row("bad", image=b"")]),
        *read_samples([write_page(folder / "pages", drawn_lines)])[:1],
    ]


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_stored_is_listed_and_the_rest_is_stored(form: str, tmp_path: Path, drawn_lines: Lines) -> None:
    samples = flawed(tmp_path, drawn_lines)
    done = convert(
        [*samples, replace(samples[0], id="drawn/9", flaw="is flawed")], tmp_path / f"a{FORMS[form][1]}", form
    )
    assert [(line.id, line.kind) for line in done.left_out] == [
        ("drawn/001", "empty text"),
        ("drawn/002", "unusable image"),
        ("drawn/9", "flawed source"),
    ]
    assert done.lines == len(read_samples([done.path])) == 2


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_what_is_there_is_never_overwritten(there: str, form: str, tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_archive(tmp_path / "in", drawn_lines)])
    out = tmp_path / "out"
    makers: dict[str, Callable[[], object]] = {
        "file": lambda: out.write_text("mine"),
        "folder": out.mkdir,
        "link": lambda: out.symlink_to(tmp_path / "gone"),
    }
    makers[there]()
    with pytest.raises(StorageError, match="out: is there already and is not overwritten; name another place"):
        convert(samples, out, form)
    assert listing(tmp_path) == ["in", "out"]
    assert there != "file" or out.read_text() == "mine"


def test_what_appears_while_lines_are_written_is_not_overwritten(tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_archive(tmp_path / "in", drawn_lines)])
    out = tmp_path / "a.zip"
    with pytest.raises(StorageError, match="not overwritten"):
        convert(samples, out, "archive", lambda done, total: out.write_text("mine"))
    assert (out.read_text(), listing(tmp_path)) == ("mine", ["a.zip", "in"])


@pytest.mark.parametrize("form", FORMS)
def test_when_no_line_can_be_stored_nothing_is_left_behind(form: str, tmp_path: Path) -> None:
    samples = samples_of(tmp_path / ".", [Row(" "), Row("bad", image=b"")])
    with pytest.raises(
        GroundTruthError, match="none of 2 lines has both an image and a text; drawn/000: the text is empty"
    ):
        convert(samples, tmp_path / "out", form)
    assert listing(tmp_path) == ["drawn.zip"]


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_told_and_nothing_is_left_behind(
    form: str, tmp_path: Path, drawn_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = read_samples([write_archive(tmp_path / "in", drawn_lines)])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match="could not be written .No space left on device.; nothing .*; free some"):
        convert(samples, place(tmp_path, form), form, full)
    assert listing(place(tmp_path, form).parent) == []


def test_a_form_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="form"):
        convert([], tmp_path / "a", "pair")


def test_conversion_tells_how_far_it_is(tmp_path: Path, drawn_lines: Lines) -> None:
    told: list[tuple[int, int]] = []
    samples = read_samples([write_archive(tmp_path, drawn_lines)])
    convert(samples, tmp_path / "out", "pairs", lambda *numbers: told.append(numbers))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
