"""Train a network on lines of ground truth and keep the best as a bundle: the loop, written out.

`train` gathers the lines (what cannot be learned from is counted and listed), builds or takes over the network, and
walks through the epochs: batches, loss, one optimiser step each, a moving average of the weights, now and then a
validation and a checkpoint. Everything that decides the course of training lies in `TrainConfig` and in the
checkpoint, so a killed run goes on as if nothing had happened.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from uncial import checkpoint
from uncial.bundle import Bundle, load_bundle, save_bundle
from uncial.checkpoint import Course
from uncial.config import to_dict
from uncial.finishing import finish
from uncial.half_languages import expected_errors
from uncial.heritage import begin, going_along, inherited
from uncial.interrupts import interrupts_wait
from uncial.ngram_file import Language
from uncial.nn.batches import BatchMaker, plan_batches, spread
from uncial.nn.crnn import check_parts
from uncial.nn.hard_lines import HardLines
from uncial.nn.learner import Learner, one_cycle
from uncial.nn.onnx_graph import onnx_graph
from uncial.nn.parallel import Ranks
from uncial.nn.takeover import take_over
from uncial.nn.teacher import Teacher
from uncial.run_log import LOG_MINUTES, Lately, Progress, RunLog, Watch
from uncial.runtime import torch_network
from uncial.sources import Sample
from uncial.splicing import Splices, find_gaps_once
from uncial.train_config import TrainConfig
from uncial.training_lines import TrainingLines, gather


def train(  # noqa: PLR0913 - lines, bundles, settings and ways to go on, of which a caller names the few it wants
    samples: Sequence[Sample],
    out: Path,
    config: TrainConfig,
    *,
    synthetic: Sequence[Sample] = (),
    read: Sequence[Sample] = (),
    start: Path | None = None,
    teacher: Path | None = None,
    texts: Sequence[Path] = (),
    changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    resume: bool = False,
    watch: Watch = lambda progress: None,
) -> Bundle:
    """Train on the train split of `samples`, choose on the val split, and write the best network as a bundle.

    Args:
        samples: lines of ground truth; those without a split get one by page. Test lines are never touched.
        out: folder of the bundle. Checkpoint, log and list of left-out lines go into the folder `<out>.run` beside it.
        config: all settings; `start` decides network and preprocessing where it is given.
        synthetic: drawn lines, of which each epoch takes others, as many as `synthetic_share` says.
        read: lines with the text that a bundle reads there, see `own_readings`; they may stand alone, too.
        start: bundle to start from instead of chance; graphemes that both alphabets hold keep their weights.
        teacher: bundle to learn from besides the ground truth, by `teacher_weight`.
        texts: running texts for the language models of `error_weight`, besides the training lines' own.
        changes: settings of "network" and "line_image" that differ from those of `start`; weights that fit are kept.
        resume: go on from the checkpoint in `<out>.run`.
        watch: is called with the progress after every step.

    Returns:
        The bundle of the best validation.

    Raises:
        GroundTruthError: nothing to learn from.
        StorageError: `out` or its run is there and `resume` off, another is at work, or a file cannot be written.
        ConfigError: no such part of the network, or what lacks the bundle that it needs (see `heritage.begin`).
        TrainingError: the loss stays infinite, or `resume` without a checkpoint or unlike the run that it is of.
    """
    checkpoint.check_run(out, resume=resume)
    if config.threads:
        torch.set_num_threads(config.threads)
    old, master, config = begin(start, teacher, config, changes, texts)
    check_parts(config.network)  # now, since decoding the lines may take minutes
    lines = gather(samples, config, old.alphabet if old else None, synthetic, read)
    run = _Run(lines, config, out, watch)
    run.facts |= inherited(lines.sources, old, master if config.teacher_weight else None)
    with checkpoint.alone(out, resume=resume, rank=run.ranks.rank):
        if run.ranks.rank == 0:
            lines.list_left_out(run.folder / "left_out.tsv")
        run.tell(lines.summary())
        run.begin_with(old, resume)
        run.splice(old or master, anew=not resume)
        run.learn_from(master)
        if old and config.error_weight:
            run.learner.errors = expected_errors(old, lines, texts, run.folder, run.ranks, run.tell, not resume)
        if resume:
            run.restore()
        run.go()
        run.finish()
    return load_bundle(out)


class _Run:  # budget: what a run does on its way, each a few lines, all around one state
    """One training: what learns, what it learns from, and where in its course it stands."""

    def __init__(self, lines: TrainingLines, config: TrainConfig, out: Path, watch: Watch) -> None:
        self.lines, self.config, self.out, self.watch = lines, config, out, watch
        self.folder = checkpoint.run_folder(out)
        self.ranks = Ranks.join(config.device)
        bigrams = lines.bigrams(config.bigrams if config.bigram_weight else 0)
        self.learner = Learner(config, lines.alphabet.size, self.ranks, bigrams)
        room = int(config.memory_gb * 2**30)
        self.epoch_lines = lines.epoch_size(config.synthetic_share)
        self.training = BatchMaker(lines.training, config.network, config.line_image, room)
        self.validation = BatchMaker(lines.validation, config.network, config.line_image, room // 8)
        self.course, self.lately = Course(), Lately()
        self.hard = HardLines(len(lines.training), self.ranks)
        self.language: Language | None = None
        self.facts: dict[str, Any] = {"training": to_dict(config)} | lines.facts()

    def begin_with(self, old: Bundle | None, resume: bool) -> None:
        """Take weights from a bundle, and its language model, taken to the training lines if so configured."""
        network, alphabet = self.learner.network, self.lines.alphabet
        if old is not None:
            self.tell(take_over(old.weights, old.alphabet, network, alphabet))
            self.learner.average.load_state_dict(network.state_dict())
        if self.ranks.rank == 0:
            texts = [line.classes for line in self.lines.training[: self.lines.real] if self.config.adapt_language]
            self.language, note = going_along(self.out if resume else None, old, alphabet, texts)
            if note:
                self.tell(note)
        self.ranks.meet()

    def splice(self, guide: Bundle | None, anew: bool) -> None:
        """From now on put real lines together anew, if so configured, cut where the guide finds word gaps."""
        if self.config.splice_share and guide is not None:
            real, how = range(self.lines.real), (self.lines.alphabet, guide, self.folder, self.ranks, anew)
            gaps = find_gaps_once(self.training, real, *how)
            self.training.splices = Splices(self.lines.training, gaps, self.config.splice_share, self.config.network)
            self.tell(self.training.splices.summary())

    def learn_from(self, teacher: Bundle | None) -> None:
        """From now on learn from a teacher, too, if there is one and it has weight."""
        if teacher is not None and self.config.teacher_weight:
            network = torch_network(teacher, "a teacher").to(self.learner.device)
            students = self.lines.alphabet, self.config.line_image
            self.learner.teacher = Teacher(network, teacher.alphabet, teacher.line_image, *students)
            self.tell(self.learner.teacher.summary())

    @property
    def done(self) -> float:
        """Share of the budget that is used, 0 to 1; 1 also where patience has run out."""
        if self.config.patience and self.course.stale >= self.config.patience:
            return 1.0
        most = self.config.most_epochs if self.config.minutes else self.config.epochs
        budgets = (most * self.epoch_lines, self.course.lines), (self.config.minutes * 60, self.course.seconds)
        return min(1.0, max(used / budget for budget, used in budgets if budget))

    def go(self) -> None:
        """Learn until the budget is used; one process that learns alone leaves a checkpoint when it is interrupted."""
        try:
            self.begin()
            self.learn()
        except KeyboardInterrupt:
            if self.ranks.world == 1 and (self.course.step or self.out.exists()):  # several may stand at several steps
                self.save()
            raise

    def learn(self) -> None:
        """Learn to the end, with validations, checkpoints and the log on the way."""
        minutes = {self.validate: self.config.validate_minutes, self.save: self.config.checkpoint_minutes}
        minutes[self.log] = LOG_MINUTES
        last = dict.fromkeys(minutes, self.course.seconds)
        while self.done < 1:
            for _ in self.through_plan():
                self.tell()
                for duty, every in minutes.items():
                    if self.course.seconds - last[duty] >= every * 60:
                        last[duty] = self.course.seconds
                        duty()
                if self.done >= 1:
                    break
            else:
                with interrupts_wait():
                    self.course.epoch, self.course.batch = self.course.epoch + 1, 0
                    self.hard.settle()
        self.validate()
        if self.ranks.rank == 0:
            self.run_log.close()

    def begin(self) -> None:
        """Open the log and start the clock; keep what the run begins with, if a validation has to beat it."""
        if self.ranks.rank == 0:
            self.run_log = RunLog(self.folder, self.course.step or None)
        self.clock = time.monotonic()
        if self.config.keep_start and not self.course.step:
            self.validate()
            self.course.start_cer = self.course.cer

    def through_plan(self) -> Iterator[None]:
        """What is left of the present epoch, step by step."""
        course, seeds = self.course, (self.config.seed, self.course.epoch)
        rng = np.random.default_rng(seeds)
        chosen = self.lines.of_epoch(self.config.synthetic_share, rng)
        chosen = self.hard.choose(chosen, self.config.easy_skipped, rng)
        widths = self.training.widths(self.config.augment, seeds, chosen)
        rising = 0 if course.epoch else self.config.narrow_first
        batches = plan_batches(widths, self.config.batch_lines, rng, self.ranks.world, rising)
        plan = self.ranks.share([[chosen[index] for index in batch] for batch in batches])
        for batch in self.training.epoch(plan[course.batch :], self.config.augment, seeds):
            with interrupts_wait():  # a step is whole, or it was not
                loss = self.learner.learn(batch, course.step, self.done)
                self.hard.note(plan[course.batch], self.learner.line_losses)
                seen = int(self.ranks.sum(len(batch.widths)))
                course.step, course.batch, course.lines = course.step + 1, course.batch + 1, course.lines + seen
                course.skipped += not math.isfinite(loss)
            # From step to step, so that waiting for data, validation and checkpoints count in the budget.
            self.clock, before = time.monotonic(), self.clock
            course.seconds = self.ranks.agree(course.seconds + self.clock - before)
            self.lately.add(loss, seen, self.clock - before)
            yield

    def validate(self) -> None:
        """Read validation lines with the averaged weights; keep them as the bundle if none were better, or hardly."""
        if self.ranks.rank == 0:
            chosen = spread(len(self.validation.lines), self.config.validation_lines)
            cer = self.course.cer = self.learner.read(self.validation, chosen).error_rate
            with interrupts_wait():  # what counts as kept is kept
                if self.course.judge(cer, self.config.tolerance) or not self.out.exists():
                    self.keep()
            self.log(cer)
            self.tell(f"step {self.course.step:,}: validation CER {cer:.2%}{self.course.skipped_note()}")
        self.course.stale = int(self.ranks.agree(self.course.stale))
        self.save()  # a resumed run has to beat the bundle that is there

    def keep(self) -> None:
        """Write the averaged network as the bundle, with the language model that goes along."""
        weights = {name: value.float().cpu().numpy() for name, value in self.learner.average.state_dict().items()}
        how = self.config.network, self.lines.alphabet, self.config.line_image
        save_bundle(self.out, *how, self.facts | {"course": asdict(self.course)}, weights, self.graph, self.language)

    @cached_property
    def graph(self) -> bytes:
        """The ONNX graph of every bundle that the run keeps: names and shapes of the weights alone decide it."""
        return onnx_graph(self.learner.average)

    def finish(self) -> None:
        """Give the bundle what makes it quicker and what makes it better, see `finishing`."""
        if self.ranks.rank == 0:
            for note in finish(self.out, self.training, self.validation, self.lines.real, self.config):
                self.tell(note)
        self.ranks.meet()

    def log(self, cer: float | None = None) -> None:
        """Add a row to the run's log, with the CER if there was a validation."""
        if self.ranks.rank == 0:
            course, lately, epoch = self.course, self.lately, round(self.course.lines / self.epoch_lines, 3)
            rate = self.config.learning_rate * one_cycle(self.done, self.config.warmup)
            told = {"loss": f"{lately.loss:.5f}", "lines_per_second": f"{lately.lines_per_second:.2f}"}
            told |= {"learning_rate": f"{rate:.3e}"} | ({} if cer is None else {"cer": f"{cer:.5f}"})
            self.run_log.add(step=course.step, epoch=epoch, lines=course.lines, seconds=round(course.seconds), **told)

    def tell(self, note: str = "") -> None:
        """Pass the progress on to whoever watches."""
        if self.ranks.rank == 0:
            course, lately = self.course, self.lately
            left = course.seconds / self.done * (1 - self.done) if self.done else None
            told = (self.done, lately.loss, lately.lines_per_second, left, course.cer, course.best_cer, note)
            self.watch(Progress(course.step, course.lines / self.epoch_lines, *told))

    def save(self) -> None:
        """Write the checkpoint."""
        state = self.learner.state() | {"hard_lines": self.hard.state()}
        if self.ranks.rank == 0:
            checkpoint.save_checkpoint(self.folder, state, self.course, self._identity())
        self.ranks.meet()

    def restore(self) -> None:
        """Take up the checkpoint."""
        state, self.course = checkpoint.load_checkpoint(self.folder, self._identity())
        self.learner.load(state)
        self.hard.load(state["hard_lines"])
        ended = "; it had ended: give it more minutes, epochs (or most_epochs) or patience" if self.done >= 1 else ""
        self.tell(f"resumed at step {self.course.step:,}, {self.course.seconds / 60:.0f} minutes in{ended}")

    def _identity(self) -> dict[str, Any]:
        return self.config.decisive() | {
            "alphabet": list(self.lines.alphabet.graphemes),
            "set of training lines with their texts": self.lines.digest("training"),
            "set of validation lines with their texts": self.lines.digest("validation"),
            "teacher": self.learner.teacher is not None,
            "bundle to begin with": self.facts.get("begun_with_sha256", ""),
            "bigrams": self.config.bigrams if self.learner.bigrams is not None else 0,
            "number of processes": self.ranks.world,
        }
