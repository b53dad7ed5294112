"""The kernel distance (KID): do two sets of features differ in any moment up to the third?

The squared maximum mean discrepancy of a kernel k, between distributions P and Q,

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y)      x, x' ~ P,  y, y' ~ Q, independent,

is estimated without bias by leaving out the pairs of a sample with itself (Gretton et al. 2012,
equation 3). With k(x, y) = (x . y / F + 1)^3 it is the KID of Binkowski et al. 2018
(arXiv:1801.01401). What the Frechet distance lacks it has: its expectation is the same for any
number of samples, 0 for equal distributions, so an estimate can be negative.

No bias holds for samples drawn one by one. A set that was put together by class, such as every
fifth image of each, has just the right shares, and its images resemble each other a little less
than independent ones do: the estimate comes out too low. What is missing is known (`_by_class`).

Letters: N samples x, M samples y, F features, B subsets.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minigan.backend import Generator
from minigan.errors import ShapeError
from minigan.metrics.inputs import as_features, same_features

FEWEST = 3  # samples and subsets: with any subset left out, two samples are left

_AT_ONCE = 2048  # samples on a side of a kernel matrix: 32 MiB


class KernelDistance(NamedTuple):
    """An unbiased estimate and its standard error, in units of the kernel."""

    value: float
    standard_error: float


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return k(x_i, y_j) = (x_i . y_j / F + 1)^3 of features (N, F) and (M, F): (N, M).

    >>> polynomial_kernel(np.array([[1.0, 1.0]]), np.array([[1.0, 1.0], [1.0, -1.0]]))
    array([[8., 1.]])
    """
    base = x @ y.T / x.shape[1] + 1.0  # (N, F) @ (F, M) -> (N, M)
    return base * base * base  # `**` would take logarithms


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased estimate of MMD^2 of features (N, F) and (M, F), N, M >= 2.

    It may be negative where the distributions are near. Memory (N + M)^2: for many samples
    `kernel_distance` needs less, and adds a standard error to the same value.

    >>> round(squared_mmd(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]])), 6)  # 1 + 125 - 28
    98.0
    """
    x, y = as_features("x", x, at_least=2), as_features("y", y, at_least=2)
    same_features(x, y)
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    others_x, others_y = xx.sum() - xx.trace(), yy.sum() - yy.trace()
    return float(_estimate(others_x, others_y, xy.sum(), len(x), len(y)))


def kernel_distance(
    a: np.ndarray,
    b: np.ndarray,
    *,
    labels_a: np.ndarray | None = None,
    labels_b: np.ndarray | None = None,
    subsets: int = 20,
    seed: int = 0,
) -> KernelDistance:
    """Return the KID of features (N, F) and (M, F), N, M >= 3, with its standard error.

    Give the labels (N,), (M,) of a set that was drawn in fixed numbers of each class.

    The value takes every pair once, so it is `squared_mmd`'s and does not depend on `seed`. (The
    mean over random subsets of 1,000, as in the paper's code, has the same expectation and more
    variance, and its spread is no error, for its subsets overlap.) The error is the jackknife's:
    both sets are cut at random into B `subsets`, at most as many as there are samples, and d_b is
    the distance without subset b,

        error^2 = (B - 1) / B sum over b of (d_b - mean d)^2.

    On average it is not too small (Efron and Stein 1981); between equal distributions, where
    MMD^2 is of second order, it is too large by sqrt(2). Time (N + M)^2 F, memory (N + M)^2 / B^2.

    >>> x = np.random.default_rng(0).normal(size=(300, 4))
    >>> near, far = kernel_distance(x[:150], x[150:]), kernel_distance(x[:150], x[150:] + 1.0)
    >>> abs(near.value) < 2 * near.standard_error, far.value > 5 * far.standard_error
    (True, True)
    """
    a, b = as_features("a", a, at_least=FEWEST), as_features("b", b, at_least=FEWEST)
    same_features(a, b)
    if subsets < FEWEST:
        raise ValueError(f"subsets is {subsets}: give an integer >= {FEWEST}")
    count, generator = min(subsets, len(a), len(b)), Generator(seed)
    parts_a, parts_b = _cut(a, count, generator), _cut(b, count, generator)
    sums = _sums_of_others(parts_a), _sums_of_others(parts_b), _sums(parts_a, parts_b)  # (B, B)
    value = _estimate(*(s.sum() for s in sums), len(a), len(b))
    left_a, left_b = len(a) - _sizes(parts_a), len(b) - _sizes(parts_b)  # (B,)
    without = _estimate(*(_sum_without_each(s) for s in sums), left_a, left_b)  # (B,)
    variance = (count - 1) * without.var()  # `var` divides by B
    value += sum(_by_class(v, w) for v, w in ((a, labels_a), (b, labels_b)) if w is not None)
    return KernelDistance(float(value), math.sqrt(variance))


def _estimate(xx: Any, yy: Any, xy: Any, n: Any, m: Any) -> Any:
    """Return MMD^2 from the sums of the kernel over pairs: of others in x, in y, and across."""
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2.0 * xy / (n * m)


def _by_class(x: np.ndarray, labels: np.ndarray) -> float:
    """Return by how much the mean of k(x, x') over others is too low for fixed class shares p_c.

    Two independent samples are both of class c with probability p_c^2, but a pair of others with
    p_c (n_c - 1) / (N - 1) only. With the mean kernel k_c of others within class c, and k of all,

        deficit = (sum over c of p_c k_c - k) / N.

    A class of one sample has no others; k stands for its k_c.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(x),):
        raise ShapeError(f"labels have shape {labels.shape}: give one a sample, ({len(x)},)")
    overall = _mean_of_others(x)
    classes = (x[labels == c] for c in np.unique(labels))
    excess = sum(len(own) * (_mean_of_others(own) - overall) for own in classes if len(own) > 1)
    return excess / len(x) ** 2


def _mean_of_others(x: np.ndarray) -> float:
    parts = np.array_split(x, math.ceil(len(x) / _AT_ONCE))
    return _sums_of_others(parts).sum() / (len(x) * (len(x) - 1))


def _cut(x: np.ndarray, count: int, generator: Generator) -> list[np.ndarray]:
    """Cut features (N, F) at random into subsets of sizes that differ by one at most."""
    return np.array_split(x[generator.permutation(len(x))], count)


def _sizes(parts: list[np.ndarray]) -> np.ndarray:
    return np.array([len(part) for part in parts])  # (B,)


def _sums(parts_x: list[np.ndarray], parts_y: list[np.ndarray]) -> np.ndarray:
    """Sum the kernel over the pairs of each subset of x with each of y: (B, B)."""
    return np.array([[polynomial_kernel(x, y).sum() for y in parts_y] for x in parts_x])


def _sums_of_others(parts: list[np.ndarray]) -> np.ndarray:
    """The same within one set, no sample paired with itself."""
    own = [((np.square(x).mean(axis=1) + 1.0) ** 3).sum() for x in parts]  # k(x, x) of each
    return _sums(parts, parts) - np.diag(own)


def _sum_without_each(sums: np.ndarray) -> np.ndarray:
    """Sum what is left when row b and column b are struck out, for each b: (B, B) -> (B,)."""
    return sums.sum() - sums.sum(axis=0) - sums.sum(axis=1) + sums.diagonal()
