"""Layers that change the resolution or the shape and have no parameters.

Letters: N batch, C channels, H, W map, S scale factor, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigan import ops
from minigan.errors import ShapeError
from minigan.nn.module import Module
from minigan.tensor import Tensor

IntPair = int | tuple[int, int]


class Upsample(Module):
    """Enlarge a map: (N, C, H, W) -> (N, C, S H, S W); mode "nearest" or "bilinear"."""

    def __init__(self, *, scale_factor: int, mode: str = "nearest") -> None:
        self.scale_factor, self.mode = scale_factor, mode

    def forward(self, x: Tensor) -> Tensor:
        return ops.upsample(x, scale_factor=self.scale_factor, mode=self.mode)

    def extra_repr(self) -> str:
        return f"scale_factor={self.scale_factor}, mode={self.mode!r}"


class _Pool2d(Module):
    """A reduction over windows; the stride is the window's size unless given."""

    def __init__(
        self, kernel_size: IntPair, stride: IntPair | None = None, padding: IntPair = 0
    ) -> None:
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def extra_repr(self) -> str:
        text = f"{self.kernel_size}, stride={self.stride}"
        return text if self.padding == 0 else f"{text}, padding={self.padding}"


class AvgPool2d(_Pool2d):
    """The mean over each window, padded zeros counted: (N, C, H, W) -> (N, C, H', W')."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)


class MaxPool2d(_Pool2d):
    """The largest value of each window: (N, C, H, W) -> (N, C, H', W')."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)


class AdaptiveAvgPool2d(Module):
    """The mean over equal tiles: (N, C, H, W) -> (N, C, *output_size), which must divide (H, W).

    `output_size`: an int or a pair; 1 is global average pooling.
    """

    def __init__(self, output_size: IntPair) -> None:
        self.output_size = (output_size,) * 2 if isinstance(output_size, int) else output_size

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (rows, columns) = x.shape[-2:], self.output_size
        if height % rows or width % columns:
            raise ShapeError(f"{self!r} cannot cut a map {height}x{width} into equal tiles")
        return ops.avg_pool2d(x, (height // rows, width // columns))

    def extra_repr(self) -> str:
        return f"{self.output_size}"


class PixelShuffle(Module):
    """Move channels into space: (N, C S^2, H, W) -> (N, C, S H, S W) (arXiv:1609.05158)."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, upscale_factor=self.upscale_factor)

    def extra_repr(self) -> str:
        return str(self.upscale_factor)


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim`: by default (N, ...) -> (N, F)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        first, last = self.start_dim % x.ndim, self.end_dim % x.ndim
        joined = math.prod(x.shape[first : last + 1])
        return x.reshape(*x.shape[:first], joined, *x.shape[last + 1 :])


class Unflatten(Module):
    """Split axis `dim` into several: `Unflatten(1, (C, H, W))` is (N, F) -> (N, C, H, W)."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        axis = self.dim % x.ndim
        if x.shape[axis] != math.prod(self.unflattened_size):
            raise ShapeError(f"{self!r} cannot split {x.shape[axis]} elements of {x.shape}")
        return x.reshape(*x.shape[:axis], *self.unflattened_size, *x.shape[axis + 1 :])

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"
