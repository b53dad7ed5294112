"""Transport on the line, where sorting solves it, and slices of many dimensions.

The best coupling on the line moves the u-quantile of one distribution to the u-quantile of the
other, for any convex cost:

    W_p^p = integral from 0 to 1 of |F_x^-1(u) - F_y^-1(u)|^p du.

Both quantile functions are steps, so the integral is a sum over at most N + M - 1 pieces.

Letters: N points x, M points y, L projections, K pieces, D dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigan.backend import Generator, backend_of, default_generator, xp_of
from minigan.errors import ShapeError
from minigan.ops import abs, expand_dims, safe_sqrt, square, sum
from minigan.tensor import Tensor, as_tensor
from minigan.transport.points import as_points, as_weights, to_host


class _Pieces(NamedTuple):
    """The steps of both quantile functions: widths, and which sorted points stand there: (K,)."""

    widths: np.ndarray
    index_x: np.ndarray
    index_y: np.ndarray


def wasserstein_1d(
    x: Any, y: Any, *, p: int = 1, weights_x: Any = None, weights_y: Any = None
) -> Tensor:
    """Return the Wasserstein-p distance between points on the line, exactly: a scalar.

    `x`: (N,), `y`: (M,); `p`: 1 or 2; weights default to 1 / N and 1 / M. O(N log N). The result is
    differentiable in the points (not in the weights); where W_2 = 0 its derivative is taken as 0.

    >>> wasserstein_1d(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0])).item()
    5.0
    """
    x, y = _as_line("x", x), _as_line("y", y)
    order_x, order_y = _order(x), _order(y)
    weights_x = to_host(as_weights("weights_x", weights_x, x.size, x))
    weights_y = to_host(as_weights("weights_y", weights_y, y.size, y))
    pieces = _common_pieces(weights_x[_host(order_x)], weights_y[_host(order_y)])
    return _root(_integral(x[order_x], y[order_y], pieces, p), p)


def sliced_wasserstein(
    x: Any, y: Any, *, projections: int = 64, p: int = 1, generator: Generator | None = None
) -> Tensor:
    """Return the sliced Wasserstein-p distance: the p-mean of W_p over random directions.

    Points are projected on unit vectors drawn uniformly from the sphere; 0 <= SW_p <= W_p. `x`:
    (N, ...) and `y`: (M, ...), equally weighted; `p`: 1 or 2. The directions come from `generator`:
    give one with a seed for values that can be compared. Source: Bonneel et al. 2015.

    >>> import minigan as mg
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> sliced_wasserstein(x, x, generator=mg.Generator(0)).item()
    0.0
    """
    x, y = as_points("x", x), as_points("y", y)
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"points of x have {x.shape[1]} coordinates, of y {y.shape[1]}")
    directions = _directions(x, projections, generator)  # (D, L)
    lines_x, lines_y = _sorted(x @ directions), _sorted(y @ directions)  # (N, L), (M, L)
    equal = [np.full(n, 1.0 / n) for n in (x.shape[0], y.shape[0])]
    costs = _integral(lines_x, lines_y, _common_pieces(*equal), p)  # -> (L,)
    return _root(costs.mean(), p)


def _common_pieces(weights_x: np.ndarray, weights_y: np.ndarray) -> _Pieces:
    """Cut [0, 1] at the jumps of both quantile functions, given weights in the points' order."""
    cdf_x, cdf_y = (np.cumsum(w) / w.sum() for w in (weights_x, weights_y))
    cuts = np.concatenate([[0.0], np.sort(np.concatenate([cdf_x, cdf_y]))])
    middles = 0.5 * (cuts[1:] + cuts[:-1])
    index_x, index_y = (
        np.minimum(np.searchsorted(cdf, middles, side="right"), len(cdf) - 1)
        for cdf in (cdf_x, cdf_y)
    )
    widths = np.diff(cuts)
    wide = widths > 0
    return _Pieces(widths[wide], index_x[wide], index_y[wide])


def _integral(x: Tensor, y: Tensor, pieces: _Pieces, p: int) -> Tensor:
    """Sum |x - y|^p over the pieces, for sorted x (N, ...) and y (M, ...): -> (...)."""
    if p not in (1, 2):
        raise ValueError(f"p is {p}: use 1 or 2 (for others: optimal_transport)")
    asarray = backend_of(x.data).asarray
    gaps = x[asarray(pieces.index_x)] - y[asarray(pieces.index_y)]  # (K, ...)
    widths = Tensor(asarray(pieces.widths.astype(x.dtype)))  # (K,)
    if x.ndim == 2:
        widths = expand_dims(widths, 1)  # (K, 1)
    return sum((abs if p == 1 else square)(gaps) * widths, axis=0)


def _root(cost: Tensor, p: int) -> Tensor:
    return cost if p == 1 else safe_sqrt(cost)


def _as_line(name: str, values: Any) -> Tensor:
    line = as_tensor(values)
    if line.ndim != 1:
        raise ShapeError(f"{name} has shape {line.shape}: give points on a line, (N,)")
    return as_points(name, line)[:, 0]


def _order(x: Tensor) -> Any:
    """The places of the sorted elements along the first axis."""
    return xp_of(x.data).argsort(x.data, axis=0)


def _sorted(x: Tensor) -> Tensor:
    """Sort each column of x (N, L)."""
    columns = xp_of(x.data).arange(x.shape[1])
    return x[_order(x), columns]


def _host(index: Any) -> np.ndarray:
    return backend_of(index).asnumpy(index)


def _directions(x: Tensor, count: int, generator: Generator | None) -> Tensor:
    """Draw `count` unit vectors, uniform on the sphere: (D, L)."""
    if count < 1:
        raise ValueError(f"projections is {count}: give an integer >= 1")
    drawn = (generator or default_generator()).normal((x.shape[1], count), dtype=x.dtype)
    lengths = np.sqrt(np.square(drawn).sum(axis=0))
    return Tensor(backend_of(x.data).asarray(drawn / lengths))
