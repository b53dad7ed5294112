"""What the workloads share; see `benchmarks/workloads/common.py`, name by name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks import arrays

BATCHES = 4


class Batches:
    """Endlessly the same few batches of one kind."""

    def __init__(self, name: str, shape: tuple[int, ...], variant: str, draw=arrays.normal) -> None:
        drawn = [torch.from_numpy(draw(f"{name}.{i}", shape)) for i in range(BATCHES)]
        if _is_channels_last(variant) and len(shape) == 4:
            drawn = [batch.contiguous(memory_format=torch.channels_last) for batch in drawn]
        self._round = itertools.cycle(drawn)

    def next(self) -> torch.Tensor:
        return next(self._round)


@torch.no_grad()
def filled(name: str, module: nn.Module, variant: str, std: float | None = None) -> nn.Module:
    """Give every parameter of a network the value that belongs to its name."""
    for path, param in module.named_parameters():
        value = arrays.parameter(f"{name}.{path}", tuple(param.shape), std)
        param.copy_(torch.from_numpy(value))
    return module.to(memory_format=torch.channels_last) if _is_channels_last(variant) else module


def descend(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Move the optimiser's parameters down a loss; return the loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Ask for no gradients of these networks' parameters within the block."""
    for module in modules:
        module.requires_grad_(False)
    yield
    for module in modules:
        module.requires_grad_(True)


def adam(*modules: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Return PyTorch's Adam over the parameters of some networks."""
    params = itertools.chain(*(module.parameters() for module in modules))
    return torch.optim.Adam(params, lr=lr, betas=betas)


class WassersteinGame:
    """WGAN-GP: one step of the critic with its penalty, one of the generator."""

    def __init__(
        self, g: nn.Module, d: nn.Module, sample: tuple[int, ...], z: int, n: int, variant
    ):
        self.g, self.d = filled("g", g, variant), filled("d", d, variant)
        self.adam_g = adam(self.g, lr=1e-4, betas=(0.0, 0.9))
        self.adam_d = adam(self.d, lr=1e-4, betas=(0.0, 0.9))
        self.real = Batches("real", (n, *sample), variant)
        self.z = Batches("z", (n, z), variant)
        weights = (n,) + (1,) * len(sample)
        self.weights = Batches("weights", weights, variant, arrays.uniform)

    def step(self) -> list[float]:
        real = self.real.next()
        with torch.no_grad():
            fake = self.g(self.z.next())
        loss_d = self.d(fake).mean() - self.d(real).mean() + 10.0 * self._penalty(real, fake)
        losses = [descend(loss_d, self.adam_d)]
        with frozen(self.d):
            loss_g = -self.d(self.g(self.z.next())).mean()
            return [*losses, descend(loss_g, self.adam_g)]

    def _penalty(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        points = fake + (real - fake) * self.weights.next()
        points = points.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(self.d(points).sum(), points, create_graph=True)
        lengths = slopes.flatten(1).norm(dim=1)
        return ((lengths - 1.0) ** 2).mean()


def _is_channels_last(variant: str) -> bool:
    return "channels-last" in variant
