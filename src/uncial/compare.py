"""Compare: train networks that differ by one part each on the same lines for the same time, and see how they read.

Each system is an ordinary training and an ordinary evaluation. What is finished is kept in the folder of the
comparison and not done again; a training that was stopped goes on from its checkpoint; one that fails is told and the
others go on.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from uncial import checkpoint
from uncial.architecture import CRNNConfig
from uncial.atomic import written_whole
from uncial.bundle import load_bundle
from uncial.comparison import UNITS, Comparison, Growth, Result, UnitComparison, in_order
from uncial.comparison_page import comparison_page
from uncial.config import choose, from_dict, to_dict
from uncial.document import Failure, Transcript
from uncial.errors import ConfigError, StorageError
from uncial.evaluate import evaluate
from uncial.ground_truth import convert
from uncial.metrics import pooled
from uncial.nn.crnn import weights_of
from uncial.read_line import ReadLine, by_page
from uncial.recognizer import Recognizer
from uncial.run_log import Watch, rows_of
from uncial.runtime import Runtime
from uncial.sources import Sample, read_samples, split_of
from uncial.sources.sample import with_held_out
from uncial.systems import SYSTEMS, network_of
from uncial.train import train
from uncial.train_config import TrainConfig
from uncial.training_lines import gather
from uncial.word_cut import cut_words
from uncial.wording import count_of

SETTINGS, JSON, CSV, PAGE = "settings.json", "comparison.json", "comparison.csv", "comparison.html"
WORDS = "words"  # folder of the words that were cut
VALIDATIONS = 12  # of each training, unless told otherwise
WIDE = 95  # percentile of the lines' widths that the dense network's image holds unsqueezed
EXAMPLES = 4  # lines whose transcripts are shown
GROWN = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4))  # times the width and the height of the image


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared.

    Attributes:
        minutes: of training, for each system and each unit.
        units: of UNITS.
        systems: names in `systems.SYSTEMS`.
        split: of the lines that are read at the end, "val" or "test".
        settings: of `TrainConfig` that differ from its defaults, the same for all systems.
        model: bundle that tells where words stand; None: the one that ships.
    """

    minutes: float
    units: tuple[str, ...] = ("line",)
    systems: tuple[str, ...] = tuple(SYSTEMS)
    split: str = "val"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    model: Path | None = None

    def config(self) -> TrainConfig:
        """The training that all systems share.

        Raises:
            ConfigError: a setting, system, unit or split that does not exist, or no time.
        """
        for name in self.systems:
            choose(SYSTEMS, "system", name)
        for unit in self.units:
            choose(dict.fromkeys(UNITS), "unit", unit)
        if self.minutes <= 0:
            raise ConfigError(f"--minutes {self.minutes:g}: each system needs time to learn; give more than 0")
        choose(dict.fromkeys(("val", "test")), "split to compare by", self.split)
        # Int8 would make some systems read faster and others not, a language model hide what they read by themselves.
        own = {"validate_minutes": self.minutes / VALIDATIONS, "int8_lines": 0, "language_bytes": 0}
        return from_dict(TrainConfig, {**own, **self.settings, "minutes": self.minutes})


