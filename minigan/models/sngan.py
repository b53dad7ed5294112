"""The residual pair of SNGAN (Miyato et al. 2018, arXiv:1802.05957, table 4), for square images.

The discriminator has spectral norm on every layer, and nothing else to hold it: no batch norm, no
penalty. Its last map is *summed* over all positions, as in the authors' code, and a linear layer
without bias reads the sum. The residual branches are

    G   norm, ReLU, enlarge, conv, norm, ReLU, conv       D   ReLU, conv, ReLU, conv, mean of 2x2

beside a 1x1 convolution where channels or size change. It stands on the small side of the change of
size, where it costs a quarter: the enlargement by nearest neighbours and the mean of 2x2 commute
with anything that looks at one pixel.

The defaults are the paper's for CIFAR-10, 256 channels in G and 128 in D, for GPUs; 32 to 64 do
for digits on a CPU. The paper trains with the hinge loss, five steps of D for each of G, Adam with
2e-4 and betas (0, 0.9).

Letters: N batch, Z latent size, w width, C image channels, S image size, R map size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minigan import nn
from minigan.models.checks import doublings, images, latents
from minigan.nn import init
from minigan.nn.arguments import whole
from minigan.ops import relu
from minigan.tensor import Tensor

_BASE = 4  # the generator's first map is 4 x 4
_PLAIN = 2  # blocks of the discriminator that keep the size, at the end


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return the paper's batch norm: eps 2e-5, momentum 0.1."""
    return nn.BatchNorm2d(channels, eps=2e-5)


class SNGANGenerator(nn.Module):
    """Latents (N, Z) -> images (N, C, S, S) in (-1, 1).

    `size` S: 8, 16, 32, ...; `width` w: channels at every size. `norm` makes the normalisation for
    a number of channels; what `forward` is given besides latents goes to every one of them.

    >>> import minigan as mg
    >>> SNGANGenerator(latent=16, width=4)(mg.randn(2, 16)).shape
    (2, 3, 32, 32)
    """

    def __init__(
        self,
        *,
        latent: int = 128,
        width: int = 256,
        channels: int = 3,
        size: int = 32,
        norm: Callable[[int], nn.Module] = batch_norm,
    ) -> None:
        count = doublings(size, base=_BASE)
        self.latent = whole(latent, "latent")
        self.project = nn.Sequential(
            glorot_(nn.Linear(latent, width * _BASE * _BASE)),  # (N, Z) -> (N, 16 w)
            nn.Unflatten(1, (width, _BASE, _BASE)),  # -> (N, w, 4, 4)
        )
        self.blocks = nn.ModuleList(EnlargingBlock(width, norm=norm) for _ in range(count))
        self.norm = norm(width)
        self.to_image = nn.Sequential(
            nn.ReLU(), glorot_(nn.Conv2d(width, channels, 3, padding=1)), nn.Tanh()
        )

    def forward(self, z: Tensor, *condition: Any) -> Tensor:
        x = self.project(latents(z, self.latent))  # (N, w, 4, 4)
        for block in self.blocks:
            x = block(x, *condition)  # (N, w, R, R) -> (N, w, 2 R, 2 R)
        return self.to_image(self.norm(x, *condition))  # (N, C, S, S)


class SNGANDiscriminator(nn.Module):
    """Images (N, C, S, S) -> logits (N,), by way of `features` (N, w): large means "real".

    `size` S: 8, 16, 32, ...; `width` w: channels at every size. Maps are halved down to 8 x 8 (to
    4 x 4 for S = 8), and two blocks follow that keep the size.

    >>> import minigan as mg
    >>> SNGANDiscriminator(width=4)(mg.zeros(2, 3, 32, 32)).shape
    (2,)
    """

    def __init__(self, *, width: int = 128, channels: int = 3, size: int = 32) -> None:
        halvings = max(1, doublings(size, base=_BASE) - 1)
        self.channels, self.size = whole(channels, "channels"), size
        self.width = whole(width, "width")
        self.from_image = FirstBlock(channels, width)  # (N, C, S, S) -> (N, w, S/2, S/2)
        self.blocks = nn.Sequential(
            *(ReducingBlock(width, halve=True) for _ in range(halvings - 1)),
            *(ReducingBlock(width, halve=False) for _ in range(_PLAIN)),
        )
        self.head = glorot_(nn.Linear(width, 1, bias=False))
        self.apply(_normalize)

    def features(self, x: Tensor) -> Tensor:
        """Return phi(x): the last map, rectified and summed over all positions, (N, w)."""
        maps = self.blocks(self.from_image(images(x, self.channels, self.size)))  # (N, w, R, R)
        return relu(maps).sum(axis=(2, 3))  # (N, w, R, R) -> (N, w)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x)).reshape(-1)  # (N, 1) -> (N,)


# -- blocks ---------------------------------------------------------------------------------------


class EnlargingBlock(nn.Module):
    """The generator's block: (N, w, R, R) -> (N, w, 2 R, 2 R)."""

    def __init__(self, width: int, *, norm: Callable[[int], nn.Module]) -> None:
        self.norm1, self.conv1 = norm(width), _branch(width, width)
        self.norm2, self.conv2 = norm(width), _branch(width, width)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.shortcut = glorot_(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor, *condition: Any) -> Tensor:
        y = self.enlarge(relu(self.norm1(x, *condition)))  # (N, w, 2 R, 2 R)
        y = self.conv2(relu(self.norm2(self.conv1(y), *condition)))
        return y + self.enlarge(self.shortcut(x))


class FirstBlock(nn.Module):
    """The discriminator's first block: (N, C, S, S) -> (N, w, S/2, S/2).

    It has no ReLU at the entrance, which would cut the images' negative half off.
    """

    def __init__(self, channels: int, width: int) -> None:
        self.conv1, self.conv2 = _branch(channels, width), _branch(width, width)
        self.reduce = nn.AvgPool2d(2)
        self.shortcut = glorot_(nn.Conv2d(channels, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.reduce(self.conv2(relu(self.conv1(x))))  # (N, w, S/2, S/2)
        return y + self.shortcut(self.reduce(x))


class ReducingBlock(nn.Module):
    """The discriminator's other blocks: (N, w, R, R) -> (N, w, R/2, R/2), or (N, w, R, R)."""

    def __init__(self, width: int, *, halve: bool) -> None:
        self.conv1, self.conv2 = _branch(width, width), _branch(width, width)
        self.reduce = nn.AvgPool2d(2) if halve else nn.Identity()
        self.shortcut = glorot_(nn.Conv2d(width, width, 1)) if halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.reduce(self.conv2(relu(self.conv1(relu(x)))))  # (N, w, R/2, R/2)
        return y + self.shortcut(self.reduce(x))


def glorot_(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    """Draw a layer's weight by Glorot and Bengio's uniform rule, the bias 0; return the layer."""
    init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        init.zeros_(layer.bias)
    return layer


def _branch(before: int, after: int) -> nn.Module:
    """(N, before, R, R) -> (N, after, R, R), with the gain of the ReLU beside it."""
    return glorot_(nn.Conv2d(before, after, 3, padding=1), math.sqrt(2.0))


def _normalize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.spectral_norm(module)
