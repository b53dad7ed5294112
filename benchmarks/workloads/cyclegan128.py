"""CycleGAN (arXiv:1703.10593) with its published options: LSGAN, cycle and identity losses.

Two generators of six residual blocks, two 70x70 PatchGANs, reflection padding, instance norm
without affine parameters. Letters: N batch, w width, S image size.
"""

from __future__ import annotations

import itertools

import minigan as mg
from benchmarks.workloads.common import Batches, descend, filled
from benchmarks.workloads.sizes import Size
from minigan import nn
from minigan.optim import Adam

_CYCLE, _IDENTITY = 10.0, 5.0  # the weights of the two losses beside the adversarial one
_BLOCKS, _STD = 6, 0.02  # residual blocks of a generator; deviation of the initial weights


class Workload:
    """`size.width`: channels at full resolution."""

    def __init__(self, size: Size, *, device: str = "cpu") -> None:
        n, w, s = size.batch, size.width, size.image
        self.to_b, self.to_a = (filled(f"to_{x}", generator(w), device, _STD) for x in "ba")
        self.d_a, self.d_b = (filled(f"d_{x}", patch_gan(w), device, _STD) for x in "ab")
        self.adam_g = _adam(self.to_b, self.to_a)
        self.adam_d = _adam(self.d_a, self.d_b)
        self.a, self.b = (Batches(x, (n, 3, s, s), device) for x in "ab")

    def step(self) -> list[float]:
        a, b = self.a.next(), self.b.next()  # (N, 3, S, S)
        fake_b, fake_a = self.to_b(a), self.to_a(b)
        identity = distance(self.to_b(b), b) + distance(self.to_a(a), a)
        cycle = distance(self.to_a(fake_b), a) + distance(self.to_b(fake_a), b)
        fooled = squared(self.d_b(fake_b), 1.0) + squared(self.d_a(fake_a), 1.0)
        losses = [descend(fooled + _CYCLE * cycle + _IDENTITY * identity, self.adam_g)]
        loss_d = judged(self.d_a, a, fake_a) + judged(self.d_b, b, fake_b)
        return [*losses, descend(loss_d, self.adam_d)]


def _adam(*modules: nn.Module) -> Adam:
    params = itertools.chain(*(module.parameters() for module in modules))
    return Adam(params, lr=2e-5, betas=(0.5, 0.999))


def distance(x: mg.Tensor, y: mg.Tensor) -> mg.Tensor:
    """Return the mean of |x - y|."""
    return mg.abs(x - y).mean()


def squared(x: mg.Tensor, target: float) -> mg.Tensor:
    """Return the mean of (x - target)^2."""
    return mg.square(x - target).mean()


def judged(d: nn.Module, real: mg.Tensor, fake: mg.Tensor) -> mg.Tensor:
    """Return the least-squares loss of a discriminator."""
    return 0.5 * (squared(d(real), 1.0) + squared(d(fake.detach()), 0.0))


def generator(w: int) -> nn.Sequential:
    """(N, 3, S, S) -> (N, 3, S, S)."""
    return nn.Sequential(
        nn.ReflectionPad2d(3),
        nn.Conv2d(3, w, 7),  # (N, w, S, S)
        *_norm_relu(w),
        nn.Conv2d(w, 2 * w, 3, stride=2, padding=1),  # (N, 2w, S/2, S/2)
        *_norm_relu(2 * w),
        nn.Conv2d(2 * w, 4 * w, 3, stride=2, padding=1),  # (N, 4w, S/4, S/4)
        *_norm_relu(4 * w),
        *(Residual(4 * w) for _ in range(_BLOCKS)),
        nn.ConvTranspose2d(4 * w, 2 * w, 3, stride=2, padding=1, output_padding=1),
        *_norm_relu(2 * w),  # (N, 2w, S/2, S/2)
        nn.ConvTranspose2d(2 * w, w, 3, stride=2, padding=1, output_padding=1),
        *_norm_relu(w),  # (N, w, S, S)
        nn.ReflectionPad2d(3),
        nn.Conv2d(w, 3, 7),  # (N, 3, S, S)
        nn.Tanh(),
    )


class Residual(nn.Module):
    """x + f(x), where f is twice: pad, convolve, normalise. (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            *_norm_relu(channels),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x + self.body(x)


def patch_gan(w: int) -> nn.Sequential:
    """(N, 3, S, S) -> (N, 1, S/8 - 2, S/8 - 2): one logit for each patch of 70x70 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1),  # (N, w, S/2, S/2)
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),  # (N, 2w, S/4, S/4)
        nn.InstanceNorm2d(2 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1),  # (N, 4w, S/8, S/8)
        nn.InstanceNorm2d(4 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4 * w, 8 * w, 4, padding=1),  # (N, 8w, S/8 - 1, S/8 - 1)
        nn.InstanceNorm2d(8 * w),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8 * w, 1, 4, padding=1),  # (N, 1, S/8 - 2, S/8 - 2)
    )


def _norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU()
