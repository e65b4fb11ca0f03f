"""Parquet as Hugging Face writes it, with more columns or fewer, and damaged."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import TEXTS, DrawnLine
from pyarrow import parquet
from written_lines import png
from written_sources import write_parquet

from uncial.errors import GroundTruthError, ImageError, MissingExtraError
from uncial.sources import read_samples

Lines = Sequence[DrawnLine]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


@pytest.fixture
def data(drawn_lines: Lines) -> bytes:
    return png(drawn_lines[0].image)


def test_images_come_as_structs_or_as_bytes(tmp_path: Path, data: bytes, drawn_lines: Lines) -> None:
    rows = [{"image": {"bytes": data, "path": "x.png"}, "text": "a"}]
    for name, image in (("a.parquet", rows[0]["image"]), ("b.parquet", data)):
        (sample,) = read_samples([write_rows(tmp_path / name, [{**rows[0], "image": image}])])
        assert (sample.image() == drawn_lines[0].image).all()
        assert sample.source.file() == data


def test_every_row_group_is_read(tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_parquet(tmp_path, drawn_lines) / "drawn.parquet"])
    assert [(s.source.group, s.source.row) for s in samples] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert tuple(sample.text for sample in samples) == TEXTS
    assert [s.image().shape for s in samples[::-1]] == [line.image.shape for line in drawn_lines[::-1]]


def test_columns_tell_where_a_line_comes_from(tmp_path: Path, data: bytes) -> None:
    told = {"id": "7", "collection": "wills", "document": "d", "page": "p", "split": "Validation"}
    (sample,) = read_samples(
        [write_rows(tmp_path / "a.parquet", [{"image": data, "text": "de\u0301ce\u0300s", **told}])]
    )
    place = (sample.id, sample.text, sample.collection, sample.document, sample.page, sample.split)
    assert place == ("wills/7", "d\xe9c\xe8s", "wills", "d", "p", "val")


@pytest.mark.parametrize(("name", "split"), [("train", "train"), ("validation", "val"), ("test", "test"), ("all", "")])
def test_a_file_s_name_tells_its_split(name: str, split: str, tmp_path: Path, data: bytes) -> None:
    (sample,) = read_samples([write_rows(tmp_path / f"{name}-00000-of-00002.parquet", [{"image": data, "text": "a"}])])
    assert (sample.split, sample.page) == (split, f"{name}-00000-of-00002-000000")


def test_shards_of_the_same_name_in_two_folders_are_told_apart(tmp_path: Path, data: bytes) -> None:
    for name in "ab":
        write_rows(tmp_path / name / "train-0.parquet", [{"image": data, "text": name}])
    assert [s.id for s in read_samples([tmp_path])] == [f"{tmp_path.name}/{name}/train-0-000000" for name in "ab"]


def test_a_row_without_text_or_without_image_is_told(tmp_path: Path, data: bytes) -> None:
    image = {"bytes": data, "path": "x.png"}
    rows = [{"image": image, "text": None}, {"image": {"bytes": None, "path": "x.png"}, "text": "a"}]
    first, second, third = read_samples([write_rows(tmp_path / "a.parquet", [*rows, {"image": None, "text": "b"}])])
    assert first.flaw == "has an image but no text"
    for sample in (second, third):
        with pytest.raises(ImageError, match="holds no image bytes; embed the image"):
            sample.image()


@pytest.mark.parametrize(
    ("columns", "finding"),
    [
        ({"picture": b"", "text": "a"}, "has the columns picture, text; it needs 'image' and 'text'"),
        ({"image": b"", "label": "a"}, "has the columns image, label"),
        ({"image": b"", "text": "a", "split": "dev"}, "line a-000000 has split 'dev'; there are train, val and test"),
    ],
)
def test_columns_that_are_missing_or_wrong_are_told(columns: dict[str, Any], finding: str, tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError, match=f"a.parquet: {finding}"):
        read_samples([write_rows(tmp_path / "a.parquet", [columns])])


def test_a_truncated_file_is_told(tmp_path: Path, drawn_lines: Lines) -> None:
    path = write_parquet(tmp_path, drawn_lines) / "drawn.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(GroundTruthError, match="not a Parquet file, or damaged .*; copy it again"):
        read_samples([path])


def test_damage_within_is_told_when_a_line_is_asked_for(tmp_path: Path, data: bytes) -> None:
    path = write_rows(tmp_path / "a.parquet", [{"image": data, "text": "a"}])
    (sample,) = read_samples([path])
    spoiled = bytearray(path.read_bytes())
    spoiled[4:40] = b"\xff" * 36
    path.write_bytes(spoiled)
    with pytest.raises(ImageError, match=r"a/a-000000: .*a.parquet: row group 0 cannot be read"):
        sample.image()


def test_without_pyarrow_the_cure_is_told(tmp_path: Path, drawn_lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_parquet(tmp_path, drawn_lines)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r'pip install -c constraints.txt "\.\[parquet\]"'):
        read_samples([folder])
