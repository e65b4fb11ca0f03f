"""Ground truth in: whatever form it is stored in, it becomes a list of `Sample`s.

A source is a function (path) -> list of samples, and `SOURCES` is the table of them; the path is a file of its kind or
a folder with such files. `read_samples` finds out by itself which sources a path needs. Nothing is dropped on the way:
an image without text or a text without image becomes a sample with that flaw, and whoever uses samples counts it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from uncial.errors import GroundTruthError
from uncial.sources import archive, iam, parquet
from uncial.sources.archive import read_archives
from uncial.sources.files import IMAGE_SUFFIXES, TEXT_SUFFIX, files_of, some_of, without_text
from uncial.sources.iam import read_iam
from uncial.sources.page_lines import page_kind, read_alto, read_page_xml
from uncial.sources.pairs import read_pairs
from uncial.sources.parquet import read_parquet
from uncial.sources.sample import Sample, split_of, with_held_out
from uncial.wording import count_of

__all__ = ["SOURCES", "Sample", "read_samples", "source_of", "split_of", "with_held_out"]

SOURCES: dict[str, Callable[[Path], list[Sample]]] = {
    "archive": read_archives,
    "parquet": read_parquet,
    "iam": read_iam,
    "page": read_page_xml,
    "alto": read_alto,
    "pairs": read_pairs,
}


def read_samples(paths: Sequence[Path | str] | Path | str, split: str = "all") -> list[Sample]:
    """All lines of these files and folders, in their order.

    Args:
        paths: files or folders, or a single one; a folder may hold ground truth of several kinds, which are all read.
            XML files in it that are neither PAGE nor ALTO, and images that no text and no page file belongs to, are
            passed over.
        split: "train", "val", "test" or "all".

    Raises:
        GroundTruthError: no such file, nothing understood in it, damaged, the same id twice, or no line of this split.
        MissingExtraError: Parquet without pyarrow.
    """
    samples, files = [], [Path(path) for path in ([paths] if isinstance(paths, Path | str) else paths)]
    for path in {path.resolve(): path for path in files}.values():
        samples += [sample for kind in _sources_in(path) for sample in SOURCES[kind](path)]
    _check_ids(samples, files)
    chosen = samples if split == "all" else [sample for sample in samples if split_of(sample) == split]
    if not chosen:
        if not samples:
            raise GroundTruthError(f"{_names(files)}: holds no line; transcribe some")
        there = ", ".join(f"{name} ({count:,})" for name, count in Counter(map(split_of, samples)).most_common())
        raise GroundTruthError(f"{_names(files)}: no line in split '{split}'; there are: {there}")
    return chosen


def source_of(file: Path) -> str:
    """The name of the source that a file belongs to; "" for none."""
    name, suffix = file.name, file.suffix.lower()
    if suffix == ".xml":
        return page_kind(file)
    if name.endswith(TEXT_SUFFIX):
        return "pairs"
    names = {archive.TABLE: "archive", iam.TABLE: "iam"}
    return names.get(name) or {".zip": "archive", parquet.SUFFIX: "parquet"}.get(suffix, "")


def _sources_in(path: Path) -> list[str]:
    """The sources that a file or folder needs, in the order of the table."""
    files = files_of(path)
    if not path.is_dir():
        kind = source_of(path) or ("pairs" if path.suffix.lower() in IMAGE_SUFFIXES else "")
        kind = kind or ("iam" if path.suffix == ".txt" else "")
        if not kind:
            raise GroundTruthError(f"{path}: {_not_understood(path)}; ground truth is {_UNDERSTOOD}")
        return [kind]
    kinds = {source_of(file) for file in files}
    if kinds == {""} or not kinds:
        raise GroundTruthError(_nothing_in(path, files))
    return [kind for kind in SOURCES if kind in kinds]


_UNDERSTOOD = (
    "pairs of X.png and X.gt.txt, line archives (.zip), Parquet, IAM's lines.txt, or PAGE or ALTO files beside their "
    "images"
)


def _not_understood(path: Path) -> str:
    if path.suffix.lower() == ".xml":
        return "is neither PAGE (root PcGts) nor ALTO (root alto), or not well-formed"
    return "is no kind of ground truth that is understood"


def _nothing_in(path: Path, files: Iterable[Path]) -> str:
    images = [file.relative_to(path).as_posix() for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if images:
        return without_text(path, images)
    return f"{path}: the folder holds no images and no ground truth; it is {_UNDERSTOOD}"


def _check_ids(samples: Sequence[Sample], paths: Sequence[Path]) -> None:
    twice = [id_ for id_, count in Counter(sample.id for sample in samples).items() if count > 1]
    if twice:
        raise GroundTruthError(
            f"{_names(paths)}: {count_of(len(twice), 'line')} with the id of another ({some_of(twice)}); "
            "name the same data, each image in a table, and each of two collections of one name only once"
        )


def _names(paths: Sequence[Path]) -> str:
    return some_of([str(path) for path in paths])
