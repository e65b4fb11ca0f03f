"""The convolutional recurrent network, put together from its parts.

A CNN backbone finds strokes and loops and keeps their place; its map is cut into slices from left to right and each
column becomes one vector; recurrent layers read the slices in the light of their neighbours; a linear head gives, for
each slice, the logits of every grapheme and of the CTC blank. Beside it a shortcut head reads the same slices without
context; it helps training and shows what context is worth.
"""

import torch
from torch import Tensor, nn

from uncial.architecture import CRNNConfig
from uncial.config import choose
from uncial.nn.backbones import BACKBONES, column_mask
from uncial.nn.recurrent import RECURRENT, ColumnSweep, RecurrentLayers

COLUMNS = ("max", "stack", "sweep")
LONGEST_SPAN = 6  # slices hidden in a row: about two letters


class CRNN(nn.Module):
    """Line images to logits."""

    def __init__(self, config: CRNNConfig, classes: int) -> None:
        """Build the parts that the config names.

        Args:
            config: the parts.
            classes: graphemes of the alphabet plus one for the blank (class 0).

        Raises:
            ConfigError: the config names a part that does not exist.
        """
        super().__init__()
        choose(RECURRENT, "recurrent layer", config.recurrent)
        choose({name: name for name in COLUMNS}, "column", config.column)
        self.config = config
        self.backbone = choose(BACKBONES, "backbone", config.backbone)(config)
        channels = int(self.backbone.channels)  # type: ignore[arg-type]
        self.sweep = ColumnSweep(config.recurrent, channels) if config.column == "sweep" else None
        if self.sweep is not None:
            channels = self.sweep.channels
        features = channels * int(self.backbone.rows) if config.column == "stack" else channels  # type: ignore[arg-type]
        self.recurrent = RecurrentLayers(
            config.recurrent,
            features,
            config.recurrent_size,
            config.recurrent_layers,
            config.bidirectional,
            config.dropout,
            config.added_layers,
        )
        self.dropout = nn.Dropout(config.dropout)
        outputs = config.steps_per_slice * classes
        self.head = nn.Linear(self.recurrent.size, outputs)
        self.shortcut = nn.Conv1d(features, outputs, 3, padding=1) if config.shortcut else None

    def slices(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """The features of each slice, before any recurrent layer.

        Args:
            images: (N, 1, H, W) ink, 0 paper to 1 dark; columns at and beyond a line's width are 0.
            widths: (N,) true widths in pixels.

        Returns:
            (N, S, F) features and (N,) slices of each line.
        """
        x, lengths = self.backbone(images, widths)
        if self.sweep is not None:
            x = self.sweep(x) * column_mask(lengths, x.shape[3], x)  # the sweep makes something of empty columns
        x = x.flatten(1, 2) if self.config.column == "stack" else x.amax(dim=2)
        return x.transpose(1, 2), lengths

    def shortcut_logits(self, slices: Tensor) -> Tensor:
        """(N, S, F) features -> (N, T, C) logits of the shortcut head: each slice read without context.

        The features are zero beyond a line's last slice, so padding does not reach into the line.
        """
        if self.shortcut is None:
            raise ValueError("this network has no shortcut head")
        return self._steps(self.shortcut(slices.transpose(1, 2)).transpose(1, 2))

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        """Read line images.

        Args:
            images: (N, 1, H, W) as in `slices`.
            widths: (N,) true widths in pixels.

        Returns:
            (N, T, C) logits and (N,) time steps of each line; logits beyond a line's steps mean nothing.
        """
        slices, lengths = self.slices(images, widths)
        return self.context_logits(slices, lengths), lengths * self.config.steps_per_slice

    def context(self, slices: Tensor, lengths: Tensor) -> Tensor:
        """(N, S, F) features of (N,) slices -> (N, S, F') what the recurrent layers make of them."""
        if self.training and self.config.hidden_slices:
            slices = slices * shown(slices.shape[:2], self.config.hidden_slices).to(slices)
        return self.dropout(self.recurrent(self.dropout(slices), lengths))  # type: ignore[no-any-return]

    def context_logits(self, slices: Tensor, lengths: Tensor) -> Tensor:
        """(N, S, F) features of (N,) slices -> (N, T, C) logits of the head behind the recurrent layers."""
        return self.logits(self.context(slices, lengths))

    def logits(self, context: Tensor) -> Tensor:
        """(N, S, F') as `context` gives them -> (N, T, C) logits of the head."""
        return self._steps(self.head(context))

    def _steps(self, outputs: Tensor) -> Tensor:
        """(N, S, steps x C) outputs of a head -> (N, T, C), T = S x steps: the steps of each slice in a row."""
        steps = self.config.steps_per_slice
        return outputs.reshape(outputs.shape[0], -1, outputs.shape[2] // steps)


def shown(shape: torch.Size, share: float) -> Tensor:
    """A mask (N, S, 1) of slices, 0 in spans of 1 to LONGEST_SPAN of them, which hide about `share` of all.

    Spans may overlap; the chance that one begins is such that a slice lies outside of all with 1 - share.
    """
    lengths = torch.arange(1, LONGEST_SPAN + 1)
    chance = 1 - (1 - share) ** (LONGEST_SPAN / float(lengths.sum()))  # that a span begins here
    begins = torch.rand(shape) < chance
    span = torch.randint(1, LONGEST_SPAN + 1, shape)
    hidden = torch.zeros(shape, dtype=torch.bool)
    for back in range(min(LONGEST_SPAN, shape[1])):
        reaches = begins & (span > back)
        hidden[:, back:] |= reaches[:, : shape[1] - back]
    return (~hidden)[:, :, None]


def memory_format(network: nn.Module) -> torch.memory_format:
    """How feature maps lie in memory while this network learns: channels_last, in which convolutions are quick.

    Not where a 1 x 1 convolution with a stride takes fewer than 16 channels: its gradients are written beyond their
    place by PyTorch 2.13 on processors with AVX-512, and the process dies sooner or later.
    """
    thin = any(
        part.kernel_size == (1, 1) and part.stride != (1, 1) and part.in_channels < 16
        for part in network.modules()
        if isinstance(part, nn.Conv2d)
    )
    return torch.contiguous_format if thin else torch.channels_last


def check_parts(config: CRNNConfig) -> None:
    """Raise the ConfigError of a part that does not exist; no weights are made."""
    with torch.device("meta"):
        CRNN(config, classes=2)


def parameters(network: nn.Module) -> int:
    """How many weights can be trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def weights_of(config: CRNNConfig, classes: int) -> int:
    """How many weights a network would have; none are made.

    Args:
        config: its parts.
        classes: of its output layer, blank included.
    """
    with torch.device("meta"):
        return parameters(CRNN(config, classes))


def fastest_autocast(device: torch.device) -> torch.dtype | None:
    """The low precision that this device trains fastest in, or None where full precision is best.

    On a CPU, bf16 gains only where there are instructions for it (AVX512-BF16 or AMX).
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    if device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() and _bf16_instructions() else None
    return None


def _bf16_instructions() -> bool:
    # mkldnn "supports" bf16 on plain AVX512 by converting to fp32, which is slower than fp32 itself.
    capability = torch.cpu._is_avx512_bf16_supported() if hasattr(torch.cpu, "_is_avx512_bf16_supported") else True
    amx = torch.cpu._is_amx_tile_supported() if hasattr(torch.cpu, "_is_amx_tile_supported") else False
    return bool(capability or amx)
