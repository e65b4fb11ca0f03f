"""Uncial beside its peers: lines per CPU-second in training and reading, start-up, memory and size of the install.

    bash benchmarks/setup_peers.sh
    python benchmarks/beside_peers.py LINES.zip … [--only NAME …] [--repeat 3] [--threads 1] [-o docs/beside-peers]

Each program runs by its own command with its own defaults on the same line images, 64 px high and 707 px wide on
average. A command runs twice, with few lines and with more, and the difference in processor time is what the lines
between cost: start-up cancels out. Repeats take turns, so that a machine that slows down slows all of them; the median
counts. A program is started anew each time, so "first line" is a cold start with the files in the system's cache.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
from peers import Command, Peer, environment, made, peers

from uncial.sources import read_samples, split_of
from uncial.text import reading_text

TYPICAL = 707  # pixels; the middling line of the collections


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took: seconds of processor and wall time, and the most memory of a process in MB."""

    cpu: float
    wall: float
    memory: float


def timed(command: Command, threads: int) -> Run:
    """Run a command to its end; its children count in time."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=environment(threads))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise RuntimeError(f"{command[:4]} failed: {told.read()[-800:].decode(errors='replace')}")
    return Run(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024)


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


def measure(peer: Peer, lines: list[Path], few_lines: list[Path], threads: int) -> dict[str, float]:
    """One round: start-up, speeds and memory of one program."""
    row: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        if peer.read:
            few, more = (timed(peer.read(lines[:n], out), threads) for n in peer.lines)
            between = peer.lines[1] - peer.lines[0]
            row["read"] = between / max(1e-9, more.cpu - few.cpu)
            row["read, wall"] = between / max(1e-9, more.wall - few.wall)
            row["read, MB"] = more.memory
            row["first line, s"] = timed(peer.read(lines[:1], out), threads).wall
        if peer.train:
            few, more = (timed(peer.train(few_lines, n, made(out / f"t{n}")), threads) for n in peer.passes)
            between = (peer.passes[1] - peer.passes[0]) * len(few_lines)
            row["train"] = between / max(1e-9, more.cpu - few.cpu)
            row["train, wall"] = between / max(1e-9, more.wall - few.wall)
            row["train, MB"] = more.memory
    return row


def main() -> None:
    """Measure, and write a table and the numbers."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", nargs="+", type=Path)
    options.add_argument("--peers", type=Path, default=Path(".cache/peers"))
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("-o", "--out", type=Path, help="writes OUT.md and OUT.json")
    chosen = options.parse_args()
    found = {
        n: p for n, p in peers(chosen.peers.absolute(), chosen.threads).items() if n in chosen.only or not chosen.only
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        lines, few = work(chosen.data, Path(one), 256), work(chosen.data, Path(other), 64)
        for number in range(chosen.repeat):
            for name, peer in found.items():
                rounds[name].append(measure(peer, lines, few, chosen.threads))
                print(number + 1, name, {k: round(v, 2) for k, v in rounds[name][-1].items()}, file=sys.stderr)
    rows = {name: {key: median(r[key] for r in some) for key in some[0]} for name, some in rounds.items()}
    text = table(rows, {name: peer.size for name, peer in found.items()}, chosen.threads)
    print(text)
    if chosen.out:
        chosen.out.with_suffix(".md").write_text(text, encoding="utf-8")
        chosen.out.with_suffix(".json").write_text(json.dumps({"machine": machine(), "rounds": rounds}, indent=1))


def machine() -> dict[str, str]:
    """What it ran on."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    told = dict(line.split(":", 1) for line in facts.splitlines() if ":" in line)
    model, flags = (
        next((v.strip() for k, v in told.items() if k.strip() == name), "") for name in ("model name", "flags")
    )
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    return {
        "processor": model or platform.processor(),
        "instructions": " ".join(f for f in wanted if f in flags.split()),
    }


def table(rows: dict[str, dict[str, float]], sizes: dict[str, int], threads: int) -> str:
    """Markdown: a row for each program; lines per CPU-second, and how many times quicker Uncial is."""
    ours = rows.get("uncial", {})

    def cell(row: dict[str, float], key: str) -> str:
        if key not in row:
            return "–"
        ratio = f" ({ours[key] / row[key]:.1f} ×)" if key in ours and row is not ours else ""
        return f"{row[key]:.1f}{ratio}"

    facts = machine()
    head = (
        f"{threads} thread(s); {facts['processor']}, {facts['instructions']}; lines of 64 x {TYPICAL} px per CPU-second"
    )
    lines = [f"{head}, and how many times Uncial is quicker.", ""]
    lines += [
        "| program | training | reading | first line, s | reading, MB | training, MB | install, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        plain = [f"{row[key]:.1f}" if key in row else "–" for key in ("first line, s", "read, MB", "train, MB")]
        cells = [name, cell(row, "train"), cell(row, "read"), *plain, str(sizes[name] or "–")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
