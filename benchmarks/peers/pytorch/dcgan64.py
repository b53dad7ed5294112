"""See `benchmarks/workloads/dcgan64.py`; the networks are those of PyTorch's example."""

from __future__ import annotations

from contextlib import nullcontext

from torch import nn
from torch.nn import functional as F

from benchmarks.peers.pytorch.common import Batches, adam, descend, filled, frozen
from benchmarks.workloads.sizes import Size

_LATENT, _STD = 100, 0.02


class Workload:
    def __init__(self, size: Size, *, variant: str = "") -> None:
        n, w = size.batch, size.width
        self.spare = "frozen" in variant
        self.g = filled("g", generator(w), variant, _STD)
        self.d = filled("d", discriminator(w), variant, _STD)
        self.adam_g = adam(self.g, lr=2e-5, betas=(0.5, 0.999))
        self.adam_d = adam(self.d, lr=2e-5, betas=(0.5, 0.999))
        self.real = Batches("real", (n, 3, 64, 64), variant)
        self.z = Batches("z", (n, _LATENT, 1, 1), variant)

    def step(self) -> list[float]:
        fake = self.g(self.z.next())
        real_logits, fake_logits = self.d(self.real.next()), self.d(fake.detach())
        loss_d = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        losses = [descend(loss_d, self.adam_d)]
        with frozen(self.d) if self.spare else nullcontext():
            loss_g = F.softplus(-self.d(fake)).mean()
            return [*losses, descend(loss_g, self.adam_g)]


def generator(w: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(_LATENT, 8 * w, 4, bias=False),
        nn.BatchNorm2d(8 * w),
        nn.ReLU(True),
        nn.ConvTranspose2d(8 * w, 4 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4 * w),
        nn.ReLU(True),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.ReLU(True),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(w),
        nn.ReLU(True),
        nn.ConvTranspose2d(w, 3, 4, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )


def discriminator(w: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4 * w),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(4 * w, 8 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8 * w),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(8 * w, 1, 4, bias=False),
    )
