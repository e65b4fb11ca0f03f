"""Equal time: Uncial, kraken and Calamari learn from the same lines for the same minutes, each by its own commands.

    python benchmarks/equal_time.py copiste_fr.zip poilus_fr.zip hooker_en.zip -o FOLDER --minutes 60
        [--only NAME …] [--recipe NAME] [--set KEY=VALUE …]

All start from nothing, with their defaults (Uncial with those of the recipe `small`, or another) and one thread
(--threads; Uncial as so many processes of one thread, which learn together), on the lines of split `train`. Some lines
of `val` are given to each to validate by; the others are read at the end and judged by Uncial's metric. Uncial learns
first; the others get as many seconds as its whole command took, then Ctrl-C, as a user would end them. Whatever they
have then is taken: the best network where a program keeps one, else the last.

It goes on where it was ended: steps that are done (lines, then training, reading and judging of each) leave a file in
FOLDER and are not done again; delete FOLDER/NAME to repeat one program. A training that was broken off begins anew.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
from peers import Command, Run, ended, environment, made, peers, trainer
from results import Facts, facts, keep, newest, table, text_of, write

from uncial.metrics import EditCounts, count_edits, pooled
from uncial.sources import read_samples, split_of
from uncial.text import comparable, graphemes, reading_text

CHOOSING = 150  # lines to validate by
PATIENCE = 180  # seconds after Ctrl-C in which a program may put its network away
VALIDATED = 16  # lines a minute of the budget between two of Calamari's validations; it keeps nothing in between


@dataclass(frozen=True, slots=True)
class System:
    """How a program learns and reads.

    Attributes:
        train: (lines, own folder, minutes) -> command that learns, for ever if it is not ended.
        read: (images, own folder) -> commands that read them.
        texts: (images, own folder) -> what was read, by the name of the image.
    """

    train: Callable[[Path, Path, float], Command]
    read: Callable[[list[Path], Path], list[Command]]
    texts: Callable[[list[Path], Path], dict[str, str]]


def uncial(threads: int, recipe: str, changes: Sequence[str]) -> System:
    start = [sys.executable, "-m", "uncial"]

    def train(lines: Path, own: Path, minutes: float) -> Command:
        settings = ["--recipe", recipe, *(f"--set={change}" for change in ("threads=1", *changes))]
        data = [str(lines / "lines.zip"), "-o", f"{own}/bundle", "--minutes", str(minutes)]
        return [*trainer(sys.executable, threads), "train", *data, *settings]

    def read(images: list[Path], own: Path) -> list[Command]:
        where = ["--as", "line", "-f", "json", "-o", f"{own}/lines.json"]
        return [[*start, "read", "-m", f"{own}/bundle", *where, *map(str, images)]]

    def texts(images: list[Path], own: Path) -> dict[str, str]:
        told = json.loads((own / "lines.json").read_text(encoding="utf-8"))
        told = told if isinstance(told, list) else [told]
        return {Path(one["image"]).stem: one.get("text", "") for one in told}

    return System(train, read, texts)


def kraken(folder: Path, threads: int) -> System:
    ways = ["--threads", str(threads), "-d", "cpu"]

    def train(lines: Path, own: Path, minutes: float) -> Command:
        for part in ("train", "choose"):
            paths = sorted((lines / part).glob("*.png"))
            (own / f"{part}.txt").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        data = ["-f", "path", "-t", f"{own}/train.txt", "-e", f"{own}/choose.txt"]
        return [f"{folder}/ketos", *ways, "--workers", "0", "train", *data, "-o", f"{own}/model"]

    def read(images: list[Path], own: Path) -> list[Command]:
        model, weights = newest(own / "model", "*.ckpt"), f"{own}/network.safetensors"
        pairs = [word for image in images for word in ("-i", str(image), f"{made(own / 'texts')}/{image.stem}.txt")]
        ocr = [f"{folder}/kraken", *ways, *pairs, "ocr", "-s", "--num-line-workers", "0", "-m", weights]
        return [[f"{folder}/ketos", "convert", "-o", weights, str(model)], ocr]

    def texts(images: list[Path], own: Path) -> dict[str, str]:
        return {image.stem: text_of(own / "texts" / f"{image.stem}.txt") for image in images}

    return System(train, read, texts)


def calamari(folder: Path) -> System:
    def train(lines: Path, own: Path, minutes: float) -> Command:
        data = ["--train.images", f"{lines}/train/*.png", "--val.images", f"{lines}/choose/*.png"]
        often = max(32, round(VALIDATED * minutes))
        rest = f"--trainer.epochs 1000000 --trainer.samples_per_epoch {often} --early_stopping.n_to_go -1"
        return [f"{folder}/calamari-train", *data, "--trainer.output_dir", f"{own}/model", *rest.split()]

    def read(images: list[Path], own: Path) -> list[Command]:
        best = own / "model" / "best.ckpt.json"
        model = best if best.exists() else newest(own / "model", "**/*.ckpt.json")
        where = ["--output_dir", str(made(own / "texts")), "--data.images", *map(str, images)]
        return [[f"{folder}/calamari-predict", "--checkpoint", str(model), *where]]

    def texts(images: list[Path], own: Path) -> dict[str, str]:
        return {image.stem: text_of(own / "texts" / f"{image.stem}.pred.txt") for image in images}

    return System(train, read, texts)


def lay_out(data: Sequence[Path], folder: Path, most: int) -> None:
    """Write the lines: train/, choose/ and score/ as PNG beside .gt.txt, the first two also as lines.zip.

    Args:
        data: line archives with splits.
        folder: to write into; lines.json is written last.
        most: lines of each part at most, the same ones for the same data; 0: all.
    """
    choosing = min(CHOOSING, most or CHOOSING)
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "choose": [], "score": []}
    samples = [s for s in read_samples(data) if not s.flaw and not reading_text(s.text).reason]
    random.Random(0).shuffle(samples)
    for sample in samples:
        part = "train" if split_of(sample) == "train" else "choose" if len(parts["choose"]) < choosing else "score"
        if split_of(sample) == "test" or (most and len(parts[part]) >= most):
            continue
        name = f"{sample.collection}-{len(parts[part]):05d}"
        image, text = made(folder / part) / f"{name}.png", reading_text(sample.text).text
        cv2.imwrite(str(image), sample.image())
        image.with_suffix(".gt.txt").write_text(text, encoding="utf-8")
        parts[part].append((name, text))
    with zipfile.ZipFile(folder / "lines.zip", "w") as archive:
        rows = ["image\ttext\tsplit\n"]
        for part, split in (("train", "train"), ("choose", "val")):
            for name, text in parts[part]:
                archive.write(folder / part / f"{name}.png", f"{part}/{name}.png")
                rows.append(f"{part}/{name}.png\t{text}\t{split}\n")
        archive.writestr("lines.tsv", "".join(rows))
    keep(folder / "lines.json", {part: len(some) for part, some in parts.items()})


def learn(command: Command, seconds: float, threads: int, log: Path) -> Run:
    """Run a command, end it by Ctrl-C when its seconds are over, and give it time to put its network away.

    Raises:
        RuntimeError: it failed before.
    """
    began = time.monotonic()
    with log.open("wb") as told:
        process = subprocess.Popen(
            command,
            stdout=told,
            stderr=told,
            env=environment(threads),
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        )
        try:
            asked = False
            while not (gone := os.wait4(process.pid, os.WNOHANG))[0]:
                time.sleep(0.2)
                if time.monotonic() - began > seconds + PATIENCE:
                    os.killpg(process.pid, signal.SIGKILL)
                elif time.monotonic() - began > seconds and not asked:
                    asked = True
                    os.killpg(process.pid, signal.SIGINT)
        except BaseException:
            ended(process)
            raise
    process.returncode = os.waitstatus_to_exitcode(gone[1])
    if process.returncode and not asked:
        raise RuntimeError(f"{command[:4]} failed: {log.read_text(encoding='utf-8', errors='replace')[-800:]}")
    return Run(gone[2].ru_utime + gone[2].ru_stime, time.monotonic() - began, gone[2].ru_maxrss / 1024)


def attempt(name: str, system: System, folder: Path, minutes: float, threads: int) -> None:
    """Train, read and judge, as far as it is not done."""
    own, lines = folder / name, folder / "lines"
    images = sorted((lines / "score").glob("*.png"))
    if not (own / "train.json").exists():
        shutil.rmtree(own, ignore_errors=True)
        first = folder / "uncial" / "train.json"
        seconds = json.loads(first.read_text(encoding="utf-8"))["wall"] if first.exists() else minutes * 60
        limit = minutes * 60 + 3600 if name == "uncial" else seconds  # it ends by itself
        print(f"{name}: learns for {minutes if name == 'uncial' else seconds / 60:.1f} minutes", file=sys.stderr)
        run = learn(system.train(lines, made(own), minutes), limit, threads, own / "train.log")
        keep(own / "train.json", asdict(run))
    if not (own / "read.json").exists():
        print(f"{name}: reads {len(images)} lines", file=sys.stderr)
        for command in system.read(images, own):
            learn(command, 24 * 3600, threads, own / "read.log")
        keep(own / "read.json", system.texts(images, own))


def judge(read: dict[str, str], truth: dict[str, str]) -> dict[str, dict[str, float]]:
    """CER as it stands and normalised, of all lines and of each collection; a line that was not read is all missing."""
    counts: defaultdict[str, list[tuple[EditCounts, EditCounts]]] = defaultdict(list)
    for name, text in truth.items():
        given = read.get(name, "")
        plain = count_edits(graphemes(text), graphemes(given))
        both = plain, count_edits(graphemes(comparable(text)), graphemes(comparable(given)))
        for group in ("all", name.rpartition("-")[0]):
            counts[group].append(both)
    return {
        group: {"CER": pooled(a for a, _ in some).error_rate, "normalised": pooled(b for _, b in some).error_rate}
        for group, some in counts.items()
    }


def told(folder: Path, names: Sequence[str], machine: Facts, minutes: float) -> tuple[str, dict[str, object]]:
    """The table, and the numbers."""
    truth = {p.name.removesuffix(".gt.txt"): text_of(p) for p in sorted((folder / "lines" / "score").glob("*.gt.txt"))}
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    rows: list[list[str | float | None]] = []
    for name in names:
        if (folder / name / "read.json").exists():
            run, read = (json.loads((folder / name / f"{step}.json").read_text("utf-8")) for step in ("train", "read"))
            numbers[name] = judge(read, truth)
            rates = [f"{rate['CER']:.1%}" for rate in numbers[name].values()]
            figures = [run["wall"] / 60, run["cpu"] / 60, run["memory"]]
            rows.append([name, *figures, rates[0], f"{numbers[name]['all']['normalised']:.1%}", *rates[1:]])
    groups = list(next(iter(numbers.values())))[1:] if numbers else []
    counts = json.loads((folder / "lines" / "lines.json").read_text(encoding="utf-8"))
    head = ["program", "minutes", "CPU-minutes", "memory, MB", "CER", "normalised", *groups]
    text = f"# Equal time\n\n{machine.told()}\n{minutes:g} minutes and what Uncial's command takes beside; "
    text += f"{counts['train']:,} lines to learn from, {counts['score']:,} others to judge by.\n\n{table(head, rows)}"
    return text, {"lines": counts, "minutes": minutes, "CER": numbers, "machine": asdict(machine)}


def main() -> None:
    """Do what is not done yet, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="+", type=Path)
    options.add_argument("-o", "--out", type=Path, required=True, help="folder for everything")
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--most", type=int, default=0, help="lines of each part at most, for a trial; 0: all")
    options.add_argument("--peers", type=Path, default=Path(".cache/peers"), help="where setup_peers.sh put them")
    options.add_argument("--only", nargs="*", default=[], choices=["uncial", "kraken", "calamari"], metavar="NAME")
    options.add_argument("--recipe", default="small", help="of Uncial's training (%(default)s)")
    options.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of Uncial's")
    chosen = options.parse_args()
    there, out = chosen.peers.absolute(), chosen.out.absolute()
    systems = {"uncial": uncial(chosen.threads, chosen.recipe, chosen.settings)}
    if (there / "kraken" / "bin").is_dir():
        systems["kraken"] = kraken(there / "kraken" / "bin", chosen.threads)
    if (there / "calamari" / "bin").is_dir():
        systems["calamari"] = calamari(there / "calamari" / "bin")
    machine = facts({name: peer.version for name, peer in peers(there, 1).items() if name in systems})
    if not (out / "lines" / "lines.json").exists():
        shutil.rmtree(out / "lines", ignore_errors=True)
        lay_out(chosen.data, made(out / "lines"), chosen.most)
    for name, system in systems.items():
        if name in chosen.only or not chosen.only:
            attempt(name, system, out, chosen.minutes, chosen.threads)
            text, numbers = told(out, list(systems), machine, chosen.minutes)
            write(out, "equal-time", text, numbers)
    print((out / "equal-time.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
