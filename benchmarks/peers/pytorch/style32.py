"""See `benchmarks/workloads/style32.py`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.pytorch.common import Batches, adam, descend, filled, frozen
from benchmarks.workloads.sizes import Size

_LATENT, _MAPPING_LAYERS, _BASE, _GAMMA = 512, 8, 4, 10.0


class Workload:
    def __init__(self, size: Size, *, variant: str = "") -> None:
        n, w, s = size.batch, size.width, size.image
        self.g = filled("g", Generator(w, s), variant)
        self.d = filled("d", discriminator(w, s), variant)
        self.adam_g = adam(self.g, lr=2e-5, betas=(0.0, 0.99))
        self.adam_d = adam(self.d, lr=2e-5, betas=(0.0, 0.99))
        self.real = Batches("real", (n, 3, s, s), variant)
        self.z = Batches("z", (n, _LATENT), variant)
        self.noises = [Batches(f"noise{r}", (n, 1, r, r), variant) for r in resolutions(s)]

    def step(self) -> list[float]:
        with torch.no_grad():
            fake = self._fake()
        real = self.real.next().detach().requires_grad_()
        logits = self.d(real)
        loss_d = F.softplus(self.d(fake)).mean() + F.softplus(-logits).mean()
        (slopes,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        r1 = slopes.square().sum(dim=(1, 2, 3)).mean()
        losses = [descend(loss_d + 0.5 * _GAMMA * r1, self.adam_d)]
        with frozen(self.d):
            loss_g = F.softplus(-self.d(self._fake())).mean()
            return [*losses, descend(loss_g, self.adam_g)]

    def _fake(self) -> torch.Tensor:
        return self.g(self.z.next(), [noise.next() for noise in self.noises])


class Generator(nn.Module):
    def __init__(self, w: int, s: int) -> None:
        super().__init__()
        layers = (
            layer
            for _ in range(_MAPPING_LAYERS)
            for layer in (nn.Linear(_LATENT, _LATENT), nn.LeakyReLU(0.2))
        )
        self.mapping = nn.Sequential(PixelNorm(), *layers)
        self.constant = nn.Parameter(torch.zeros(1, w, _BASE, _BASE))
        self.blocks = nn.ModuleList(Block(w, enlarge=r > _BASE) for r in resolutions(s))
        self.to_image = nn.Conv2d(w, 3, 1)

    def forward(self, z: torch.Tensor, noises: list[torch.Tensor]) -> torch.Tensor:
        style = self.mapping(z)
        x = self.constant.expand(len(z), -1, -1, -1)
        for block, noise in zip(self.blocks, noises, strict=True):
            x = block(x, style, noise)
        return self.to_image(x)


class PixelNorm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class Block(nn.Module):
    def __init__(self, w: int, *, enlarge: bool) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2) if enlarge else nn.Identity()
        self.conv = nn.Conv2d(w, w, 3, padding=1)
        self.noise_weight = nn.Parameter(torch.zeros(1, w, 1, 1))
        self.bend = nn.LeakyReLU(0.2)
        self.adain = AdaIN(w)

    def forward(self, x: torch.Tensor, style: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.enlarge(x)) + self.noise_weight * noise
        return self.adain(self.bend(x), style)


class AdaIN(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.affine = nn.Linear(_LATENT, 2 * w)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        scale, shift = self.affine(style)[:, :, None, None].chunk(2, dim=1)
        return F.instance_norm(x) * (1.0 + scale) + shift


def discriminator(w: int, s: int) -> nn.Sequential:
    layers = [nn.Conv2d(3, w, 1), nn.LeakyReLU(0.2)]
    for r in reversed(resolutions(s)):
        layers += [nn.Conv2d(w, w, 3, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.AvgPool2d(2)] if r > _BASE else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(w * _BASE**2, 1))


def resolutions(s: int) -> list[int]:
    return [_BASE << i for i in range((s // _BASE).bit_length())]
