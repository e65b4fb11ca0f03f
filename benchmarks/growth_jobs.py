"""What growth.py measures at a point, each in a process of its own."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

LINES = 64  # learned at a point, of 707 px; of wider ones fewer
READ = 96  # lines read at a point


@dataclass(frozen=True, slots=True)
class Point:
    """What to measure.

    Attributes:
        job: name in JOBS.
        width: of a line in pixels.
        batch: lines of typical width in a batch of training.
        graphemes: of the alphabet; 0: the shipped model's.
        count: lines or pages.
        processes: side by side.
    """

    job: str
    width: int = 707
    batch: int = 16
    graphemes: int = 0
    count: int = READ
    processes: int = 1


def train(point: Point) -> tuple[int, float, float]:
    """Lines, CPU-seconds and seconds of learning from noise; the second pass counts."""
    import torch
    from training_speed import CLASSES, learn, noise

    from uncial.config import from_dict, merge
    from uncial.nn.batches import BatchMaker
    from uncial.nn.learner import Learner
    from uncial.nn.parallel import Ranks
    from uncial.train_config import TrainConfig

    torch.set_num_threads(1)
    config = from_dict(TrainConfig, merge({"threads": 1, "epochs": 1, "batch_lines": point.batch}, []))
    classes = point.graphemes + 1 if point.graphemes else CLASSES
    learner = Learner(config, classes, Ranks.join("cpu"))
    lines = noise(config, point.count, point.width, classes)
    batches = BatchMaker(lines, config.network, config.line_image, 2**31)
    learn(learner, batches, config, epoch=0)
    cpu, clock = time.process_time(), time.monotonic()
    learn(learner, batches, config, epoch=1)
    spent = time.process_time() - cpu, time.monotonic() - clock
    learner.ranks.meet()
    if learner.ranks.world > 1:
        torch.distributed.destroy_process_group()
    return len(lines), *spent


def read(point: Point) -> tuple[int, float, float]:
    """Lines, CPU-seconds and seconds of reading noise, after a few lines."""
    from reading_speed import chance, noise

    from uncial.bundle import load_bundle
    from uncial.recognizer import Recognizer
    from uncial.runtime import Runtime

    with tempfile.TemporaryDirectory() as folder:
        bundle = chance(Path(folder) / "bundle", point.graphemes) if point.graphemes else load_bundle(None)
        recognizer = Recognizer(bundle, Runtime(bundle))
        margin = bundle.line_image.margin
        recognizer.read_lines(noise(8, margin, width=point.width))
        image = noise(1, margin, width=point.width)[0]
        cpu, clock = time.process_time(), time.monotonic()
        recognizer.read_lines(np.roll(image, n, axis=1) for n in range(point.count))
        return point.count, time.process_time() - cpu, time.monotonic() - clock


def pages(point: Point) -> tuple[int, float, float]:
    """Pages, CPU-seconds and seconds of finding their lines and reading them, after one page."""
    from uncial.recognizer import Recognizer

    recognizer, page = Recognizer.load(), drawn_page(25)
    recognizer.read_page(page)
    cpu, clock = time.process_time(), time.monotonic()
    for _ in range(point.count):
        recognizer.read_page(page)
    return point.count, time.process_time() - cpu, time.monotonic() - clock


def products(point: Point) -> tuple[int, float, float]:
    """Products of `batch` rows with a matrix of `width` x `width` in fp32, CPU-seconds and seconds."""
    rng = np.random.default_rng(0)
    rows, matrix = (rng.random((n, point.width), np.float32) for n in (point.batch, point.width))
    for _ in range(1 + point.count // 40):
        rows @ matrix
    cpu, clock = time.process_time(), time.monotonic()
    for _ in range(point.count):
        rows @ matrix
    return point.count, time.process_time() - cpu, time.monotonic() - clock


def drawn_page(lines: int) -> NDArray[np.uint8]:
    """A page of 1240 x 1754 px, drawn with a thin pen."""
    page = np.full((1754, 1240), 235, np.uint8)
    for n in range(lines):
        text = f"no {n + 1}  a hill near Lyon by bicycle in May 1862"
        cv2.putText(page, text, (90, 120 + n * 1560 // lines), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.3, 40, 2, cv2.LINE_AA)
    return page


JOBS: dict[str, Callable[[Point], tuple[int, float, float]]] = {
    "train": train,
    "read": read,
    "pages": pages,
    "products": products,
}
