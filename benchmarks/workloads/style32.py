"""A style generator (arXiv:1812.04948): mapping network, AdaIN and noise after each convolution.

The discriminator is penalised by R1 in every step, which differentiates it twice. Letters: N
batch, Z size of latents and styles, w width, S image size, H, W map.
"""

from __future__ import annotations

import numpy as np

import minigan as mg
from benchmarks.workloads.common import Batches, descend, filled
from benchmarks.workloads.sizes import Size
from minigan import nn
from minigan.optim import Adam

_LATENT, _MAPPING_LAYERS, _BASE, _GAMMA = 512, 8, 4, 10.0


class Workload:
    """`size.width`: channels at every resolution, from 4 to `size.image`."""

    def __init__(self, size: Size, *, device: str = "cpu") -> None:
        n, w, s = size.batch, size.width, size.image
        self.g = filled("g", Generator(w, s), device)
        self.d = filled("d", discriminator(w, s), device)
        self.adam_g = Adam(self.g.parameters(), lr=2e-5, betas=(0.0, 0.99))
        self.adam_d = Adam(self.d.parameters(), lr=2e-5, betas=(0.0, 0.99))
        self.real = Batches("real", (n, 3, s, s), device)
        self.z = Batches("z", (n, _LATENT), device)
        self.noises = [Batches(f"noise{r}", (n, 1, r, r), device) for r in resolutions(s)]

    def step(self) -> list[float]:
        with mg.no_grad():
            fake = self._fake()
        real = self.real.next().detach().requires_grad_()  # (N, 3, S, S)
        logits = self.d(real)
        loss_d = mg.softplus(self.d(fake)).mean() + mg.softplus(-logits).mean()
        (slopes,) = mg.grad(logits.sum(), real, create_graph=True)
        r1 = (slopes * slopes).sum(axis=(1, 2, 3)).mean()
        losses = [descend(loss_d + 0.5 * _GAMMA * r1, self.adam_d)]
        loss_g = mg.softplus(-self.d(self._fake())).mean()
        return [*losses, descend(loss_g, self.adam_g)]

    def _fake(self) -> mg.Tensor:
        return self.g(self.z.next(), [noise.next() for noise in self.noises])


class Generator(nn.Module):
    """Latents (N, Z) and a noise map (N, 1, R, R) for each resolution R -> images (N, 3, S, S)."""

    def __init__(self, w: int, s: int) -> None:
        layers = (
            layer
            for _ in range(_MAPPING_LAYERS)
            for layer in (nn.Linear(_LATENT, _LATENT), nn.LeakyReLU(0.2))
        )
        self.mapping = nn.Sequential(nn.PixelNorm(), *layers)
        self.constant = nn.Parameter(np.zeros((1, w, _BASE, _BASE), np.float32))
        self.blocks = nn.ModuleList(Block(w, enlarge=r > _BASE) for r in resolutions(s))
        self.to_image = nn.Conv2d(w, 3, 1)

    def forward(self, z: mg.Tensor, noises: list[mg.Tensor]) -> mg.Tensor:
        style = self.mapping(z)  # (N, Z)
        x = mg.broadcast_to(self.constant, (len(z), *self.constant.shape[1:]))  # (N, w, 4, 4)
        for block, noise in zip(self.blocks, noises, strict=True):
            x = block(x, style, noise)  # (N, w, R, R)
        return self.to_image(x)  # (N, 3, S, S)


class Block(nn.Module):
    """Enlarge, convolve, add noise, bend, and let the style set mean and deviation."""

    def __init__(self, w: int, *, enlarge: bool) -> None:
        self.enlarge = nn.Upsample(scale_factor=2) if enlarge else nn.Identity()
        self.conv = nn.Conv2d(w, w, 3, padding=1)
        self.noise_weight = nn.Parameter(np.zeros((1, w, 1, 1), np.float32))
        self.bend = nn.LeakyReLU(0.2)
        self.adain = nn.AdaIN(w, _LATENT)

    def forward(self, x: mg.Tensor, style: mg.Tensor, noise: mg.Tensor) -> mg.Tensor:
        x = self.conv(self.enlarge(x)) + self.noise_weight * noise  # (N, w, R, R)
        return self.adain(self.bend(x), style)


def discriminator(w: int, s: int) -> nn.Sequential:
    """(N, 3, S, S) -> (N, 1): a 3x3 convolution at each resolution, the mean of 2x2 in between."""
    layers = [nn.Conv2d(3, w, 1), nn.LeakyReLU(0.2)]
    for r in reversed(resolutions(s)):
        layers += [nn.Conv2d(w, w, 3, padding=1), nn.LeakyReLU(0.2)]  # (N, w, R, R)
        layers += [nn.AvgPool2d(2)] if r > _BASE else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(w * _BASE**2, 1))


def resolutions(s: int) -> list[int]:
    """Return 4, 8, ..., S."""
    return [_BASE << i for i in range((s // _BASE).bit_length())]
