"""Lines for the tests of evaluation: images whose pixels spell their text, and a reader that reads them.

The reader is honest: it knows nothing but the pixels. What it is to misread is told beforehand, grapheme by grapheme.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from uncial.document import Transcript
from uncial.errors import ImageError
from uncial.sources import Sample, read_samples

HEIGHT = 64
END = 255  # no byte of UTF-8


def written(text: str) -> NDArray[np.uint8]:
    """An image, uint8 (64, W), whose first row holds the bytes of the text."""
    row = [*text.encode(), END]
    image = np.full((HEIGHT, max(20, len(row))), 255, np.uint8)
    image[0, : len(row)] = row
    image[20:40, 2:-2] = 30  # ink
    return image


@dataclass
class PixelReader:
    """Reads `written` images.

    Attributes:
        mistakes: how graphemes are read wrongly.
        confidence: of every transcript.
        calls: how many images each call brought.
    """

    mistakes: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.9
    calls: list[int] = field(default_factory=list)

    def try_lines(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Transcript | ImageError]:
        """As `Recognizer.try_lines`; an image of one pixel's width is refused."""
        waiting = list(images)
        self.calls.append(len(waiting))
        return map(self._read, waiting)

    def _read(self, image: NDArray[np.uint8]) -> Transcript | ImageError:
        if image.shape[1] == 1:
            return ImageError("the image is one pixel wide; cut the line again")
        row = image[0].tolist()
        text = bytes(row[: row.index(END)]).decode()
        return Transcript("".join(self.mistakes.get(letter, letter) for letter in text), self.confidence)


def png(image: NDArray[np.uint8]) -> bytes:
    """A gray image, uint8 (H, W), as a file."""
    return cv2.imencode(".png", image)[1].tobytes()


@dataclass(frozen=True)
class Row:
    """A line of an archive; without an image, its text is written."""

    text: str
    document: str = "letters"
    page: str = "1"
    split: str = "val"
    image: bytes | None = None


def samples_of(folder: Path, rows: Sequence[Row], collection: str = "drawn") -> list[Sample]:
    """Write a line archive of these rows and read it back; ids are `collection/number`."""
    table = io.StringIO()
    lines = csv.writer(table, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    lines.writerow(["image", "text", "doc", "page", "split"])
    path = folder / f"{collection}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, row in enumerate(rows):
            lines.writerow([f"{number:03}.png", row.text, row.document, row.page, row.split])
            archive.writestr(f"{number:03}.png", png(written(row.text)) if row.image is None else row.image)
        archive.writestr("lines.tsv", table.getvalue())
    return read_samples([path])
