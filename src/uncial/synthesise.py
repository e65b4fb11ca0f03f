"""Synthetic lines as a line archive, which training mixes with real ones."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2

from uncial import synthetic
from uncial.atomic import written_whole
from uncial.errors import StorageError
from uncial.sources import Sample
from uncial.sources.files import TABLE, text_of
from uncial.sources.sample import ImageFile
from uncial.sources.writing import StoredLine, write_archive

QUALITY = 80  # of WebP; at 64 px a line then takes some 5 KB


def write_synthetic(
    texts: Sequence[Path],
    fonts: Path,
    out: Path,
    *,
    count: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Draw lines into a line archive; it appears whole or not at all.

    All lines are of split "train": nobody should choose a network by drawn lines. `doc` names the font.

    Args:
        texts: files or folders of running text.
        fonts: folder of font files.
        out: the zip to write.
        count: number of lines.
        seed: of all chance.
        progress: is called with the lines drawn so far and their number.

    Raises:
        GroundTruthError: no text, no font, or one that cannot be read.
        StorageError: something stands there already, the disk is full, or writing is not allowed.
    """
    if out.exists():
        raise StorageError(f"{out}: is there already; choose another -o")
    corpora, files = synthetic.read_corpora(texts), synthetic.read_fonts(fonts)
    stream = islice(synthetic.lines(corpora, files, seed), count)
    with written_whole(out, "free some space or choose another -o") as beside:
        write_archive(_stored(stream, out.stem, lambda done: progress(done, count)), beside, _notes(texts, files), True)


def _stored(
    lines: Iterator[synthetic.SyntheticLine], collection: str, drawn: Callable[[int], None]
) -> Iterator[StoredLine]:
    for number, line in enumerate(lines, start=1):
        name = f"{number // 1000:03}/{number:06}"
        data = cv2.imencode(".webp", line.image, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
        place = (collection, line.font, name, "train")
        sample = Sample(f"{collection}/{name}", line.text, *place, ImageFile(Path(name), Path()))
        yield StoredLine(sample, name, data, ".webp")
        drawn(number)


def _notes(texts: Sequence[Path], fonts: Sequence[synthetic.Font]) -> str:
    """SOURCE.txt: where texts and fonts come from, with what the corpora's own SOURCES.tsv tells."""
    folders = dict.fromkeys(path if path.is_dir() else path.parent for path in texts)
    tables = [text_of(folder / TABLE) for folder in folders if (folder / TABLE).is_file()]
    parts = [
        "Synthetic lines: running text drawn in handwriting fonts.",
        "Texts: " + ", ".join(path.name for path in texts),
        *tables,
        "Fonts:\n" + "\n".join(f"{font.path.stem}: {font.origin or 'licence not told'}" for font in fonts),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"
