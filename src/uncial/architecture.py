"""What a network is made of, as plain settings; no torch here.

The choice of parts lives in `CRNNConfig`; the parts themselves live in `uncial.nn`. Both training and reading need to
know, without torch, how many time steps a line image of some width gives: that is `time_steps`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CRNNConfig:
    """A convolutional recurrent network, part by part.

    Attributes:
        height: of the line image, in pixels.
        backbone: name in `nn.backbones.BACKBONES`: "residual", "shi2015", "dense" or "none".
        kernel: side of the square convolution filters, in pixels of the layer's input (odd).
        channels: of the stem and of each stage after it (residual backbone).
        blocks: residual blocks in each stage, one number fewer than `channels`.
        strides_down: stride down of the stem and of each stage; their product divides `height`.
        strides_across: stride across of the stem and of each stage; their product is the pixels of one slice.
        dense_width: pixels across of the one image that the dense backbone takes (rounded up to whole slices); shorter
            lines leave the rest blank, longer ones are squeezed into it.
        dense_hidden: units of the dense backbone's hidden layer; each slice gets as many features as the last of
            `channels`.
        steps_per_slice: time steps that are read off each slice, one beside the other. CTC needs a step for each letter
            and one between equal ones; narrow letters are narrower than a slice, and more steps cost next to nothing.
        column: how a column of features becomes one vector: "max" (maximum over the rows), "stack" (all rows side by
            side) or "sweep" (a recurrent sweep down and up the column, then the maximum).
        recurrent: name in `nn.recurrent.RECURRENT`: "lstm", "gru", "simple", "sru" or "none".
        recurrent_layers: how many, one upon the other.
        added_layers: how many more upon these, each of which adds to what it is given, at first nothing: a trained
            network that gets one reads as before, and learns from there (Bachlechner et al. 2020, "ReZero").
        recurrent_size: width of the state of each direction.
        bidirectional: read from left to right and from right to left; False: left to right only.
        shortcut: a second, convolutional head on the features before the recurrent layers, trained beside the first
            (Retsinas et al. 2022, "Best practices for a handwritten text recognition system").
        dropout: share of the features dropped in training between backbone, recurrent layers and head.
        hidden_slices: share of the slices that training hides from the recurrent layers, in spans of one to
            `nn.crnn.LONGEST_SPAN` slices, so that context has to fill in (Li et al. 2025, "HTR-VT", span masking).
    """

    height: int = 64
    backbone: str = "residual"
    kernel: int = 3
    channels: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (1, 1, 1)
    strides_down: tuple[int, ...] = (2, 2, 2, 4)
    strides_across: tuple[int, ...] = (2, 2, 2, 1)
    dense_width: int = 1024
    dense_hidden: int = 512
    steps_per_slice: int = 2
    column: str = "max"
    recurrent: str = "lstm"
    recurrent_layers: int = 2
    added_layers: int = 0
    recurrent_size: int = 256
    bidirectional: bool = True
    shortcut: bool = True
    dropout: float = 0.2
    hidden_slices: float = 0.0

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        stages = len(self.channels)
        if not (len(self.strides_down) == len(self.strides_across) == stages == len(self.blocks) + 1):
            raise ValueError(
                "channels, strides_down and strides_across need one number for the stem and one for each stage, "
                "blocks one for each stage"
            )
        if self.kernel % 2 == 0 or self.kernel < 1:
            raise ValueError(f"kernel is the odd side of a filter, not {self.kernel}")
        numbers = (*self.channels, *self.blocks, *self.strides_down, *self.strides_across)
        sizes = (self.recurrent_size, self.recurrent_layers, self.steps_per_slice, self.dense_width, self.dense_hidden)
        if min(*numbers, *sizes) < 1 or self.added_layers < 0:
            raise ValueError(
                "channels, blocks, strides, steps_per_slice, recurrent_size, recurrent_layers, dense_width and "
                "dense_hidden are at least 1, added_layers at least 0"
            )
        for name, share in (("dropout", self.dropout), ("hidden_slices", self.hidden_slices)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} lies in [0, 1), not {share}")
        if self.backbone == "shi2015" and self.height < 32:
            raise ValueError(f"the shi2015 backbone needs a height of at least 32, not {self.height}")
        if self.height % self.step_height:
            raise ValueError(f"height {self.height} is not a multiple of the strides down, {self.step_height}")

    @property
    def step_width(self) -> float:
        """Image pixels across that one time step stands for."""
        return self.slice_width / self.steps_per_slice

    @property
    def slice_width(self) -> int:
        """Image pixels across that one slice of the feature map stands for."""
        strides = _product(self.strides_across)
        return {"residual": strides, "dense": strides, "shi2015": 4, "none": 1}.get(self.backbone, 1)

    @property
    def step_height(self) -> int:
        """Image pixels down that one row of the feature map stands for."""
        strides = _product(self.strides_down)
        return {"residual": strides, "dense": self.height, "shi2015": 16, "none": 1}.get(self.backbone, 1)

    def time_steps(self, width: int) -> int:
        """Time steps that a line image of `width` pixels gives: those of ceil(width / slice_width) slices."""
        return -(-width // self.slice_width) * self.steps_per_slice


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
