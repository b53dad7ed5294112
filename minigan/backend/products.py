"""Products of matrices, large ones cut among the cores.

BLAS would divide a large product by itself. But its threads go on waiting in a busy loop for some
25 ms after each, and so take a core from whatever comes next; and where it cuts the sums, and so
how they are rounded, is its own affair. The threads of our own pool sleep, and it takes some 50 us
to wake them. So

    up to ALONE multiplications     a plain call: OpenBLAS does not divide so little
    up to SHARED                    a plain call, and where the process uses the pool, BLAS held
                                    at one thread
    more                            the longer side of the result in pieces, `parallel`; of a stack
                                    of matrices the longest axis, unless it is short and they large

A process whose work is all too small for the pool (networks of a few wide layers) leaves its
products to BLAS's busy threads, those of stacks apart. In any other, sums over the inner axis are
never cut, the pieces depend on the sizes alone, and any number of threads gives the same bits.

Letters: n rows and m columns of the result, k terms in each sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend.threads import parallel, pool_is_in_use, single_threaded_blas

Array = Any  # numpy.ndarray or cupy.ndarray

ALONE = 1 << 18  # multiplications of a product of two matrices
SHARED = 1 << 23  # from here on it pays to wake other threads
NARROWEST = 64  # rows or columns of a piece
TASKS = 8


def product(a: Array, b: Array) -> Array:
    """Multiply (..., n, k) by (..., k, m) -> (..., n, m), leading axes broadcast."""
    if type(a) is not np.ndarray:
        return a @ b
    if a.ndim == b.ndim == 2:
        work = a.size * b.shape[1]
        return a.dot(b) if work <= ALONE else _multiply(a, b, work)  # `@` takes 0.5 us more
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if math.prod(shape) * math.prod(a.shape[-2:]) * b.shape[-1] >= SHARED:
        return _share_stack(a, b, shape)
    with single_threaded_blas():
        return a @ b


def _multiply(a: Array, b: Array, work: int) -> Array:
    """Multiply (n, k) by (k, m), n k m being more than ALONE."""
    if work >= SHARED:
        return _share(a, b)
    if not pool_is_in_use():
        return a.dot(b)
    with single_threaded_blas():
        return a.dot(b)


def _share(a: Array, b: Array, out: Array | None = None) -> Array:
    """Multiply (n, k) by (k, m), some rows or some columns in each task."""
    if out is None:
        out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    length = max(out.shape)
    step = max(NARROWEST, -(-length // TASKS))

    def rows(index: int) -> None:
        some = slice(index * step, (index + 1) * step)
        np.matmul(a[some], b, out=out[some])

    def columns(index: int) -> None:
        some = slice(index * step, (index + 1) * step)
        np.matmul(a, b[:, some], out=out[:, some])

    parallel(rows if length == len(a) else columns, -(-length // step))
    return out


def _share_stack(a: Array, b: Array, shape: tuple[int, ...]) -> Array:
    """Multiply (..., n, k) by (..., k, m), some of the longest leading axis in each task."""
    a = np.broadcast_to(a, (*shape, *a.shape[-2:]))
    b = np.broadcast_to(b, (*shape, *b.shape[-2:]))
    out = np.empty((*shape, a.shape[-2], b.shape[-1]), np.result_type(a, b))
    length = max(shape)
    if length < TASKS and a.shape[-2] * a.shape[-1] * b.shape[-1] >= SHARED:
        for place in np.ndindex(shape):  # too few to go round
            _share(a[place], b[place], out[place])
        return out
    first, second, result = (array.swapaxes(0, shape.index(length)) for array in (a, b, out))
    step = -(-length // TASKS)

    def part(index: int) -> None:
        some = slice(index * step, (index + 1) * step)
        np.matmul(first[some], second[some], out=result[some])

    parallel(part, -(-length // step))
    return out
