"""Layers that enlarge a map at its borders. Letters: N batch, C channels, H, W map."""

from __future__ import annotations

from collections.abc import Sequence

from minigan import ops
from minigan.nn.arguments import whole
from minigan.nn.module import Module
from minigan.tensor import Tensor


class _Pad2d(Module):
    """Pad height and width: (N, C, H, W) -> (N, C, H + top + bottom, W + left + right).

    `padding`: one width for all four sides, or (left, right, top, bottom) as PyTorch orders them.
    """

    mode = ""

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        sides = tuple(padding) if isinstance(padding, Sequence) else (padding,) * 4
        if len(sides) != 4:
            raise ValueError(f"padding is {padding!r}: give an int or (left, right, top, bottom)")
        self.padding = tuple(whole(side, "padding", least=0) for side in sides)

    def forward(self, x: Tensor) -> Tensor:
        left, right, top, bottom = self.padding
        leading = ((0, 0),) * (x.ndim - 2)
        return ops.pad(x, (*leading, (top, bottom), (left, right)), mode=self.mode)

    def extra_repr(self) -> str:
        return str(self.padding[0] if len(set(self.padding)) == 1 else self.padding)


class ZeroPad2d(_Pad2d):
    """Pad with zeros; `padding` is an int or (left, right, top, bottom)."""

    mode = "constant"


class ReflectionPad2d(_Pad2d):
    """Pad by reflection, the border itself not repeated; sides must be smaller than the map."""

    mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """Pad by repeating the border."""

    mode = "replicate"
