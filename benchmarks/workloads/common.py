"""What the workloads share. Letters: N batch, Z latent size, C channels, H, W map."""

from __future__ import annotations

import itertools

import minigan as mg
from benchmarks import arrays
from minigan import nn
from minigan.optim import Adam

BATCHES = 4  # as many are drawn before the clock starts; then they come round again


class Batches:
    """Endlessly the same few batches of one kind, on the device before the first step.

    `batches.next()` is the next one; `draw` is a function of `benchmarks/arrays.py`.
    """

    def __init__(self, name: str, shape: tuple[int, ...], device: str, draw=arrays.normal) -> None:
        drawn = [draw(f"{name}.{i}", shape) for i in range(BATCHES)]
        self._round = itertools.cycle([mg.tensor(array, device=device) for array in drawn])

    def next(self) -> mg.Tensor:
        return next(self._round)


def filled(name: str, module: nn.Module, device: str, std: float | None = None) -> nn.Module:
    """Give every parameter of a network the value that belongs to its name."""
    for path, param in module.named_parameters():
        param.assign_(arrays.parameter(f"{name}.{path}", param.shape, std))
    return module.to(device)


def descend(loss: mg.Tensor, optimizer: Adam) -> float:
    """Move the optimiser's own parameters, and no others, down a loss; return the loss."""
    gradients = mg.grad(loss, optimizer.params)
    for param, gradient in zip(optimizer.params, gradients, strict=True):
        param.grad = gradient
    optimizer.step()
    return loss.item()


class WassersteinGame:
    """WGAN-GP (arXiv:1704.00028): one step of the critic with its penalty, one of the generator."""

    def __init__(self, g: nn.Module, d: nn.Module, sample: tuple[int, ...], z: int, n: int, device):
        self.g, self.d = filled("g", g, device), filled("d", d, device)
        self.adam_g = Adam(self.g.parameters(), lr=1e-4, betas=(0.0, 0.9))
        self.adam_d = Adam(self.d.parameters(), lr=1e-4, betas=(0.0, 0.9))
        self.real = Batches("real", (n, *sample), device)
        self.z = Batches("z", (n, z), device)
        weights = (n,) + (1,) * len(sample)  # (N, 1, ...)
        self.weights = Batches("weights", weights, device, arrays.uniform)

    def step(self) -> list[float]:
        real = self.real.next()
        with mg.no_grad():
            fake = self.g(self.z.next())  # (N, Z) -> (N, ...)
        loss_d = self.d(fake).mean() - self.d(real).mean() + 10.0 * self._penalty(real, fake)
        losses = [descend(loss_d, self.adam_d)]
        loss_g = -self.d(self.g(self.z.next())).mean()
        return [*losses, descend(loss_g, self.adam_g)]

    def _penalty(self, real: mg.Tensor, fake: mg.Tensor) -> mg.Tensor:
        points = fake + (real - fake) * self.weights.next()
        points = points.detach().requires_grad_()
        (slopes,) = mg.grad(self.d(points).sum(), points, create_graph=True)
        lengths = mg.norm(slopes.reshape(len(slopes), -1), axis=1)  # (N, ...) -> (N,)
        return ((lengths - 1.0) ** 2).mean()
