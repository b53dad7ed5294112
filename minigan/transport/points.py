"""What transport is made of: points, their weights, and the cost of moving one to another.

Letters: N points x, M points y, D dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.backend import backend_of
from minigan.divergences.checks import check_weights
from minigan.errors import ShapeError
from minigan.ops import expand_dims, isfinite, norm, reshape, square, sum
from minigan.tensor import Tensor, as_tensor


def pairwise_cost(x: Any, y: Any, *, p: float = 1) -> Tensor:
    """Return the costs |x_i - y_j|_2^p, (N, M): distances for p = 1, squared ones for p = 2.

    `x`: (N, ...) and `y`: (M, ...), the axes of a point taken together; (N,) are points on a line.
    Differences are taken one by one, so equal points cost exactly 0 and near ones lose no digits;
    that takes N M D numbers of memory. At distance 0 the derivative of the distance is taken as 0.

    >>> pairwise_cost(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[3.0, 4.0]])).numpy()
    array([[5.],
           [4.]])
    """
    x, y = as_points("x", x), as_points("y", y)
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"points of x have {x.shape[1]} coordinates, of y {y.shape[1]}")
    check_power(p)
    differences = expand_dims(x, 1) - expand_dims(y, 0)  # (N, 1, D) - (1, M, D) -> (N, M, D)
    if p == 2:
        return sum(square(differences), axis=2)  # -> (N, M)
    distances = norm(differences, axis=2)
    return distances if p == 1 else distances**p


def as_points(name: str, values: Any) -> Tensor:
    """Return points as (N, D) of finite numbers, or raise in one line."""
    points = as_tensor(values)
    if not points.ndim or not points.size:
        raise ShapeError(f"{name} has shape {points.shape}: give (N, ...) points, N >= 1")
    _check_finite(name, points)
    return reshape(points, (points.shape[0], -1))  # (N, ...) -> (N, D)


def as_weights(name: str, weights: Any, count: int, like: Tensor) -> Tensor:
    """Return weights (count,) in the dtype and on the device of `like`; None for equal ones."""
    backend = backend_of(like.data)
    if weights is None:
        return Tensor(backend.asarray(np.full(count, 1.0 / count, like.dtype)))
    weights = as_tensor(weights)
    if weights.shape != (count,):
        raise ShapeError(f"{name} has shape {weights.shape}: give one weight a point, ({count},)")
    check_weights(name, weights)
    return weights.to(like.device, like.dtype)


def as_cost(cost: Any) -> Tensor:
    """Return a cost matrix (N, M) of finite numbers, or raise in one line."""
    cost = as_tensor(cost)
    if cost.ndim != 2 or not cost.size or cost.dtype.kind != "f":
        raise ShapeError(f"cost has shape {cost.shape} of {cost.dtype}: give floats (N, M)")
    _check_finite("cost", cost)
    return cost


def check_power(p: float) -> None:
    """Raise unless the exponent of the distance is a number >= 1."""
    if not 1 <= p < np.inf:
        raise ValueError(f"p is {p}: give the exponent of the distance, a number >= 1")


def to_host(values: Tensor) -> np.ndarray:
    """Return the values as float64 on the host, for SciPy."""
    return np.asarray(backend_of(values.data).asnumpy(values.data), np.float64)


def _check_finite(name: str, values: Tensor) -> None:
    if values.dtype.kind != "f":
        raise TypeError(f"{name} holds {values.dtype}: give floating-point numbers")
    if not isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity: transport needs finite numbers")
