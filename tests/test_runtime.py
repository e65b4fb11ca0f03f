import sys

import numpy as np
import pytest
from conftest import DrawnLine, Resave
from hypothesis import given
from hypothesis import strategies as st

from uncial.bundle import Bundle
from uncial.decoders import best_path
from uncial.errors import BundleError, ConfigError, ImageError, MissingExtraError
from uncial.lineimage import line_image
from uncial.runtime import BACKENDS, Runtime, batches

FULL_PRECISION = ("onnx", "torch")
WIDTHS = (200, 33, 90, 90, 151, 7, 64, 1)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """Eight line images of noise, of unequal width."""
    rng = np.random.default_rng(2)
    return [rng.integers(0, 256, (64, width), dtype=np.uint8) for width in WIDTHS]


@pytest.mark.parametrize("backend", FULL_PRECISION)
def test_a_line_reads_the_same_alone_and_padded_beside_others(
    tiny_bundle: Bundle, images: list[np.ndarray], backend: str
) -> None:
    runtime = Runtime(tiny_bundle, backend, batch_pixels=10**9)
    for alone, beside in zip((runtime.log_probs([i])[0] for i in images), runtime.log_probs(images), strict=True):
        np.testing.assert_allclose(beside, alone, atol=1e-4)


@pytest.mark.parametrize("backend", FULL_PRECISION)
def test_results_come_in_the_order_of_the_images_with_the_steps_of_their_widths(
    tiny_bundle: Bundle, images: list[np.ndarray], backend: str
) -> None:
    runtime = Runtime(tiny_bundle, backend, batch_pixels=64 * 200)
    found = runtime.log_probs(images)
    assert [len(steps) for steps in found] == [tiny_bundle.architecture.time_steps(width) for width in WIDTHS]
    for ours, theirs in zip(found, runtime.log_probs(images[::-1])[::-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        np.testing.assert_allclose(np.exp(ours).sum(axis=1), 1, atol=1e-4)


def test_onnx_runtime_and_pytorch_agree(tiny_bundle: Bundle, images: list[np.ndarray]) -> None:
    pairs = zip(Runtime(tiny_bundle).log_probs(images), Runtime(tiny_bundle, "torch").log_probs(images), strict=True)
    assert max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs) < 1e-3


@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"onnx-int8"}))  # that one: test_quantise
def test_every_backend_reads_drawn_lines(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip(backend)
    images = [line_image(line.image, tiny_bundle.line_image) for line in drawn_lines]
    found = Runtime(tiny_bundle, backend).log_probs(images)
    texts = [tiny_bundle.alphabet.decode(span.class_ for span in best_path(log_probs)) for log_probs in found]
    assert texts == [line.text for line in drawn_lines]
    for ours, theirs in zip(Runtime(tiny_bundle).log_probs(images), found, strict=True):
        assert np.abs(np.exp(ours) - np.exp(theirs)).max() < 0.05  # bf16 has three digits at each step of the way


def test_threads_do_not_change_a_result(tiny_bundle: Bundle, images: list[np.ndarray]) -> None:
    one, two = (Runtime(tiny_bundle, threads=threads).log_probs(images) for threads in (1, 2))
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_torch_backend_leaves_the_threads_of_the_process_alone(
    tiny_bundle: Bundle, images: list[np.ndarray]
) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    Runtime(tiny_bundle, "torch", threads=before + 1).log_probs(images[:1])
    assert torch.get_num_threads() == before


@given(st.lists(st.integers(1, 3000), max_size=40), st.integers(1, 10**6))
def test_batches_hold_each_line_once_and_no_more_pixels_than_allowed(widths: list[int], pixels: int) -> None:
    found = list(batches(widths, 64, pixels))
    assert sorted(index for batch in found for index in batch) == list(range(len(widths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * 64 * max(widths[index] for index in batch) <= pixels


def test_no_images_give_no_results(tiny_bundle: Bundle) -> None:
    assert Runtime(tiny_bundle).log_probs([]) == []


def test_an_image_without_columns_is_refused(tiny_bundle: Bundle) -> None:
    with pytest.raises(ImageError, match="no time steps"):
        Runtime(tiny_bundle).log_probs([np.empty((64, 0), np.uint8)])


def test_an_image_of_another_height_is_a_mistake_of_the_caller(tiny_bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="64 pixels high, not 63"):
        Runtime(tiny_bundle).log_probs([np.zeros((63, 99), np.uint8)])


def test_an_unknown_backend_is_answered_with_those_there_are(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="auto, onnx, onnx-int8, openvino, torch"):
        Runtime(tiny_bundle, "tensorflow")


@pytest.mark.parametrize(("backend", "extra"), [("torch", "train"), ("openvino", "openvino")])
def test_a_missing_package_is_answered_with_the_install_line(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, backend: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, backend, None)  # importing it now fails as if it were not installed
    with pytest.raises(MissingExtraError, match=rf'pip install -c constraints.txt "\.\[{extra}\]"'):
        Runtime(tiny_bundle, backend)


def test_a_graph_that_onnx_runtime_cannot_open_is_a_bundle_error(tiny_bundle: Bundle, resaved: Resave) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime"):
        Runtime(resaved(tiny_bundle, graph=b"no graph"))


def test_weights_that_lack_a_part_are_a_bundle_error(tiny_bundle: Bundle, resaved: Resave) -> None:
    weights = {name: value for name, value in tiny_bundle.weights.items() if name != "head.weight"}
    with pytest.raises(BundleError, match=r"head\.weight"):
        Runtime(resaved(tiny_bundle, weights=weights), "torch")
