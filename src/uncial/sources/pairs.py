"""Pairs: a line image `X.png` (jpg, jpeg, webp, tif, tiff) and its text `X.gt.txt` beside it.

Folders tell where lines come from: `document/page/X.png`, or `document/X.png`; a first folder named train, val or
test tells the split. An image without text, or a text without image, becomes a sample with that flaw.
"""

from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

from uncial.errors import GroundTruthError
from uncial.sources.files import (
    IMAGE_SUFFIXES,
    SPLIT_FOLDERS,
    TEXT_SUFFIX,
    collection_of,
    files_of,
    folder_names,
    read_text,
    some_of,
    without_text,
)
from uncial.sources.sample import ImageFile, Sample, without_image
from uncial.wording import count_of


def read_pairs(path: Path) -> list[Sample]:
    """The pairs of a folder and those under it; or one pair, of which `path` is the image or the text.

    Raises:
        GroundTruthError: no image has a text.
    """
    images, texts = _by_stem(path)
    root = path if path.is_dir() else path.parent
    if not images.keys() & texts.keys():
        raise GroundTruthError(_no_pair(path, root, images, texts))
    orphans = {stem: files for stem, files in images.items() if stem not in texts and not _is_page(stem)}
    paired = [_pair(root, stem, images.get(stem, []), text) for stem, text in texts.items()]
    return paired + [_orphan(root, stem, files) for stem, files in orphans.items()]


def _by_stem(path: Path) -> tuple[dict[Path, list[Path]], dict[Path, Path]]:
    """Images and text of each path without suffix."""
    files = files_of(path) if path.is_dir() else sorted(path.parent.iterdir())
    # What a table lists is an unpacked archive or IAM, which other sources read.
    listed = {file.parent for file in files if file.name in ("lines.tsv", "lines.txt") and path.is_dir()}
    images: dict[Path, list[Path]] = defaultdict(list)
    texts = {}
    for file in files:
        if not listed.isdisjoint(file.parents):
            continue
        if file.name.endswith(TEXT_SUFFIX):
            texts[file.with_name(file.name.removesuffix(TEXT_SUFFIX))] = file
        elif file.suffix.lower() in IMAGE_SUFFIXES:
            images[file.with_suffix("")].append(file)
    if not path.is_dir():
        stem = path.with_name(path.name.removesuffix(TEXT_SUFFIX)) if path.suffix == ".txt" else path.with_suffix("")
        return {s: f for s, f in images.items() if s == stem}, {s: f for s, f in texts.items() if s == stem}
    return images, texts


def _pair(root: Path, stem: Path, images: list[Path], text_file: Path) -> Sample:
    id_, place = _place(root, stem)
    try:
        text = read_text(text_file)
    except GroundTruthError as error:
        return without_image(id_, "", place, str(error))
    if len(images) != 1:
        finding = f"two images, {some_of([i.name for i in images])}; remove one" if images else "a text but no image"
        return without_image(id_, text, place, f"has {finding}")
    lines = len(text.splitlines())
    flaw = f"has {lines} lines of text for one line image; split them" if lines > 1 else ""
    return Sample(id_, text, *place, ImageFile(images[0], root), flaw)


def _orphan(root: Path, stem: Path, images: list[Path]) -> Sample:
    id_, place = _place(root, stem)
    flaw = f"has an image but no text; write it into {stem.name}{TEXT_SUFFIX}"
    return Sample(id_, "", *place, ImageFile(images[0], root), flaw)


def _place(root: Path, stem: Path) -> tuple[str, tuple[str, str, str, str]]:
    """The id; and collection, document, page and split."""
    collection, folders, relative = collection_of(root), folder_names(stem, root), stem.relative_to(root)
    id_ = f"{collection}/{relative.as_posix()}"
    # As it is written on the disk: a document of that name is stored under another (see `safe_name`).
    split = SPLIT_FOLDERS.get(relative.parts[0].lower(), "") if folders else ""
    if split:
        folders = folders[1:]
    if len(folders) < 2:  # lines without pages: each stands for itself, so that splits and intervals can be made
        return id_, (collection, "".join(folders), unquote(stem.name), split)
    return id_, (collection, "/".join(folders[:-1]), folders[-1], split)


def _is_page(stem: Path) -> bool:
    """Whether the image is that of a PAGE or ALTO file beside it, or in its folder `page` or `alto`."""
    return any((stem.parent / folder / f"{stem.name}.xml").is_file() for folder in (".", "page", "alto"))


def _no_pair(path: Path, root: Path, images: dict[Path, list[Path]], texts: dict[Path, Path]) -> str:
    if images:
        names = sorted(files[0].relative_to(root).as_posix() for files in images.values())
        return without_text(path, names)
    if texts:
        names = sorted(file.relative_to(root).as_posix() for file in texts.values())
        alone = f"{count_of(len(names), 'text')} without an image ({some_of(names)})"
        return f"{path}: {alone}; put X.png beside X{TEXT_SUFFIX}"
    return f"{path}: holds no line images; pairs are X.png and X{TEXT_SUFFIX}"
