"""Sums along axes of an array at the speed of its memory, more exact than one after the other.

NumPy adds rows into a row of totals that it reads and writes again for each of them, and sums short
lines by a call for each: 1 to 14 GB/s. But a sum is a product with ones, and BLAS has the loops for
it, which keep many totals in registers: 30 to 45 GB/s on one core.

**Any axes.** In memory, axes follow one another by their strides, whatever their order in the
shape. Neighbours that are both summed, or both kept, are one axis; so there remain, say for the
channels of a batch of images,

    channels-last memory     (N H W summed, C kept)               a product  ones @ x
    channels-first memory    (N summed, C kept, H W summed)       x @ ones, and then ones @ the rest

and each summed axis, the innermost first, is the middle one of an array (B, R, C) -> (B, C).

**Pieces.** A sum of n terms one after the other is wrong by up to n roundings. R is cut into pieces
whose sums are summed in pieces again, as a tree: each level adds few roundings. The pieces depend
on the sizes alone, and are shared among the cores: any number of threads gives the same bits.

Arrays that no order of axes makes contiguous, dtypes that BLAS has no loops for, complex numbers
and CuPy's arrays go by their library's own sums.

Letters: B axes before, R terms of each sum, C axes after; P pieces of F terms.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from minigan.backend.threads import parallel, single_threaded_blas

Array = Any  # numpy.ndarray or cupy.ndarray
Axes = tuple[int, ...]
Shape = tuple[int, ...]

LONGEST = 128  # terms in a piece of a line (C = 1), as in NumPy's sums: with more, more is lost
FEW, MANY = 16, 256  # terms in a piece of rows, of more than WIDE values, or of fewer
WIDE = 1024
SMALL, SHORT = 1 << 8, 1 << 15  # values: with fewer, or with fewer in long runs, NumPy is faster
ALONE = 1 << 13  # values: OpenBLAS does not divide so small a product among threads
SHARED = 1 << 21  # values: from here on it pays to wake other threads
TASKS = 8

_ONES = {np.dtype(kind): np.ones(max(LONGEST, MANY), kind) for kind in (np.float32, np.float64)}


def sum_along(x: Array, axis: Axes, *, keepdims: bool = False) -> Array:
    """Sum x over `axis`, distinct and counted from the front; the result is a new array."""
    if x.size >= SMALL and type(x) is np.ndarray and x.dtype in _ONES:
        way = _way(x.shape, x.strides, x.itemsize, axis, keepdims)
        return np.add.reduce(x, axis=axis, keepdims=keepdims) if way is None else way.sum(x)
    return x.sum(axis=axis, keepdims=keepdims)


def mean_along(x: Array, axis: Axes, *, keepdims: bool = False) -> Array:
    """Average x over `axis`, distinct, counted from the front and of at least one value."""
    if type(x) is np.ndarray and x.dtype in _ONES:
        return sum_along(x, axis, keepdims=keepdims) / math.prod(x.shape[i] for i in axis)
    return x.mean(axis=axis, keepdims=keepdims)


# -- the way through memory -----------------------------------------------------------------------


class _Way(NamedTuple):
    """How to sum arrays of one shape and layout over some axes."""

    order: Axes | None  # the axes as they follow in memory, the innermost last; None: as they are
    steps: tuple[Shape, ...]  # (B, R, C) of each sum
    kept: Shape  # lengths in that order, 1 where summed
    back: Axes  # its inverse
    shape: Shape

    def sum(self, x: Array) -> Array:
        if self.order is not None:
            x = x.transpose(self.order)
        for step in self.steps:
            x = _sum_middle(x.reshape(step))  # (B, R, C) -> (B, C)
        if self.order is not None:
            x = x.reshape(self.kept).transpose(self.back)
        return x.reshape(self.shape)


@lru_cache(maxsize=1024)
def _way(shape: Shape, strides: Shape, itemsize: int, axis: Axes, keepdims: bool) -> _Way | None:
    """Return the way for an array, or None where NumPy's own is the better one."""
    size = math.prod(shape)
    order = tuple(sorted(range(len(shape)), key=lambda i: -strides[i]))
    if not _follow(order, shape, strides, itemsize):
        return None
    steps = _steps([(shape[i], i in axis) for i in order if shape[i] != 1])
    if not steps or (size <= SHORT and _is_easy(steps)):
        return None
    in_order = order == tuple(range(len(shape)))
    kept = tuple(1 if i in axis else shape[i] for i in order)
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    result = tuple(1 if i in axis else n for i, n in enumerate(shape) if keepdims or i not in axis)
    return _Way(None if in_order else order, steps, kept, back, result)


