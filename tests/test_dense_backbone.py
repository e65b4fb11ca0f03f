"""The dense backbone has one size of image; lines of other sizes are brought to it, and its slices brought back."""

import numpy as np
import pytest
import torch

from uncial.architecture import CRNNConfig
from uncial.nn.backbones import DenseBackbone

CONFIG = CRNNConfig(
    height=4,
    backbone="dense",
    channels=(3, 5),
    blocks=(1,),
    strides_down=(2, 2),
    strides_across=(2, 2),
    dense_width=22,
    dense_hidden=7,
)
WIDTH = 24  # of its one image: 22 pixels rounded up to slices of 4


def network() -> DenseBackbone:
    torch.manual_seed(2)
    return DenseBackbone(CONFIG).eval()


def image_of(backbone: DenseBackbone, line: np.ndarray, padding: int) -> np.ndarray:
    """What the hidden layer is given for a line (H, W) that is padded by so many columns."""
    seen: list[torch.Tensor] = []
    backbone.hidden.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    padded = np.pad(line, ((0, 0), (0, padding)))
    backbone(torch.from_numpy(padded)[None, None], torch.tensor([line.shape[1]]))
    return seen[0].detach().numpy().reshape(CONFIG.height, WIDTH)


@pytest.mark.parametrize("width", [1, 23, 24, 25, 48, 101])
@pytest.mark.parametrize("padding", [0, 3])
def test_short_lines_leave_the_right_blank_and_long_ones_are_squeezed(width: int, padding: int) -> None:
    line = np.random.default_rng(1).random((CONFIG.height, width), dtype=np.float32)
    covered = max(width, WIDTH)
    whole = np.pad(line, ((0, 0), (0, covered - width)))
    edges = [column * covered // WIDTH for column in range(WIDTH + 1)]
    columns = [whole[:, a:b].mean(axis=1) for a, b in zip(edges, edges[1:], strict=False)]
    np.testing.assert_allclose(image_of(network(), line, padding), np.stack(columns, axis=1), atol=1e-5)


def test_each_slice_of_a_long_line_shows_the_slice_of_the_image_that_it_lies_in() -> None:
    backbone = network()
    with torch.no_grad():
        backbone.features.weight.zero_()
        # The feature of each slice is its number, counted from 1.
        backbone.features.bias.copy_(torch.arange(1.0, 7).repeat(backbone.channels))
        long, lengths = backbone(torch.zeros(1, 1, 4, 48), torch.tensor([48]))
        short, _ = backbone(torch.zeros(1, 1, 4, 48), torch.tensor([10]))
    assert lengths.tolist() == [12]
    assert long[0, 0, 0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert short[0, 0, 0].tolist() == [1, 2, 3, *[0] * 9]


def test_the_weights_grow_with_the_image() -> None:
    def weights(**changes: int) -> int:
        settings = {name: getattr(CONFIG, name) for name in CONFIG.__slots__} | changes
        return sum(p.numel() for p in DenseBackbone(CRNNConfig(**settings)).parameters())

    # pixels x hidden + hidden, then hidden x (channels x slices) + (channels x slices)
    assert weights(dense_width=24) == 4 * 24 * 7 + 7 + 7 * 5 * 6 + 5 * 6
    assert weights(dense_width=48) == 4 * 48 * 7 + 7 + 7 * 5 * 12 + 5 * 12
    assert weights(height=8) == 8 * 24 * 7 + 7 + 7 * 5 * 6 + 5 * 6
