"""The small systems in examples/: they run for real, on the example lines, and do what their pages say."""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from uncial.bundle import SHIPPED
from uncial.document import GraphemeSpan, Transcript
from uncial.nn.crnn import parameters

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
sys.path += [str(EXAMPLES / "pictures"), str(EXAMPLES / "sequence")]  # where Python finds them when they are run

import letter_pictures  # noqa: E402
import number_cell  # noqa: E402
import two_networks  # noqa: E402


def run(example: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / example / "run.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def check_page(page: Path, *parts: str) -> None:
    """It is complete in itself, holds no script, and has these words."""
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html)
    assert "<script" not in html
    assert "default-src 'none'" in html
    assert [part for part in parts if part not in html] == []


@pytest.fixture(scope="module")
def lines_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example lines as an archive: one of them held out."""
    archive = tmp_path_factory.mktemp("lines") / "lines.zip"
    rows = ["image\ttext\tdoc\tpage\tsplit"]
    with zipfile.ZipFile(archive, "w") as zip_:
        for image in sorted((EXAMPLES / "lines").glob("*.png")):
            text = image.with_suffix(".gt.txt").read_text(encoding="utf-8").strip()
            rows.append(f"{image.name}\t{text}\t\t{image.stem}\t{'val' if image.stem == 'copyist' else 'train'}")
            zip_.write(image, image.name)
        zip_.writestr("lines.tsv", "\n".join(rows) + "\n")
    return archive


@pytest.mark.skipif(not SHIPPED.exists(), reason="no model is shipped yet")
def test_letters_of_the_example_lines_are_cut_told_apart_and_drawn(lines_archive: Path, tmp_path: Path) -> None:
    words = (lines_archive, "-o", tmp_path, "--kinds", "eo", "--lines", 4, "--epochs", 2)
    ran = run("pictures", *words)
    assert (ran.returncode, ran.stderr) == (0, "")
    shares = re.findall(r"^(?:convolutional|dense).*?\)((?: +[\d.]+%)+)$", ran.stdout, flags=re.M)
    assert len(shares) == 3
    assert all(0 <= float(share) <= 100 for line in shares for share in re.findall(r"([\d.]+)%", line))
    check_page(tmp_path / "pictures.html", "e or o?", "data:image/png;base64,", "Move the letter", "Why convolution")
    again = run("pictures", *words)
    assert again.returncode == 8
    assert "is there already" in again.stderr


@pytest.mark.parametrize(("words", "told"), [(("--kinds", "aa"), "--kinds aa"), (("--epochs", 0), "at least 1")])
def test_the_pictures_refuse_what_makes_no_sense(words: tuple[object, ...], told: str, tmp_path: Path) -> None:
    ran = run("pictures", EXAMPLES / "lines", "-o", tmp_path, *words)
    assert ran.returncode == 2
    assert told in ran.stderr


def test_a_misread_letter_is_cut_and_named_by_the_ground_truth_where_its_neighbours_are_right() -> None:
    read = "bad mon"  # of "bod man": the first vowel's neighbours are right, so are the second's
    spans = tuple(GraphemeSpan(g, n, n + 1, 1.0, (), 10.0 * n, 10.0 * n + 4) for n, g in enumerate(read))
    places = letter_pictures._sure_places("bod man", Transcript(read, 1.0, spans), ["a", "o"])
    assert list(places) == [("o", "a", 12.0), ("a", "o", 52.0)]
    misread = Transcript(read, 1.0, spans)
    assert list(letter_pictures._sure_places("fod man", misread, ["a", "o"])) == [("a", "o", 52.0)]


def test_a_cut_letter_lies_in_the_middle_of_blank_paper() -> None:
    line = np.zeros((64, 200), np.float32)
    line[20:31, 96:104] = 1  # in the scaled line, margins included
    picture = letter_pictures._picture(line, 100)
    rows, columns = picture.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (19, 29, 20, 27)
    assert picture.sum() == 88
    assert letter_pictures._picture(line, 160).sum() == 0


def test_too_few_letters_are_told_by_name() -> None:
    picture = letter_pictures.LetterPicture("a", "a", np.zeros((48, 48), np.float32))
    with pytest.raises(letter_pictures.GroundTruthError, match="'o' was found 0 times"):
        letter_pictures.balanced([picture] * 9, ["a", "o"], 4)


def shapes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rings and crosses in the middle of their pictures, of several sizes, in faint noise."""
    rng = np.random.default_rng(seed)
    pictures = rng.uniform(0, 0.1, (count, 1, 48, 48)).astype(np.float32)
    for n, picture in enumerate(pictures[:, 0]):
        size = int(rng.integers(5, 10))
        if n % 2:
            cv2.circle(picture, (24, 24), size, 1.0, 2)
        else:
            for way in (-1, 1):
                cv2.line(picture, (24 - size, 24 - way * size), (24 + size, 24 + way * size), 1.0, 2)
    return torch.from_numpy(pictures), torch.arange(count) % 2