def _is_easy(steps: tuple[Shape, ...]) -> bool:
    """Tell whether NumPy adds in long runs: one line, or a few long rows."""
    b, r, c = steps[0]
    return len(steps) == 1 and b == 1 and (c == 1 or c >= 4 * r)


def _follow(order: Axes, shape: Shape, strides: Shape, itemsize: int) -> bool:
    """Tell whether memory holds the values one after the other, its axes in this order."""
    dense = itemsize
    for i in reversed(order):
        if shape[i] != 1 and strides[i] != dense:
            return False
        dense *= shape[i]
    return True


def _steps(axes: list[tuple[int, bool]]) -> tuple[Shape, ...]:
    """Return (B, R, C) of each sum, for axes (length >= 1, summed?) in the order of memory."""
    steps, before, after = [], math.prod(length for length, _ in axes), 1
    for summed, group in groupby(reversed(axes), key=lambda axis: axis[1]):
        length = math.prod(length for length, _ in group)
        before //= length
        if summed:
            steps.append((before, length, after))
        else:
            after *= length
    return tuple(steps)


# -- sums in pieces -------------------------------------------------------------------------------


def _sum_middle(x: Array) -> Array:
    """(B, R, C) -> (B, C), contiguous both: pieces, pieces of their sums, and so on."""
    longest = LONGEST if x.shape[2] == 1 else FEW if x.shape[2] > WIDE else MANY
    while x.shape[1] > longest:
        x = _sum_pieces(x, longest)
    return _share(x)


def _sum_pieces(x: Array, longest: int) -> Array:
    """Sum every `longest` terms, and those left over: (B, R, C) -> (B, P, C)."""
    b, r, c = x.shape
    whole, rest = divmod(r, longest)
    if not rest:  # the pieces follow one another throughout memory
        return _share(x.reshape(b * whole, longest, c)).reshape(b, whole, c)
    out = np.empty((b, whole + 1, c), x.dtype)
    _share(x[:, : whole * longest].reshape(b, whole, longest, c), out[:, :whole])
    _share(x[:, whole * longest :], out[:, whole])
    return out


def _share(x: Array, out: Array | None = None) -> Array:
    """(..., F, C) -> (..., C), parts of the longest axis in each task."""
    if x.size <= ALONE:
        return _product(x, out)
    if x.size < SHARED:
        with single_threaded_blas():
            return _product(x, out)
    if out is None:
        out = np.empty((*x.shape[:-2], x.shape[-1]), x.dtype)
    axis = int(np.argmax(x.shape[:-2]))
    source, target = x.swapaxes(0, axis), out.swapaxes(0, axis)
    step = -(-len(source) // TASKS)

    def part(index: int) -> None:
        pieces = slice(index * step, (index + 1) * step)
        _product(source[pieces], target[pieces])

    parallel(part, -(-len(source) // step))
    return out


def _product(x: Array, out: Array | None = None) -> Array:
    """(..., F, C) -> (..., C): ones times each matrix, or each line times ones."""
    ones = _ONES[x.dtype][: x.shape[-2]]
    if x.shape[-1] > 1:
        return np.matmul(ones, x, out=out)
    sums = np.matmul(x[..., 0], ones, out=None if out is None else out[..., 0])
    return sums[..., None]
