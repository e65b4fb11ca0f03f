"""Pairs: which image belongs to which text, what the folders tell, and what is told when one is missing."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import DrawnLine
from PIL import Image

from uncial.errors import GroundTruthError
from uncial.sources import Sample, read_samples

Lines = Sequence[DrawnLine]


def write_pair(image: Path, text: str | bytes | None = "a hill") -> Path:
    image.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (99, 64), 255).save(image)
    if text is not None:
        data = text if isinstance(text, bytes) else text.encode()
        image.with_suffix(".gt.txt").write_bytes(data)
    return image


def only(path: Path) -> Sample:
    (sample,) = read_samples([path])
    return sample


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".PNG", ".Jpg"])
def test_images_of_all_usual_kinds_pair_with_their_text(suffix: str, tmp_path: Path) -> None:
    write_pair(tmp_path / f"a{suffix}")
    assert (only(tmp_path).text, only(tmp_path).flaw) == ("a hill", "")
    assert only(tmp_path).image().shape == (64, 99)


def test_dots_in_a_name_belong_to_it(tmp_path: Path) -> None:
    Image.new("L", (99, 64), 255).save(tmp_path / "v1.p2.png")
    (tmp_path / "v1.p2.gt.txt").write_text("a hill", encoding="utf-8")
    assert (only(tmp_path).id, only(tmp_path).flaw) == (f"{tmp_path.name}/v1.p2", "")


@pytest.mark.parametrize("name", ["a.png", "a.gt.txt"])
def test_one_pair_may_be_named_by_either_file_and_its_neighbours_are_left_alone(name: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "a.png")
    write_pair(tmp_path / "b.png")
    write_pair(tmp_path / "deeper" / "a.png")
    (tmp_path / "lines.tsv").touch()
    assert only(tmp_path / name).id == f"{tmp_path.name}/a"


def test_a_pair_in_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pair(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert only(Path("a.png")).id == f"{tmp_path.name}/a"
    assert only(Path()).id == f"{tmp_path.name}/a"


@pytest.mark.parametrize(
    ("folders", "place"),
    [
        ("", ("", "a", "")),
        ("letters", ("letters", "a", "")),
        ("letters/3", ("letters", "3", "")),
        ("france/letters/3", ("france/letters", "3", "")),
        ("train", ("", "a", "train")),
        ("val/letters/3", ("letters", "3", "val")),
        ("Validation/letters", ("letters", "a", "val")),
        ("letters/test", ("letters", "test", "")),
        ("%74rain", ("train", "a", "")),
        ("_/3", ("", "3", "")),
    ],
)
def test_folders_tell_document_page_and_split(folders: str, place: tuple[str, str, str], tmp_path: Path) -> None:
    write_pair(tmp_path / folders / "a.png")
    sample = only(tmp_path)
    assert (sample.document, sample.page, sample.split) == place


def test_a_text_is_composed_and_loses_the_space_at_its_ends_but_not_within(tmp_path: Path) -> None:
    write_pair(tmp_path / "a.png", "\ufeff cafe\u0301  noir \r\n")
    assert only(tmp_path).text == "caf\xe9  noir"


def test_notes_are_those_of_the_folder_named(tmp_path: Path) -> None:
    write_pair(tmp_path / "letters" / "a.png")
    (tmp_path / "SOURCE.txt").write_text("CC BY", encoding="utf-8")
    assert only(tmp_path).source.notes() == "CC BY"


FLAWS = {
    "two images": (lambda folder: write_pair(folder / "a.jpg", None), "has two images, a.jpg, a.png; remove one"),
    "no image": (lambda folder: (folder / "a.png").unlink(), "has a text but no image"),
    "no text": (lambda folder: (folder / "a.gt.txt").unlink(), "has an image but no text; write it into a.gt.txt"),
    "two lines of text": (lambda folder: (folder / "a.gt.txt").write_text("a\nb"), "has 2 lines of text for one line"),
    "text not in UTF-8": (lambda folder: (folder / "a.gt.txt").write_bytes(b"d\xe9c\xe8s"), "a.gt.txt: not UTF-8"),
}


@pytest.mark.parametrize(("spoil", "flaw"), FLAWS.values(), ids=FLAWS)
def test_a_flawed_pair_is_told_beside_the_good_ones(spoil: object, flaw: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "a.png")
    write_pair(tmp_path / "b.png")
    spoil(tmp_path)
    told = {sample.id.rpartition("/")[2]: sample.flaw for sample in read_samples([tmp_path])}
    assert flaw in told["a"]
    assert told["b"] == ""


@pytest.mark.parametrize("gone", ["a.png", "a.gt.txt"])
def test_half_a_pair_alone_is_told_with_the_cure(gone: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "a.png")
    (tmp_path / gone).unlink()
    cure = "put X.png beside X.gt.txt" if gone == "a.png" else "write the text of X.png into X.gt.txt"
    with pytest.raises(GroundTruthError, match=f"1 (text|image) without .*{cure}"):
        read_samples([tmp_path])


def test_the_image_of_a_page_file_beside_pairs_is_no_line_without_text(tmp_path: Path) -> None:
    write_pair(tmp_path / "a.png")
    write_pair(tmp_path / "sheet.png", None)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "sheet.xml").write_text("<PcGts/>", encoding="utf-8")
    assert only(tmp_path).id == f"{tmp_path.name}/a"
