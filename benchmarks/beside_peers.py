"""Uncial beside its peers: lines a second in training and reading, start-up, memory and size of the install.

    bash benchmarks/setup_peers.sh
    python benchmarks/beside_peers.py LINES.zip … -o FOLDER [--only NAME …] [--threads 1 2] [--minutes 10] [--quick]

Each program runs by its own command with its own defaults on the same line images, 64 px high and 707 px wide on
average. A command runs twice, with few lines and with more, and the difference in time is what the lines between cost:
start-up cancels out. Programs take turns, so that a machine that slows down slows all of them, as often as the minutes
allow; the median counts. "First line" is the time from the start of a program to its end with one line to read, once
with its files in the system's memory and once with them dropped from it. --quick takes a minute and tells little but
that all works. Ctrl-C ends it; what has been measured is written.
"""

import argparse
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import cv2
from peers import Peer, Run, made, peers, timed
from results import Facts, bar_chart, facts, stacked, table, write

from uncial.sources import read_samples, split_of
from uncial.text import reading_text

TYPICAL = 707  # pixels; the middling line of the collections
LEARNED = 32  # lines of a pass in training

Row = dict[str, float]
Rounds = dict[tuple[int, str], list[Row]]  # (threads, program) -> what each round measured


def work(data: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Write training lines of TYPICAL mean width, as PNG beside .gt.txt; the same ones for the same data."""
    samples = [
        s for s in read_samples(data) if split_of(s) == "train" and not s.flaw and not reading_text(s.text).reason
    ]
    random.Random(0).shuffle(samples)
    chosen: list[Path] = []
    mean = 0.0
    for sample in samples:
        image = sample.image()
        moved = (mean * len(chosen) + image.shape[1]) / (len(chosen) + 1)
        if not 350 < image.shape[1] < 1100 or (len(chosen) > 8 and abs(moved - TYPICAL) > abs(mean - TYPICAL) + 1):
            continue
        path = folder / f"{len(chosen):04d}.png"
        cv2.imwrite(str(path), image)
        path.with_suffix(".gt.txt").write_text(reading_text(sample.text).text, encoding="utf-8")
        mean = moved
        chosen.append(path)
        if len(chosen) == count:
            break
    print(f"{len(chosen)} lines, {mean:.0f} px wide on average", file=sys.stderr)
    return chosen


def measure(row: Row, peer: Peer, lines: list[Path], learned: list[Path], threads: int, until: float) -> None:
    """Fill a row with one round: start-up, speeds and memory of one program.

    Raises:
        RuntimeError: a command failed.
        TimeoutError: it was not done `until` then, by time.monotonic().
    """
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        if peer.read:
            count = min(peer.lines, len(lines))
            more = timed(peer.read(lines[:count], out), threads, until)  # first, so that its files are in memory
            command = peer.read(lines[:1], out)
            one = timed(command, threads, until)
            row |= speeds("reading", count - 1, one, more)
            row["reading, MB"], row["first line, s"] = more.memory, one.wall
            forget(peer.folders)
            row["files dropped, s"] = timed(command, threads, until).wall
        if peer.train:
            few, more = (timed(peer.train(learned, n, made(out / f"t{n}")), threads, until) for n in peer.passes)
            row |= speeds("training", (peer.passes[1] - peer.passes[0]) * len(learned), few, more)
            row["training, MB"] = more.memory


def speeds(job: str, lines: int, few: Run, more: Run) -> Row:
    """Lines a second by the difference of two runs; nan where noise is greater than the difference."""
    units = {"CPU-second": more.cpu - few.cpu, "second": more.wall - few.wall}
    return {f"{job}, a {unit}": lines / spent if spent > 0 else math.nan for unit, spent in units.items()}


def forget(folders: Sequence[Path]) -> None:
    """Drop the files below these folders from the system's memory, but for those that a process has open."""
    if hasattr(os, "posix_fadvise"):
        for file in (file for folder in folders for file in folder.rglob("*") if file.is_file()):
            handle = os.open(file, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def rounds(
    found: Mapping[int, Mapping[str, Peer]], lines: list[Path], learned: list[Path], seconds: float, repeat: int
) -> Rounds:
    """Measure all programs in turn, as long as the next is likely to end in time; what does not is left out."""
    until, took = time.monotonic() + seconds, dict[tuple[int, str], float]()
    measured: Rounds = {}
    try:
        for _ in range(repeat):
            for threads, name, peer in ((t, n, p) for t, some in found.items() for n, p in some.items()):
                clock = time.monotonic()
                if until - clock < took.get((threads, name), took.get((1, name), 0.0)):
                    continue
                row: Row = {}
                try:
                    measure(row, peer, lines, learned, threads, until)
                except (RuntimeError, TimeoutError) as error:  # of one program; the others go on
                    print(f"{name}: {error}", file=sys.stderr)
                if not row:
                    continue
                took[threads, name] = time.monotonic() - clock
                measured.setdefault((threads, name), []).append(row)
                print(f"{threads} x {name}: {', '.join(f'{k} {v:.2f}' for k, v in row.items())}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what has been measured is written", file=sys.stderr)
    return measured


def told(measured: Rounds, found: Mapping[str, Peer], machine: Facts) -> str:
    """The tables."""
    parts = [f"# Beside the peers\n\n{machine.told()}"]
    parts.append(
        f"Lines of 64 x {TYPICAL} px; of the programs' own commands. In brackets: how many times quicker Uncial is.\n"
    )
    quick = [f"{job}, a {unit}" for job in ("training", "reading") for unit in ("CPU-second", "second")]
    plain = ("first line, s", "files dropped, s", "reading, MB", "training, MB")
    for threads in sorted({threads for threads, _ in measured}):
        rows = {name: middle(some) for (t, name), some in measured.items() if t == threads}
        body = [
            [
                f"{name} {peer.version}".strip(),
                *(compared(rows[name], rows.get("uncial", {}), key) for key in quick),
                *(rows[name].get(key) for key in plain),
                peer.size or None,
            ]
            for name, peer in found.items()
            if name in rows
        ]
        count = sorted({len(some) for (t, _), some in measured.items() if t == threads})
        often = "once" if count == [1] else f"{count[0]} to {count[-1]} times"
        parts.append(f"## {threads} thread{'s' * (threads > 1)}, each program {often}\n")
        parts.append(table(("program", *(f"{s[0].upper()}{s[1:]}" for s in quick), *plain, "install, MB"), body))
        if missing := [name for name in found if name not in rows]:
            parts.append(f"Not measured for lack of time, or failed: {', '.join(missing)}.\n")
    return "\n".join(parts)


def middle(some: Sequence[Row]) -> Row:
    """The median of each figure over the rounds."""
    keys = {key: None for row in some for key in row}
    return {key: median(row[key] for row in some if key in row) for key in keys}


def compared(row: Row, ours: Row, key: str) -> str | None:
    """A figure, and how many times as much Uncial's is."""
    if math.isnan(row.get(key, math.nan)):
        return None
    ratio = f" ({ours[key] / row[key]:.1f} ×)" if key in ours and row is not ours else ""
    return f"{row[key]:.1f}{ratio}"


def drawn(measured: Rounds) -> str:
    """Speeds, start-up and memory as bars."""
    titles = {
        "training, a second": "Training, lines a second",
        "reading, a second": "Reading, lines a second",
        "first line, s": "First line read, seconds from the start",
        "reading, MB": "Memory of reading, MB",
    }
    charts = []
    for key, title in titles.items():
        groups: dict[str, dict[str, float]] = {}
        for (threads, name), some in measured.items():
            if (figure := middle(some).get(key, 0)) > 0:
                groups.setdefault(name, {})[f"{threads} thread{'s' * (threads > 1)}"] = figure
        if groups:
            charts.append(bar_chart(title, groups))
    return stacked(charts)


def main() -> None:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="+", type=Path)
    options.add_argument("--peers", type=Path, default=Path(".cache/peers"), help="where setup_peers.sh put them")
    options.add_argument("--only", nargs="*", default=[], metavar="NAME")
    options.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    options.add_argument("--repeat", type=int, default=9, help="rounds, at most")
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--quick", action="store_true", help="one minute, one thread, few lines")
    options.add_argument("-o", "--out", type=Path, help="folder for beside-peers.md, .svg and .json")
    chosen = options.parse_args()
    several = chosen.threads[:1] if chosen.quick else chosen.threads
    found = {threads: peers(chosen.peers.absolute(), threads) for threads in several}
    found = {t: {n: p for n, p in some.items() if n in chosen.only or not chosen.only} for t, some in found.items()}
    some = found[several[0]]
    machine = facts({name: peer.version for name, peer in some.items()})
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        lines = work(chosen.data, Path(one), 48 if chosen.quick else 256)
        learned = work(chosen.data, Path(other), LEARNED // 2 if chosen.quick else LEARNED)
        seconds = 60.0 if chosen.quick else chosen.minutes * 60
        measured = rounds(found, lines, learned, seconds, 1 if chosen.quick else chosen.repeat)
    if not measured:
        sys.exit("nothing was measured")
    text = told(measured, some, machine)
    print(text)
    if chosen.out:
        numbers = [{"threads": t, "program": n, "rounds": rows} for (t, n), rows in measured.items()]
        write(chosen.out, "beside-peers", text, {"machine": asdict(machine), "rounds": numbers}, drawn(measured))


if __name__ == "__main__":
    main()
