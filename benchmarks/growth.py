"""How cost and memory grow: with width, batch, alphabet, number of lines, number of pages and of processes.

    python benchmarks/growth.py -o FOLDER [--only SERIES …] [--minutes 6] [--quick]

Each point is measured in a process of its own, one thread, so that its peak of memory (with the interpreter and its
libraries) is its own. Lines are noise and pages are drawn: what is on them hardly changes the time. The network is the
default one; lines and pages are read with the shipped model, but alphabets need networks of chance, in fp32 and with
PyTorch in memory, which makes them. Several processes work side by side, each on its own lines; in training they share
their gradients, as under torchrun; what they can reach at best is what products of matrices do. --quick measures
the ends of each series with less work. Ctrl-C ends it; what has been measured is written.
"""

import argparse
import json
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from growth_jobs import JOBS, LINES, READ, Point
from peers import timed
from results import Facts, facts, line_chart, stacked, table, write


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU-milliseconds of a line or page, lines or pages a second of wall time, and MB of the largest process."""

    milliseconds: float
    speed: float
    memory: float


WIDTHS, ALPHABETS = (200, 400, 707, 1400, 2800), (50, 200, 1000, 5000)


def learned(width: int) -> int:
    return max(8, LINES * 707 // width)


# title -> (unit, what the horizontal axis tells, which attribute of a point that is, curve -> points)
SERIES: dict[str, tuple[str, str, str, dict[str, list[Point]]]] = {
    "the machine": (
        "product",
        "processes",
        "processes",
        {
            name: [Point("products", width, rows, count=count, processes=n) for n in (1, 2)]
            for name, width, rows, count in (
                ("products in a core's cache", 512, 512, 2000),  # 1 MB; nothing to wait for
                ("products in the cache of all cores", 1448, 1, 4000),  # 8 MB, one row: it waits for the cache
                ("products from memory", 8192, 1, 100),  # 256 MB
            )
        },
    ),
    "width": (
        "line",
        "width of a line, px",
        "width",
        {
            "training": [Point("train", width=w, count=learned(w)) for w in WIDTHS],
            "reading": [Point("read", width=w, count=max(8, READ * 707 // w)) for w in WIDTHS],
        },
    ),
    "batch": (
        "line",
        "lines in a batch",
        "batch",
        {"training": [Point("train", batch=b, count=LINES) for b in (1, 4, 8, 16, 32)]},
    ),
    "alphabet": (
        "line",
        "graphemes of the alphabet",
        "graphemes",
        {
            "training": [Point("train", graphemes=g, count=LINES) for g in ALPHABETS],
            "reading, fp32": [Point("read", graphemes=g) for g in ALPHABETS],
        },
    ),
    "lines": ("line", "lines", "count", {"reading": [Point("read", count=n) for n in (4, 64, 256, 1024)]}),
    "pages": (
        "page",
        "pages of 25 lines",
        "count",
        {"finding and reading": [Point("pages", count=n) for n in (1, 2, 4, 8)]},
    ),
    "processes": (
        "line",
        "processes",
        "processes",
        {
            "training": [Point("train", count=LINES, processes=n) for n in (1, 2)],
            "reading": [Point("read", count=4 * READ, processes=n) for n in (1, 2)],
        },
    ),
}


def cost(point: Point, until: float) -> Cost:
    """Measure a point in processes of its own.

    Raises:
        TimeoutError: it was not done `until` then, by time.monotonic().
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:

        def one(rank: int) -> tuple[tuple[int, float, float], float]:
            told = Path(folder) / f"{rank}.json"
            # As torchrun tells its processes who they are; those that only read do not look.
            group = {"RANK": rank, "WORLD_SIZE": point.processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            named = ["env", *(f"{name}={value}" for name, value in group.items())]
            command = [*named, sys.executable, __file__, "--point", json.dumps(asdict(point)), str(told)]
            run = timed(command, 1, until)
            return json.loads(told.read_text(encoding="utf-8")), run.memory

        with ThreadPoolExecutor(point.processes) as pool:
            done = list(pool.map(one, range(point.processes)))
    count = sum(units for (units, _, _), _ in done)
    cpu = sum(seconds for (_, seconds, _), _ in done)
    speed = sum(units / seconds for (units, _, seconds), _ in done)
    return Cost(1e3 * cpu / count, speed, max(memory for _, memory in done))


def measure(only: list[str], quick: bool, until: float) -> dict[str, dict[str, dict[int, Cost]]]:
    """Series -> curve -> value -> cost, as far as the time allows."""
    measured: dict[str, dict[str, dict[int, Cost]]] = {}
    try:
        for title, (_, _, attribute, curves) in SERIES.items():
            for curve, points in curves.items() if title in only or not only else ():
                for point in points[:: len(points) - 1] if quick and len(points) > 2 else points:
                    lesser = max(1, point.count // 4) if quick else point.count
                    less = lesser if attribute != "count" else point.count
                    value = getattr(point, attribute)
                    found = cost(Point(**{**asdict(point), "count": less}), until)
                    measured.setdefault(title, {}).setdefault(curve, {})[value] = found
                    print(f"{title}, {curve}, {value}: {found}", file=sys.stderr)
    except (KeyboardInterrupt, TimeoutError) as reason:
        print(f"{reason or 'interrupted'}; what has been measured is written", file=sys.stderr)
    return measured


def told(measured: Mapping[str, Mapping[str, Mapping[int, Cost]]], machine: Facts) -> str:
    """The tables."""
    parts = [f"# How cost grows\n\n{machine.told()}"]
    for title, curves in measured.items():
        unit, across, attribute, _ = SERIES[title]
        fast = attribute == "processes"
        head = (across, f"CPU-ms a {unit}", f"{unit}s a second", f"{'speed' if fast else 'CPU-ms'}, ×", "memory, MB")
        for curve, costs in curves.items():
            first = next(iter(costs.values()))
            rows = []
            for value, one in costs.items():
                times = one.speed / first.speed if fast else one.milliseconds / first.milliseconds
                rows.append([f"{value:,}", one.milliseconds, one.speed, f"{times:.2f}", one.memory])
            parts.append(f"## {title.capitalize()}: {curve}\n\n{table(head, rows)}")
    missing = [f"{t}, {c}" for t, series in SERIES.items() for c in series[3] if c not in measured.get(t, {})]
    return "\n".join(parts) + (f"\nNot measured: {'; '.join(missing)}.\n" if missing else "")


def drawn(measured: Mapping[str, Mapping[str, Mapping[int, Cost]]]) -> str:
    """For each series cost on the left and memory on the right; of processes the speed of all together."""
    charts = []
    for title, curves in measured.items():
        unit, across, attribute, _ = SERIES[title]
        fast = attribute == "processes"
        cost_ = {
            name: [(float(v), c.speed if fast else c.milliseconds) for v, c in costs.items()]
            for name, costs in curves.items()
        }
        memory = {name: [(float(v), c.memory) for v, c in costs.items()] for name, costs in curves.items()}
        charts.append(
            line_chart(title.capitalize(), across, f"{unit}s a second" if fast else f"CPU-ms a {unit}", cost_)
        )
        charts.append(line_chart(title.capitalize(), across, "memory, MB", memory))
    return stacked(charts)


def main() -> None:
    """Measure, print and write; or be one of the processes that measure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="*", default=[], choices=SERIES, metavar="SERIES", help=", ".join(SERIES))
    options.add_argument("--minutes", type=float, default=6.0)
    options.add_argument("--quick", action="store_true", help="one minute")
    options.add_argument("-o", "--out", type=Path, help="folder for growth.md, .svg and .json")
    options.add_argument("--point", nargs=2, metavar=("JSON", "FILE"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.point:
        point = Point(**json.loads(chosen.point[0]))
        Path(chosen.point[1]).write_text(json.dumps(JOBS[point.job](point)), encoding="utf-8")
        return
    machine = facts()
    seconds = 60.0 if chosen.quick else chosen.minutes * 60
    measured = measure(chosen.only, chosen.quick, time.monotonic() + seconds)
    if not measured:
        sys.exit("nothing was measured")
    text = told(measured, machine)
    print(text)
    if chosen.out:
        numbers: dict[str, Any] = {
            title: {curve: [{"at": v, **asdict(c)} for v, c in costs.items()] for curve, costs in curves.items()}
            for title, curves in measured.items()
        }
        write(chosen.out, "growth", text, {"machine": asdict(machine), "series": numbers}, drawn(measured))


if __name__ == "__main__":
    main()
