"""Training speed: lines of 64 x 707 px per CPU-second, one thread, from ground truth to changed weights.

    OMP_NUM_THREADS=1 python benchmarks/training_speed.py [--set KEY=VALUE ...] [--steps 30] [--repeat 3]

The default network with augmentation, batches, loss, gradients, optimiser and moving average, as `uncial train` runs
it; settings can be changed as there. Lines are seeded noise with 40 graphemes each: what is on them does not change the
time. The time is the processor time of the whole process, after a warm-up; of several repetitions all are printed.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch

from uncial.config import from_dict, merge
from uncial.lineimage import Gray
from uncial.nn.batches import BatchMaker, TrainingLine, plan_batches
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.sources import Sample
from uncial.train_config import TrainConfig

HEIGHT, WIDTH = 64, 707  # the middling line of the collections
GRAPHEMES, CLASSES = 40, 160  # of a line; of an alphabet as the shipped model's


@dataclass(frozen=True)
class Noise:
    """The image of a line with nothing to read on it."""

    seed: int
    width: int

    def image(self, name: str) -> Gray:
        return np.random.default_rng(self.seed).integers(0, 256, (HEIGHT, self.width), dtype=np.uint8)

    def file(self) -> bytes | None:
        return None

    def notes(self) -> str:
        return ""


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options.add_argument("--steps", type=int, default=30)
    options.add_argument("--repeat", type=int, default=3)
    chosen = options.parse_args()
    config = from_dict(TrainConfig, merge({"threads": 1, "epochs": 1}, chosen.settings))
    torch.set_num_threads(config.threads)
    lines = noise(config, chosen.steps * config.batch_lines)
    learner = Learner(config, CLASSES, Ranks())
    batches = BatchMaker(lines, config.network, config.line_image, 2**31)
    learn(learner, batches, config, epoch=0)  # decodes, plans, warms up
    precision = "bf16" if learner.reduced_precision().__class__.__name__ == "autocast" else "float32"
    parameters = sum(p.numel() for p in learner.network.parameters())
    print(f"{parameters / 1e6:.2f} million weights, {precision}, {config.threads} thread")
    for epoch in range(1, 1 + chosen.repeat):
        cpu, clock = time.process_time(), time.monotonic()
        seen = learn(learner, batches, config, epoch)
        cpu, clock = time.process_time() - cpu, time.monotonic() - clock
        print(f"{seen / cpu:.1f} lines of {HEIGHT} x {WIDTH} px per CPU-second, {seen / clock:.1f} per second")


def learn(learner: Learner, batches: BatchMaker, config: TrainConfig, epoch: int) -> float:
    """One pass over the lines; returns how many of WIDTH that was, by their pixels."""
    seeds = (config.seed, epoch)
    widths = batches.widths(config.augment, seeds)
    plan = plan_batches(widths, config.batch_lines, np.random.default_rng(seeds))
    for step, batch in enumerate(batches.epoch(plan, config.augment, seeds)):
        learner.learn(batch, step, 0.5)
    return sum(widths) / WIDTH


def noise(config: TrainConfig, count: int, width: int = WIDTH, classes: int = CLASSES) -> list[TrainingLine]:
    """So many lines with nothing to read on them, of this width with their margins and of so many classes."""
    rng = np.random.default_rng(0)
    inner, graphemes = width - 2 * config.line_image.margin, max(1, GRAPHEMES * width // WIDTH)
    return [
        TrainingLine(
            Sample(f"noise/{seed}", "", "noise", "", "", "train", Noise(seed, inner)),
            tuple(rng.integers(1, classes, graphemes).tolist()),
            width,
        )
        for seed in range(count)
    ]


if __name__ == "__main__":
    main()
