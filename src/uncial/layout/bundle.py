"""Layout bundles: a folder with the ONNX graph of a network that finds lines, and how pages are prepared for it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncial.atomic import aside, replace_folder
from uncial.config import DEFAULT
from uncial.errors import BundleError

VERSION = 1
SETTINGS, GRAPH = "layout.json", "layout.onnx"
SHIPPED = Path(__file__).parent.parent / "models" / "layout"


@dataclass(frozen=True, slots=True)
class LayoutBundle:
    """A trained layout network.

    Attributes:
        path: its folder.
        size: longest side of a page that it sees, in pixels.
        provenance: data, recipe and results, as plain JSON.
    """

    path: Path
    size: int
    provenance: dict[str, Any]

    @property
    def graph(self) -> Path:
        """The ONNX graph."""
        return self.path / GRAPH


def save_layout(path: Path, graph: bytes, size: int, provenance: Mapping[str, Any]) -> LayoutBundle:
    """Write a layout bundle; one that stands there is replaced, and stays whole until the new one is.

    Raises:
        StorageError: full disk or no permission.
    """
    settings = {"format": "uncial layout", "version": VERSION, "size": size, "provenance": dict(provenance)}
    settings["checksum"] = hashlib.sha256(graph).hexdigest()
    replace_folder(path, {GRAPH: graph, SETTINGS: json.dumps(settings, indent=1).encode()})
    return load_layout(path)


def load_layout(path: Path | None = None) -> LayoutBundle:
    """Open a layout bundle and check that it is whole.

    Args:
        path: its folder; None, or "default" where there is no such folder: the one that ships with Uncial.

    Raises:
        BundleError: there is none, it is damaged, or it is of a newer version.
    """
    folder = path or SHIPPED
    if not folder.exists() and aside(folder).exists():
        folder = aside(folder)  # the machine stopped between the two moves of `replace_folder`
    if str(path) == DEFAULT and not folder.exists():
        folder = SHIPPED
    if not folder.exists():
        raise BundleError(f"{folder}: no such folder; a layout bundle is what 'uncial train-layout' writes")
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        version, size = int(settings["version"]), int(settings["size"])
        whole = hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest() == settings["checksum"]
        provenance = dict(settings["provenance"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{folder}: is no layout bundle or is damaged ({error}); it is the folder that 'uncial train-layout' "
            f"writes, and {DEFAULT!r} the shipped one"
        ) from error
    if version > VERSION:
        raise BundleError(f"{folder}: is of version {version}, this Uncial knows {VERSION}; update it")
    if not whole:
        raise BundleError(f"{folder / GRAPH}: is damaged (wrong checksum); copy the whole folder again")
    return LayoutBundle(folder, size, provenance)
