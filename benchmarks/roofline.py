"""How near the processor's peak Uncial computes, one thread: the whole, and each kind of layer.

    OMP_NUM_THREADS=1 python benchmarks/roofline.py [-o FOLDER] [--quick]

The operations of a line of 64 x 707 px are counted from the shapes of the layers: a multiplication and an addition are
two, those with padding none; the gradient takes twice as many as the way forward. The peak is the best product of large
matrices in the same run: fp32, bf16 and int8. The share is the time that the operations would take at
the peak of their kind, divided by the processor time that was taken. Profilers tell how the time of a step is divided
between layers; the time itself is taken without them. Some two minutes, --quick half a minute.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from operations import operations, peaks
from reading_speed import noise as line_images
from results import Facts, facts, table, write
from torch import nn
from training_speed import CLASSES, GRAPHEMES, HEIGHT, WIDTH, learn, noise

from uncial.bundle import Bundle, load_bundle
from uncial.config import from_dict, merge
from uncial.nn.batches import BatchMaker, plan_batches
from uncial.nn.crnn import CRNN, fastest_autocast
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.recognizer import Recognizer
from uncial.runtime import LogProbs, Runtime
from uncial.train_config import TrainConfig

AIM = 0.45  # share of the bf16 peak within the convolutions, in training

INT8_LSTM, INT8_HEAD = "DynamicQuantizeLSTM", "MatMulIntegerToFloat"

# Operators of PyTorch and of ONNX -> kind of layer; whatever is not named is "the rest".
TRAINING = {
    "normalisation": ("batch_norm",),
    "recurrent": ("rnn_layer", "RnnLayer", "aten::gather", "scatter_add"),
    "head": ("aten::mm", "addmm", "aten::linear"),
    "CTC": ("ctc_loss", "log_softmax"),
    "optimiser": ("adamw", "AdamW", "lerp", "vector_norm", "foreach"),
    "activations, masks, dropout": ("aten::mul", "clamp_min", "threshold", "bernoulli", "aten::amax", "aten::add"),
    "casts and copies": ("copy_", "_to_copy", "aten::cat", "empty", "ToCopy"),
}
READING = {
    "convolutions": ("Conv", "QLinearConv", "ReorderInput", "ReorderOutput", "FusedConv"),
    "recurrent": ("LSTM", "GRU", "RNN", "Scan", "GatherElements", INT8_LSTM),
    "head": ("MatMul", "Gemm", "FusedMatMul", "LogSoftmax", INT8_HEAD),
    "rounding": ("QuantizeLinear", "DequantizeLinear"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of layer: GFLOP and CPU-milliseconds of a line, and the peak it is measured by, in GFLOPS."""

    operations: float
    milliseconds: float
    peak: float | None = None

    @property
    def share(self) -> float | None:
        """Share of the peak that is used; None where there is nothing to compute."""
        return self.operations / self.peak / (self.milliseconds / 1e3) if self.peak and self.operations else None


def training(config: TrainConfig, peak: dict[str, float], steps: int) -> dict[str, Part]:
    """The parts of a training step, each per line of WIDTH."""
    learner = Learner(config, CLASSES, Ranks())
    batches = BatchMaker(noise(config, steps * config.batch_lines), config.network, config.line_image, 2**31)
    learn(learner, batches, config, epoch=0)  # decodes, plans, warms up
    seen, seconds = 0.0, 0.0
    for epoch in (1, 2):
        began = time.thread_time()
        seen += learn(learner, batches, config, epoch)
        seconds += time.thread_time() - began
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        learn(learner, batches, config, epoch=1)
    filters = {tuple(m.weight.shape) for m in learner.network.backbone.modules() if isinstance(m, nn.Conv2d)}
    spent: Counter[str] = Counter()
    for event in profile.key_averages(group_by_input_shape=True):
        spent[training_kind(event.key, event.input_shapes, filters)] += event.self_cpu_time_total
    reduced = learner.reduced_precision().__class__ is torch.autocast
    counted = operations(learner.network, WIDTH, training=True)
    each = 1e3 * seconds / seen / sum(spent.values())
    parts = {
        kind: Part(counted.get(kind, 0.0), each * time_, peak["bf16" if reduced else "fp32"])
        for kind, time_ in spent.most_common()
    }
    return {**parts, "data": Part(0.0, 1e3 * making(batches, config))}


