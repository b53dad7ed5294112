"""Measures by nearest neighbours: are the samples good, and is all of the data covered?

A set of features stands for the region it was drawn from: the union of balls about its points, each
reaching to the point's k-th nearest neighbour in the set. With real points x and generated ones y
(Kynkaanniemi et al. 2019, arXiv:1904.06991, equations 1 and 2; Naeem et al. 2020,
arXiv:2002.09797, section 3):

    precision  share of the y that lie in a ball of some x      good samples
    recall     share of the x that lie in a ball of some y      covered data
    density    number of balls of x that a y lies in, over k    precision that one outlier among
                                                                the x cannot raise
    coverage   share of the balls of x that hold some y         recall that one outlier among the
                                                                y cannot raise

Letters: N real points x, M generated points y, F features, n of N at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minigan.metrics.inputs import as_features, same_features

_AT_ONCE = 2**22  # distances in memory: 32 MiB


class Neighbours(NamedTuple):
    """Precision, recall and coverage in [0, 1]; density >= 0, about 1 where all is well."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbour_report(real: np.ndarray, generated: np.ndarray, *, k: int = 3) -> Neighbours:
    """Return precision, recall, density and coverage of features (N, F) and (M, F), N, M > k.

    All four depend on N, M, F and k as well: compare at equal ones, and with the floor. Between
    equal distributions the density is 1 on average, and the coverage, whatever they are,

        1 - (N - 1) ... (N - k) / ((M + N - 1) ... (M + N - k)),    near 1 - 2^-k for N = M.

    Time N M F, memory bounded.

    >>> x = np.arange(10.0)[:, None]
    >>> neighbour_report(x, np.full((10, 1), 4.5), k=1)
    Neighbours(precision=1.0, recall=0.0, density=2.0, coverage=0.2)
    """
    real, generated = as_features("real", real), as_features("generated", generated)
    same_features(real, generated)
    reach_real, reach_generated = neighbour_radii(real, k=k), neighbour_radii(generated, k=k)
    balls = np.zeros(len(generated), np.int64)  # of x that each y lies in: (M,)
    covered, held = [], []
    for rows, distances in _blocks(real, generated):  # (n, M)
        inside = distances <= reach_real[rows, None]  # y in a ball of x
        balls += inside.sum(axis=0)
        held.append(inside.any(axis=1))  # (n,)
        covered.append((distances <= reach_generated).any(axis=1))  # x in a ball of y: (n,)
    return Neighbours(
        precision=float(np.mean(balls > 0)),
        recall=float(np.concatenate(covered).mean()),
        density=float(balls.mean() / k),
        coverage=float(np.concatenate(held).mean()),
    )


def neighbour_radii(x: np.ndarray, *, k: int = 3) -> np.ndarray:
    """Return the *squared* distance of each point of x (N, F) to its k-th nearest other: (N,).

    N > k >= 1. Other points at the same place are neighbours at distance 0.

    >>> neighbour_radii(np.array([[0.0], [1.0], [3.0]]), k=1)
    array([1., 1., 4.])
    """
    x = as_features("x", x)
    if not 1 <= k < len(x):
        raise ValueError(f"k is {k}, of {len(x)} points: give an integer from 1 to {len(x) - 1}")
    radii = []
    for rows, distances in _blocks(x, x):  # (n, N)
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf  # itself
        radii.append(np.partition(distances, k - 1, axis=1)[:, k - 1])  # (n,)
    return np.concatenate(radii)


def _blocks(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the squared distances of some rows of x after others to all of y: slice, (n, M)."""
    step = max(1, _AT_ONCE // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        yield rows, _squared_distances(x[rows], y)


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return |x_i - y_j|^2 as |x_i|^2 + |y_j|^2 - 2 x_i . y_j, one matrix product: (N, M).

    Equal points must be at distance 0 or they would drop out of balls of radius 0, so what is not
    more than the rounding of the three terms counts as 0.
    """
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)  # (N, 1) + (M,)
    distances = squares - 2.0 * (x @ y.T)  # (N, F) @ (F, M) -> (N, M)
    rounding = 2.0 * x.shape[1] * np.finfo(np.float64).eps
    return np.where(distances > rounding * squares, distances, 0.0)
