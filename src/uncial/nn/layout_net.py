"""The network that finds lines: a small U-Net over a whole page.

It sees the page at full size once, in a strided stem; works at a quarter, an eighth, a sixteenth and a
thirty-second of it; and comes back to a quarter, from where each place tells four places of half the page's size
(Shi et al. 2016, sub-pixel convolution). What it tells follows Kodym and Hradiš 2021, "Page layout analysis system for
unconstrained historic documents": baseline, line ends, and how far the line reaches above and below.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

MAPS = 4  # baseline, ends, above, below
STRIDE = 2  # pixels of the page for each place of a map
MULTIPLE = 32  # sides of a page must be multiples of it
WIDTHS = (16, 32, 48, 80, 96)  # channels at 1/2, 1/4, 1/8, 1/16 and 1/32


class _Block(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016), the first with a stride, the second dilated."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H / stride, W / stride)."""
        inner = functional.relu(self.norm(self.first(x)))
        return functional.relu(self.norm2(self.second(inner)) + self.shortcut(x))


class LayoutNet(nn.Module):
    """Pages -> maps of lines; some 0.8 million parameters."""

    def __init__(self) -> None:
        """A network of chance."""
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.stem = nn.Sequential(nn.Conv2d(1, a, 5, 2, padding=2, bias=False), nn.BatchNorm2d(a), nn.ReLU())
        self.quarter = _Block(a, b, 2)
        self.eighth = nn.Sequential(_Block(b, c, 2), _Block(c, c, 1, 2))
        self.sixteenth = nn.Sequential(_Block(c, d, 2), _Block(d, d, 1, 2))
        self.lowest = nn.Sequential(_Block(d, e, 2), _Block(e, e, 1, 2))
        self.to_sixteenth, self.up_sixteenth = nn.Conv2d(e, d, 1), _Block(d, d, 1)
        self.to_eighth, self.up_eighth = nn.Conv2d(d, c, 1), _Block(c, c, 1)
        self.to_quarter, self.up_quarter = nn.Conv2d(c, b, 1), _Block(b, b, 1)
        self.head = nn.Conv2d(b, MAPS * 4, 1)
        with torch.no_grad():  # lines cover little of a page: begin with "no line here"
            assert self.head.bias is not None
            self.head.bias.zero_()
            self.head.bias[:8] = -3.0

    def forward(self, pages: Tensor) -> Tensor:
        """See what is written where.

        Args:
            pages: (N, 1, H, W), 0 paper to 1 ink; H and W are multiples of MULTIPLE.

        Returns:
            (N, MAPS, H / 2, W / 2): logits of baseline and of line ends, and heights above and below, the logarithm
            of pixels + 1.
        """
        quarter = self.quarter(self.stem(pages))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        x = _doubled(self.to_sixteenth(self.lowest(sixteenth)))
        x = self.up_sixteenth(x + sixteenth)
        x = self.up_eighth(_doubled(self.to_eighth(x)) + eighth)
        x = self.up_quarter(_doubled(self.to_quarter(x)) + quarter)
        return functional.pixel_shuffle(self.head(x), 2)


class Reading(nn.Module):
    """What the ONNX graph computes: probabilities, and heights in pixels of the page."""

    def __init__(self, network: LayoutNet) -> None:
        """Wrap a network."""
        super().__init__()
        self.network = network

    def forward(self, pages: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, MAPS, H / 2, W / 2)."""
        maps = self.network(pages).float()
        return torch.cat([maps[:, :2].sigmoid(), maps[:, 2:].clamp(0, 6).exp() - 1], dim=1)


def layout_loss(maps: Tensor, targets: Tensor) -> Tensor:
    """How far maps are from the truth: cross entropy and Dice for places, distance for heights.

    Args:
        maps: (N, MAPS, H, W) as the network gives them.
        targets: (N, MAPS + 1, H, W): baseline and ends in [0, 1], heights above and below in pixels where there is a
            baseline, -1 if they are not to be learned there, and 1 where the truth is known, 0 where it is not.
    """
    maps, known = maps.float(), targets[:, 4:5]
    wanted = targets[:, :2]
    weight = known * (1 + 4 * wanted)
    places = functional.binary_cross_entropy_with_logits(maps[:, :2], wanted, reduction="none")
    cross = (places * weight).sum() / weight.sum().clamp(min=1)
    found = maps[:, :2].sigmoid() * known
    overlap, extent = (found * wanted).sum(dim=(0, 2, 3)), (found + wanted * known).sum(dim=(0, 2, 3))
    dice = (1 - (2 * overlap + 1) / (extent + 1)).mean()
    on_line = (wanted[:, :1] > 0.5) * known
    told = on_line * (targets[:, 2:3] >= 0)
    heights = functional.smooth_l1_loss(maps[:, 2:], targets[:, 2:4].clamp(min=0).log1p(), reduction="none", beta=0.1)
    return 4 * cross + dice + (heights * told).sum() / told.sum().clamp(min=1)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
