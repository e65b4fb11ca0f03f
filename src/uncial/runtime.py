"""Line images to log-probabilities: ONNX Runtime as a rule, OpenVINO or PyTorch on request.

Lines of like width are read together, so that little padding is computed; how many depends on their pixels, so that
memory stays bounded. What a line is padded to, and which lines stand beside it, does not change its result (beyond
rounding). ONNX Runtime takes the bundle's int8 graphs where it has them, as a rule two: one makes the slices of one
line after the other, since convolutions want the cache to themselves; the other reads those of many lines together,
since recurrent layers want company. Asked for "onnx" it computes in fp32, as PyTorch does. OpenVINO computes in bf16
where the processor has instructions for it, which agrees to some two digits. New ways of running a network go into
`BACKENDS`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from uncial.bundle import Bundle
from uncial.config import choose
from uncial.errors import BundleError, ImageError, MissingExtraError
from uncial.lineimage import ink

if TYPE_CHECKING:
    from uncial.nn.crnn import CRNN

# Pixels of a padded batch, some six lines of 64 x 707, where a graph takes batches. Fastest on the machines tried: of
# fewer lines the recurrent layers run slowly, of more the feature maps leave the cache.
BATCH_PIXELS = 2**18
TOGETHER_PIXELS = 2**20  # where no feature map of a whole batch is made: some twenty lines share each step's weights

LineImage = NDArray[np.uint8]
LogProbs = NDArray[np.float32]
# (N, 1, H, W) ink and (N,) widths in pixels -> (N, T, C) log-probabilities and (N,) time steps
Run = Callable[[NDArray[np.float32], NDArray[np.int64]], tuple[LogProbs, NDArray[np.int64]]]


@dataclass(frozen=True, slots=True)
class Session:
    """An opened network, and how many padded pixels it takes at once; 0: one line."""

    run: Run
    pixels: int = BATCH_PIXELS


class Runtime:
    """A bundle's network, ready to run."""

    def __init__(
        self, bundle: Bundle, backend: str = "auto", *, threads: int = 1, batch_pixels: int | None = None
    ) -> None:
        """Open the network.

        Args:
            bundle: whose network runs.
            backend: name in `BACKENDS`: "auto" (the fastest of the bundle's ONNX graphs), "onnx" (fp32), "onnx-int8",
                "openvino" or "torch".
            threads: processor threads of one batch. Many lines are read faster by several processes of one thread.
            batch_pixels: padded pixels of a batch, at most; a single line may have more. None: what is fastest.

        Raises:
            BundleError: the network cannot be opened.
            ConfigError: no such backend.
            MissingExtraError: the backend's package is not installed.
        """
        self._session = choose(BACKENDS, "backend", backend)(bundle, threads)
        self._height = bundle.line_image.height
        own = self._session.pixels
        self._batch_pixels = own if batch_pixels is None or not own else batch_pixels

    def log_probs(self, images: Sequence[LineImage]) -> list[LogProbs]:
        """Read line images.

        Args:
            images: uint8 (height, W) each, as `lineimage.line_image` makes them.

        Returns:
            For each image, in the same order, (T, C) natural-log posteriors; class 0 is the blank.

        Raises:
            ImageError: an image has no columns, so no time steps.
            ValueError: an image is not of the bundle's height.
        """
        for image in images:
            if image.shape[0] != self._height:
                raise ValueError(f"a line image is {self._height} pixels high, not {image.shape[0]}")
            if not image.shape[1]:
                raise ImageError("a line image without columns has no time steps to read; give an image that has ink")
        results: list[LogProbs] = [np.empty((0, 0), np.float32)] * len(images)
        for indices in batches([image.shape[1] for image in images], self._height, self._batch_pixels):
            padded, widths = _padded([images[index] for index in indices])
            log_probs, lengths = self._session.run(padded, widths)
            for index, steps, length in zip(indices, log_probs, lengths.tolist(), strict=True):
                # A batch of one needs no copy; of others, a line must not hold the whole batch in memory.
                results[index] = steps if len(steps) == length and len(indices) == 1 else steps[:length].copy()
        return results


