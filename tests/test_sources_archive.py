"""Line archives: what their table may say, and what happens when table and images disagree."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import TEXTS, DrawnLine
from written_sources import archive_members, table_of, write_archive, write_unpacked, write_zip

from uncial.errors import GroundTruthError, ImageError
from uncial.sources import archive, read_samples

Lines = Sequence[DrawnLine]


@pytest.fixture
def members(drawn_lines: Lines) -> dict[str, bytes | str]:
    return archive_members(drawn_lines)


def test_rows_tell_document_page_and_split(tmp_path: Path, drawn_lines: Lines) -> None:
    samples = read_samples([write_archive(tmp_path, drawn_lines)])
    assert [(s.id, s.document, s.page, s.split) for s in samples] == [
        ("drawn/p0/l0", "d0", "p0", "train"),
        ("drawn/p1/l1", "d1", "p1", "train"),
        ("drawn/p2/l2", "d0", "p2", "train"),
        ("drawn/p3/l3", "d1", "p3", "val"),
    ]
    assert samples[0].source.notes() == "drawn for the tests"


def test_an_unpacked_archive_is_the_same(tmp_path: Path, drawn_lines: Lines) -> None:
    packed, unpacked = write_archive(tmp_path / "a", drawn_lines), write_unpacked(tmp_path / "b" / "drawn", drawn_lines)
    for one, other in zip(read_samples([packed]), read_samples([unpacked]), strict=True):
        assert (one.id, one.text, one.document, one.page, one.split) == (
            other.id,
            other.text,
            other.document,
            other.page,
            other.split,
        )
        assert (one.image() == other.image()).all()
        assert one.source.notes() == other.source.notes()


def test_the_table_itself_may_be_named(tmp_path: Path, drawn_lines: Lines) -> None:
    assert len(read_samples([write_unpacked(tmp_path, drawn_lines) / "lines.tsv"])) == len(TEXTS)


def test_a_folder_of_archives_is_read_archive_by_archive(tmp_path: Path, drawn_lines: Lines) -> None:
    for name in "ab":
        write_zip(tmp_path / f"{name}.zip", archive_members(drawn_lines))
    assert [sample.collection for sample in read_samples([tmp_path])] == ["a"] * 4 + ["b"] * 4


def test_an_archive_within_another_s_folder_is_its_own(tmp_path: Path, drawn_lines: Lines) -> None:
    write_unpacked(tmp_path / "a", drawn_lines)
    write_unpacked(tmp_path / "a" / "more", drawn_lines)
    samples = read_samples([tmp_path])
    assert [sample.collection for sample in samples] == ["a"] * 4 + ["more"] * 4
    assert not any(sample.flaw for sample in samples)


def test_columns_may_come_in_any_order_and_the_last_three_may_be_missing(tmp_path: Path, members: dict) -> None:
    members["lines.tsv"] = "\ufefftext\timage\r\nDear Ann\tp0/l0.png\r\n \r\n"
    (sample, *_) = read_samples([write_zip(tmp_path / "a.zip", members)])
    assert (sample.text, sample.document, sample.page, sample.split) == ("Dear Ann", "", "p0/l0", "")


def test_quotes_and_line_separators_in_a_text_stand_for_themselves(tmp_path: Path, members: dict) -> None:
    members["lines.tsv"] = 'image\ttext\np0/l0.png\t"a\u2028hill\n'
    assert read_samples([write_zip(tmp_path / "a.zip", members)])[0].text == '"a\u2028hill'


def test_texts_are_composed(tmp_path: Path, members: dict) -> None:
    members["lines.tsv"] = "image\ttext\np0/l0.png\tde\u0301ce\u0300s\n"
    assert read_samples([write_zip(tmp_path / "a.zip", members)])[0].text == "d\xe9c\xe8s"


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_a_text_without_image_and_an_image_without_text_are_both_told(
    packed: bool, tmp_path: Path, drawn_lines: Lines
) -> None:
    folder = write_unpacked(tmp_path / "a", drawn_lines)
    rows = (folder / "lines.tsv").read_text(encoding="utf-8").replace("p1/l1.png", "p1/gone.png")
    (folder / "lines.tsv").write_text(rows, encoding="utf-8")
    if packed:
        files = [file for file in folder.rglob("*") if file.is_file()]
        write_zip(tmp_path / "a.zip", {file.relative_to(folder).as_posix(): file.read_bytes() for file in files})
    flawed = {s.id: s.flaw for s in read_samples([tmp_path / "a.zip" if packed else folder]) if s.flaw}
    assert list(flawed) == ["a/p1/gone", "a/p1/l1.png"]
    assert "has a text but no image: lines.tsv names 'p1/gone.png'" in flawed["a/p1/gone"]
    assert flawed["a/p1/l1.png"] == "has an image but no text; add a row for it to lines.tsv"


def test_a_row_without_the_name_of_an_image_is_told(tmp_path: Path, members: dict) -> None:
    members["lines.tsv"] = "image\ttext\n\tDear Ann\n.\ta hill\n"
    flawed = [sample for sample in read_samples([write_zip(tmp_path / "a.zip", members)]) if sample.text]
    assert [sample.id for sample in flawed] == ["a/row 2", "a/row 3"]
    assert all("has a text but no image" in sample.flaw for sample in flawed)


WRONG_TABLES = {
    "no table": (None, "holds no lines.tsv"),
    "no columns": ("p0/l0.png\tDear Ann\n", "names no columns 'image' and 'text'"),
    "a tab in a text": ("image\ttext\np0/l0.png\tDear\tAnn\n", "row 2 has 3 columns, not 2; no text may hold a tab"),
    "a tab after a blank row": ("image\ttext\n\na.png\tDear\tAnn\n", "row 3 has 3 columns"),
    "a split that is none": (table_of([("p0/l0.png", "a", "d", "p", "dev")]), "row 2 has split 'dev'; there are train"),
    "another encoding": ("image\ttext\np0/l0.png\td\xe9c\xe8s\n".encode("latin-1"), "is not UTF-8"),
    "nothing in it": ("", "names no columns"),
    "no rows": ("image\ttext\n", "holds no line; transcribe some"),
    "an image twice": ("image\ttext\np0/l0.png\ta\np0/l0.png\tb\n", "1 line with the id of another .a/p0/l0."),
}


@pytest.mark.parametrize(("table", "finding"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_table_that_is_not_as_described_is_told(table: str | bytes | None, finding: str, tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError, match=f"a.zip: .*{finding}"):
        read_samples([write_zip(tmp_path / "a.zip", {"readme.txt": ""} if table is None else {"lines.tsv": table})])


@pytest.mark.parametrize("cut", [30, 0.5, -10])
def test_a_truncated_archive_is_told(cut: float, tmp_path: Path, members: dict) -> None:
    path = write_zip(tmp_path / "a.zip", members)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut) if isinstance(cut, float) else cut])
    with pytest.raises(GroundTruthError, match="a.zip: not a zip, or damaged .*; copy it again"):
        read_samples([path])


def test_one_damaged_member_spoils_its_own_line_only(tmp_path: Path, members: dict) -> None:
    path = write_zip(tmp_path / "a.zip", members)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as stored:
        data[stored.getinfo("p1/l1.png").header_offset + 80] ^= 0xFF
    path.write_bytes(data)
    first, second, *_ = read_samples([path])
    assert first.image().any()
    with pytest.raises(ImageError, match=r"a/p1/l1: 'p1/l1.png' in .*a.zip cannot be read .*; copy the archive again"):
        second.image()
    with pytest.raises(ImageError, match="copy the archive again"):
        second.source.file()


def test_an_archive_replaced_meanwhile_is_opened_anew(tmp_path: Path, members: dict) -> None:
    (sample, *_) = read_samples([write_zip(tmp_path / "a.zip", members)])
    before = sample.image()
    write_zip(tmp_path / "a.zip", {**members, "p0/l0.png": members["p1/l1.png"]})
    assert sample.image().shape != before.shape


def test_a_member_that_unpacks_to_far_too_much_is_refused(
    tmp_path: Path, members: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample, *_) = read_samples([write_zip(tmp_path / "a.zip", members)])
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(ImageError, match="bytes unpacked, the limit is 100"):
        sample.image()
