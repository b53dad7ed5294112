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

The matrices are small and full of zeros and of rows that differ only in signs, so B^T, A^T and A
are applied by a few additions, written out below for the two transforms that pay:

    F(4, 3)   points 0, 1, -1, 2, -2, infinity     6 multiplications for 12
    F(2, 2)   points 0, 1, infinity                3 multiplications for 4

More points save more multiplications and lose more digits: powers of 2 up to 2^5 meet in F(4, 3).

Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms
for Convolutional Neural Networks", 2016, whose matrices for F(4, 3) these are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from minigan.backend.columns import Array
from minigan.backend.threads import scratch

Arrays = Sequence[Array]


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
    """F(m, r) on rows of arrays: the matrices, and B^T, A^T and A as additions.

    `apply_bt(d, v)` reads n arrays d and fills n arrays v, `apply_at(s, y)` n and m, and
    `apply_a(y, s)` m and n. The results may not overlap what is read.
    """

    tile: int  # m
    taps: int  # r
    points: tuple[int, ...]
    additions: int  # in two dimensions, per tile and channel, copies included
    additions_by_rows: int  # the same, where every row of the tiles is made by itself
    apply_bt: Callable[[Arrays, Arrays], None]
    apply_at: Callable[[Arrays, Arrays], None]
    apply_a: Callable[[Arrays, Arrays], None]
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


def _halves(like: Array) -> Array:
    return scratch("halves", (2, *like.shape), like.dtype)


# -- F(4, 3): rows 1 and 2, 3 and 4 are sum and difference of an even and an odd half --------------


def _bt_43(d: Arrays, v: Arrays) -> None:
    even, odd = _halves(v[0])
    np.multiply(d[2], -4, out=even)
    even += d[4]
    np.multiply(d[1], -4, out=odd)
    odd += d[3]
    np.add(even, odd, out=v[1])  # -4 d1 - 4 d2 + d3 + d4
    np.subtract(even, odd, out=v[2])  # 4 d1 - 4 d2 - d3 + d4
    np.subtract(d[4], d[2], out=even)
    np.subtract(d[3], d[1], out=odd)
    np.subtract(d[0], d[2], out=v[0])
    v[0] *= 4
    v[0] += even  # 4 d0 - 5 d2 + d4
    odd *= 2
    np.add(even, odd, out=v[3])  # -2 d1 - d2 + 2 d3 + d4
    np.subtract(even, odd, out=v[4])  # 2 d1 - d2 - 2 d3 + d4
    odd *= 2
    np.subtract(d[5], d[3], out=v[5])
    v[5] -= odd  # 4 d1 - 5 d3 + d5


def _at_43(s: Arrays, y: Arrays) -> None:
    near, far = _halves(y[0])
    np.add(s[1], s[2], out=near)
    np.add(s[3], s[4], out=far)
    np.add(s[0], near, out=y[0])
    y[0] += far  # s0 + (s1 + s2) + (s3 + s4)
    far *= 4
    np.add(near, far, out=y[2])  # (s1 + s2) + 4 (s3 + s4)
    np.subtract(s[1], s[2], out=near)
    np.subtract(s[3], s[4], out=far)
    far *= 2
    np.add(near, far, out=y[1])  # (s1 - s2) + 2 (s3 - s4)
    far *= 4
    np.add(near, s[5], out=y[3])
    y[3] += far  # (s1 - s2) + 8 (s3 - s4) + s5


def _a_43(y: Arrays, s: Arrays) -> None:
    even, odd = _halves(y[0])
    s[0][...] = y[0]
    np.add(y[0], y[2], out=even)
    np.add(y[1], y[3], out=odd)
    np.add(even, odd, out=s[1])  # y0 + y1 + y2 + y3
    np.subtract(even, odd, out=s[2])  # y0 - y1 + y2 - y3
    np.multiply(y[2], 4, out=even)
    even += y[0]
    np.multiply(y[3], 4, out=odd)
    odd += y[1]
    odd *= 2
    np.add(even, odd, out=s[3])  # y0 + 2 y1 + 4 y2 + 8 y3
    np.subtract(even, odd, out=s[4])  # y0 - 2 y1 + 4 y2 - 8 y3
    s[5][...] = y[3]


# -- F(2, 2) --------------------------------------------------------------------------------------


def _bt_22(d: Arrays, v: Arrays) -> None:
    np.subtract(d[1], d[0], out=v[0])
    v[1][...] = d[1]
    np.subtract(d[2], d[1], out=v[2])


def _at_22(s: Arrays, y: Arrays) -> None:
    np.add(s[0], s[1], out=y[0])
    np.add(s[1], s[2], out=y[1])


def _a_22(y: Arrays, s: Arrays) -> None:
    s[0][...] = y[0]
    np.add(y[0], y[1], out=s[1])
    s[2][...] = y[1]


F43 = Transform(4, 3, (0, 1, -1, 2, -2), 180, 450, _bt_43, _at_43, _a_43)
F22 = Transform(2, 2, (0, 1), 45, 70, _bt_22, _at_22, _a_22)


# -- one row alone --------------------------------------------------------------------------------


def combine(factors: Array, arrays: Arrays, out: Array) -> None:
    """Write into `out` the sum of factors times arrays; a factor that recurs is multiplied once."""
    term = scratch("term", out.shape, out.dtype)
    sizes = sorted({abs(float(f)) for f in factors if f}, reverse=True)  # 1 comes last
    for number, size in enumerate(sizes):
        same = [(f > 0, a) for f, a in zip(factors, arrays, strict=True) if abs(f) == size]
        if number and size == 1:
            _add_signed(same, out)
        elif number:
            _scaled_sum(size, same, term)
            out += term
        else:
            _scaled_sum(size, same, out)


def _scaled_sum(size: float, terms: list[tuple[bool, Array]], out: Array) -> None:
    """Write size times the signed sum of the terms."""
    (positive, first), *others = terms
    scale = size if positive else -size
    if not others:
        np.multiply(first, scale, out=out)
        return
    (again, second), *rest = [(plus == positive, array) for plus, array in others]
    (np.add if again else np.subtract)(first, second, out=out)
    _add_signed(rest, out)
    if scale != 1:
        out *= scale


def _add_signed(terms: list[tuple[bool, Array]], out: Array) -> None:
    for plus, array in terms:
        (np.add if plus else np.subtract)(out, array, out=out)
