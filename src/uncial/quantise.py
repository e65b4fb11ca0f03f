"""Give a bundle graphs that read in int8, if that costs no accuracy.

Tried in this order, and the first that reads as well as fp32 is kept: all in int8, in two graphs, where the recurrent
layers are LSTM; convolutions alone.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from uncial.bundle import Bundle, load_bundle, with_int8_graphs
from uncial.decoders import best_path
from uncial.errors import StorageError
from uncial.lineimage import ink
from uncial.metrics import count_edits
from uncial.nn.int8_context import int8_context
from uncial.nn.int8_graph import Range, int8_graph, tensors_to_measure, with_outputs
from uncial.nn.single_line import SLICES, up_to_slices
from uncial.runtime import LineImage, Runtime

ALLOWED = 0.001  # CER that int8 may cost, as a fraction, beside what chance may make of as many lines


def quantise(
    bundle: Bundle,
    measured: Sequence[LineImage],
    judged: Sequence[tuple[LineImage, Sequence[int]]],
    which: str = "lines",
) -> str:
    """Add an int8 graph to a bundle, unless it reads worse than the bundle's own by more than `ALLOWED` and chance.

    Args:
        bundle: with a graph; its folder is replaced as a whole, and only when a graph was found to be good.
        measured: line images as `line_image` makes them; they set the scales. Some dozens of training lines.
        judged: line images with their classes; by them the two are compared.
        which: lines these are, for the sentence.

    Returns:
        One sentence on what was found.

    Raises:
        StorageError: the bundle could not be written; it is as it was.
        ValueError: no lines to measure or to judge by.
    """
    if not measured or not judged:
        raise ValueError("int8 wants lines that set its scales and lines to judge it by")
    if not tensors_to_measure(bundle.graph.read_bytes()):
        return "the network has no convolutions that int8 could make faster"
    before, told = _errors(Runtime(bundle, "onnx"), judged), ""
    graphemes = max(1, sum(len(classes) for _, classes in judged))
    for parts, graphs in _graphs(bundle, measured):
        after = _errors_of(graphs, bundle, judged)
        cer, cer_before = after.sum() / graphemes, before.sum() / graphemes
        told = f"CER {cer:.2%} with int8 {parts}, {cer_before:.2%} without, on {len(judged):,} {which}"
        if costs_little(after - before, graphemes):
            with_int8_graphs(bundle, graphs)
            return f"{told}: reading takes the faster graph"
    if bundle.int8_graphs:
        with_int8_graphs(bundle, ())
    return f"{told}: too much is lost, reading stays with the slower graph"


def costs_little(more: NDArray[np.int64], graphemes: int) -> bool:
    """Whether errors that are more or fewer (N lines) cost at most `ALLOWED`, give or take one standard deviation.

    Of a hundred lines, two or three errors are more than the allowed tenth of a point, and mean nothing; of a thousand
    the deviation is a twentieth of a point or so.
    """
    return bool(more.sum() <= ALLOWED * graphemes + np.sqrt((more**2).sum()))


def _graphs(bundle: Bundle, measured: Sequence[LineImage]) -> Iterator[tuple[str, Sequence[bytes]]]:
    """What could be int8, and the graphs in which it is, see `Bundle.int8_graphs`, the fastest first."""
    whole = bundle.graph.read_bytes()
    if bundle.architecture.recurrent == "lstm":
        model = onnx.load_from_string(whole)
        up_to_slices(model)
        first = model.SerializeToString()
        ranges = _ranges(bundle, first, [*tensors_to_measure(first), SLICES], measured)
        shares = [bundle.weights[f"recurrent.shares.{n}"] for n in range(bundle.architecture.added_layers)]
        second = int8_context(onnx.load_from_string(whole), bundle.architecture, shares, ranges[SLICES])
        yield "convolutions and recurrent layers", (int8_graph(first, bundle.weights, ranges), second)
    ranges = _ranges(bundle, whole, tensors_to_measure(whole), measured)
    yield "convolutions", (int8_graph(whole, bundle.weights, ranges),)


def _ranges(bundle: Bundle, graph: bytes, names: Sequence[str], images: Sequence[LineImage]) -> dict[str, Range]:
    """The lowest and highest value of tensors inside the graph in the middling image; what goes beyond is cut off.

    The extremes of all images would make the steps between levels coarser for the sake of a few values (measured: 0.10
    points of CER lost against 0.07).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(bundle.path))
    session = onnxruntime.InferenceSession(with_outputs(graph, names), options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    inside = [name for name in names if name != "images"]
    extents: dict[str, list[Range]] = {name: [] for name in inside}
    for image in images:
        batch = {"images": ink(image)[None, None], "widths": np.array([image.shape[1]], np.int64)}
        given = {name: value for name, value in batch.items() if name in wanted}
        for name, values in zip(inside, session.run(inside, given), strict=True):
            extents[name].append((float(values.min()), float(values.max())))
    middling = {name: np.median(found, axis=0).tolist() for name, found in extents.items()}
    return {name: (low, high) for name, (low, high) in middling.items()} | {"images": (0.0, 1.0)}


def _errors_of(
    graphs: Sequence[bytes], bundle: Bundle, judged: Sequence[tuple[LineImage, Sequence[int]]]
) -> NDArray[np.int64]:
    """Errors of graphs that the bundle does not hold yet: in a copy, as nobody is to read with them before."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            copied = load_bundle(Path(shutil.copytree(bundle.path, Path(folder) / "tried")))
        except OSError as error:
            raise StorageError(f"{folder}: no place to try an int8 graph ({error}); free some space") from error
        return _errors(Runtime(with_int8_graphs(copied, graphs), "onnx-int8"), judged)


def _errors(runtime: Runtime, lines: Sequence[tuple[LineImage, Sequence[int]]]) -> NDArray[np.int64]:
    """(N,) errors in each line, best path."""
    read = runtime.log_probs([image for image, _ in lines])
    pairs = zip(lines, read, strict=True)
    return np.array([count_edits(list(line[1]), [s.class_ for s in best_path(steps)]).errors for line, steps in pairs])
