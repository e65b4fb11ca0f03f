"""Backbones: a line image becomes a feature map, smaller and deeper.

A backbone maps (N, 1, H, W) to (N, C, H / step_height, ceil(W / slice_width)). It receives the true width of each line
and keeps every column beyond it at zero, before each convolution, so that a line gives the same features whatever it
is padded to. New members go into `BACKBONES`.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.grad
from torch import Tensor, nn
from torch.nn import functional

from uncial.architecture import CRNNConfig


def column_mask(lengths: Tensor, width: int, like: Tensor) -> Tensor:
    """1 for columns inside a line and 0 beyond.

    Args:
        lengths: (N,) true widths, in columns of the map to be masked.
        width: columns of the map.
        like: gives dtype and device.

    Returns:
        (N, 1, 1, width).
    """
    columns = torch.arange(width, device=like.device)
    return (columns[None, :] < lengths[:, None]).to(like.dtype)[:, None, None, :]


class SeenRows(torch.autograd.Function):
    """A convolution whose stride down is longer than its filters: their gradient, from the rows alone that they see.

    With AMX, oneDNN's bf16 kernel for it multiplies by zero what its memory held before; where that is no finite
    number, the gradient becomes NaN. Seen in PyTorch 2.13, for long lines above all: 2 to 5 of 100 batches were lost.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: int) -> Tensor:
        """(N, C, H, W), (C', C, k, k) of one type -> (N, C', H', W')."""
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding
        return functional.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Of the input as ever; of the filters with the rows between them left out."""
        (grad,), (x, weight), ((down, across), padding) = grads, ctx.saved_tensors, ctx.how
        kernel = weight.shape[2]
        padded = functional.pad(x, (0, 0, padding, padding))
        starts = torch.arange(grad.shape[2], device=x.device)[:, None] * down
        seen = padded.index_select(2, (starts + torch.arange(kernel, device=x.device)).flatten())
        seen = seen.contiguous(memory_format=torch.channels_last)
        of_input = torch.nn.grad.conv2d_input(x.shape, weight, grad, (down, across), padding)  # type: ignore[no-untyped-call]
        of_weight = torch.nn.grad.conv2d_weight(  # type: ignore[no-untyped-call]
            seen, weight.shape, grad, (kernel, across), (0, padding)
        )
        return of_input, of_weight, None, None


class ConvNorm(nn.Module):
    """Convolution and batch normalisation; the input is masked, the output is not."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: tuple[int, int] = (1, 1)) -> None:
        """Filters of `kernel` x `kernel` pixels, moved by `stride` (down, across)."""
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, ceil(H / down), ceil(W / across))."""
        return self.norm(self._convolved(x))  # type: ignore[no-any-return]

    def _convolved(self, x: Tensor) -> Tensor:
        weight, down = self.conv.weight, self.conv.stride[0]
        if self.training and x.dtype == torch.bfloat16 and x.device.type == "cpu" and down > weight.shape[2] > 1:
            how = self.conv.stride, self.conv.padding[0]
            return SeenRows.apply(x, weight.to(x.dtype), *how)  # type: ignore[no-any-return,no-untyped-call]
        return self.conv(x)  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016, "Deep residual learning", basic block)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: tuple[int, int]) -> None:
        """The first convolution and the short cut move by `stride` (down, across)."""
        super().__init__()
        self.first = ConvNorm(inputs, outputs, kernel, stride)
        self.second = ConvNorm(outputs, outputs, kernel)
        same = inputs == outputs and stride == (1, 1)
        self.shortcut = nn.Identity() if same else ConvNorm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(N, C, H, W) and the mask of the output's columns -> (N, outputs, H', W'), masked."""
        inner = functional.relu(self.first(x)) * mask
        return functional.relu(self.second(inner) + self.shortcut(x)) * mask


