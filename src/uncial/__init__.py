"""Uncial reads handwriting: line images in, transcripts out.

The public names are loaded on first use, so that `import uncial` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from uncial.alphabet import Alphabet
    from uncial.architecture import CRNNConfig
    from uncial.bundle import Bundle, load_bundle
    from uncial.document import GraphemeSpan, Transcript
    from uncial.errors import UncialError
    from uncial.image_file import load_image
    from uncial.lineimage import LineImageConfig
    from uncial.recognizer import Recognizer
    from uncial.sources import Sample, read_samples
    from uncial.train_config import TrainConfig

_HOME = {
    "Alphabet": "alphabet",
    "Bundle": "bundle",
    "CRNNConfig": "architecture",
    "GraphemeSpan": "document",
    "LineImageConfig": "lineimage",
    "Recognizer": "recognizer",
    "Sample": "sources",
    "TrainConfig": "train_config",
    "Transcript": "document",
    "UncialError": "errors",
    "load_bundle": "bundle",
    "load_image": "image_file",
    "read_samples": "sources",
}

__all__ = [  # the keys of _HOME, written out for type checkers
    "Alphabet",
    "Bundle",
    "CRNNConfig",
    "GraphemeSpan",
    "LineImageConfig",
    "Recognizer",
    "Sample",
    "TrainConfig",
    "Transcript",
    "UncialError",
    "load_bundle",
    "load_image",
    "read_samples",
]


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'uncial' has no attribute '{name}'")
    return getattr(import_module(f"uncial.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*globals(), *__all__])
