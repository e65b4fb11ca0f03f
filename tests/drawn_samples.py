"""Drawn lines as samples of ground truth, for the tests of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
from conftest import TEXTS, draw_line
from numpy.typing import NDArray
from written_lines import png

from uncial.architecture import CRNNConfig
from uncial.image_file import Gray, load_image
from uncial.lineimage import LineImageConfig
from uncial.sources import Sample
from uncial.train_config import TrainConfig

# Learns little, but goes through all that a training does within a second; dropout, so that its seed counts, too.
SMALL = CRNNConfig(
    height=16,
    channels=(4, 6),
    blocks=(1,),
    strides_down=(2, 4),
    strides_across=(2, 2),
    steps_per_slice=1,
    recurrent_layers=1,
    recurrent_size=8,
    dropout=0.2,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A line image kept in memory as a file would be."""

    data: bytes

    def image(self, name: str) -> Gray:
        """Decode it; a damaged one is told."""
        return load_image(self.data, name)

    def file(self) -> bytes:
        """The file."""
        return self.data

    def notes(self) -> str:
        """Nothing is told of drawn lines."""
        return ""


def drawn(text: str, height: int = 16) -> NDArray:
    """A text drawn with a thin pen, uint8 (height, W)."""
    large = draw_line(text).image
    return cv2.resize(large, (large.shape[1] * height // 64, height), interpolation=cv2.INTER_AREA)


def sample(number: int, text: str, split: str = "train", data: bytes | None = None) -> Sample:
    """A line of ground truth on a page of its own; its id is `drawn/number`."""
    image = png(drawn(text)) if data is None else data
    return Sample(f"drawn/{number}", text, "drawn", "", str(number), split, Stored(image))


def samples(count: int, validation: int = 2, texts: Sequence[str] = TEXTS) -> list[Sample]:
    """`count` lines to learn from and some to choose by, over and over the same texts."""
    splits = ["train"] * count + ["val"] * validation
    return [sample(number, texts[number % len(texts)], split) for number, split in enumerate(splits)]


def settings(**changes: object) -> TrainConfig:
    """A training of the small network, the same on every machine; some settings changed."""
    chosen = {
        "network": SMALL,
        "line_image": LineImageConfig(height=16, margin=4),
        "epochs": 2,
        "batch_lines": 1,
        "threads": 1,
        "device": "cpu",
        "precision": "float32",
        "int8_lines": 0,
        "language_bytes": 0,
    }
    return TrainConfig(**{**chosen, **changes})  # type: ignore[arg-type]
