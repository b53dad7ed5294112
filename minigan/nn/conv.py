"""Convolution layers.

Letters: N batch, C input channels, O output channels, G groups, (H, W) map, (K, L) kernel.
"""

from __future__ import annotations

import numpy as np

from minigan import ops
from minigan.nn.arguments import short, whole
from minigan.nn.linear import init_affine_
from minigan.nn.module import Module
from minigan.nn.parameter import Parameter
from minigan.ops.conv import IntOrPair, pair
from minigan.tensor import Tensor

_DEFAULTS = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0)}


class _Conv(Module):
    """What the two convolutions share: geometry, parameters and their initial values."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair,
        padding: IntOrPair,
        dilation: IntOrPair,
        groups: int,
        bias: bool,
    ) -> None:
        self.in_channels = whole(in_channels, "in_channels")
        self.out_channels = whole(out_channels, "out_channels")
        self.groups = whole(groups, "groups")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        self.kernel_size = pair(kernel_size, "kernel_size", least=1)
        self.stride = pair(stride, "stride", least=1)
        self.padding = pair(padding, "padding", least=0)
        self.dilation = pair(dilation, "dilation", least=1)
        self.weight = Parameter(np.zeros(self._weight_shape(), np.float32))
        self.bias = Parameter(np.zeros(self.out_channels, np.float32)) if bias else None  # (O,)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Draw weight and bias anew: uniform on +-1 / sqrt(fan_in)."""
        init_affine_(self.weight, self.bias)

    def extra_repr(self) -> str:
        shown = [str(self.in_channels), str(self.out_channels), short(self.kernel_size)]
        for name, default in _DEFAULTS.items():
            value = getattr(self, name) if name in vars(self) else default
            if value != default:
                shown.append(f"{name}={short(value)}")
        if self.groups != 1:
            shown.append(f"groups={self.groups}")
        if self.bias is None:
            shown.append("bias=False")
        return ", ".join(shown)


class Conv2d(_Conv):
    """Cross-correlation with a bank of kernels: (N, C, H, W) -> (N, O, H', W').

    H' = floor((H + 2 padding - dilation (K - 1) - 1) / stride) + 1, and W' alike. `weight` is
    (O, C/G, K, L), `bias` (O,); both start uniform on +-1 / sqrt(C/G K L). Ints or pairs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        *,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(  # (N, C, H, W) -> (N, O, H', W')
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class ConvTranspose2d(_Conv):
    """The adjoint of a convolution, used for upsampling: (N, C, H, W) -> (N, O, H', W').

    H' = (H - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1, and W' alike.
    `weight` is (C, O/G, K, L), `bias` (O,); both start uniform on +-1 / sqrt(O/G K L).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        *,
        output_padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.output_padding = pair(output_padding, "output_padding", least=0)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv_transpose2d(  # (N, C, H, W) -> (N, O, H', W')
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