def batches(widths: Sequence[int], height: int, pixels: int) -> Iterator[list[int]]:
    """Group lines of like width, widest first, so that each padded batch has at most so many pixels.

    Args:
        widths: of the line images.
        height: of all of them.
        pixels: of a padded batch; a line that has more is a batch of its own.

    Yields:
        Indices into `widths`; each once.
    """
    batch: list[int] = []
    for index in sorted(range(len(widths)), key=lambda i: -widths[i]):
        if batch and (len(batch) + 1) * widths[batch[0]] * height > pixels:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _padded(images: Sequence[LineImage]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, 1, H, W) ink, 0 beyond each line, and (N,) widths."""
    widths = np.array([image.shape[1] for image in images], np.int64)
    padded = np.zeros((len(images), 1, images[0].shape[0], int(widths.max())), np.float32)
    for row, image in zip(padded, images, strict=True):
        row[0, :, : image.shape[1]] = ink(image)
    return padded, widths


def _auto(bundle: Bundle, threads: int) -> Session:
    return (_onnx_int8 if bundle.int8_graphs else _onnx)(bundle, threads)


def _onnx(bundle: Bundle, threads: int) -> Session:
    return Session(_whole(_opened(bundle.graph, threads)))


def _onnx_int8(bundle: Bundle, threads: int) -> Session:
    sessions = [_opened(path, threads) for path in bundle.int8_graphs]
    if not sessions:
        raise BundleError(f"{bundle.path}: has no int8 graph; read with --backend auto")
    if len(sessions) > 1:
        return Session(_in_two(*sessions), TOGETHER_PIXELS)
    alone = sessions[0].get_inputs()[0].shape[0] == 1  # as bundles of older versions have it
    return Session(_whole(*sessions), 0 if alone else BATCH_PIXELS)


def _opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it keeps a plan for each new shape, and nearly every batch is a new shape
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the processor
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common class of their own
        raise BundleError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot open it ({error}); copy the whole folder again, "
            "or update onnxruntime"
        ) from error


def _whole(session: onnxruntime.InferenceSession) -> Run:
    """Reads batches by a graph in one piece."""

    def run(images: NDArray[np.float32], widths: NDArray[np.int64]) -> tuple[LogProbs, NDArray[np.int64]]:
        log_probs, lengths = session.run(["log_probs", "lengths"], {"images": images, "widths": widths})
        return log_probs, lengths

    return run


def _in_two(slices: onnxruntime.InferenceSession, context: onnxruntime.InferenceSession) -> Run:
    """Reads batches by two graphs: the slices line by line, without padding, what stands behind them together."""

    def run(images: NDArray[np.float32], widths: NDArray[np.int64]) -> tuple[LogProbs, NDArray[np.int64]]:
        lines = [
            slices.run(["slices"], {"images": image[None, :, :, :width]})[0][0]
            for image, width in zip(images, widths.tolist(), strict=True)
        ]
        lengths = np.array([len(line) for line in lines], np.int32)
        padded = np.zeros((len(lines), int(lengths.max()), lines[0].shape[1]), np.float32)
        for row, line in zip(padded, lines, strict=True):
            row[: len(line)] = line
        (log_probs,) = context.run(["log_probs"], {"slices": padded, "lengths": lengths})
        return log_probs, lengths.astype(np.int64) * (log_probs.shape[1] // padded.shape[1])

    return run


def _openvino(bundle: Bundle, threads: int) -> Session:
    try:
        openvino = import_module("openvino")  # so that the types of an optional package need not be known
    except ImportError as error:
        raise MissingExtraError("the openvino backend needs OpenVINO", "openvino") from error
    path = bundle.graph
    core = openvino.Core()
    try:
        network = core.compile_model(
            core.read_model(str(path)), "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        )
    except RuntimeError as error:
        raise BundleError(f"{path}: OpenVINO cannot open it ({error}); copy the whole folder again") from error
    request = network.create_infer_request()

    def run(images: NDArray[np.float32], widths: NDArray[np.int64]) -> tuple[LogProbs, NDArray[np.int64]]:
        request.infer({"images": images, "widths": widths})
        # The request uses its memory again for the next batch.
        return tuple(request.get_tensor(name).data.copy() for name in ("log_probs", "lengths"))

    return Session(run)


def torch_network(bundle: Bundle, purpose: str = "the torch backend") -> "CRNN":
    """A bundle's network as a PyTorch module, in eval mode.

    Args:
        bundle: whose network it is.
        purpose: what needs PyTorch, for the message.

    Raises:
        BundleError: the weights do not fit the network.
        MissingExtraError: PyTorch is not installed.
    """
    try:
        import torch

        from uncial.nn.crnn import CRNN
    except ImportError as error:
        raise MissingExtraError(f"{purpose} needs PyTorch", "train") from error
    network = CRNN(bundle.architecture, bundle.alphabet.size)
    state = {name: torch.from_numpy(value) for name, value in bundle.weights.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    absent = [name for name in missing if not name.endswith("num_batches_tracked")]  # counters of training
    if absent or unexpected:
        raise BundleError(f"{bundle.path}: the weights do not fit the network; wrong: {[*absent, *unexpected][:5]}")
    return network.eval()


def _torch(bundle: Bundle, threads: int) -> Session:
    network = torch_network(bundle)
    import torch

    def run(images: NDArray[np.float32], widths: NDArray[np.int64]) -> tuple[LogProbs, NDArray[np.int64]]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)  # of the whole process, so it is put back
        try:
            with torch.inference_mode():
                logits, lengths = network(torch.from_numpy(images), torch.from_numpy(widths))
                return logits.log_softmax(dim=2).numpy(), lengths.numpy()
        finally:
            torch.set_num_threads(before)

    return Session(run)


BACKENDS: dict[str, Callable[[Bundle, int], Session]] = {
    "auto": _auto,
    "onnx": _onnx,
    "onnx-int8": _onnx_int8,
    "openvino": _openvino,
    "torch": _torch,
}
