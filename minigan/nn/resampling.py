"""Layers that change the resolution or the shape and have no parameters.

Letters: N batch, C channels, H, W map, S scale factor, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigan import ops
from minigan.errors import ShapeError
from minigan.nn.arguments import short, whole
from minigan.nn.module import Module
from minigan.ops.conv import IntOrPair, pair
from minigan.tensor import Tensor


class Upsample(Module):
    """Enlarge a map: (N, C, H, W) -> (N, C, S H, S W); mode "nearest" or "bilinear"."""

    def __init__(self, *, scale_factor: IntOrPair, mode: str = "nearest") -> None:
        self.scale_factor, self.mode = pair(scale_factor, "scale_factor", least=1), mode

    def forward(self, x: Tensor) -> Tensor:
        return ops.upsample(x, scale_factor=self.scale_factor, mode=self.mode)

    def extra_repr(self) -> str:
        return f"scale_factor={short(self.scale_factor)}, mode={self.mode!r}"


class _Pool2d(Module):
    """A reduction over windows; the stride is the window's size unless given."""

    def __init__(
        self, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0
    ) -> None:
        self.kernel_size = pair(kernel_size, "kernel_size", least=1)
        self.stride = self.kernel_size if stride is None else pair(stride, "stride", least=1)
        self.padding = pair(padding, "padding", least=0)

    def extra_repr(self) -> str:
        text = f"{short(self.kernel_size)}, stride={short(self.stride)}"
        return text if self.padding == (0, 0) else f"{text}, padding={short(self.padding)}"


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

    def __init__(self, output_size: IntOrPair) -> None:
        self.output_size = pair(output_size, "output_size", least=1)

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
        self.upscale_factor = whole(upscale_factor, "upscale_factor")

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, upscale_factor=self.upscale_factor)

    def extra_repr(self) -> str:
        return str(self.upscale_factor)


class PixelUnshuffle(Module):
    """Move space into channels, back from `PixelShuffle`: (N, C, S H, S W) -> (N, C S^2, H, W)."""

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = whole(downscale_factor, "downscale_factor")

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_unshuffle(x, downscale_factor=self.downscale_factor)

    def extra_repr(self) -> str:
        return str(self.downscale_factor)


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim`: by default (N, ...) -> (N, F)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = whole(start_dim, "start_dim", least=None)
        self.end_dim = whole(end_dim, "end_dim", least=None)

    def forward(self, x: Tensor) -> Tensor:
        first, last = _axis(self, x, self.start_dim), _axis(self, x, self.end_dim)
        if first > last:
            raise ShapeError(f"{self!r} got shape {x.shape}: start_dim comes after end_dim")
        joined = math.prod(x.shape[first : last + 1])
        return x.reshape(*x.shape[:first], joined, *x.shape[last + 1 :])

    def extra_repr(self) -> str:
        dims = self.start_dim, self.end_dim
        return "" if dims == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Module):
    """Split axis `dim` into several: `Unflatten(1, (C, H, W))` is (N, F) -> (N, C, H, W).

    One of the sizes may be -1: it is what the others leave.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        sizes = tuple(whole(n, "unflattened_size", least=-1) for n in unflattened_size)
        if sizes.count(-1) > 1:
            raise ValueError(f"unflattened_size={sizes}: only one size may be -1")
        self.dim, self.unflattened_size = whole(dim, "dim", least=None), sizes

    def forward(self, x: Tensor) -> Tensor:
        axis = _axis(self, x, self.dim)
        sizes = self._sizes(x.shape[axis])
        if x.shape[axis] != math.prod(sizes):
            raise ShapeError(f"{self!r} cannot split {x.shape[axis]} elements of {x.shape}")
        return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])

    def _sizes(self, length: int) -> tuple[int, ...]:
        """Return the sizes with -1 replaced by what the others leave of `length`, rounded down."""
        known = math.prod(n for n in self.unflattened_size if n != -1)
        return tuple(length // max(known, 1) if n == -1 else n for n in self.unflattened_size)

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"


def _axis(layer: Module, x: Tensor, dim: int) -> int:
    """Count an axis from the front, and check that it exists."""
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(f"{layer!r} got shape {x.shape}, which has no axis {dim}")
    return dim % x.ndim
