"""What holds for every source: the same lines in, whatever form they are stored in."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import TEXTS, DrawnLine
from written_sources import WRITERS, write_archive, write_page, write_unpacked

from uncial.errors import GroundTruthError, ImageError
from uncial.sources import SOURCES, Sample, read_samples, source_of, split_of

Lines = Sequence[DrawnLine]


@pytest.fixture(params=SOURCES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(kind: str, tmp_path: Path, drawn_lines: Lines) -> Path:
    return WRITERS[kind](tmp_path / "drawn", drawn_lines)


def test_a_source_reads_each_line_with_its_text_and_its_image(folder: Path, drawn_lines: Lines) -> None:
    samples = read_samples([folder])
    assert tuple(sample.text for sample in samples) == TEXTS
    assert not any(sample.flaw for sample in samples)
    for sample, line in zip(samples, drawn_lines, strict=True):  # a cut has some pixels more at its edges
        assert cv2.matchTemplate(sample.image(), line.image, cv2.TM_CCOEFF_NORMED).max() > 0.999


def test_lines_have_their_own_ids_in_one_collection_and_a_page(folder: Path) -> None:
    samples = read_samples([folder])
    assert len({sample.id for sample in samples}) == len(samples)
    assert all(sample.id.startswith("drawn/") for sample in samples)
    assert {sample.collection for sample in samples} == {"drawn"}
    assert all(sample.page for sample in samples)


def test_reading_twice_gives_the_same_and_the_table_s_reader_does_what_the_search_does(kind: str, folder: Path) -> None:
    assert read_samples([folder]) == read_samples([str(folder)]) == SOURCES[kind](folder)


def test_a_line_travels_to_another_process(folder: Path, tmp_path: Path) -> None:
    samples = read_samples([folder])
    (tmp_path / "samples").write_bytes(pickle.dumps(samples))
    code = (
        "import json, pathlib, pickle, sys\n"
        "samples = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(json.dumps([int(sample.image().sum()) for sample in samples]))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "samples")]
    sums = subprocess.run(words, check=True, capture_output=True, timeout=60).stdout
    assert json.loads(sums) == [int(sample.image().sum()) for sample in samples]


def test_an_image_file_is_given_as_it_is_stored_or_not_at_all(kind: str, folder: Path) -> None:
    for sample in read_samples([folder]):
        data = sample.source.file()
        assert (data is None) == (kind in ("page", "alto"))
        assert data is None or data.startswith(b"\x89PNG")


def test_every_line_is_in_one_split_and_always_in_the_same(folder: Path) -> None:
    samples = read_samples([folder])
    splits = [split_of(sample) for sample in samples]
    assert splits == [split_of(sample) for sample in read_samples([folder])]
    for split in set(splits):
        assert [s for s, its in zip(samples, splits, strict=True) if its == split] == read_samples([folder], split)


def test_a_file_that_vanished_is_told_when_its_image_is_asked_for(folder: Path) -> None:
    samples = read_samples([folder])
    shutil.rmtree(folder)
    for sample in samples:
        with pytest.raises(ImageError, match=sample.id):
            sample.image()


def test_hidden_files_are_passed_over(folder: Path) -> None:
    before = read_samples([folder])
    (folder / "__MACOSX").mkdir()
    for name in ("._drawn.zip", ".lines.tsv", "__MACOSX/a.parquet", "__MACOSX/a.xml"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    assert read_samples([folder]) == before


@pytest.mark.parametrize("name", ["a.zip", "a.parquet", "a.xml", "lines.txt", "lines.tsv"])
def test_a_file_of_noise_is_told_with_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(1).bytes(3_000))
    with pytest.raises(GroundTruthError, match=name):
        read_samples([tmp_path / name])


@pytest.mark.parametrize("name", ["a.zip", "a.parquet", "a.xml", "lines.txt", "lines.tsv"])
def test_an_empty_file_is_told_with_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(GroundTruthError, match=name):
        read_samples([tmp_path / name])


@pytest.mark.parametrize(("name", "source"), [("drawn.zip", "archive"), ("drawn.parquet", "parquet"), ("a.txt", "")])
def test_a_file_tells_its_source_by_its_name(name: str, source: str, tmp_path: Path) -> None:
    assert source_of(tmp_path / name) == source


def test_a_folder_may_hold_ground_truth_of_all_kinds(tmp_path: Path, drawn_lines: Lines) -> None:
    for kind, write in WRITERS.items():
        write(tmp_path / f"{kind} files", drawn_lines)
    samples = read_samples([tmp_path])
    assert sorted(sample.text for sample in samples) == sorted(TEXTS * len(WRITERS))
    assert not any(sample.flaw for sample in samples)


def test_the_same_path_twice_is_read_once(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_archive(tmp_path / "a", drawn_lines)
    assert len(read_samples([folder, folder / ".." / "a"])) == len(TEXTS)


def test_the_same_data_by_two_paths_is_told(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_archive(tmp_path / "a", drawn_lines)
    with pytest.raises(GroundTruthError, match="4 lines with the id of another .*only once"):
        read_samples([folder, folder / "drawn.zip"])


def test_no_such_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError, match="nothing: no such file or folder; check the path"):
        read_samples([tmp_path / "nothing"])


def test_a_split_without_lines_is_told_with_those_that_there_are(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_unpacked(tmp_path / "a", drawn_lines)
    with pytest.raises(GroundTruthError, match=r"no line in split 'test'; there are: train \(3\), val \(1\)"):
        read_samples([folder], "test")


def test_a_folder_of_images_alone_is_told_with_the_cure(tmp_path: Path, drawn_lines: Lines) -> None:
    folder = write_page(tmp_path / "a", drawn_lines)
    (folder / "sheet.xml").unlink()
    with pytest.raises(
        GroundTruthError, match=r"1 image without text \(sheet.png\); write the text of X.png into X.gt"
    ):
        read_samples([folder])


@pytest.mark.parametrize("make", [lambda path: None, lambda path: (path / "a.csv").write_text("1,2")])
def test_a_folder_without_images_and_ground_truth_is_told(make: object, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(GroundTruthError, match="holds no images and no ground truth; it is pairs of"):
        read_samples([tmp_path])


def test_a_file_that_is_no_ground_truth_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(GroundTruthError, match="is no kind of ground truth that is understood"):
        read_samples([tmp_path / "a.csv"])


def test_pages_without_split_validate_one_in_twenty_whatever_else_there_is() -> None:
    pages = [Sample(f"c/{n}", "a", "c", "d", str(n), "", None) for n in range(2_000)]
    held_out = [page for page in pages if split_of(page) == "val"]
    assert 70 <= len(held_out) <= 130
    assert held_out == [page for page in pages[::-1] if split_of(page) == "val"][::-1]
    renamed = [replace(page, id=f"other/{page.page}", collection="other") for page in pages]
    assert [page.page for page in held_out] == [page.page for page in renamed if split_of(page) == "val"]
