"""WGAN-GP on images: a critic of strided convolutions without any norm, differentiated twice.

Letters: N batch, Z latent size, w width, S image size.
"""

from __future__ import annotations

from benchmarks.workloads.common import WassersteinGame
from benchmarks.workloads.sizes import Size
from minigan import nn

_LATENT = 128


class Workload(WassersteinGame):
    """`size.width`: channels at half the image's size; they double with each halving."""

    def __init__(self, size: Size, *, device: str = "cpu") -> None:
        g, d = generator(size.width, size.image), critic(size.width, size.image)
        super().__init__(g, d, (3, size.image, size.image), _LATENT, size.batch, device)


def critic(w: int, s: int) -> nn.Sequential:
    """(N, 3, S, S) -> (N, 1)."""
    return nn.Sequential(
        nn.Conv2d(3, w, 4, stride=2, padding=1),  # (N, w, S/2, S/2)
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),  # (N, 2w, S/4, S/4)
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1),  # (N, 4w, S/8, S/8)
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * w * (s // 8) ** 2, 1),
    )


def generator(w: int, s: int) -> nn.Sequential:
    """(N, Z) -> (N, 3, S, S)."""
    return nn.Sequential(
        nn.Linear(_LATENT, 4 * w * (s // 8) ** 2),
        nn.Unflatten(1, (4 * w, s // 8, s // 8)),
        nn.BatchNorm2d(4 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, stride=2, padding=1, bias=False),  # (N, 2w, S/4, S/4)
        nn.BatchNorm2d(2 * w),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1, bias=False),  # (N, w, S/2, S/2)
        nn.BatchNorm2d(w),
        nn.ReLU(),
        nn.ConvTranspose2d(w, 3, 4, stride=2, padding=1),  # (N, 3, S, S)
        nn.Tanh(),
    )
