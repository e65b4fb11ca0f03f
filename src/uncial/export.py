"""A bundle as one ONNX file that stands alone, and the proof that it reads as the bundle does."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from uncial.atomic import written_whole
from uncial.bundle import Bundle
from uncial.errors import BundleError, MissingExtraError
from uncial.lineimage import ink
from uncial.runtime import Runtime

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

TOLERANCE = 1e-3  # in natural-log posteriors
_PROOF_WIDTHS = (40, 333, 707, 707, 512, 64, 33, 150)  # pixels; read one by one and as one padded batch


def export_onnx(bundle: Bundle, path: Path, tolerance: float = TOLERANCE) -> float:
    """Write the network as a single ONNX file with its weights inside, in fp32.

    Inputs are "images" (N, 1, H, W) float32 ink, 0 paper to 1 dark, and "widths" (N,) int64 true widths in pixels;
    outputs "log_probs" (N, T, C) float32 and "lengths" (N,) int64 time steps. Alphabet, step width and the
    preprocessing (`LineImageConfig`: line height, margin, stretch) go into the file's metadata.

    Args:
        bundle: to export.
        path: file to write; one that is there already is replaced.
        tolerance: largest difference of log-probabilities from the bundle's own reading.

    Returns:
        The largest difference that was found, over line images of several widths, alone and padded.

    Raises:
        BundleError: the bundle has no graph, or the exported file reads otherwise than the bundle; nothing is kept.
        MissingExtraError: the onnx package is not installed.
        StorageError: the file could not be written.
    """
    model = _standing_alone(bundle)
    with written_whole(path, "free some space or choose another place") as beside:
        beside.write_bytes(model.SerializeToString())
        difference = largest_difference(bundle, beside)
        if not difference <= tolerance:
            raise BundleError(
                f"{bundle.path}: the exported network differs by {difference:.2g} from the bundle, more than "
                f"{tolerance:.2g}; nothing was kept, report it with the bundle"
            )
    return difference


def largest_difference(bundle: Bundle, path: Path) -> float:
    """The largest difference of log-probabilities between a bundle and an exported file.

    The bundle reads seeded noise of several widths line by line, the file reads them as one padded batch.
    """
    rng = np.random.default_rng(0)
    height = bundle.line_image.height
    images = [rng.integers(0, 256, (height, width), dtype=np.uint8) for width in _PROOF_WIDTHS]
    own = [Runtime(bundle, "onnx").log_probs([image])[0] for image in images]
    batch = np.zeros((len(images), 1, height, max(_PROOF_WIDTHS)), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[0, :, : image.shape[1]] = ink(image)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {"images": batch, "widths": np.array(_PROOF_WIDTHS, np.int64)}
    log_probs, lengths = session.run(["log_probs", "lengths"], feed)
    if lengths.tolist() != [len(steps) for steps in own]:
        return float("inf")
    pairs = zip(own, log_probs, strict=True)
    return max(float(np.abs(steps - exported[: len(steps)]).max()) for steps, exported in pairs)


def _standing_alone(bundle: Bundle) -> "ModelProto":
    """The bundle's graph with its weights inside, and without the casts from fp16."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("export needs the onnx package", "train") from error
    model = onnx.load(str(bundle.graph))  # takes the weights in from their file
    halves = {t.name: t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    casts = [node for node in model.graph.node if _widens(node, halves)]
    full = [_widened(halves[node.input[0]], node.output[0]) for node in casts]
    tensors = [t for t in model.graph.initializer if t.name not in halves] + full
    nodes = [node for node in model.graph.node if not _widens(node, halves)]
    for field in ("initializer", "node"):
        model.graph.ClearField(field)
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
    facts = {
        "alphabet": "\n".join(bundle.alphabet.graphemes),
        "line_height": str(bundle.line_image.height),
        "margin": str(bundle.line_image.margin),
        "stretch": f"{bundle.line_image.stretch:g}",
        "step_width": f"{bundle.architecture.step_width:g}",
    }
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return model


def _widens(node: "NodeProto", halves: dict[str, "TensorProto"]) -> bool:
    return bool(node.op_type == "Cast" and node.input[0] in halves)


def _widened(half: "TensorProto", name: str) -> "TensorProto":
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), name)
