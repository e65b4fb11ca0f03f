"""Train the network that finds lines on pages of ground truth, and keep it as a layout bundle.

Each step varies some pages of the train split, learns from them, and moves an average of the weights, which is what is
kept. Some pages are parts of marked pages, or two of them, or composed of single lines. The checkpoint beside the
bundle lets a stopped run go on.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from uncial import checkpoint
from uncial.checkpoint import Course
from uncial.config import DEFAULT, to_dict
from uncial.document import Failure, Page
from uncial.errors import GroundTruthError, ImageError
from uncial.image_file import Gray
from uncial.layout.bundle import SHIPPED, LayoutBundle, load_layout, save_layout
from uncial.nn.crnn import fastest_autocast
from uncial.nn.layout_composed import Marked, composed, cropped, side_by_side
from uncial.nn.layout_graph import layout_graph, network_of
from uncial.nn.layout_net import LayoutNet, layout_loss
from uncial.nn.layout_targets import drawn_lines, varied
from uncial.nn.learner import move_average, one_cycle, restore_optimizer, stepped
from uncial.nn.parallel import Ranks
from uncial.sources import Sample, split_of
from uncial.sources.marked_pages import MarkedPage, opened

Watch = Callable[[str], None]
SETTLING_PAGES = 24  # by which the normalisations of a bundle's network are set
FEWEST_LINES = 20  # of a document of whose lines pages are composed


@dataclass(frozen=True, slots=True)
class LayoutConfig:
    """Everything that decides the course of a training.

    Attributes:
        minutes: budget in wall time, all told.
        size: longest side of a page, in pixels; a multiple of 32.
        batch_pages: pages of a step.
        composed: share of the pages that are composed of single lines, where there are lines.
        pairs: share of the pages that are two marked pages side by side.
        crops: share of the pages that are parts of marked pages.
        learning_rate: peak of the one-cycle schedule.
        warmup: share of the budget in which the rate rises to its peak.
        weight_decay: of AdamW.
        averaging: decay a step of the moving average of the weights.
        checkpoint_minutes: between checkpoints; the bundle is written with them.
        threads: of PyTorch; 0 leaves it to choose.
        seed: of all chance.
    """

    minutes: float = 30.0
    size: int = 1024
    batch_pages: int = 2
    composed: float = 0.25
    pairs: float = 0.1
    crops: float = 0.15
    learning_rate: float = 2e-3
    warmup: float = 0.08
    weight_decay: float = 1e-3
    averaging: float = 0.995
    checkpoint_minutes: float = 3.0
    threads: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.minutes <= 0 or self.batch_pages < 1 or self.size < 64 or self.size % 32:
            raise ValueError("minutes are above 0, batch_pages at least 1, and size is a multiple of 32, 64 or more")
        if min(self.composed, self.pairs, self.crops) < 0 or self.composed + self.pairs + self.crops > 1:
            raise ValueError("composed, pairs and crops are shares of the pages: none below 0, together at most 1")


def train_layout(
    pages: Sequence[MarkedPage],
    out: Path,
    config: LayoutConfig,
    *,
    lines: Sequence[Sample] = (),
    start: Path | None = None,
    resume: bool = False,
    watch: Watch = lambda note: None,
) -> Path:
    """Train on the pages of split train and write the layout bundle.

    Args:
        pages: of ground truth; those of other splits are not touched, those that cannot be used are left out.
        out: folder of the bundle; the checkpoint goes into `<out>.run` beside it.
        config: all settings.
        lines: of which pages are composed; those of other splits are not touched.
        start: layout bundle to begin with, where `resume` is off; None: a network of chance.
        resume: go on from the checkpoint.
        watch: is told how it goes, a few times a minute.

    Returns:
        The folder of the bundle.

    Raises:
        BundleError: `start` is no layout bundle, or one of another network.
        GroundTruthError: there is no page to learn from.
        StorageError: `out` exists and `resume` is off, another is at work, or a file cannot be written.
        TrainingError: `resume` without a checkpoint, or with another size or number of pages than it has; all else may
            be changed.
    """
    checkpoint.check_run(out, resume=resume)
    begun = None if start is None or resume else load_layout(start)
    left_out: list[Failure] = []
    learned = [_smaller(gray, marked, config.size) for _, gray, marked in opened(pages, "train", left_out)]
    for page in left_out:
        watch(f"left out: {page.id}: {page.reason}")
    if not learned:
        raise GroundTruthError("no page of split train to learn from; name pages that are not held back")
    if config.threads:
        torch.set_num_threads(config.threads)
    run = _Run(config, out, len(learned))
    with checkpoint.alone(out, resume=resume):
        if resume:
            run.restore()
        elif begun:
            run.begin_with(begun, learned)
        run.go(LearnedPages(learned, lines, config, watch), watch)
    return out


class LearnedPages:
    """What is learned from: marked pages, those of many lines more often, and lines by the document they come from."""

    def __init__(self, marked: Sequence[Marked], lines: Sequence[Sample], config: LayoutConfig, watch: Watch) -> None:
        """Keep the pages, and the lines of split train of documents that have FEWEST_LINES of them.

        Args:
            marked: at least one.
            lines: of any split.
            config: the shares of composed pages, pairs and crops.
            watch: is told which lines cannot be read; they are not drawn again.
        """
        self.marked, self.config, self.watch = marked, config, watch
        often = np.sqrt([1 + len(lines) for _, lines in marked])  # a page of many lines has more to teach
        self.odds = often / often.sum()
        documents: defaultdict[tuple[str, str], list[Sample]] = defaultdict(list)
        for line in lines:
            if split_of(line) == "train" and not line.flaw:
                documents[line.collection, line.document].append(line)
        self.documents = [found for found in documents.values() if len(found) >= FEWEST_LINES]

    def drawn(self, rng: np.random.Generator) -> Marked:
        """A page at random; its lines are of one document, if it is composed of lines.

        Raises:
            ImageError: no line image of a document can be read.
        """
        share = rng.random()
        if share < self.config.composed and self.documents:
            document = self.documents[int(rng.integers(0, len(self.documents)))]
            return composed(lambda: self._image(document, rng), self.config.size, rng)
        page, other = (self.marked[int(i)] for i in rng.choice(len(self.marked), 2, p=self.odds))
        if share > 1 - self.config.pairs:
            return side_by_side(page, other, rng)
        return cropped(page, rng) if share > 1 - self.config.pairs - self.config.crops else page

    def _image(self, document: list[Sample], rng: np.random.Generator) -> Gray:
        """The image of a line of a document at random."""
        while True:
            n = int(rng.integers(0, len(document)))
            try:
                return document[n].image()
            except ImageError as error:
                self.watch(f"left out: {error}")
                if len(document) == 1:
                    raise
                del document[n]


def _smaller(gray: Gray, marked: Page, size: int) -> Marked:
    """The page, at most a third larger than it is learned from, and its lines."""
    lines = drawn_lines(marked)
    scale = 1.3 * size / max(gray.shape)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        lines = [line.scaled(scale) for line in lines]
    return gray, lines


class _Run:
    """One training: the network, its average, its optimiser, and where in its course it stands."""

    def __init__(self, config: LayoutConfig, out: Path, pages: int) -> None:
        torch.manual_seed(config.seed)
        self.config, self.out, self.folder = config, out, checkpoint.run_folder(out)
        self.start = ""  # name of the bundle it began with
        self.identity = {"size": config.size, "number of pages": pages}
        self.network = LayoutNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = LayoutNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=config.weight_decay, fused=True)
        self.course = Course()

    def begin_with(self, bundle: LayoutBundle, pages: Sequence[Marked]) -> None:
        """Take the weights of a bundle."""
        shown = pages[:: -(-len(pages) // SETTLING_PAGES)]
        seen = [torch.from_numpy(varied(*page, self.config.size, None)[0])[None] for page in shown]
        state = network_of(bundle.graph, seen).state_dict()
        self.network.load_state_dict(state)
        self.average.load_state_dict(state)
        self.start = DEFAULT if bundle.path == SHIPPED else bundle.path.resolve().name

    def go(self, pages: LearnedPages, watch: Watch) -> None:
        """Learn until the budget is used."""
        clock = saved = told = time.monotonic()
        recent: list[float] = []
        for images, targets in _batches(pages, self.config, self.course.step):
            recent = [*recent[-49:], self.learn(images, targets)]
            now = time.monotonic()
            self.course.seconds, clock = self.course.seconds + now - clock, now
            if now - told > 15:
                told = now
                loss = f"loss {np.nanmean(recent):.4f}{self.course.skipped_note()}"
                watch(f"{self.done:.0%}  step {self.course.step:,}  {loss}")
            if now - saved > self.config.checkpoint_minutes * 60:
                saved = now
                self.save(len(pages.marked))
            if self.done >= 1:
                break
        self.save(len(pages.marked))

    @property
    def done(self) -> float:
        """Share of the budget that is used."""
        return min(1.0, self.course.seconds / (60 * self.config.minutes))

    def learn(self, images: Tensor, targets: Tensor) -> float:
        """One optimiser step; the loss, or nan where nothing was learned since it was not finite."""
        before = [buffer.clone() for buffer in self.network.buffers()]
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * one_cycle(self.done, self.config.warmup)
        dtype = fastest_autocast(torch.device("cpu"))
        with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
            maps = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = layout_loss(maps, targets)
        step = self.course.step = self.course.step + 1
        if stepped(loss, self.network, before, self.optimizer, 5.0, Ranks()):
            move_average(self.average, self.network, min(self.config.averaging, step / (9 + step)))
            return float(loss.item())
        self.course.skipped += 1
        return np.nan

    def save(self, pages: int) -> None:
        """Write checkpoint and bundle."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "start": self.start,
        }
        checkpoint.save_checkpoint(self.folder, state, self.course, self.identity)
        facts = {"training": to_dict(self.config), "pages": pages, "steps": self.course.step}
        if self.start:
            facts["begun with"] = self.start
        save_layout(self.out, layout_graph(self.average), self.config.size, facts)

    def restore(self) -> None:
        """Take up the checkpoint."""
        state, self.course = checkpoint.load_checkpoint(self.folder, self.identity)
        self.start = state.get("start", "")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        restore_optimizer(self.optimizer, state["optimizer"])


def _batches(pages: LearnedPages, config: LayoutConfig, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end, each made while the one before is learned from."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((config.seed, step))
        made = [varied(*pages.drawn(rng), config.size, rng) for _ in range(config.batch_pages)]
        return torch.from_numpy(np.stack([m[0] for m in made])), torch.from_numpy(np.stack([m[1] for m in made]))

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batch, first)
        step = first
        try:
            while True:
                ready, step = ahead, step + 1
                ahead = pool.submit(batch, step)
                yield ready.result()
        finally:
            ahead.cancel()
