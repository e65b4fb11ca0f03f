"""From log-probabilities to grapheme spans. A decoder takes (T, C) and gives `DecodedSpan`s; see `DECODERS`."""

from uncial.decoders.best_path import best_path
from uncial.decoders.spans import DecodedSpan, Decoder

DECODERS: dict[str, Decoder] = {"best-path": best_path}

__all__ = ["DECODERS", "DecodedSpan", "Decoder", "best_path"]
