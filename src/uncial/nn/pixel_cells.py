"""A strided convolution of an image of one channel, as one of its cells: blocks of pixels become channels.

ONNX Runtime copies what each filter sees before it multiplies, as many bytes in a row as there are channels. Of a line
image, which has one, that takes longer than all else the stem does. As cells of stride x stride pixels the image has as
many channels more, and the filters have fewer places; sums and results are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import NodeProto, helper

Make = Callable[..., str]  # (kind, inputs, output, **attributes) -> output: adds a node
Keep = Callable[[str, ArrayLike], str]  # (name, value) -> name: adds a tensor


@dataclass(frozen=True, slots=True)
class PixelCells:
    """A convolution of one channel, and what becomes of it; all pairs are down, across."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    before: tuple[int, int]  # padding above and left
    after: tuple[int, int]  # below and right
    height: int  # of the images

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells a filter sees."""
        down, across = (-(-size // stride) for size, stride in zip(self.kernel, self.strides, strict=True))
        return down, across

    def image(self, source: str, zero: str, make: Make, keep: Keep) -> str:
        """(N, 1, H, W) pixels -> (N, down x across, rows, columns) cells, padded by zeros as the filters need it.

        Args:
            source: name of the pixels.
            zero: name of what stands for zero.
            make: adds nodes.
            keep: adds tensors.

        Returns:
            The name of the cells.
        """
        (down, across), (above, left) = self.strides, self.before
        rows = (self.height + above + self.after[0] - self.kernel[0]) // down + self.cells[0]
        width = make("Shape", [source], "width", start=3, end=4)
        reach = make("Add", [width, keep("spare", [left + self.after[1] - self.kernel[1]])], "reach")
        stride = keep("across", [across])
        columns = make("Add", [make("Div", [reach, stride], "last"), keep("cells", [self.cells[1]])], "columns")
        padded = make("Sub", [make("Mul", [columns, stride], "whole"), keep("left", [left])], "whole.right")
        right = make("Sub", [padded, width], "right")
        ends = keep("ends", [0, 0, above, left, 0, 0, rows * down - self.height - above])
        pads = make("Concat", [ends, right], "pads", axis=0)
        x = make("Pad", [source, pads, zero], "padded")
        x = make("Reshape", [x, keep("blocks", [0, rows, down, -1, across])], "split")  # 0: as many as there are
        x = make("Transpose", [x], "blocks.rows", perm=[0, 1, 3, 2, 4])
        x = make("Reshape", [x, keep("flat", [0, rows, -1, down * across])], "channels_last")
        return make("Transpose", [x], "channels", perm=[0, 3, 1, 2])

    def filters(self, source: str, make: Make, keep: Keep) -> str:
        """(O, 1, kernel) filters -> (O, down x across, cells): the same filters, for cells."""
        cells, strides = self.cells, self.strides
        more = [n * s - k for n, s, k in zip(cells, strides, self.kernel, strict=True)]
        x = make("Pad", [source, keep("filters.more", [0, 0, 0, 0, 0, 0, *more])], "filters.padded")
        shape = [0, cells[0], strides[0], cells[1], strides[1]]
        x = make("Reshape", [x, keep("filters.blocks", shape)], "filters.split")
        x = make("Transpose", [x], "filters.turned", perm=[0, 2, 4, 1, 3])
        return make("Reshape", [x, keep("filters.shape", [0, strides[0] * strides[1], *cells])], "filters.cells")

    def convolution(self, inputs: list[str], output: str) -> NodeProto:
        """The convolution of the cells."""
        return helper.make_node("Conv", inputs, [output], kernel_shape=self.cells, strides=[1, 1], pads=[0] * 4)


def pixel_cells(conv: NodeProto, channels: int, height: int) -> PixelCells | None:
    """A convolution as one of cells; None where that is of no use.

    Args:
        conv: of the graph.
        channels: of what it reads.
        height: of the images.
    """
    about: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
    strides = tuple(about.get("strides", (1, 1)))
    plain = about.get("group", 1) == 1 and set(about.get("dilations", (1,))) == {1}
    if channels != 1 or np.prod(strides) == 1 or not plain:
        return None
    pads = about.get("pads", (0, 0, 0, 0))
    return PixelCells(tuple(about["kernel_shape"]), strides, tuple(pads[:2]), tuple(pads[2:]), height)
