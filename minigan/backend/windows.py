"""Sums over windows of images, and their adjoint, tap by tap.

A tap is one place (i, j) of the window. What all windows have there is a view of the image, with
the stride of the windows, so a sum takes an addition for each tap. The adjoint adds to the same
views; but where windows lie side by side, as in `upsample` by nearest neighbours and the gradient
of the usual pooling, each pixel belongs to one window, and copies with repeated rows do.

Parts of the batch, or of the rows of a single image, are shared among the cores.

Letters: N batch, C channels; H, W rows and columns of the image; K, L of the window; P, Q of what
has one value for each window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any

from minigan.backend.device import xp_of
from minigan.backend.parts import in_parts

Array = Any  # numpy.ndarray or cupy.ndarray
Pair = tuple[int, int]


@lru_cache(maxsize=1024)
def taps(size: Pair, kernel: Pair, stride: Pair) -> tuple[Any, ...]:
    """Say, for each place (i, j) of a window, where the P x Q windows have it in their image."""
    rows, columns = (
        [slice(i, i + (n - 1) * step + 1, step) for i in range(count)]
        for n, count, step in zip(size, kernel, stride, strict=True)
    )
    return tuple((..., *place) for place in product(rows, columns))


def sum_windows(x: Array, kernel: Pair, stride: Pair, size: Pair) -> Array:
    """Sum the windows of x (N, C, H, W) -> (N, C, *size); what is left at the far end is not."""
    xp = xp_of(x)
    out = xp.empty_like(x, shape=(*x.shape[:2], *size))

    def part(images: slice, rows: slice) -> None:
        total, image = out[images, :, rows], x[images, :, rows.start * stride[0] :]
        first, *others = (image[tap] for tap in taps(total.shape[2:], kernel, stride))
        if others:
            xp.add(first, others[0], out=total)
        else:
            total[...] = first
        for other in others[1:]:
            total += other

    _share(part, out, x)
    return out


def spread_windows(y: Array, kernel: Pair, stride: Pair, size: Pair) -> Array:
    """Add each value of y (N, C, P, Q) to its window: -> (N, C, *size), the adjoint of the sums."""
    shape = (*y.shape[:2], *size)
    if kernel == stride:
        return _repeat(y, kernel, xp_of(y).empty_like(y, shape=shape))
    out = xp_of(y).zeros_like(y, shape=shape)
    for tap in taps(y.shape[2:], kernel, stride):
        out[tap] += y
    return out


def _repeat(y: Array, kernel: Pair, out: Array) -> Array:
    """Fill each window of out with its value of y, and what is left at the far end with zeros."""
    (n, c, p, q), (high, wide) = y.shape, kernel
    covered = out[:, :, : p * high, : q * wide]
    if covered.size < out.size:
        out[:, :, p * high :] = 0
        out[:, :, :, q * wide :] = 0
    windows = covered.reshape(n, c, p, high, q, wide)  # a view

    def part(images: slice, rows: slice) -> None:
        values = y[images, :, rows, None]  # (n, C, p, 1, Q)
        for j in range(wide):
            windows[images, :, rows, ..., j] = values

    _share(part, y, out)
    return out


def _share(part: Callable[[slice, slice], None], pooled: Array, image: Array) -> None:
    """Call part(images, rows of the pooled ones) for parts of the batch, or of the one image."""
    n, _, p, _ = pooled.shape
    if n > 1:
        in_parts(lambda images: part(images, slice(0, p)), n, image)
    else:
        in_parts(lambda rows: part(slice(0, n), rows), p, image)
