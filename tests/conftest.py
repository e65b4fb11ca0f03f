"""Fixtures that many tests share: four drawn lines, and a bundle that has memorised them."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before PyTorch is imported, and for the commands that tests start: several workers with several threads each wait for
# one another, and what takes a second does not end.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray
from torch.nn import functional

from uncial.alphabet import BLANK, Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle, save_bundle
from uncial.lineimage import LineImageConfig, ink, line_image
from uncial.nn.crnn import CRNN
from uncial.nn.onnx_graph import onnx_graph

# A job in the background of a shell is born deaf to Ctrl-C; tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A test says whether something is right; how long it takes on a busy machine is for benchmarks/.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

TEXTS = ("Dear Ann", "a hill", "1 May 1862", "no news")
TINY = CRNNConfig(
    channels=(8, 16, 24),
    blocks=(1, 1),
    strides_down=(4, 2, 2),
    strides_across=(2, 2, 1),
    steps_per_slice=1,
    recurrent_layers=1,
    recurrent_size=32,
    dropout=0.0,
)
STEPS = 240  # enough for posteriors above 0.9; some five seconds
PEN = (cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.2, 2)  # font, scale, thickness
EDGE = 4  # pixels of paper left and right of the text


Resave = Callable[..., Bundle]


@dataclass(frozen=True)
class DrawnLine:
    """What is written on a line image, the image, uint8 (64, W) dark on white, and the middle of each grapheme."""

    text: str
    image: NDArray[np.uint8]
    middles: tuple[float, ...]


def draw_line(text: str) -> DrawnLine:
    """A text drawn with a thin pen, with a mark above and below its beginning, so that it fills its image.

    Of a line with blank rows `lineimage.writing` would leave some out, and letters would be of many sizes.
    """
    font, scale, thickness = PEN
    ends = [cv2.getTextSize(text[:n], font, scale, thickness)[0][0] for n in range(len(text) + 1)]
    image = np.full((64, ends[-1] + 2 * EDGE), 255, np.uint8)
    cv2.putText(image, text, (EDGE, 44), font, scale, 0, thickness, cv2.LINE_AA)
    image[2:5, :EDGE] = image[-5:-2, :EDGE] = 0
    return DrawnLine(text, image, tuple(EDGE + (a + b) / 2 for a, b in zip(ends, ends[1:], strict=False)))


@pytest.fixture(scope="session")
def drawn_lines() -> tuple[DrawnLine, ...]:
    """The four lines that `tiny_bundle` has memorised, of different widths."""
    return tuple(draw_line(text) for text in TEXTS)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle below 300 KB that reads the four drawn lines without error. Do not write into its folder."""
    alphabet, preprocessing = Alphabet.from_texts(TEXTS), LineImageConfig()
    torch.manual_seed(7)
    network = CRNN(TINY, alphabet.size)
    memorise(network, alphabet, preprocessing)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    provenance = {"data": "four lines drawn for the tests", "licence": "MIT"}
    return save_bundle(path, TINY, alphabet, preprocessing, provenance, weights, onnx_graph(network))


@pytest.fixture
def resaved(tmp_path: Path) -> Resave:
    """Saves the parts of a bundle elsewhere, some of them changed: resaved(bundle, path=..., graph=None)."""

    def resaved(bundle: Bundle, path: Path | None = None, **changes: Any) -> Bundle:
        parts = {
            "architecture": bundle.architecture,
            "alphabet": bundle.alphabet,
            "line_image": bundle.line_image,
            "provenance": bundle.provenance,
            "weights": bundle.weights,
            "graph": bundle.graph.read_bytes(),
        }
        return save_bundle(path or tmp_path / "resaved", **{**parts, **changes})

    return resaved


def memorise(network: CRNN, alphabet: Alphabet, preprocessing: LineImageConfig) -> None:
    """Fit a network to the four texts, always the same way; it ends in eval mode.

    It sees scrambled words of their graphemes too, and is told at which time step each grapheme stands. CTC on four
    lines would learn when each grapheme comes instead of where, and the spans would mean nothing.
    """
    rng = np.random.default_rng(7)
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=STEPS)
    network.train()
    for _ in range(STEPS):
        scrambled = ("".join(rng.choice(alphabet.graphemes, 8)) for _ in range(2))
        lines = [draw_line(text) for text in (*TEXTS, *scrambled)]
        images = [line_image(line.image, preprocessing) for line in lines]
        widths = torch.tensor([image.shape[1] for image in images])
        batch = torch.zeros(len(images), 1, preprocessing.height, int(widths.max()))
        for row, image in zip(batch, images, strict=True):
            row[0, :, : image.shape[1]] = torch.from_numpy(ink(image))
        logits, _ = network(batch, widths)
        target = torch.full(logits.shape[:2], BLANK)
        for steps, line in zip(target, lines, strict=True):
            for grapheme, middle in zip(line.text, line.middles, strict=True):
                steps[int((middle + preprocessing.margin) / TINY.step_width)] = alphabet.graphemes.index(grapheme) + 1
        loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()
