"""What a distribution must be before anything is computed from it: one line says what it is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend import backend_of
from minigan.errors import ShapeError
from minigan.tensor import Tensor, as_tensor

GRID_TOLERANCE = 1e-2  # of the mass of a density that a grid may miss


def same_shape(p: Any, q: Any) -> tuple[Tensor, Tensor]:
    """Return p and q as Tensors of floats, or raise if their shapes differ."""
    p, q = as_tensor(p), as_tensor(q)
    if p.shape != q.shape:
        raise ShapeError(f"p has shape {p.shape}, q {q.shape}: give both on the same points")
    return p, q


def check_weights(name: str, weights: Tensor) -> None:
    """Raise unless `weights` are numbers >= 0 that sum to 1, up to the root of the round-off."""
    values = _check_values(name, weights)
    total, allowed = float(values.sum(dtype=np.float64)), math.sqrt(np.finfo(values.dtype).eps)
    if not abs(total - 1.0) <= allowed:
        raise ValueError(f"{name} sums to {total:.9g}, not to 1: divide it by its sum")


def check_density(name: str, density: Tensor, spacing: float) -> None:
    """Raise unless `density` is >= 0 and its integral over the grid is within 1% of 1."""
    if not 0.0 < spacing < math.inf:
        raise ValueError(f"spacing is {spacing}: give the volume of a grid cell, a number > 0")
    total = float(_check_values(name, density).sum(dtype=np.float64)) * spacing
    if not abs(total - 1.0) <= GRID_TOLERANCE:
        raise ValueError(
            f"{name} integrates to {total:.6g} over the grid, not to 1: widen or refine the grid"
        )


def check_base(base: float) -> float:
    """Return log(base), the number of nats in a unit, or raise for a base that is none."""
    if not (base > 0.0 and math.isfinite(base) and base != 1.0):
        raise ValueError(f"base is {base}: use math.e for nats or 2 for bits")
    return math.log(base)


def in_base(nats: Tensor, base: float) -> Tensor:
    """Convert from nats to the unit of a base: bits for 2."""
    unit = check_base(base)
    return nats if unit == 1.0 else nats * (1.0 / unit)


def _check_values(name: str, values: Tensor) -> np.ndarray:
    """Return the values on the host, or raise naming the first that is not a number >= 0."""
    host = backend_of(values.data).asnumpy(values.data)
    if host.dtype.kind != "f" or not host.size:
        raise ValueError(f"{name} must be floating-point numbers, got {host.size} of {host.dtype}")
    wrong = np.argwhere(~((host >= 0) & (host < np.inf)))  # written so that NaN is wrong
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        index = ", ".join(map(str, place))
        raise ValueError(f"{name}[{index}] is {host[place]}: weights are finite numbers >= 0")
    return host
