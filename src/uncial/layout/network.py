"""Lines found by the network of a layout bundle, with ONNX Runtime."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from uncial.errors import BundleError
from uncial.image_file import Gray
from uncial.layout.bundle import SETTINGS, LayoutBundle, load_layout
from uncial.layout.found import FoundLine
from uncial.layout.page_image import page_ink
from uncial.layout.tracing import traced_lines

STRIDE = 2  # pixels of the scaled page for each place of a map
MULTIPLE = 32  # sides that the network takes


class NetworkFinder:
    """A layout bundle, ready to find lines."""

    def __init__(self, bundle: LayoutBundle | None = None, *, threads: int = 1) -> None:
        """Open the network.

        Args:
            bundle: None: the one that ships.
            threads: of the processor.

        Raises:
            BundleError: the network cannot be opened.
        """
        self.bundle = bundle or load_layout()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(self.bundle.graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common class of their own
            raise BundleError(f"{self.bundle.graph}: cannot be opened ({error}); copy the folder again") from error

    def __call__(self, gray: Gray) -> list[FoundLine]:
        """The lines of an upright page.

        Args:
            gray: uint8 (H, W).
        """
        scale = min(self.bundle.size / max(gray.shape), 4.0)
        maps = self.maps(gray)
        factor = STRIDE / scale
        return [
            FoundLine((line.points + 0.5) * factor, line.above * factor, line.below * factor)
            for line in traced_lines(maps)
        ]

    def maps(self, gray: Gray) -> NDArray[np.float32]:
        """What the network tells: float32 (4, H', W'); heights in places of the map, which is what tracing takes."""
        scale = min(self.bundle.size / max(gray.shape), 4.0)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        width, height = (max(8, round(side * scale)) for side in gray.shape[::-1])
        ink = page_ink(cv2.resize(gray, (width, height), interpolation=method))  # type: ignore[arg-type]
        padded = np.pad(ink, ((0, -height % MULTIPLE), (0, -width % MULTIPLE)))
        maps = self._session.run(["maps"], {"pages": padded[None, None]})[0][0]
        maps = maps[:, : -(-height // STRIDE), : -(-width // STRIDE)].astype(np.float32)
        maps[2:] /= STRIDE
        return maps  # type: ignore[no-any-return]


def find_with_network(gray: Gray) -> list[FoundLine]:
    """The lines of an upright page by the bundle that ships."""
    return open_finder(None)(gray)


def open_finder(path: Path | None) -> NetworkFinder:
    """A finder with the bundle in this folder; None: the one that ships.

    It stays open for the pages that follow; a bundle that was trained anew meanwhile is opened anew.

    Raises:
        BundleError: the bundle is missing, damaged or of a newer version.
    """
    changed = 0
    with suppress(OSError, ValueError):  # what is no bundle is told by what opens it
        changed = (path / SETTINGS).stat().st_mtime_ns if path else 0
    return _opened(path, changed)


@lru_cache(maxsize=2)  # the one that ships, and another
def _opened(path: Path | None, _changed: int) -> NetworkFinder:
    return NetworkFinder(load_layout(path))