def compare(
    samples: Sequence[Sample],
    out: Path,
    plan: Plan,
    *,
    watch: Watch = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Train and read with each system, and write what was found into a folder, anew after each system.

    Args:
        samples: lines of ground truth, all splits.
        out: folder of the comparison; one that the same comparison has begun is gone on with.
        plan: what is compared.
        watch: is called with the progress of each training.
        note: is called with a sentence on what begins or was found.

    Returns:
        What was found; systems that failed are in its `failures`.

    Raises:
        ConfigError: a setting, system or unit that does not exist, or `out` holds a comparison with other settings.
        GroundTruthError: nothing to learn from or to read.
        StorageError: `out` holds something else, or a file cannot be written.
    """
    config = plan.config()
    _begin(out, plan, config, samples)
    about = {
        "minutes for each system": f"{plan.minutes:g}",
        "collections": ", ".join(sorted({sample.collection for sample in samples})),
        "read": f"lines of split {plan.split}",
        "seed": str(config.seed),
    }
    finished: list[UnitComparison] = []
    comparison = Comparison(about, (), ())
    for unit in plan.units:
        some = samples if unit == "line" else _words(samples, out / WORDS, plan.model, note)
        job = _Unit(unit, some, out / unit, plan, config)
        growth = comparison.growth or job.growth()
        for name in in_order(plan.systems):
            note(f"{unit}: {name}: {SYSTEMS[name].title}")
            job.finish(name, watch, note)
            comparison = Comparison(about, (*finished, job.found()), growth)
            _write(comparison, out, [*samples, *some])
        finished.append(job.found())
    return comparison


class _Unit:
    """All systems on lines, or on words: what they learn from and what they have done."""

    def __init__(self, unit: str, samples: Sequence[Sample], folder: Path, plan: Plan, config: TrainConfig) -> None:
        self.unit, self.folder, self.plan = unit, folder, plan
        networks = [network_of(name, config.network) for name in SYSTEMS]  # not of the plan's only: others may follow
        # Lines that one of the systems could not learn, none shall learn.
        strictest = min(networks, key=lambda network: network.time_steps(1024))
        lines = gather(samples, replace(config, network=strictest), None)
        usable = {line.sample.id for line in (*lines.training, *lines.validation)}
        self.samples = [s for s in samples if s.id in usable or split_of(s) == plan.split]
        self.train, self.classes = len(lines.training), lines.alphabet.size
        network = config.network
        if "dense_width" not in plan.settings.get("network", {}):
            network = replace(network, dense_width=int(np.percentile([line.width for line in lines.training], WIDE)))
        self.config = replace(config, network=network)
        self.results: dict[str, Result] = {}
        self.failures: dict[str, Failure] = {}

    def finish(self, name: str, watch: Watch, note: Callable[[str], None]) -> None:
        """Train and read with a system, or take what it has done before; a failure is noted."""
        stored = self.folder / f"{name}.json"
        if stored.is_file():
            self.results[name] = Result.from_dict(json.loads(stored.read_text(encoding="utf-8")))
            note("was finished before")
            return
        try:
            result = self._result(name, watch)
            _put(stored, json.dumps(result.to_dict(), ensure_ascii=False))
        except Exception as error:  # noqa: BLE001 - the other systems shall not be lost with this one
            self.failures[name] = Failure(name, str(error) or type(error).__name__)
            note(f"failed: {self.failures[name].reason}")
        else:
            self.results[name] = result
            note(f"CER {result.cer.value:.2%}")

    def _result(self, name: str, watch: Watch) -> Result:
        bundle, network = self.folder / name, network_of(name, self.config.network)
        run = checkpoint.run_folder(bundle)
        resume = (run / checkpoint.FILE).exists()
        if bundle.exists() and not resume:  # stopped between its first bundle and its first checkpoint
            shutil.rmtree(bundle)
        train(self.samples, bundle, replace(self.config, network=network), resume=resume, watch=watch)
        # One way to decode and one kind of numbers for all.
        read = with_held_out(self.samples, load_bundle(bundle).held_out)
        evaluation = evaluate(Recognizer.load(bundle, quality="fast", backend="onnx"), read, split=self.plan.split)
        rows = rows_of(run)
        return Result(
            name,
            self._weights(network),
            float(rows[-1]["seconds"]),
            int(rows[-1]["lines"]),
            evaluation.lines_per_cpu_second,
            len(evaluation.lines),
            sum(not line.raw.graphemes.errors for line in evaluation.lines),
            tuple(pooled(line.raw.graphemes for line in page) for page in by_page(evaluation.lines)),
            pooled(line.raw.words for line in evaluation.lines),
            tuple((round(float(row["seconds"]) / 60, 3), float(row["cer"])) for row in rows if row["cer"]),
            tuple(_example(line) for line in evaluation.lines[:: -(-len(evaluation.lines) // EXAMPLES)]),
        )

    def found(self) -> UnitComparison:
        """What there is by now."""
        results = tuple(self.results[name] for name in in_order(list(self.results)))
        width = self.config.network.dense_width
        return UnitComparison(self.unit, self.train, width, results, tuple(self.failures.values()))

    def _weights(self, network: CRNNConfig) -> int:
        """Those that read; the shortcut head stays behind."""
        return weights_of(replace(network, shortcut=False), self.classes)

    def growth(self) -> tuple[Growth, ...]:
        """The weights of each system for the size of image that is used, and for larger ones."""
        base, grown = self.config.network, []
        for wide, high in GROWN:
            size = replace(base, dense_width=wide * base.dense_width, height=high * base.height)
            weights = {name: self._weights(network_of(name, size)) for name in in_order(self.plan.systems)}
            grown.append(Growth(size.dense_width, size.height, weights))
        return tuple(grown)


def _begin(out: Path, plan: Plan, config: TrainConfig, samples: Sequence[Sample]) -> None:
    """Make the folder, or see that this comparison has begun the one that is there."""
    lines = hashlib.sha256(repr(sorted((sample.id, sample.text, sample.split) for sample in samples)).encode())
    own = {"split": plan.split, "training": to_dict(config), "lines": len(samples), "sha256": lines.hexdigest()}
    path = out / SETTINGS
    if path.is_file():
        told = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name, value in own.items() if checkpoint.differ(told.get(name), value)]
        if other:
            raise ConfigError(
                f"{out}: holds a comparison with another {other[0]}; go on with the lines and settings it began with, "
                "or choose another -o"
            )
    elif out.exists() and (out.is_file() or any(out.iterdir())):
        raise StorageError(f"{out}: is there already and is no comparison; choose another -o")
    else:
        _put(path, json.dumps(own, ensure_ascii=False, indent=1))


def _words(lines: Sequence[Sample], folder: Path, model: Path | None, note: Callable[[str], None]) -> list[Sample]:
    """The words of lines, cut once and stored."""
    if not folder.exists():
        bundle = load_bundle(model)
        cut = cut_words(lines, bundle, Runtime(bundle))
        told = f"{count_of(len(cut.words), 'word')} cut from {count_of(cut.lines, 'line')}"
        note(f"{told}; {count_of(len(cut.left_out), 'line')} left out")
        _put(folder.with_name(f"{WORDS}.left_out.tsv"), "".join(f"{id_}\t{why}\n" for id_, why in cut.left_out))
        convert(cut.words, folder, "archive")
    return read_samples([folder])


def _example(line: ReadLine) -> tuple[str, str, str]:
    read = line.transcript.text if isinstance(line.transcript, Transcript) else ""
    return line.sample.id, line.reference, read


def _write(comparison: Comparison, out: Path, samples: Sequence[Sample]) -> None:
    _put(out / JSON, comparison.to_json())
    _put(out / CSV, comparison.to_csv())
    _put(out / PAGE, comparison_page(comparison, samples))


def _put(path: Path, text: str) -> None:
    with written_whole(path, "free some space and give the same command again") as beside:
        beside.write_text(text, encoding="utf-8")
