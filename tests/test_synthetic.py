"""Synthetic lines: the same for a seed, without missing glyphs, with ink, and readable as an archive."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from uncial.errors import GroundTruthError, StorageError
from uncial.sources import read_samples
from uncial.synthesise import write_synthetic
from uncial.synthetic import Corpus, Font, lines, read_corpora, read_fonts
from uncial.synthetic.texts import TextMaker
from uncial.text import normalise, reading_text

TEXT = "It was a bright cold day in April, and the clocks were striking; nobody in the house had heard them. " * 6
LATIN = "".join(map(chr, range(0x21, 0x7F)))


def write_font(path: Path, characters: str) -> None:
    """A font whose letters are boxes, each of its own width."""
    pen = TTGlyphPen(None)
    for x, y in ((60, 0), (60, 700), (380, 700), (380, 0)):
        (pen.lineTo if pen.points else pen.moveTo)((x, y))
    pen.closePath()
    names = {ord(c): f"u{ord(c):04X}" for c in characters}
    order = [".notdef", "space", *names.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({32: "space", **names})
    box, empty = pen.glyph(), TTGlyphPen(None).glyph()
    builder.setupGlyf({name: empty if name == "space" else box for name in order})
    builder.setupHorizontalMetrics({name: (400 + i, 60) for i, name in enumerate(order)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture(scope="session")
def font_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "all.ttf", LATIN)
    write_font(folder / "few.ttf", "abcdefghijklmnopqrstuvwxyz")
    (folder / "fonts.tsv").write_text(
        "file\tpackage\tversion\tlicence\tweight\nall.ttf\tboxes\t1\tOFL-1.1\t2\n", "utf-8"
    )
    return folder


@pytest.fixture
def fonts(font_folder: Path) -> list[Font]:
    return read_fonts(font_folder)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "en_text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_seed_gives_the_same_lines_again_and_another_seed_gives_others(fonts: list[Font]) -> None:
    def made(seed: int) -> list[tuple[str, bytes]]:
        return [(line.text, line.image.tobytes()) for line in islice(lines([Corpus("en", TEXT)], fonts, seed), 12)]

    assert made(3) == made(3)
    assert made(3) != made(4)


def test_every_line_is_64_pixels_high_and_has_ink_on_lighter_paper(fonts: list[Font]) -> None:
    for line in islice(lines([Corpus("en", TEXT)], fonts, 5), 60):
        assert line.image.shape[0] == 64
        assert line.image.dtype == np.uint8
        middle = line.image[16:48].astype(int)
        assert np.percentile(middle, 90) - middle.min() > 10, line.text


def test_every_character_of_a_line_has_a_glyph_in_its_font(fonts: list[Font]) -> None:
    by_name = {font.path.stem: font for font in fonts}
    used = set()
    for line in islice(lines([Corpus("fr", TEXT + "é è à œ ")], fonts, 6), 60):
        assert by_name[line.font].writes(line.text)
        used.add(line.font)
    assert used == {"all", "few"}


@pytest.mark.parametrize("language", ["en", "fr", "de", "it", "es"])
def test_texts_are_as_the_policy_has_them_once_raised_endings_are_unmarked(language: str) -> None:
    maker, rng = TextMaker([Corpus(language, TEXT)], 7), np.random.default_rng(7)
    for _ in range(300):
        text = maker.text(rng)
        assert text == normalise(text)
        reading = reading_text(text)
        if "<" not in text and ">" not in text and reading.reason is None and "...." not in text:
            assert reading.text == normalise(text.replace("^ ", "").replace("^", ""))


def test_an_archive_of_drawn_lines_reads_back_as_training_lines(texts: Path, font_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.zip"
    write_synthetic([texts], font_folder, out, count=9, seed=1)
    samples = read_samples([out])
    expected = list(islice(lines(read_corpora([texts]), read_fonts(font_folder), 1), 9))
    assert [sample.text for sample in samples] == [line.text for line in expected]
    assert {sample.split for sample in samples} == {"train"}
    assert all(sample.image().shape == line.image.shape for sample, line in zip(samples, expected, strict=True))
    assert "boxes, 1, OFL-1.1" in samples[0].source.notes()


def test_an_archive_that_is_there_already_is_not_overwritten(texts: Path, font_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.zip"
    out.write_bytes(b"mine")
    with pytest.raises(StorageError, match="there already"):
        write_synthetic([texts], font_folder, out, count=1, seed=1)
    assert out.read_bytes() == b"mine"


def test_a_folder_without_fonts_and_a_text_too_short_are_named(tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError, match="holds no font"):
        read_fonts(tmp_path)
    (tmp_path / "en_x.txt").write_text("too short")
    with pytest.raises(GroundTruthError, match="has 9 characters"):
        read_corpora([tmp_path])
