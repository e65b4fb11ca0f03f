"""A strided convolution of an image of one channel, as one of its cells: blocks of pixels become channels.

ONNX Runtime copies what each filter sees before it multiplies, as many bytes in a row as there are channels. Of a line
image, which has one, that takes longer than all else the stem does. As cells of stride x stride pixels the image has as
many channels more, and the filters have fewer places; sums and results are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike
from onnx import NodeProto, helper

Node = Callable[..., str]  # (kind, inputs, output, **attributes) -> output: adds a node
Tensor = Callable[[str, ArrayLike], str]  # (name, value) -> name: adds a tensor


@dataclass(frozen=True, slots=True)
class PixelCells:
    """A convolution of one channel, and what becomes of it; all pairs are down, across."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int]  # on each side
    height: int  # of the images

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells a filter sees."""
        down, across = (-(-size // stride) for size, stride in zip(self.kernel, self.strides, strict=True))
        return down, across

    def image(self, source: str, zero: str, node: Node, tensor: Tensor) -> str:
        """(N, 1, H, W) pixels -> (N, down x across, rows, columns) cells, padded by zeros as the filters need it.

        Args:
            source: name of the pixels.
            zero: name of what stands for zero.
            node: adds nodes.
            tensor: adds tensors.

        Returns:
            The name of the cells.
        """
        (down, across), (above, left) = self.strides, self.padding
        rows = (self.height + 2 * above - self.kernel[0]) // down + self.cells[0]
        width = node("Shape", [source], "width", start=3, end=4)
        reach = node("Add", [width, tensor("spare", [2 * left - self.kernel[1]])], "reach")
        stride = tensor("across", [across])
        columns = node("Add", [node("Div", [reach, stride], "last"), tensor("cells", [self.cells[1]])], "columns")
        padded = node("Sub", [node("Mul", [columns, stride], "whole"), tensor("left", [left])], "whole.right")
        right = node("Sub", [padded, width], "right")
        ends = tensor("ends", [0, 0, above, left, 0, 0, rows * down - self.height - above])
        pads = node("Concat", [ends, right], "pads", axis=0)
        x = node("Pad", [source, pads, zero], "padded")
        x = node("Reshape", [x, tensor("blocks", [0, rows, down, -1, across])], "split")  # 0: as many as there are
        x = node("Transpose", [x], "blocks.rows", perm=[0, 1, 3, 2, 4])
        x = node("Reshape", [x, tensor("flat", [0, rows, -1, down * across])], "channels_last")
        return node("Transpose", [x], "channels", perm=[0, 3, 1, 2])

    def filters(self, source: str, node: Node, tensor: Tensor) -> str:
        """(O, 1, kernel) filters -> (O, down x across, cells): the same filters, for cells."""
        cells, strides = self.cells, self.strides
        more = [n * s - k for n, s, k in zip(cells, strides, self.kernel, strict=True)]
        x = node("Pad", [source, tensor("filters.more", [0, 0, 0, 0, 0, 0, *more])], "filters.padded")
        shape = [0, cells[0], strides[0], cells[1], strides[1]]
        x = node("Reshape", [x, tensor("filters.blocks", shape)], "filters.split")
        x = node("Transpose", [x], "filters.turned", perm=[0, 2, 4, 1, 3])
        return node("Reshape", [x, tensor("filters.shape", [0, strides[0] * strides[1], *cells])], "filters.cells")

    def convolution(self, inputs: list[str], output: str) -> NodeProto:
        """The convolution of the cells."""
        return helper.make_node("Conv", inputs, [output], kernel_shape=self.cells, strides=[1, 1], pads=[0] * 4)


def pixel_cells(conv: NodeProto, height: int) -> PixelCells | None:
    """A convolution of images as one of their cells; None where that is of no use.

    Args:
        conv: of the graph; it reads the images.
        height: of the images.
    """
    about: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in conv.attribute}
    kernel, strides, pads = (tuple(about[name]) for name in ("kernel_shape", "strides", "pads"))
    if strides == (1, 1) or pads[:2] != pads[2:] or set(about.get("dilations", (1,))) != {1}:
        return None
    return PixelCells(kernel, strides, pads[:2], height)