def test_what_convolves_finds_shifted_shapes_and_what_does_not_fails() -> None:
    convolutional, dense = two_networks.networks(2, 48, seed=0)
    for network in (convolutional, dense):
        two_networks.train(network, *shapes(64, seed=1), epochs=10, seed=0)
        assert two_networks.accuracy(network, *shapes(64, seed=2)) >= 0.95
    assert two_networks.accuracy(convolutional, *shapes(64, seed=2), far=8) >= 0.9
    assert two_networks.accuracy(dense, *shapes(64, seed=2), far=8) < 0.8


def test_both_networks_have_equally_many_weights() -> None:
    convolutional, dense = two_networks.networks(2, 48, seed=0)
    one_unit = 48 * 48 + 1 + 2
    assert 0 <= parameters(dense) - parameters(convolutional) < one_unit


@torch.no_grad()
def test_a_map_moves_along_with_its_picture_and_what_is_kept_stays() -> None:
    convolutional = two_networks.networks(2, 48, seed=0)[0].eval()
    pictures = torch.zeros(1, 1, 48, 48)
    pictures[:, :, 20:28, 20:28] = torch.rand(1, 1, 8, 8)  # no answer reaches beyond the map
    moved = two_networks.shifted(pictures, 4, -4)
    assert torch.equal(moved, pictures.roll((4, -4), (2, 3)))
    maps = [convolutional.crnn.backbone(some, torch.tensor([48]))[0] for some in (pictures, moved)]
    assert torch.allclose(maps[1], maps[0].roll((1, -1), (2, 3)), atol=1e-5)
    assert torch.allclose(convolutional.features(moved), convolutional.features(pictures), atol=1e-5)


@pytest.fixture(scope="module")
def cell() -> Any:
    return number_cell.train(size=4, steps=1000, seed=0)


def readme_command() -> list[str]:
    readme = (EXAMPLES / "sequence" / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^    \$ python examples/sequence/run.py (.*)$", readme, flags=re.M)
    assert found
    return shlex.split(found[1])


def test_the_command_of_the_readme_goes_on_with_8(tmp_path: Path) -> None:
    words = [*readme_command()[:-1], tmp_path]
    ran = run("sequence", *words)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\n2, 4, 6 -> 8, 10, 12\n" in ran.stdout
    for part in ("state before", "input", "state after", "kept"):
        assert part in ran.stdout
    check_page(tmp_path / "sequence.html", "2, 4, 6 → 8, 10, 12", "Folded", "Unfolded in time", "One step by hand")
    again = run("sequence", *words)
    assert again.returncode == 8
    assert "is there already" in again.stderr


@pytest.mark.parametrize("words", [("7",), ("1", "2000"), ("2", "4", "--size", "0")])
def test_the_sequence_refuses_what_it_cannot_do(words: tuple[str, ...], tmp_path: Path) -> None:
    assert run("sequence", *words, "-o", tmp_path).returncode == 2


def test_held_out_sequences_are_not_learned_from_and_continued(cell: Any) -> None:
    known, held_out = (set(map(tuple, part.tolist())) for part in number_cell.sequences())
    assert not known & held_out
    assert (2, 4, 6, 8, 10, 12) in held_out
    assert len(known | held_out) == len(number_cell.FIRST) * len(number_cell.STEPS_APART)
    assert number_cell.exact(cell, number_cell.sequences()[1]) >= 0.8


def test_the_folded_weights_give_every_unfolded_state(cell: Any) -> None:
    w, state = number_cell.weights(cell), np.zeros(4)
    moments = number_cell.unfold(cell, [30, 27, 24], more=3)
    assert [moment.own for moment in moments] == [False, False, False, True, True]
    for n, moment in enumerate(moments):
        assert np.allclose(moment.before, state, atol=1e-5)
        state = np.tanh(w.given * moment.number / number_cell.SCALE + w.kept @ state + w.bias)
        assert np.allclose(moment.after, state, atol=1e-5)
        assert moment.next == pytest.approx((w.told @ state + w.offset) * number_cell.SCALE, abs=1e-3)
        if n >= 3:
            assert moment.number == round(moments[n - 1].next)


@torch.no_grad()
def test_no_state_looks_ahead(cell: Any) -> None:
    states = cell.states(torch.tensor([[5.0, 6.0, 7.0, 8.0], [5.0, 6.0, -30.0, 40.0]]))
    assert torch.equal(states[0, :2], states[1, :2])
    assert not torch.allclose(states[0, 2:], states[1, 2:])
