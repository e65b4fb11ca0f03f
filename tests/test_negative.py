"""Negatives are told from positives, and read as their positives are."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import ROOT, uncial, written_sheet
from conftest import TEXTS, DrawnLine

from uncial.bundle import Bundle
from uncial.image_file import Gray, load_image
from uncial.negative import is_negative, positive

LINES = sorted((ROOT / "examples" / "lines").glob("*.png"))


def on_a_table(page: Gray, shade: int) -> Gray:
    """A page that fills a third of its picture."""
    height, width = page.shape
    table = np.full((height * 2, width * 3 // 2), shade, np.uint8)
    table[height // 2 :, width // 4 :][:height, :width] = page
    return table


def film(page: Gray) -> Gray:
    """A page with bright scratches along the rims, as wide as a twentieth of it."""
    framed = page.copy()
    framed[:, :4] = framed[:, -4:] = framed[:4] = framed[-4:] = 255
    return framed


POSITIVES = {
    "a page": written_sheet(),
    "a page on a black table": on_a_table(written_sheet(), 0),
    "a page on a dark table": on_a_table(written_sheet(), 60),
    "a page on dark paper with bright rims": film((written_sheet() * 0.4).astype(np.uint8)),
    "nothing, black": np.zeros((300, 400), np.uint8),
    "nothing, white": np.full((300, 400), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8),
    "a dot": np.array([[0]], np.uint8),
    "no pixel": np.zeros((0, 5), np.uint8),
} | {line.name: load_image(line) for line in LINES}


@pytest.mark.parametrize("image", POSITIVES.values(), ids=POSITIVES)
def test_what_is_no_negative_stays_as_it_is(image: Gray) -> None:
    assert positive(image) is image


NEGATIVES = {
    "a page": 255 - written_sheet(),
    "a pale page": 140 - (written_sheet() // 2),
    "a large page": 255 - cv2.resize(written_sheet(), None, fx=4, fy=4),
} | {line.name: 255 - load_image(line) for line in LINES}


@pytest.mark.parametrize("image", NEGATIVES.values(), ids=NEGATIVES)
def test_a_negative_becomes_its_positive(image: Gray) -> None:
    assert is_negative(image)
    assert np.array_equal(positive(image), 255 - image)
    assert not is_negative(positive(image))


def test_a_negative_line_is_read_as_its_positive(
    tiny_bundle: Bundle, drawn_lines: Sequence[DrawnLine], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "line.png"), 255 - drawn_lines[3].image)
    assert uncial("read", "-m", tiny_bundle.path, tmp_path / "line.png").out == f"{TEXTS[3]}\n"


def test_a_negative_page_is_read_as_its_positive(tiny_bundle: Bundle, tmp_path: Path) -> None:
    read = {}
    for name, sheet in (("a.png", written_sheet()), ("b.png", 255 - written_sheet())):
        cv2.imwrite(str(tmp_path / name), sheet)
        read[name] = uncial("read", "-m", tiny_bundle.path, "-f", "json", tmp_path / name).out
    assert "graphemes" in read["a.png"]
    assert read["b.png"] == read["a.png"].replace("a.png", "b.png")
