"""Multi-layer perceptrons, the networks of the toys in the plane."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from minigan import nn
from minigan.nn import init


def mlp(*sizes: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Return layers (N, sizes[0]) -> ... -> (N, sizes[-1]), an activation between them.

    Weights are drawn by He's rule. The biases stay as `Linear` draws them: with biases of 0 a
    network is homogeneous, and the first samples fill a wedge with its tip at the origin.

    >>> import minigan as mg
    >>> mlp(2, 16, 16, 1, activation=nn.ReLU)(mg.zeros(5, 2)).shape
    (5, 1)
    """
    network = nn.Sequential()
    for before, after in itertools.pairwise(sizes):
        layer = nn.Linear(before, after)
        init.kaiming_normal_(layer.weight)
        network.extend([layer, activation()])
    return network[:-1]
