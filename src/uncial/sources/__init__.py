"""Ground truth in: whatever form it is stored in, it becomes a list of `Sample`s.

A source is a function (path) -> list of samples, and `SOURCES` is the table of them. `read_samples` finds out by
itself which one a path needs. Nothing is dropped on the way: an image without text or a text without image becomes a
sample that says so, and whoever uses it counts it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from uncial.errors import GroundTruthError
from uncial.sources.archive import TABLE, read_archive
from uncial.sources.sample import Sample, split_of

__all__ = ["SOURCES", "Sample", "read_samples", "split_of"]

SOURCES: dict[str, Callable[[Path], list[Sample]]] = {"archive": read_archive}


def read_samples(paths: Sequence[Path], split: str = "all") -> list[Sample]:
    """All lines of these files and folders, in their order.

    Raises:
        GroundTruthError: no such file, nothing understood in it, or no line in this split.
    """
    samples = []
    for path in paths:
        files = [path] if path.is_file() or (path / TABLE).is_file() else sorted(path.rglob("*.zip"))
        if not files:
            raise GroundTruthError(f"{path}: no such file, or no ground truth in it")
        for file in files:
            samples += SOURCES["archive"](file)
    return [s for s in samples if split in ("all", split_of(s))]
