"""See `benchmarks/workloads/toy.py`."""

from __future__ import annotations

from torch import nn

from benchmarks.peers.pytorch.common import WassersteinGame
from benchmarks.workloads.sizes import Size

_POINT, _LATENT = 2, 2


class Workload(WassersteinGame):
    def __init__(self, size: Size, *, variant: str = "") -> None:
        g, d = mlp(_LATENT, size.width, _POINT), mlp(_POINT, size.width, 1)
        super().__init__(g, d, (_POINT,), _LATENT, size.batch, variant)


def mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )
