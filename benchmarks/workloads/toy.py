"""WGAN-GP on points of the plane: so little arithmetic that the engine itself is measured."""

from __future__ import annotations

from benchmarks.workloads.common import WassersteinGame
from benchmarks.workloads.sizes import Size
from minigan import nn

_POINT, _LATENT = 2, 2


class Workload(WassersteinGame):
    """`size.width`: units of each of the three hidden layers."""

    def __init__(self, size: Size, *, device: str = "cpu") -> None:
        g, d = mlp(_LATENT, size.width, _POINT), mlp(_POINT, size.width, 1)
        super().__init__(g, d, (_POINT,), _LATENT, size.batch, device)


def mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """(N, inputs) -> (N, outputs)."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )
