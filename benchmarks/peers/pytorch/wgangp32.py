"""See `benchmarks/workloads/wgangp32.py`."""

from __future__ import annotations

from torch import nn

from benchmarks.peers.pytorch.common import WassersteinGame
from benchmarks.workloads.sizes import Size

_LATENT = 128


class Workload(WassersteinGame):
    def __init__(self, size: Size, *, variant: str = "") -> None:
        g, d = generator(size.width, size.image), critic(size.width, size.image)
        super().__init__(g, d, (3, size.image, size.image), _LATENT, size.batch, variant)


def critic(w: int, s: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * w * (s // 8) ** 2, 1),
    )


def generator(w: int, s: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(_LATENT, 4 * w * (s // 8) ** 2),
        nn.Unflatten(1, (4 * w, s // 8, s // 8)),
        nn.BatchNorm2d(4 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(w),
        nn.ReLU(),
        nn.ConvTranspose2d(w, 3, 4, stride=2, padding=1),
        nn.Tanh(),
    )
