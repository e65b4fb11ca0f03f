"""A convolution that skips rows learns from those it sees, whatever lay in memory before."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from uncial.nn.backbones import ConvNorm, SeenRows

DIRTY = """
import torch
from uncial.nn.backbones import ConvNorm

torch.set_num_threads(1)
layer = ConvNorm(128, 256, 3, (4, 1)).to(memory_format=torch.channels_last)
for columns in (123, 184, 220):
    images = torch.randn(8, 128, 8, columns).to(torch.bfloat16, memory_format=torch.channels_last)
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(images.requires_grad_())
    junk = [torch.full((2**size,), float("nan")) for size in range(12, 25) for _ in range(4)]
    del junk
    made.sum().backward()
    assert layer.conv.weight.grad.isfinite().all(), columns
"""


@pytest.mark.parametrize(
    ("rows", "columns", "stride"), [(8, 5, (4, 1)), (9, 6, (4, 2)), (7, 3, (5, 1)), (3, 4, (6, 3))]
)
def test_its_gradients_are_those_of_the_convolution(rows: int, columns: int, stride: tuple[int, int]) -> None:
    images = torch.randn(2, 3, rows, columns, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    made = SeenRows.apply(images, filters, stride, 1)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(made, functional.conv2d(images, filters, None, stride, 1))
    assert torch.autograd.gradcheck(lambda x, w: SeenRows.apply(x, w, stride, 1), (images, filters))  # type: ignore[no-untyped-call]


def test_a_layer_in_bf16_learns_what_it_would_in_float() -> None:
    torch.manual_seed(4)
    layer = ConvNorm(16, 32, 3, (4, 1))
    images, ahead = torch.randn(3, 16, 8, 11), torch.randn(3, 32, 2, 11)
    (layer(images) * ahead).sum().backward()
    expected = layer.conv.weight.grad
    assert expected is not None
    layer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(images.bfloat16())
    (made.float() * ahead).sum().backward()
    found = layer.conv.weight.grad
    assert found is not None and found.dtype == torch.float32
    assert float((found - expected).norm()) < 0.03 * float(expected.norm())


def test_what_memory_held_before_does_not_come_into_gradients() -> None:
    # Freed memory has to be given out again, or there would be nothing in it.
    kept = {"MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
    done = subprocess.run(
        [sys.executable, "-c", DIRTY], env=os.environ | kept, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
