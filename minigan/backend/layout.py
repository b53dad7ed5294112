"""Copies that change the order of axes, in pieces that suit the cache, shared among the cores.

NumPy copies a transposed array line by line of its *result*, and so jumps through the source: once
the lines it touches no longer fit the cache, every value costs a cache line. In pieces of a few
filters they fit. For kernels of 512 x 256 x 4 x 4 that is 2 ms for 6 ms.

Letters: C channels of x, O channels of y, K, L rows and columns of the kernel.
"""

from __future__ import annotations

import numpy as np

from minigan.backend.columns import Array
from minigan.backend.reuse import transformed
from minigan.backend.threads import parallel, scratch

TOGETHER = 4  # pieces to a task: neighbours often lie in the same lines of the cache
SMALL = 1 << 15  # values: below, a copy is not worth dividing


def contiguous(array: Array, *, axis: int, step: int, purpose: str | None = None) -> Array:
    """Return the array in contiguous memory, copied `step` places of `axis` at a time.

    The memory is fresh, or scratch for a `purpose`: a first touch takes longer than the copy.
    """
    if array.flags.c_contiguous or array.size < SMALL:
        return np.ascontiguousarray(array)
    if purpose is None:
        out = np.empty(array.shape, array.dtype)
    else:
        out = scratch(purpose, array.shape, array.dtype)
    source, target = np.moveaxis(array, axis, 0), np.moveaxis(out, axis, 0)

    def copy(index: int) -> None:
        for k in range(index * TOGETHER, (index + 1) * TOGETHER):
            piece = slice(k * step, (k + 1) * step)
            target[piece] = source[piece]

    parallel(copy, -(-len(source) // (step * TOGETHER)))
    return out


def channels_last(x: Array) -> Array:
    """Return (N, C, H, W) as contiguous (N, H, W, C)."""
    return contiguous(x.transpose(0, 2, 3, 1), axis=0, step=1)


def filters_last(weight: Array) -> Array:
    """Return a kernel (O, C, K, L) as contiguous (K, L, C, O), in scratch memory if it is large."""
    return _kernel(weight, (2, 3, 1, 0), axis=-1)


def channels_of_filters_last(weight: Array) -> Array:
    """Return a kernel (O, C, K, L) as contiguous (K, L, O, C), in scratch memory if it is large."""
    return _kernel(weight, (2, 3, 0, 1), axis=2)


def _kernel(weight: Array, order: tuple[int, ...], *, axis: int) -> Array:
    """Return a kernel with its axes in another order, which may have been kept; see `reuse.py`."""
    turned = weight.transpose(order)

    def make(fresh: bool) -> Array:
        return contiguous(turned, axis=axis, step=8, purpose=None if fresh else "kernel")

    return transformed(weight, order, weight.size, make)


def filters_first(taps: Array) -> Array:
    """Return (C, ..., O) as contiguous (O, C, ...): some filters are gathered, then turned."""
    filters = taps.shape[-1]
    out = np.empty((filters, *taps.shape[:-1]), taps.dtype)
    step = filters if taps.size < SMALL else 64

    def copy(index: int) -> None:
        piece = slice(index * step, (index + 1) * step)
        part = np.ascontiguousarray(taps[..., piece])  # (C, ..., o)
        target = out[piece]
        target.reshape(len(target), -1)[...] = part.reshape(-1, len(target)).T

    parallel(copy, -(-filters // max(step, 1)))
    return out
