"""See `benchmarks/workloads/cyclegan128.py`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.pytorch.common import Batches, adam, descend, filled, frozen
from benchmarks.workloads.sizes import Size

_CYCLE, _IDENTITY = 10.0, 5.0
_BLOCKS, _STD = 6, 0.02


class Workload:
    def __init__(self, size: Size, *, variant: str = "") -> None:
        n, w, s = size.batch, size.width, size.image
        self.to_b, self.to_a = (filled(f"to_{x}", generator(w), variant, _STD) for x in "ba")
        self.d_a, self.d_b = (filled(f"d_{x}", patch_gan(w), variant, _STD) for x in "ab")
        self.adam_g = adam(self.to_b, self.to_a, lr=2e-5, betas=(0.5, 0.999))
        self.adam_d = adam(self.d_a, self.d_b, lr=2e-5, betas=(0.5, 0.999))
        self.a, self.b = (Batches(x, (n, 3, s, s), variant) for x in "ab")

    def step(self) -> list[float]:
        a, b = self.a.next(), self.b.next()
        fake_b, fake_a = self.to_b(a), self.to_a(b)
        identity = F.l1_loss(self.to_b(b), b) + F.l1_loss(self.to_a(a), a)
        cycle = F.l1_loss(self.to_a(fake_b), a) + F.l1_loss(self.to_b(fake_a), b)
        with frozen(self.d_a, self.d_b):
            fooled = squared(self.d_b(fake_b), 1.0) + squared(self.d_a(fake_a), 1.0)
            losses = [descend(fooled + _CYCLE * cycle + _IDENTITY * identity, self.adam_g)]
        loss_d = judged(self.d_a, a, fake_a) + judged(self.d_b, b, fake_b)
        return [*losses, descend(loss_d, self.adam_d)]


def squared(x: torch.Tensor, target: float) -> torch.Tensor:
    return (x - target).square().mean()


def judged(d: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    return 0.5 * (squared(d(real), 1.0) + squared(d(fake.detach()), 0.0))


def generator(w: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        nn.Conv2d(3, w, 7),
        *_norm_relu(w),
        nn.Conv2d(w, 2 * w, 3, stride=2, padding=1),
        *_norm_relu(2 * w),
        nn.Conv2d(2 * w, 4 * w, 3, stride=2, padding=1),
        *_norm_relu(4 * w),
        *(Residual(4 * w) for _ in range(_BLOCKS)),
        nn.ConvTranspose2d(4 * w, 2 * w, 3, stride=2, padding=1, output_padding=1),
        *_norm_relu(2 * w),
        nn.ConvTranspose2d(2 * w, w, 3, stride=2, padding=1, output_padding=1),
        *_norm_relu(w),
        nn.ReflectionPad2d(3),
        nn.Conv2d(w, 3, 7),
        nn.Tanh(),
    )


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *_norm_relu(channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def patch_gan(w: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
        nn.InstanceNorm2d(2 * w),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1),
        nn.InstanceNorm2d(4 * w),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(4 * w, 8 * w, 4, padding=1),
        nn.InstanceNorm2d(8 * w),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(8 * w, 1, 4, padding=1),
    )


def _norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU(True)
