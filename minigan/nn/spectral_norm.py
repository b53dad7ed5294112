"""Spectral normalisation by power iteration (Miyato et al. 2018, arXiv:1802.05957).

The layer's `weight` becomes W / sigma with sigma = u^T W v, the estimate of the largest singular
value of W as a matrix. The trained parameter is `weight_orig`; the singular vectors are the
buffers `weight_u` and `weight_v` (the names of `torch.nn.utils.spectral_norm`, so its state
dicts load).

Four rules, each of which has been broken somewhere:

* u and v advance **once per change of the weight**, however many forwards lie between: the real
  and the fake batch of a step, and the penalty's interpolates, all meet the same W / sigma. The
  weight's version says whether it has changed.
* They are frozen in evaluation mode.
* They are constants of the graph: d sigma / d W = u v^T. A graph that holds them never sees them
  change, because each advance makes new arrays instead of writing into the old ones.
* They are saved. `state_dict()` brings them up to date first, and vectors that were loaded count
  as up to date, so a resumed run goes on exactly where the saved one stood.
"""

from __future__ import annotations

from typing import Any

from minigan import ops
from minigan.backend import xp_of
from minigan.nn.conv import ConvTranspose2d
from minigan.nn.module import Module
from minigan.nn.parameter import Buffer, Parameter
from minigan.tensor import Tensor


def spectral_norm(
    module: Module,
    *,
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    warmup: int = 15,
) -> Module:
    """Divide the weight of a layer by its largest singular value; return the layer.

    The weight is taken as the matrix (O, everything else), O being the output channels: axis 0,
    and axis 1 for `ConvTranspose2d`. `n_power_iterations` are done each time the weight has
    changed, and `warmup` at once, from random vectors, so that sigma is right from the start.

    >>> import numpy as np
    >>> from minigan import manual_seed, nn
    >>> _ = manual_seed(0)
    >>> layer = nn.spectral_norm(nn.Linear(8, 4))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    >>> bool(abs(np.linalg.norm(layer.weight.numpy(), 2) - 1) < 0.01)
    True
    """
    if "weight_orig" in vars(module):
        raise ValueError(f"{module!r} has spectral norm already")
    weight = vars(module).get("weight")
    if not isinstance(weight, Parameter) or weight.ndim < 2:
        raise ValueError(f"spectral_norm needs a layer with a weight matrix, got {module!r}")
    axis = 1 if isinstance(module, ConvTranspose2d) else 0
    by_power = PowerIteration(axis, n_power_iterations, eps)
    module.derive("weight", by_power)
    module.weight_orig = weight
    by_power.start(module, warmup)
    return module


class PowerIteration:
    """Computes W / (u^T W v) for a layer and keeps the layer's u and v up to date.

    `axis` is the axis of the weight that holds the rows of the matrix.
    """

    def __init__(self, axis: int, steps: int, eps: float) -> None:
        self.axis, self.steps, self.eps = axis, steps, eps
        self._seen = (0, 0)  # the versions of weight_orig and weight_u when they last agreed

    def __call__(self, module: Module) -> Tensor:
        """Return the normalised weight, differentiable in `weight_orig`; zero if that is zero."""
        self.settle(module)
        return module.weight_orig / (self.sigma(module) + self.eps)

    def __repr__(self) -> str:
        return "spectral_norm"

    def sigma(self, module: Module) -> Tensor:
        """Return u^T W v = <W, u v^T>, a scalar, differentiable in `weight_orig`."""
        u, v = module.weight_u.data, module.weight_v.data
        outer = self._as_weight(u[:, None] * v[None, :], module.weight_orig.shape)
        return (module.weight_orig * Tensor(outer)).sum()

    def start(self, module: Module, warmup: int) -> None:
        """Give the layer u and v: `warmup` iterations from a random u."""
        matrix = self._as_matrix(module.weight_orig.data)  # (O, K)
        u, _, v = ops.power_iteration(matrix, steps=warmup, eps=self.eps)
        self._store(module, u, v)

    def settle(self, module: Module) -> None:
        """Advance u and v if the layer trains and its weight has changed since the last time.

        If u has been assigned since then, a state was loaded, and it fits the weight it came with.
        """
        versions = (module.weight_orig.version, module.weight_u.version)
        if versions == self._seen or not module.training:
            return
        if versions[1] != self._seen[1]:
            self._seen = versions
        else:
            self.advance(module, self.steps)

    def advance(self, module: Module, steps: int) -> None:
        """Do `steps` power iterations: v <- W^T u / |W^T u|, u <- W v / |W v|."""
        matrix = self._as_matrix(module.weight_orig.data)  # (O, K)
        u, _, v = ops.power_iteration(matrix, module.weight_u, steps=steps, eps=self.eps)
        self._store(module, u, v)

    def _store(self, module: Module, u: Tensor, v: Tensor) -> None:
        """Give the layer new buffers: a graph may hold the arrays of the old ones."""
        device = module.weight_orig.device
        module.weight_u, module.weight_v = Buffer(u, device=device), Buffer(v, device=device)
        self._seen = (module.weight_orig.version, module.weight_u.version)

    def _as_matrix(self, weight: Any) -> Any:
        """Lay out the weight as a matrix with `axis` as its rows."""
        rows_first = xp_of(weight).moveaxis(weight, self.axis, 0)  # (O, ...)
        return rows_first.reshape(rows_first.shape[0], -1)  # (O, K)

    def _as_weight(self, matrix: Any, shape: tuple[int, ...]) -> Any:
        """Lay out a matrix as the weight: the inverse of `_as_matrix`."""
        rest = shape[: self.axis] + shape[self.axis + 1 :]
        rows_first = matrix.reshape(shape[self.axis], *rest)  # (O, K) -> (O, ...)
        return xp_of(matrix).moveaxis(rows_first, 0, self.axis)
