"""What every benchmark writes: the facts of the machine, tables in Markdown, plots in SVG, and the numbers in JSON."""

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")  # that networks gain by
PACKAGES = ("uncial", "torch", "onnxruntime", "numpy", "opencv-python-headless")
IDLE = 0.3  # processes that want the processor, on average over a minute; above it the machine was busy
COLOURS = ("#20639b", "#c8553d", "#3caea3", "#b08900", "#6d597a", "#555555")

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a benchmark ran on.

    Attributes:
        processor: its name.
        cores: that this process may use.
        instructions: of INSTRUCTIONS, those it has.
        memory: GB.
        system: operating system and architecture.
        load: processes that wanted the processor when the benchmark began, on average over the minute before.
        versions: of Python and of each package that is installed.
    """

    processor: str
    cores: int
    instructions: tuple[str, ...]
    memory: float
    system: str
    load: float
    versions: Mapping[str, str]

    @property
    def busy(self) -> bool:
        """Whether others used the processor, so that the figures compare within one table at best."""
        return self.load > IDLE

    def told(self) -> str:
        """A line of Markdown for each fact."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [
            f"- {self.processor}, {self.cores} cores, {' '.join(self.instructions) or 'no wide instructions'}",
            f"- {self.memory:.0f} GB of memory; {self.system}",
            f"- {versions}",
        ]
        if self.busy:
            lines.append(
                f"- **The machine was busy** (load {self.load:.1f} at the start): compare figures within a table only."
            )
        return "\n".join(lines) + "\n"


def facts(more: Mapping[str, str] | None = None) -> Facts:
    """Look at this machine; call it before the work begins, since work is load.

    Args:
        more: versions of other programs.
    """
    model, flags = processor(_text("/proc/cpuinfo"))
    versions = {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    versions |= {name: number for name, number in (more or {}).items() if number}
    return Facts(
        model or platform.processor() or platform.machine(),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        tuple(name for name in INSTRUCTIONS if name in flags),
        memory(_text("/proc/meminfo")),
        f"{platform.system()}, {platform.machine()}",
        os.getloadavg()[0],
        {name: number for name, number in versions.items() if number},
    )


def processor(cpuinfo: str) -> tuple[str, set[str]]:
    """Name and flags of the last processor in the text of /proc/cpuinfo; empty where there are none."""
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    return told.get("model name", ""), set(told.get("flags", "").split())


def memory(meminfo: str) -> float:
    """GB of memory by the text of /proc/meminfo; nan where it does not tell."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) / 2**20
    return float("nan")


def version(package: str) -> str:
    """Of an installed package; of Uncial also where it runs from its source; "" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        if package != "uncial":
            return ""
        import uncial

        return uncial.__version__


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table; numbers with three digits that count, what is missing as a dash."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Cell) -> str:
    if value is None or value != value:  # noqa: PLR0124 - nan differs from itself
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line_chart(title: str, across: str, up: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Curves as an SVG figure of 420 x 260; both axes begin at 0.

    Args:
        title: above the figure.
        across: what the horizontal axis tells.
        up: what the vertical axis tells.
        curves: name -> points.
    """
    points = [point for curve in curves.values() for point in curve]
    right, top = (_round_up(max(values)) for values in zip(*points, strict=True))

    def place(x: float, y: float) -> tuple[float, float]:
        return 50 + 350 * x / right, 215 - 175 * y / top

    parts = [f'<text x="210" y="16" text-anchor="middle" font-weight="bold">{escape(title)}</text>']
    for n in range(5):
        x, y = place(right * n / 4, top * n / 4)
        parts.append(f'<path d="M50 {y:.1f}H400" stroke="#ddd"/><text x="46" y="{y + 4:.1f}" text-anchor="end">')
        parts.append(
            f'{_tick(top * n / 4)}</text><text x="{x:.1f}" y="230" text-anchor="middle">{_tick(right * n / 4)}</text>'
        )
    parts.append(f'<text x="225" y="248" text-anchor="middle">{escape(across)}</text>')
    parts.append(f'<text x="50" y="34">{escape(up)}</text>')
    for n, (name, curve) in enumerate(curves.items()):
        colour, placed = COLOURS[n % len(COLOURS)], [place(*point) for point in sorted(curve)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
        parts.append(f'<text x="400" y="{34 + 14 * n}" text-anchor="end" fill="{colour}">{escape(name)}</text>')
    return _figure(420, 260, parts)


def bar_chart(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Bars beside each other as an SVG figure: {what is compared: {name of the bar: length}}."""
    parts, y = [f'<text x="210" y="16" text-anchor="middle" font-weight="bold">{escape(title)}</text>'], 30
    longest = max(length for bars in groups.values() for length in bars.values())
    colours = {
        name: COLOURS[n % len(COLOURS)] for n, name in enumerate({n: 0 for bars in groups.values() for n in bars})
    }
    for group, bars in groups.items():
        parts.append(f'<text x="105" y="{y + 7 * len(bars) + 4}" text-anchor="end">{escape(group)}</text>')
        for name, length in bars.items():
            wide = 210 * length / longest
            parts.append(f'<rect x="110" y="{y}" width="{wide:.1f}" height="12" fill="{colours[name]}"/>')
            parts.append(f'<text x="{114 + wide:.1f}" y="{y + 10}">{_cell(length)} ({escape(name)})</text>')
            y += 14
        y += 8
    return _figure(420, y, parts)


def stacked(figures: Sequence[str]) -> str:
    """Several figures of this module in one, two beside each other."""
    parts, y, row = [], 0, 0
    for n, figure in enumerate(figures):
        parts.append(figure.replace("<svg ", f'<svg x="{n % 2 * 440}" y="{y}" ', 1))
        row = max(row, int(figure.split('height="')[1].split('"')[0]))
        if n % 2 or n == len(figures) - 1:
            y, row = y + row + 10, 0
    return _figure(860 if len(figures) > 1 else 420, y, parts)


def _figure(width: int, height: int, parts: Sequence[str]) -> str:
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    ground = f'font-family="sans-serif" font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([frame + ground, *parts, "</svg>"]) + "\n"


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"


def _round_up(value: float) -> float:
    """The next of 1, 1.2, 1.6, 2, 3, 4, 6, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if step * power >= value - 1e-12)


def write(folder: Path, name: str, text: str, numbers: Mapping[str, Any], figure: str | None = None) -> None:
    """Write NAME.md, NAME.json and NAME.svg into a folder, each whole or not at all; older ones are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"md": text, "json": json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", "svg": figure}
    for suffix, content in files.items():
        if content is not None:
            part = folder / f".{name}.{suffix}.part"
            part.write_text(content, encoding="utf-8")
            part.replace(folder / f"{name}.{suffix}")


def keep(path: Path, value: object) -> None:
    """Write JSON, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def newest(folder: Path, pattern: str) -> Path:
    """The file that was written last.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"{folder}: holds no {pattern}: no network was kept; give it more --minutes")
    return found[-1]
