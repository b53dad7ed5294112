"""DCGAN (arXiv:1511.06434) as in PyTorch's examples: transposed convolutions and batch norm.

The sigmoid and the cross-entropy are one softplus, in every framework. Letters: N batch, Z latent
size, w width. Images are 64x64.
"""

from __future__ import annotations

import minigan as mg
from benchmarks.workloads.common import Batches, descend, filled
from benchmarks.workloads.sizes import Size
from minigan import nn
from minigan.optim import Adam

_LATENT, _STD = 100, 0.02


class Workload:
    """`size.width`: channels at half the image's size; they double with each halving."""

    def __init__(self, size: Size, *, device: str = "cpu") -> None:
        n, w = size.batch, size.width
        self.g = filled("g", generator(w), device, _STD)
        self.d = filled("d", discriminator(w), device, _STD)
        self.adam_g = Adam(self.g.parameters(), lr=2e-5, betas=(0.5, 0.999))
        self.adam_d = Adam(self.d.parameters(), lr=2e-5, betas=(0.5, 0.999))
        self.real = Batches("real", (n, 3, 64, 64), device)
        self.z = Batches("z", (n, _LATENT, 1, 1), device)

    def step(self) -> list[float]:
        fake = self.g(self.z.next())  # (N, Z, 1, 1) -> (N, 3, 64, 64)
        real_logits, fake_logits = self.d(self.real.next()), self.d(fake.detach())
        loss_d = mg.softplus(-real_logits).mean() + mg.softplus(fake_logits).mean()
        losses = [descend(loss_d, self.adam_d)]
        loss_g = mg.softplus(-self.d(fake)).mean()
        return [*losses, descend(loss_g, self.adam_g)]


def generator(w: int) -> nn.Sequential:
    """(N, Z, 1, 1) -> (N, 3, 64, 64)."""
    return nn.Sequential(
        nn.ConvTranspose2d(_LATENT, 8 * w, 4, bias=False),  # (N, 8w, 4, 4)
        nn.BatchNorm2d(8 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(8 * w, 4 * w, 4, stride=2, padding=1, bias=False),  # (N, 4w, 8, 8)
        nn.BatchNorm2d(4 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False),  # (N, 2w, 16, 16)
        nn.BatchNorm2d(2 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False),  # (N, w, 32, 32)
        nn.BatchNorm2d(w),
        nn.ReLU(),
        nn.ConvTranspose2d(w, 3, 4, stride=2, padding=1, bias=False),  # (N, 3, 64, 64)
        nn.Tanh(),
    )


def discriminator(w: int) -> nn.Sequential:
    """(N, 3, 64, 64) -> (N, 1, 1, 1)."""
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1, bias=False),  # (N, w, 32, 32)
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1, bias=False),  # (N, 2w, 16, 16)
        nn.BatchNorm2d(2 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1, bias=False),  # (N, 4w, 8, 8)
        nn.BatchNorm2d(4 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4 * w, 8 * w, 4, stride=2, padding=1, bias=False),  # (N, 8w, 4, 4)
        nn.BatchNorm2d(8 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8 * w, 1, 4, bias=False),  # (N, 1, 1, 1)
    )
