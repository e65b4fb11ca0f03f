import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DrawnLine

from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.decoders import Hypothesis, weighed_across_lines
from uncial.decoding import Decoding, View
from uncial.document import Line, Page, Region
from uncial.line_cut import cut_line
from uncial.lineimage import line_image
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import to_bytes
from uncial.recognizer import Recognizer
from uncial.reliability import Calibration
from uncial.runtime import LineImage, LogProbs, Runtime


class Watched(Runtime):
    """Keeps the widths of the line images that it was given."""

    widths: list[list[int]]

    def log_probs(self, images: Sequence[LineImage]) -> list[LogProbs]:
        self.widths.append([image.shape[1] for image in images])
        return super().log_probs(images)


@pytest.fixture
def knowing(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path) -> Bundle:
    """The tiny bundle with a language model of its four lines."""
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    texts = [tiny_bundle.alphabet.encode(line.text) for line in drawn_lines]
    model = estimate(Counts.of(texts, 3, tiny_bundle.alphabet.size))
    bundle = add_language_model(load_bundle(tmp_path / "bundle"), to_bytes(model), {})
    return add_decoding(bundle, {"weight": 0.3, "bonus": 0.5}, Calibration())


@pytest.mark.parametrize(
    ("quality", "dense", "factors"),
    [
        ("fast", 1.0, []),
        ("balanced", 1.0, [1.25]),
        ("balanced", 0.0, []),
        ("best", 1.0, [1.25]),
        ("best", 0.0, [1.0, 1.0]),
    ],
)
def test_lines_of_narrow_letters_are_looked_at_again_wider(
    quality: str,
    dense: float,
    factors: list[float],
    knowing: Bundle,
    drawn_lines: tuple[DrawnLine, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uncial.decoding.DENSE", dense)  # of a line's height: all letters, or none
    lines = [line_image(line.image, knowing.line_image) for line in drawn_lines]
    runtime = Watched(knowing)
    runtime.widths = []
    read = Decoding(knowing, runtime, quality)(lines)
    looked = [[line.shape[1] for line in lines]]
    looked += [[round(f * line.shape[1]) for line in lines for f in factors]] if factors else []
    assert [widths for widths in runtime.widths if widths] == looked
    assert [knowing.alphabet.decode(decoded.readings[0].classes) for _, decoded in read] == [
        line.text for line in drawn_lines
    ]
    assert [len(steps) for steps, _ in read] == [len(steps) for steps in Runtime(knowing).log_probs(lines)]


def test_lines_of_a_region_are_weighed_together_and_what_is_taken_is_laid_along_the_line(
    knowing: Bundle, drawn_lines: tuple[DrawnLine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def watched(lines: Sequence[Sequence[Hypothesis]], follows: Sequence[bool], *others: Any) -> list[list[Hypothesis]]:
        asked.append(list(follows))
        weighed = weighed_across_lines(lines, follows, *others)
        return [[Hypothesis(weighed[0][0].classes[:-1], 0.0), *weighed[0]], *weighed[1:]]

    monkeypatch.setattr("uncial.decoding.weighed_across_lines", watched)
    padded = [
        np.pad(line.image, ((0, 30), (0, 600 - line.image.shape[1])), constant_values=255) for line in drawn_lines
    ]
    gray = np.vstack(padded)
    high, wide = len(gray) // len(drawn_lines), gray.shape[1]
    tops = range(0, len(gray), high)
    boxes = [((0, top), (wide, top), (wide, top + 64), (0, top + 64)) for top in tops]
    lines = [Line(f"l{top}", ((0, top + 45), (wide, top + 45)), box) for top, box in zip(tops, boxes, strict=True)]
    regions = Region("r1", boxes[0], tuple(lines[:3])), Region("r2", boxes[3], tuple(lines[3:]))
    page = Page("x", wide, len(gray), regions)
    recognizer = Recognizer(knowing, Runtime(knowing), "balanced")
    alone = recognizer.read_lines(cut_line(gray, line.baseline, line.boundary) for line in lines)
    read = [line.transcript for line in recognizer.read_page(gray, page=page).lines if line.transcript]
    assert asked == [[False, True, True, False]]  # lines by themselves know no neighbours
    texts = [transcript.text for transcript in alone]
    assert len(texts[0]) > 2
    assert [transcript.text for transcript in read] == [texts[0][:-1], *texts[1:]]
    assert "".join(span.grapheme for span in read[0].spans) == texts[0][:-1]
    Recognizer(knowing, Runtime(knowing), "fast").read_page(gray, page=page)
    assert len(asked) == 1  # nor does the best path
    specks = [
        replace(lines[0], id=name, baseline=((5, 20), (6, 20)), boundary=((5, 19), (6, 19), (6, 20))) for name in "ab"
    ]
    parts = [[*lines[:2], specks[0]], [specks[1], *lines[2:]]]
    regions = tuple(Region(f"r{n}", boxes[n], tuple(part)) for n, part in enumerate(parts))
    read_page = recognizer.read_page(gray, page=replace(page, regions=regions))
    assert [failure.id for failure in read_page.failures] == ["a", "b"]
    assert asked[1:] == [[False, True, False, True]]  # nothing follows what could not be cut out


def test_a_slanted_view_moves_the_top_one_way_and_the_foot_the_other() -> None:
    line = np.full((64, 200), 255, np.uint8)
    line[:, 100] = 0
    seen = View(slant=0.25).of(line)
    assert seen.shape == line.shape
    assert [int(seen[row].argmin()) for row in (0, 31, 63)] == [108, 100, 92]
    assert View().of(line) is line
    assert View(1.25).of(line).shape == (64, 250)
