"""What the log says about the networks: spectral norms of D's layers, norms of the gradients.

Looking must not change what is looked at. The layers are read in evaluation mode, in which the
vectors of spectral norm's power iteration stay as they are, and the norms come from singular value
decompositions, which draw nothing; the gradients are those the last step has left.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from minigan import nn
from minigan.nn.spectral import is_normalized

Norms = dict[str, dict[str, float]]


def norms_of(
    networks: Mapping[str, nn.Module], *, discriminators: Collection[str] = ("d",)
) -> Norms:
    """Return what a record of kind "norms" holds, rounded to six digits.

    `networks` by name; those of `discriminators` are looked into. The result has

        sigma           {layer: largest singular value of the weight as it is used}
        sigma_trained   the same before spectral norm divides by it, for the layers that have it
        gradient        {network: |gradient of all its parameters|_2}

    A layer's name is its path in its network, with the network's name before it if there are
    several discriminators. What is not finite is left out, and so is the gradient of a network that
    has none. A weight's singular values cost O(O² K) for a matrix (O, K), O <= K: this is for every
    hundredth step rather than for each.

    >>> import minigan as mg
    >>> d = nn.Sequential(nn.Linear(2, 1, bias=False))
    >>> _ = d[0].weight.assign_([[3.0, 4.0]])
    >>> d(mg.ones(1, 2)).sum().backward()
    >>> norms_of({"d": d})
    {'sigma': {'0': 5.0}, 'sigma_trained': {}, 'gradient': {'d': 1.41421}}
    """
    looked_into = {name: networks[name] for name in discriminators if name in networks}
    sigma, trained = {}, {}
    for name, network in looked_into.items():
        prefix = f"{name}." if len(looked_into) > 1 else ""
        layers = dict(network.named_modules())
        for path, found in _sigmas(network).items():
            sigma[prefix + path] = found.used
            if is_normalized(layers[path]):
                trained[prefix + path] = found.trained
    gradient = {name: _gradient_norm(network) for name, network in networks.items()}
    return {"sigma": _told(sigma), "sigma_trained": _told(trained), "gradient": _told(gradient)}


def _sigmas(network: nn.Module) -> dict[str, nn.Sigma]:
    """Return the norms of a network's layers, {} if a weight is not finite: it has none."""
    if not all(np.isfinite(p.numpy()).all() for p in network.parameters()):
        return {}
    with _evaluating(network):
        return nn.sigmas(network)


def _gradient_norm(network: nn.Module) -> float:
    """Return the Euclidean norm of all gradients together, in double precision; NaN without any."""
    gradients = [p.grad.numpy() for p in network.parameters() if p.grad is not None]
    if not gradients:
        return math.nan
    return math.hypot(*(float(np.linalg.norm(g.astype(np.float64))) for g in gradients))


def _told(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{v:.6g}") for name, v in values.items() if math.isfinite(v)}


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block, and each part back into its own mode."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
