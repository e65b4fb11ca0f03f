"""Watches a network while it reads one line: what its filters answer, what its memory holds.

Nothing here knows which parts a network is made of. A torch function mode sees every operation on a tensor that comes
from the picture, so the receptive field of each value is known exactly, whatever backbone makes it; hooks on recurrent
cells see what goes in and comes out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from uncial.explanation import ConvolutionLayer, Direction, ReceptiveField, Slices
from uncial.nn.crnn import CRNN
from uncial.nn.recurrent import SimpleRecurrentUnit

MOST_FILTERS = 32  # of each layer; more can hardly be looked at
LAYER_VALUES = 400_000  # values in the maps of a layer, which bounds the size of a page
FEWEST_FILTERS = 4  # however large the maps are
LISTENED = 6  # input maps told for each filter
PICTURE = ReceptiveField((1, 1), (1, 1), (0, 0))


@dataclass
class _Convolution:
    """One convolution while it is watched: its call, and how far its answer was followed."""

    weight: Tensor
    stride: tuple[int, int]
    padding: tuple[int, int]
    field: ReceptiveField
    answer: Tensor
    scale: Tensor
    shift: Tensor
    activated: bool = False


class _Watcher(TorchFunctionMode):
    """Follows the picture through every operation."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__()
        self.fields = {id(picture): PICTURE}
        self.alive: list[Tensor] = [picture]  # an id is unique only while its tensor lives
        self.convolutions: list[_Convolution] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        seen = [self.fields[id(arg)] for arg in args if isinstance(arg, Tensor) and id(arg) in self.fields]
        if seen and isinstance(result, Tensor) and result.ndim == 4:
            self._follow(getattr(func, "__name__", ""), _union(seen), result, args, kwargs or {})
        return result

    def _follow(
        self, name: str, seen: ReceptiveField, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if name == "conv2d":
            _, weight, bias, stride, padding = args[:5]
            seen = _grown(seen, _pair(weight.shape[2:]), _pair(stride), _pair(padding))
            ones = torch.ones(len(weight))
            shift = torch.zeros(len(weight)) if bias is None else bias
            self.convolutions.append(_Convolution(weight, _pair(stride), _pair(padding), seen, result, ones, shift))
        elif "max_pool2d" in name:
            size = _pair(args[1] if len(args) > 1 else kwargs["kernel_size"])
            seen = _grown(seen, size, size, (0, 0))
        elif name == "pad":
            left, _, top, _ = (*args[1], 0, 0)[:4]
            seen = _grown(seen, (1, 1), (1, 1), (top, left))
        elif name in {"batch_norm", "relu"}:
            self._follow_answer(name, result, args, kwargs)
        self.fields[id(result)] = seen
        self.alive.append(result)

    def _follow_answer(self, name: str, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Batch normalisation and ReLU right behind a convolution belong to what it answers."""
        for conv in (conv for conv in self.convolutions if conv.answer is args[0]):
            conv.answer = result
            if name == "relu":
                conv.activated = True
            else:
                scale = kwargs["weight"] / torch.sqrt(args[2] + kwargs["eps"])  # over the running variance
                conv.shift = kwargs["bias"] + scale * (conv.shift - args[1])
                conv.scale = scale


@dataclass
class Trace:
    """What was seen while a network read one line.

    Attributes:
        layers: its convolutions.
        slices: what its columns became.
        memory: its recurrent directions.
        features: (1, S, F) the slices as a tensor.
        logits: (1, T, C).
    """

    layers: tuple[ConvolutionLayer, ...]
    slices: Slices
    memory: tuple[Direction, ...]
    features: Tensor
    logits: Tensor


@torch.no_grad()
def trace(network: CRNN, picture: Tensor) -> Trace:
    """Read one line and watch.

    Args:
        network: in eval mode.
        picture: (1, 1, H, W) ink; all of its columns belong to the line.
    """
    width = torch.tensor([picture.shape[3]])
    watcher = _Watcher(picture)
    maps: list[Tensor] = []  # the feature map, and after a sweep the one whose columns are pooled
    stages = [network.backbone, *([] if network.sweep is None else [network.sweep])]
    hooks = [stage.register_forward_hook(lambda _m, _i, out: maps.append(_first(out))) for stage in stages]
    try:
        with watcher:
            features, lengths = network.slices(picture, width)
        memory, logits = _remember(network, features, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    names = {id(module.weight): name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    layers = tuple(_layer(conv, names.get(id(conv.weight), "")) for conv in watcher.convolutions)
    field = watcher.fields.get(id(maps[0])) or _everything(picture, network.config.slice_width)
    slices = _slices(network, maps[-1], features, field)
    return Trace(layers, slices, memory, features, logits)


def _remember(network: CRNN, features: Tensor, lengths: Tensor) -> tuple[tuple[Direction, ...], Tensor]:
    """Run what stands behind the slices, and note what each recurrent cell was given and made of it."""
    seen: dict[int, tuple[Tensor, Tensor]] = {}
    cells = [cell for cell in network.recurrent.modules() if isinstance(cell, nn.RNNBase | SimpleRecurrentUnit)]

    def note(cell: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        seen[id(cell)] = given[0][0], (made if isinstance(made, Tensor) else made[0])[0]

    hooks = [cell.register_forward_hook(note) for cell in cells]
    try:
        logits = network.context_logits(features, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    memory = []
    for number, layer in enumerate(network.recurrent.layers):
        if isinstance(layer, SimpleRecurrentUnit):  # both ways in one: their numbers stand side by side
            given, states = seen[id(layer)]
            kept = layer.gates(given)[:, : layer.outputs].sigmoid()
            ways = zip(*(some.chunk(2 if layer.bidirectional else 1, dim=1) for some in (states, kept)), strict=True)
            memory += [Direction(number, bool(b), w.numpy(), k.mean(1).numpy()) for b, (w, k) in enumerate(ways)]
        for backward, cell in enumerate(layer.children()):
            if isinstance(cell, nn.RNNBase):
                memory.append(_direction(number, bool(backward), cell, *seen[id(cell)]))
    return tuple(memory), logits


def _direction(layer: int, backward: bool, cell: nn.RNNBase, given: Tensor, states: Tensor) -> Direction:
    """(S, F) inputs and (S, size) states of a cell in the order it ran -> in the order of the slices."""
    kept = _kept(cell, given, states)
    if backward:
        states, kept = states.flip(0), None if kept is None else kept.flip(0)
    return Direction(layer, backward, states.numpy(), None if kept is None else kept.numpy())


def _kept(cell: nn.RNNBase, given: Tensor, states: Tensor) -> Tensor | None:
    """The gate that keeps the past, from the same products the cell computes: forget gate (LSTM), update gate (GRU)."""
    if not isinstance(cell, nn.LSTM | nn.GRU):
        return None
    before = torch.cat((torch.zeros_like(states[:1]), states[:-1]))
    of_input, of_state, input_bias, state_bias = cell.all_weights[0]
    gates = given @ of_input.T + input_bias + before @ of_state.T + state_bias
    return gates[:, cell.hidden_size : 2 * cell.hidden_size].sigmoid().mean(1)  # the second gate, in both


def _layer(conv: _Convolution, name: str) -> ConvolutionLayer:
    answers = conv.answer[0]
    values = answers.shape[1] * answers.shape[2]
    most = max(FEWEST_FILTERS, min(MOST_FILTERS, LAYER_VALUES // values))
    strength = answers.clamp(min=0).flatten(1).square().mean(1)
    # Those that answer most strongly, in the network's own order: the eye finds them again on the next line.
    filters = strength.argsort(descending=True, stable=True)[:most].sort().values
    weights = conv.weight[filters]
    listened = weights.flatten(2).square().sum(2).argsort(dim=1, descending=True, stable=True)[:, :LISTENED]
    rows = torch.arange(len(filters))[:, None]
    return ConvolutionLayer(
        name=name.removeprefix("backbone."),
        inputs=conv.weight.shape[1],
        outputs=conv.weight.shape[0],
        kernel=_pair(conv.weight.shape[2:]),
        stride=conv.stride,
        padding=conv.padding,
        activated=conv.activated,
        field=conv.field,
        filters=filters.numpy(),
        listens_to=listened.numpy(),
        weights=weights[rows, listened].numpy(),
        scale=conv.scale[filters].numpy(),
        shift=conv.shift[filters].numpy(),
        maps=answers[filters].numpy(),
    )


def _everything(picture: Tensor, step: int) -> ReceptiveField:
    """The field of slices that are not made by convolutions: wherever one stands, it sees the whole picture."""
    height, width = picture.shape[2:]
    return ReceptiveField((height, 2 * width), (height, step), (0, -width))


def _slices(network: CRNN, columns: Tensor, features: Tensor, field: ReceptiveField) -> Slices:
    rows = None if network.config.column == "stack" else np.ascontiguousarray(columns[0].argmax(dim=1).T.numpy())
    return Slices(features[0].numpy(), rows, columns.shape[2], field)


def _grown(
    seen: ReceptiveField, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> ReceptiveField:
    """The field behind a window of this size that moves by this stride over values that see `seen`."""
    axes = range(2)
    return ReceptiveField(
        _pair(seen.size[a] + (size[a] - 1) * seen.step[a] for a in axes),
        _pair(seen.step[a] * stride[a] for a in axes),
        _pair(seen.start[a] - padding[a] * seen.step[a] for a in axes),
    )


def _union(seen: list[ReceptiveField]) -> ReceptiveField:
    """What a value sees that is made of several, as behind the short cut of a residual block."""
    axes = range(2)
    starts = [min(field.start[a] for field in seen) for a in axes]
    ends = [max(field.start[a] + field.size[a] for field in seen) for a in axes]
    return ReceptiveField(_pair(ends[a] - starts[a] for a in axes), seen[0].step, _pair(starts))


def _pair(numbers: Iterable[int] | int) -> tuple[int, int]:
    down, across = (numbers, numbers) if isinstance(numbers, int) else numbers
    return int(down), int(across)


def _first(out: Tensor | tuple[Tensor, ...]) -> Tensor:
    return out if isinstance(out, Tensor) else out[0]
