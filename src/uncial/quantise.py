"""Give a bundle a second graph that reads in int8, if that costs no accuracy.

Tried in this order, and the first that reads as well as fp32 is kept: convolutions and, where there are any, LSTM
layers in int8, one line at a time; convolutions alone, for batches of padded lines.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from uncial.bundle import Bundle, add_int8_graph, load_bundle, without_int8_graph
from uncial.decoders import best_path
from uncial.errors import StorageError
from uncial.lineimage import ink
from uncial.metrics import count_edits
from uncial.nn.int8_graph import Range, int8_graph, tensors_to_measure, with_outputs
from uncial.nn.int8_recurrent import int8_recurrent
from uncial.nn.single_line import for_single_lines
from uncial.runtime import LineImage, Runtime

ALLOWED = 0.001  # CER that int8 may cost, as a fraction, beside what chance may make of as many lines
SLOW_ALONE = {"GRU", "RNN", "Scan"}  # recurrent layers that stay in fp32, slow without other lines beside


def quantise(bundle: Bundle, measured: Sequence[LineImage], judged: Sequence[tuple[LineImage, Sequence[int]]]) -> str:
    """Add an int8 graph to a bundle, unless it reads worse than the bundle's own by more than `ALLOWED` and chance.

    Args:
        bundle: with a graph; its folder is replaced as a whole, and only when a graph was found to be good.
        measured: line images as `line_image` makes them; they set the scales. Some dozens of training lines.
        judged: line images with their classes; by them the two are compared.

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
    for parts, graph in _graphs(bundle, measured):
        after = _errors_of(graph, bundle, judged)
        cer, cer_before = after.sum() / graphemes, before.sum() / graphemes
        told = f"CER {cer:.2%} with int8 {parts}, {cer_before:.2%} without, on {len(judged):,} lines"
        if costs_little(after - before, graphemes):
            add_int8_graph(bundle, graph)
            return f"{told}: reading takes the faster graph"
    if bundle.int8_graph:
        without_int8_graph(bundle)
    return f"{told}: too much is lost, reading stays with the slower graph"


def costs_little(more: NDArray[np.int64], graphemes: int) -> bool:
    """Whether errors that are more or fewer (N lines) cost at most `ALLOWED`, give or take one standard deviation.

    Of a hundred lines, two or three errors are more than the allowed tenth of a point, and mean nothing; of a thousand
    the deviation is a twentieth of a point or so.
    """
    return bool(more.sum() <= ALLOWED * graphemes + np.sqrt((more**2).sum()))


def _graphs(bundle: Bundle, measured: Sequence[LineImage]) -> Iterator[tuple[str, bytes]]:
    """What could be int8, and the graph in which it is, the fastest first."""
    graph = bundle.graph.read_bytes()
    model = onnx.load_from_string(graph)
    kinds = {node.op_type for node in model.graph.node}
    if not kinds & SLOW_ALONE:
        for_single_lines(model)
        single = model.SerializeToString()
        model = onnx.load_from_string(int8_graph(single, bundle.weights, _ranges(bundle, single, measured)))
        if "LSTM" not in kinds:
            yield "convolutions", model.SerializeToString()
            return  # in batches the same would be rounded
        int8_recurrent(model)
        yield "convolutions and recurrent layers", model.SerializeToString()
    yield "convolutions", int8_graph(graph, bundle.weights, _ranges(bundle, graph, measured))


def _ranges(bundle: Bundle, graph: bytes, images: Sequence[LineImage]) -> dict[str, Range]:
    """The lowest and highest value of tensors inside the graph in the middling image; what goes beyond is cut off.

    The extremes of all images would make the steps between levels coarser for the sake of a few values (measured: 0.10
    points of CER lost against 0.07).
    """
    names = tensors_to_measure(graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(bundle.path))
    session = onnxruntime.InferenceSession(with_outputs(graph, names), options, providers=["CPUExecutionProvider"])
    inside = [name for name in names if name != "images"]
    extents: dict[str, list[Range]] = {name: [] for name in inside}
    for image in images:
        batch = {"images": ink(image)[None, None], "widths": np.array([image.shape[1]], np.int64)}
        for name, values in zip(inside, session.run(inside, batch), strict=True):
            extents[name].append((float(values.min()), float(values.max())))
    middling = {name: np.median(found, axis=0).tolist() for name, found in extents.items()}
    return {name: (low, high) for name, (low, high) in middling.items()} | {"images": (0.0, 1.0)}


def _errors_of(graph: bytes, bundle: Bundle, judged: Sequence[tuple[LineImage, Sequence[int]]]) -> NDArray[np.int64]:
    """Errors of a graph that the bundle does not hold yet: in a copy, as nobody is to read with it before."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            copied = load_bundle(Path(shutil.copytree(bundle.path, Path(folder) / "tried")))
        except OSError as error:
            raise StorageError(f"{folder}: no place to try an int8 graph ({error}); free some space") from error
        return _errors(Runtime(add_int8_graph(copied, graph), "onnx-int8"), judged)


def _errors(runtime: Runtime, lines: Sequence[tuple[LineImage, Sequence[int]]]) -> NDArray[np.int64]:
    """(N,) errors in each line, best path."""
    read = runtime.log_probs([image for image, _ in lines])
    pairs = zip(lines, read, strict=True)
    return np.array([count_edits(list(line[1]), [s.class_ for s in best_path(steps)]).errors for line, steps in pairs])