def training_kind(operator: str, shapes: Iterable[list[int]], filters: set[tuple[int, ...]]) -> str:
    """The kind of layer that an operator of PyTorch belongs to.

    Args:
        operator: its name, such as "aten::mm".
        shapes: of its inputs.
        filters: shapes of the backbone's weights; other convolutions are of the head.
    """
    if "conv" in operator.lower():
        known = [tuple(shape) for shape in shapes if len(shape) > 2]
        return "convolutions" if not known or filters & set(known) else "head"
    return next((kind for kind, names in TRAINING.items() if any(n in operator for n in names)), "the rest")


def making(batches: BatchMaker, config: TrainConfig) -> float:
    """CPU-seconds that augmentation and batches take of a line; another thread does it while the network learns."""
    plan = plan_batches(batches.widths(config.augment, (0, 1)), config.batch_lines, np.random.default_rng(0))
    began = time.thread_time()
    lines = sum(int(batches.batch(indices, config.augment, (0, 1)).widths.sum()) / WIDTH for indices in plan)
    return (time.thread_time() - began) / lines


def reading(bundle: Bundle, backend: str, peak: dict[str, float], count: int) -> dict[str, Part]:
    """The parts of reading, each per line of WIDTH, by the best path: on noise a beam has too much to weigh."""
    graphs = bundle.int8_graphs if backend == "onnx-int8" else (bundle.graph,)
    width = round(WIDTH * bundle.line_image.stretch)  # what the network sees of a line of WIDTH
    counted = operations(CRNN(bundle.architecture, bundle.alphabet.size).eval(), width, training=False)
    lines = line_images(count, bundle.line_image.margin)
    runtime = Runtime(bundle, backend)
    recognizer, session, spans = Recognizer(bundle, runtime, quality="fast"), runtime._session, list[float]()

    def clocked(images: NDArray[np.float32], widths: NDArray[np.int64]) -> tuple[LogProbs, NDArray[np.int64]]:
        before = time.process_time()
        made = session.run(images, widths)
        spans.append(time.process_time() - before)
        return made

    recognizer.read_lines(lines[:8])
    runtime._session = replace(session, run=clocked)
    began = time.process_time()
    recognizer.read_lines(lines)
    whole, network = 1e3 * (time.process_time() - began) / count, 1e3 * sum(spans) / count
    batch = max(1, session.pixels // (HEIGHT * WIDTH))
    spent, operators = profiled(graphs, batch, max(1, count // batch // 2))
    rounded = {"convolutions": "QLinearConv", "recurrent": INT8_LSTM, "head": INT8_HEAD}
    parts = {}
    for kind, time_ in spent.most_common():
        type_ = "int8" if rounded.get(kind) in operators else "fp32"
        parts[kind] = Part(counted.get(kind, 0.0), network * time_ / sum(spent.values()), peak[type_])
    return {**parts, "preparing and decoding": Part(0.0, whole - network)}


def profiled(graphs: Sequence[Path], batch: int, times: int) -> tuple[Counter[str], set[str]]:
    """How ONNX Runtime's time is divided between kinds of layers, and its operators.

    Args:
        graphs: that read lines; the first of two makes the slices of one line after the other.
        batch: lines that are read together.
        times: batches.
    """
    alone = len(graphs) - 1  # whether the first graph takes a line alone
    images = np.random.default_rng(0).random((1 if alone else batch, 1, HEIGHT, WIDTH), np.float32)
    given = {"images": images, "widths": np.full(batch, WIDTH)}
    spent, operators = Counter[str](), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        for place, graph in enumerate(graphs):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 3
            options.enable_profiling, options.profile_file_prefix = True, f"{folder}/profile{place}"
            session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
            wanted = {value.name: given[value.name] for value in session.get_inputs()}
            for _ in range(times * batch if alone and not place else times):
                made = session.run(None, wanted)[0]
            if alone and not place:
                given |= {"slices": made.repeat(batch, 0), "lengths": np.full(batch, made.shape[1], np.int32)}
            for event in json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")):
                if event.get("cat") == "Node":
                    operators.add(event["args"]["op_name"])
                    spent[reading_kind(event["args"]["op_name"])] += event["dur"]
    return spent, operators


def reading_kind(operator: str) -> str:
    """The kind of layer that an operator of ONNX belongs to."""
    return next((kind for kind, names in READING.items() if operator in names), "masks, activations, the rest")


def whole(parts: dict[str, Part]) -> tuple[Part, float]:
    """All parts together, and the share of the peaks that they use."""
    at_peak = sum(part.operations / part.peak for part in parts.values() if part.peak)
    milliseconds = sum(part.milliseconds for part in parts.values())
    return Part(sum(part.operations for part in parts.values()), milliseconds), at_peak / (milliseconds / 1e3)


def told(jobs: dict[str, dict[str, Part]], peak: dict[str, float], machine: Facts) -> str:
    """The tables."""
    best = ", ".join(f"{name} {value:.0f}" for name, value in peak.items())
    parts = [f"# Share of the processor's peak\n\n{machine.told()}"]
    parts.append(f"One thread. Peak by products of matrices in the same run, in GFLOPS: {best}. Lines of {HEIGHT} x ")
    parts[-1] += f"{WIDTH} px; {GRAPHEMES} graphemes of {CLASSES - 1} where training.\n"
    for job, some in jobs.items():
        together, share = whole(some)
        rows = [
            [k, p.operations or None, p.milliseconds, f"{p.milliseconds / together.milliseconds:.0%}", percent(p.share)]
            for k, p in some.items()
        ]
        rows.append(["**together**", together.operations, together.milliseconds, "100%", percent(share)])
        head = ("part", "GFLOP a line", "CPU-ms a line", "of the time", "of the peak")
        parts.append(f"## {job[0].upper()}{job[1:]}\n\n{table(head, rows)}")
    return "\n".join(parts)


def percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-m", "--model", type=Path, help="bundle to read with; without it the one that ships")
    options.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of training")
    options.add_argument("--quick", action="store_true")
    options.add_argument("-o", "--out", type=Path, help="folder for roofline.md and roofline.json")
    chosen = options.parse_args()
    machine = facts()
    torch.set_num_threads(1)
    config = from_dict(TrainConfig, merge({"threads": 1, "epochs": 1}, chosen.settings))
    bundle = load_bundle(chosen.model)
    repeat, steps, lines = (6, 3, 30) if chosen.quick else (20, 20, 250)
    peak = peaks(repeat)
    precision = "bf16" if config.precision == "auto" and fastest_autocast(torch.device("cpu")) else "fp32"
    jobs = {f"training in {precision}": training(config, peak, steps)}
    jobs["reading in fp32"] = reading(bundle, "onnx", peak, lines)
    if bundle.int8_graphs:
        jobs["reading in int8"] = reading(bundle, "onnx-int8", peak, lines)
    text = told(jobs, peak, machine)
    share = next(iter(jobs.values()))["convolutions"].share or 0.0
    text += f"\nConvolutions in training use {share:.0%} of the {precision} peak; the aim is {AIM:.0%} of bf16.\n"
    print(text)
    if chosen.out:
        numbers = {
            job: {kind: {**asdict(p), "share": p.share} for kind, p in some.items()} for job, some in jobs.items()
        }
        write(chosen.out, "roofline", text, {"machine": asdict(machine), "peak GFLOPS": peak, "jobs": numbers})


if __name__ == "__main__":
    main()
