"""The generator of CycleGAN: an image goes in, an image of the same size comes out.

Johnson et al. 2016 (arXiv:1603.08155) with reflection padding and instance norm, as Zhu et al. 2017
(arXiv:1703.10593, section 7.2) use it:

    c7s1-w, d2w, d4w, R4w x blocks, u2w, uw, c7s1-out, tanh

where dk halves and uk doubles the side, and R is a residual block of two 3x3 convolutions. The
parameters' names are those of the paper's own PyTorch code, so its weights load as they are.

Three options serve small images. `halvings=1` keeps some room. `padding="zeros"` lets the network
know where the border is, which reflection hides: what depends on the place cannot be learned
without. And `shortcut` adds a 1x1 convolution of the input before the tanh,

    y = tanh(W x + c + net(x)),    W and the net's last layer 0 at first,

so that colours are learned before shapes: a network that begins at random may invert a picture by
taking its background for its figure, and a cycle that inverts twice never finds that out.

Letters: N batch, C channels, H, W image, w width.
"""

from __future__ import annotations

import functools

from minigan import nn
from minigan.errors import ShapeError
from minigan.models.initial import normal_weights_
from minigan.nn.arguments import whole
from minigan.tensor import Tensor, as_tensor

PADDINGS = {"reflect": nn.ReflectionPad2d, "zeros": nn.ZeroPad2d}
_REFLECTED = 4  # the least side that can be reflected by 3 pixels


class ResNetGenerator(nn.Module):
    """Images (N, C, H, W) -> images (N, C', H, W) in (-1, 1); H, W are multiples of 2^halvings.

    `blocks`: residual blocks, 6 for images of 128 pixels and 9 for larger ones in the paper.
    `padding`: "reflect" or "zeros".

    >>> import minigan as mg
    >>> net = ResNetGenerator(3, 1, blocks=1, width=4)
    >>> net(mg.zeros(2, 3, 16, 20)).shape
    (2, 1, 16, 20)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        blocks: int = 9,
        width: int = 64,
        halvings: int = 2,
        padding: str = "reflect",
        shortcut: bool = False,
    ) -> None:
        if padding not in PADDINGS:
            raise ValueError(f"padding is {padding!r}: use one of {', '.join(PADDINGS)}")
        self.in_channels, pad = whole(in_channels, "in_channels"), PADDINGS[padding]
        self.halvings = whole(halvings, "halvings", least=0)
        top = whole(width, "width") << halvings
        self.model = nn.Sequential(
            pad(3),
            nn.Conv2d(in_channels, width, 7),  # (N, w, H, W)
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            *(layer for i in range(halvings) for layer in _halving(width << i)),
            *(ResidualBlock(top, pad) for _ in range(whole(blocks, "blocks", least=0))),
            *(layer for i in range(halvings) for layer in _doubling(top >> i)),
            pad(3),
            nn.Conv2d(width, out_channels, 7),  # (N, C', H, W)
            nn.Tanh(),
        )
        normal_weights_(self)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if shortcut else None
        if shortcut:
            *_, last, _ = self.model.children()
            for layer in (last, self.shortcut):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self._checked(x)
        if self.shortcut is None:
            return self.model(x)  # (N, C, H, W) -> (N, C', H, W)
        *layers, tanh = self.model.children()
        return tanh(self.shortcut(x) + functools.reduce(lambda h, layer: layer(h), layers, x))

    def _checked(self, x: Tensor) -> Tensor:
        x, step = as_tensor(x), 1 << self.halvings
        least = max(2 * step, _REFLECTED)
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(f"images have shape {x.shape}: give (N, {self.in_channels}, H, W)")
        if x.shape[2] % step or x.shape[3] % step or min(x.shape[2:]) < least:
            raise ShapeError(
                f"images have {x.shape[2]} x {x.shape[3]} pixels: give multiples of {step}, "
                f"at least {least}, for {self.halvings} halvings"
            )
        return x


class ResidualBlock(nn.Module):
    """x + F(x) with F two 3x3 convolutions, each with instance norm: (N, C, H, W) -> same."""

    def __init__(self, channels: int, pad: type[nn.Module] = nn.ReflectionPad2d) -> None:
        self.conv_block = nn.Sequential(
            pad(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            pad(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


def _halving(channels: int) -> tuple[nn.Module, ...]:
    """(N, C, H, W) -> (N, 2 C, H / 2, W / 2)."""
    convolution = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
    return convolution, nn.InstanceNorm2d(2 * channels), nn.ReLU()


def _doubling(channels: int) -> tuple[nn.Module, ...]:
    """(N, C, H, W) -> (N, C / 2, 2 H, 2 W)."""
    convolution = nn.ConvTranspose2d(
        channels, channels // 2, 3, stride=2, padding=1, output_padding=1
    )
    return convolution, nn.InstanceNorm2d(channels // 2), nn.ReLU()
