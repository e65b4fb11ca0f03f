"""How many operations a network takes, and how many this processor could make."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional

from uncial.nn.crnn import CRNN
from uncial.nn.parallel import Heads

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN)
CONVOLUTIONS = {nn.Conv1d: functional.conv1d, nn.Conv2d: functional.conv2d}
BACKWARD = 2  # times the way forward: a gradient for the weights and one for the input


def operations(network: CRNN, width: int, *, training: bool) -> dict[str, float]:
    """GFLOP of one line by kind of layer: "convolutions", "recurrent" and "head".

    A multiplication and an addition are two operations; products with the zeros of padding do not count. The first
    layer needs no gradient for its input.

    Args:
        network: any.
        width: of the line, in pixels.
        training: with the shortcut head and the gradients; else the way forward alone.
    """
    counts: Counter[str] = Counter()

    def count(kind: str, factor: int, module: nn.Module, given: tuple[Tensor, ...], made: object) -> None:
        counts[kind] += 2 * factor * products(module, given[0])

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, (*CONVOLUTIONS, *RECURRENT, nn.Linear)):
            kind = {"backbone": "convolutions", "recurrent": "recurrent"}.get(name.split(".")[0], "head")
            factor = (1 + BACKWARD if hooks else BACKWARD) if training else 1
            hooks.append(module.register_forward_hook(partial(count, kind, factor)))
    with torch.no_grad():
        images, widths = torch.zeros(1, 1, network.config.height, width), torch.tensor([width])
        (Heads(network, None) if training else network)(images, widths)
    for hook in hooks:
        hook.remove()
    return {kind: count / 1e9 for kind, count in counts.items()}


def products(module: nn.Module, given: Tensor) -> int:
    """Multiplications with weights that a layer makes of its input, forward."""
    weights = sum(value.numel() for name, value in module.named_parameters() if name.startswith("weight"))
    for kind, convolve in CONVOLUTIONS.items():
        if isinstance(module, kind):
            image, taps = torch.ones(1, 1, *given.shape[2:]), torch.ones(1, 1, *module.kernel_size)
            inside = convolve(image, taps, stride=module.stride, padding=module.padding).double().sum()
            return int(inside) * len(given) * weights // taps.numel()
    return given.numel() // given.shape[-1] * weights  # each weight once for each slice of each line


def peaks(repeat: int) -> dict[str, float]:
    """GFLOPS of the best product of two square matrices, by type; PyTorch's, and in fp32 ONNX Runtime's if better."""
    best: dict[str, float] = {}
    for size in (512, 1024, 2048):
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.int8)):
            matrix = torch.ones(size, size, dtype=dtype)
            multiply = torch._int_mm if dtype is torch.int8 else torch.mm
            best[name] = max(best.get(name, 0.0), speed(partial(multiply, matrix, matrix), size, repeat))
        best["fp32"] = max(best["fp32"], speed(onnx_product(size), size, repeat))
    return best


def speed(product: Callable[[], object], size: int, repeat: int) -> float:
    """GFLOPS of a product of square matrices, the best of some."""
    product()
    seconds = []
    for _ in range(repeat):
        began = time.thread_time()
        product()
        seconds.append(time.thread_time() - began)
    return 2e-9 * size**3 / min(seconds)


def onnx_product(size: int) -> Callable[[], object]:
    """A product of square fp32 matrices by ONNX Runtime; on some processors it is quicker than PyTorch's."""
    tensor = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT, shape=[size, size])
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "product", [tensor("a"), tensor("b")], [tensor("c")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ones = np.ones((size, size), np.float32)
    return partial(session.run, None, {"a": ones, "b": ones})
