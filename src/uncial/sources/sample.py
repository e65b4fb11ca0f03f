"""A line of ground truth: its text, where it comes from, and an image that is decoded only when asked for."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from uncial.errors import ImageError
from uncial.image_file import Gray, load_image
from uncial.sources.files import notes_in

HELD_OUT = 0.05  # share of the pages that validate, where a source has no split


class ImageSource(Protocol):
    """Where a line's pixels come from: small, stateless and picklable, so that it can travel to other processes."""

    def image(self, name: str) -> Gray:
        """Decode; uint8 (H, W) gray. Raises ImageError that begins with `name`."""
        ...

    def file(self) -> bytes | None:
        """The line's own image file as it is stored; None: it has none, being part of a page.

        Raises:
            ImageError: it cannot be read.
        """
        ...

    def notes(self) -> str:
        """What is told of the collection's origin, licence and attribution; "" for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """A line of ground truth.

    Attributes:
        id: unique among all samples that were read together, such as "hooker_en/00000_000".
        text: as transcribed, NFC.
        collection: what it was published in.
        document: part of the collection by one writer or of one origin; "" where unknown.
        page: unique within the document; lines of one page never stand in two splits.
        split: "train", "val", "test", or "" where the source has none.
        source: of the pixels.
        flaw: why the line cannot be used, known from reading its source; "" where nothing is wrong.
    """

    id: str
    text: str
    collection: str
    document: str
    page: str
    split: str
    source: ImageSource
    flaw: str = ""

    def __post_init__(self) -> None:
        """Escape what is no UTF-8 in names of files, so that all that is told of a line can be written anywhere."""
        for name in ("id", "collection", "document", "page", "flaw"):
            object.__setattr__(self, name, getattr(self, name).encode(errors="backslashreplace").decode())

    def image(self) -> Gray:
        """The line as it is stored, uint8 (H, W) gray.

        Raises:
            ImageError: naming the id; missing, unreadable or too large.
        """
        return self.source.image(self.id)


def split_of(sample: Sample) -> str:
    """The split a sample belongs to; where its source has none, a fixed 5 % of the pages are "val".

    The choice hangs on the names of document and page alone, so that it is the same in every run, on every machine, and
    under every name of the folder or archive.
    """
    if sample.split:
        return sample.split
    page = f"{sample.document}\0{sample.page}"
    chance = int.from_bytes(hashlib.sha256(page.encode()).digest()[:8], "big") / 2**64
    return "val" if chance < HELD_OUT else "train"


def with_held_out(samples: Sequence[Sample], held_out: Iterable[str]) -> list[Sample]:
    """Samples, with split "val" for those that the last training of a bundle held out, and "train" beside them.

    Args:
        samples: where one is of split "val", all stay as they are; so do collections of which nothing was held out.
        held_out: ids of lines.

    Returns:
        The samples in the order given. Lines that came to a collection after the training count as "train", too.
    """
    apart = set(held_out)
    there = {sample.collection for sample in samples if sample.id in apart}
    if any(sample.split == "val" for sample in samples) or not there:
        return list(samples)
    return [
        replace(sample, split="val" if sample.id in apart else sample.split or "train")
        if sample.collection in there
        else sample
        for sample in samples
    ]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A line image in a file of its own, in a folder of such files."""

    path: Path
    root: Path

    def image(self, name: str) -> Gray:
        """Decode; see `ImageSource`."""
        return load_image(self.path, f"{name}: {self.path}", single=True)

    def file(self) -> bytes | None:
        """The file's bytes."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ImageError(f"{self.path}: cannot be read ({error.strerror or error})") from error

    def notes(self) -> str:
        """SOURCE.txt of the folder."""
        return notes_in(self.root)


@dataclass(frozen=True, slots=True)
class NoImage:
    """Stands where a text has no image; the reason is told when the image is asked for."""

    reason: str

    def image(self, name: str) -> Gray:
        """Raise ImageError, always."""
        raise ImageError(f"{name}: {self.reason}")

    def file(self) -> bytes | None:
        """Raise ImageError, always."""
        raise ImageError(self.reason)

    def notes(self) -> str:
        """Nothing."""
        return ""


def without_image(id_: str, text: str, place: tuple[str, str, str, str], flaw: str) -> Sample:
    """A sample that says why its image is missing.

    Args:
        id_: of the sample.
        text: as transcribed.
        place: collection, document, page, split.
        flaw: the reason.
    """
    return Sample(id_, text, *place, NoImage(flaw), flaw)
