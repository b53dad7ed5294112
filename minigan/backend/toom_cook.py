"""Fewer multiplications: the transforms F(m, r) of Toom, Cook and Winograd, in one dimension.

Two polynomials, g of r and h of m coefficients, have a product s of n = m + r - 1. To know the
values of s at n points is to know s, and values multiply one by one: n multiplications where the
direct way takes m r. Let E_k be the matrix that evaluates k coefficients at the points (infinity is
one of them: there, the leading coefficient is taken), and V = E_n. Then

    s = V^-1 [(E_r g) * (E_m h)],                                     * elementwise

For a fixed g this is a linear map from h to s. The *transposed* map takes n values d to m: it is
the correlation y[p] = sum over k of g[k] d[p + k], so

    y = E_m^T [(E_r g) * (V^-T d)] = A^T [(G g) * (B^T d)].

Row i of V^-T holds the coefficients of Lagrange's polynomial for point i, the product over j of
(x - p_j) / (p_i - p_j); its denominator f_i is moved over to row i of E_r, which leaves B^T whole
numbers. The row of infinity is the product over all points of (x - p_j).

Four transforms pay:

    F(4, 3)   points 0, 1, -1, 2, -2, infinity     6 multiplications for 12
    F(3, 4)   the same points                      6 multiplications for 12
    F(4, 2)   points 0, 1, -1, 2, infinity         5 multiplications for 8
    F(2, 2)   points 0, 1, infinity                3 multiplications for 4

More points save more multiplications and lose more digits: powers of 2 up to 2^5 meet in the first
two.

Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms
for Convolutional Neural Networks", 2016, whose matrices for F(4, 3) these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from minigan.backend.columns import Array


def matrices(points: Sequence[int], m: int, r: int) -> tuple[Array, Array, Array]:
    """Return B^T (n, n), G (n, r) and A (n, m) of F(m, r) for n - 1 points and infinity.

    >>> matrices((0, 1), 2, 2)[0].astype(int).tolist()
    [[-1, 1, 0], [0, 1, 0], [0, -1, 1]]
    """
    n = m + r - 1
    if len(set(points)) != n - 1:
        raise ValueError(f"F({m}, {r}) takes {n - 1} different points besides infinity: {points}")
    bt = np.zeros((n, n))
    g, a = (np.zeros((n, k)) for k in (r, m))
    for i, p in enumerate(points):
        others = [q for q in points if q != p]
        bt[i, : n - 1] = np.poly(others)[::-1]  # np.poly has the leading coefficient first
        g[i] = np.power(float(p), np.arange(r)) / np.prod([p - q for q in others])
        a[i] = np.power(float(p), np.arange(m))
    bt[-1] = np.poly(points)[::-1]
    g[-1, -1] = a[-1, -1] = 1
    return bt.round(), g, a  # `np.poly` rounds: B^T is whole


@dataclass(frozen=True)
class Transform:
    """F(m, r): the sizes and the matrices B^T (n, n), G (n, r) and A (n, m)."""

    tile: int  # m
    taps: int  # r
    points: tuple[int, ...]
    bt: Array = field(init=False, repr=False, compare=False)
    g: Array = field(init=False, repr=False, compare=False)
    a: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = matrices(self.points, self.tile, self.taps)
        for name, matrix in zip(("bt", "g", "a"), found, strict=True):
            object.__setattr__(self, name, matrix)

    @property
    def window(self) -> int:
        """n = m + r - 1: what a tile of y sees of x."""
        return self.tile + self.taps - 1

    def __repr__(self) -> str:
        return f"F({self.tile}, {self.taps})"


F43 = Transform(4, 3, (0, 1, -1, 2, -2))
F34 = Transform(3, 4, (0, 1, -1, 2, -2))
F42 = Transform(4, 2, (0, 1, -1, 2))
F22 = Transform(2, 2, (0, 1))