class ResidualBackbone(nn.Module):
    """A strided stem, then stages of residual blocks, each stage opening with its stride."""

    def __init__(self, config: CRNNConfig) -> None:
        """Channels, blocks, strides and kernel as configured."""
        super().__init__()
        strides = tuple(zip(config.strides_down, config.strides_across, strict=True))
        self.stem = ConvNorm(1, config.channels[0], config.kernel, strides[0])
        stages = []
        for stage, count in enumerate(config.blocks, start=1):
            before, after = config.channels[stage - 1 : stage + 1]
            blocks = [ResidualBlock(before, after, config.kernel, strides[stage])]
            blocks += [ResidualBlock(after, after, config.kernel, (1, 1)) for _ in range(count - 1)]
            stages.append(nn.ModuleList(blocks))
        self.stages = nn.ModuleList(stages)
        self.across = config.strides_across
        self.channels = config.channels[-1]
        self.rows = config.height // config.step_height

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, H, W) with widths (N,) -> the feature map and its widths (N,) in slices."""
        lengths = _strided(lengths, self.across[0])
        x = functional.relu(self.stem(x))
        x = x * column_mask(lengths, x.shape[3], x)
        for blocks, across in zip(self.stages, self.across[1:], strict=True):
            lengths = _strided(lengths, across)
            mask = column_mask(lengths, (x.shape[3] + across - 1) // across, x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, mask)
        return x, lengths


class ShiBackbone(nn.Module):
    """The seven convolutions of the classical CRNN.

    Source: Shi, Bai, Yao 2015, "An end-to-end trainable neural network for image-based sequence recognition", table 1.
    The paper's last 2 x 2 convolution loses one column; here the map is padded by one on the right instead, so that
    T = ceil(W / 4). Line images of 64 px leave three rows where the paper's 32 px leave one.
    """

    def __init__(self, config: CRNNConfig) -> None:
        """Filters of `config.kernel` in the first six convolutions; all else as in the paper."""
        super().__init__()
        sizes = (64, 128, 256, 256, 512, 512)
        inputs = (1, *sizes[:-1])
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, config.kernel, padding=config.kernel // 2) for i, o in zip(inputs, sizes, strict=True)
        )
        self.norms = nn.ModuleDict({"4": nn.BatchNorm2d(512), "5": nn.BatchNorm2d(512)})
        self.pools = {0: (2, 2), 1: (2, 2), 3: (2, 1), 5: (2, 1)}
        self.last = nn.Conv2d(512, 512, 2)
        self.channels = 512
        self.rows = config.height // 16 - 1

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, H, W) with widths (N,) -> the feature map and its widths (N,) in slices."""
        for index, conv in enumerate(self.convs):
            x = conv(x)
            if str(index) in self.norms:
                x = self.norms[str(index)](x)
            x = functional.relu(x)
            x = x * column_mask(lengths, x.shape[3], x)
            if index in self.pools:
                down, across = self.pools[index]
                x = functional.max_pool2d(x, (down, across), ceil_mode=True)
                lengths = _strided(lengths, across)
        x = functional.relu(self.last(functional.pad(x, (0, 1))))
        return x * column_mask(lengths, x.shape[3], x), lengths


class DenseBackbone(nn.Module):
    """A plain network: every pixel of the image is joined to every hidden unit, and these to every slice.

    It knows nothing of places: that two pixels are neighbours, or that a letter looks alike wherever it stands, it has
    to learn for each place anew, and its weights grow with the image. It has one size of image. A line that is shorter
    leaves the right of it blank; a longer one is squeezed into it (each column the mean of those it replaces), and its
    slices are read off several times in a row where they are fewer than the line has. So a line gives as many slices
    as with other backbones, and the same whatever it is padded to.
    """

    def __init__(self, config: CRNNConfig) -> None:
        """`config.dense_width` rounded up to whole slices, one hidden layer, one row of features."""
        super().__init__()
        self.across = config.slice_width
        self.slots = -(-config.dense_width // self.across)  # slices of the one image
        self.channels = config.channels[-1]
        self.rows = 1
        self.hidden = nn.Linear(config.height * self.slots * self.across, config.dense_hidden)
        self.features = nn.Linear(config.dense_hidden, self.channels * self.slots)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, H, W) with widths (N,) -> features (N, C, 1, ceil(W / slice_width)) and widths (N,) in slices."""
        width = self.slots * self.across
        covered = lengths.clamp(min=width)[:, None]  # pixels of the line and its blank that the image holds
        hidden = functional.relu(self.hidden(_squeezed(x, covered, width).flatten(1)))
        features = functional.relu(self.features(hidden)).reshape(-1, self.channels, self.slots)
        count = (x.shape[3] + self.across - 1) // self.across
        place = torch.arange(count, device=x.device)[None, :] * width
        slot = torch.div(place, covered, rounding_mode="floor").clamp(max=self.slots - 1)
        shown = features.gather(2, slot[:, None, :].expand(-1, self.channels, -1))[:, :, None, :]
        lengths = _strided(lengths, self.across)
        return shown * column_mask(lengths, count, shown), lengths


class NoBackbone(nn.Module):
    """The raw pixel columns: each column of the line image is one slice."""

    def __init__(self, config: CRNNConfig) -> None:
        """One channel, all rows."""
        super().__init__()
        self.channels = 1
        self.rows = config.height

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The line images themselves."""
        return x, lengths


def _squeezed(x: Tensor, covered: Tensor, width: int) -> Tensor:
    """(N, 1, H, W) whose first `covered` (N, 1) columns, blank beyond W, become the `width` columns of an image."""
    edges = torch.arange(width + 1, device=x.device)[None, :] * covered
    edges = torch.div(edges, width, rounding_mode="floor")
    total = functional.pad(x.float().cumsum(dim=3), (1, 0))  # ink left of each edge
    at = edges.clamp(max=x.shape[3])[:, None, None, :].expand(-1, 1, x.shape[2], -1)
    ink = total.gather(3, at)
    return (ink[..., 1:] - ink[..., :-1]) / (edges[:, 1:] - edges[:, :-1])[:, None, None, :]


def _strided(lengths: Tensor, across: int) -> Tensor:
    return torch.div(lengths + (across - 1), across, rounding_mode="floor")


BACKBONES: dict[str, Callable[[CRNNConfig], nn.Module]] = {
    "residual": ResidualBackbone,
    "shi2015": ShiBackbone,
    "dense": DenseBackbone,
    "none": NoBackbone,
}
