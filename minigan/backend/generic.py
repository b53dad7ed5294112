"""Convolution on any array library: windows as columns, one product, in a table of algorithms.

These are the kernels for CuPy's arrays, and for what the CPU's own kernels leave out (groups,
dilated data gradients). The windows of x become the rows of a matrix (`columns.py`), and a matrix
product does the arithmetic. Outputs are written channels-last and handed back as an NCHW *view* of
NHWC memory. Any strides are accepted, nothing is modified, and complex arrays are served like real
ones (never conjugated), so that a complex step passes through.

Letters: N batch, C channels of x, O channels of y, G groups, c = C/G, o = O/G; H, W rows and
columns of x (padded: H', W'), K, L of the kernel, P, Q of y.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from minigan.backend.columns import (
    Algorithm,
    Array,
    Geometry,
    as_columns,
    blocks,
    by_group,
    channels_first,
    channels_last,
    columns_of,
    crop_first,
    is_product,
    kernel_matrix,
    multiply,
    pad_last,
    windows_of,
)
from minigan.backend.device import xp_of
from minigan.backend.turn import can_turn, turn, turn_kernel

# -- algorithms -----------------------------------------------------------------------------------


def _conv2d_im2col(x: Array, weight: Array, geometry: Geometry) -> Array:
    """Columns times kernel, block by block."""
    kernel = kernel_matrix(weight, geometry).swapaxes(1, 2)  # (G, K L c, o)
    out = _empty(x, weight, (geometry.batch, *geometry.out, geometry.filters))  # NHWC
    for images, rows, columns in columns_of(pad_last(x, geometry), geometry):
        multiply(columns, kernel, by_group(out[images, rows], geometry))  # (G, npQ, o)
    return channels_first(out)  # (N, O, P, Q)


def _transpose_col2im(y: Array, weight: Array, geometry: Geometry) -> Array:
    """y times kernel gives columns; each of their K L taps is added at its place in x.

    No zeros are stuffed between the rows of y, and the order of the additions is fixed.
    """
    xp = xp_of(y)
    kernel = kernel_matrix(weight, geometry)  # (G, o, K L c)
    padded = _empty(y, weight, (geometry.batch, *geometry.padded, geometry.channels))  # NHWC
    padded[...] = 0
    windows = windows_of(padded, geometry)  # (G, N, P, Q, K, L, c), each value seen many times
    last = channels_last(y)
    scratch = None
    for images, rows in blocks(geometry, padded):
        block = by_group(last[images, rows], geometry)  # (G, npQ, o)
        if scratch is None:
            scratch = xp.empty((*block.shape[:2], geometry.window), dtype=padded.dtype)
        columns = scratch[:, : block.shape[1]]
        target = windows[:, images, rows]  # (G, n, p, Q, K, L, c)
        taps = multiply(block, kernel, columns).reshape(target.shape)
        for i, j in product(*map(range, geometry.kernel)):
            target[..., i, j, :] += taps[..., i, j, :]
    return crop_first(padded, geometry)  # (N, C, H, W)


def _transpose_product(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Where windows do not overlap and leave nothing out, the columns *are* the padded input."""
    kernel = kernel_matrix(weight, geometry)  # (G, o, K L c)
    padded = _empty(y, weight, (geometry.batch, *geometry.padded, geometry.channels))  # NHWC
    windows = windows_of(padded, geometry)  # (G, N, P, Q, K, L, c)
    multiply(by_group(channels_last(y), geometry), kernel, as_columns(windows))
    return crop_first(padded, geometry)  # (N, C, H, W)


def _weight_im2col(x: Array, y: Array, geometry: Geometry) -> Array:
    """Outputs times columns, summed over the blocks."""
    xp = xp_of(x)
    groups, filters = geometry.groups, geometry.filters // geometry.groups
    shape = (groups, filters, geometry.window)
    total = xp.zeros(shape, dtype=xp.result_type(x, y))  # (G, o, K L c)
    part = xp.empty_like(total)
    last = channels_last(y)
    for images, rows, columns in columns_of(pad_last(x, geometry), geometry):
        block = by_group(last[images, rows], geometry).swapaxes(1, 2)  # (G, o, npQ)
        total += multiply(block, columns, part)
    kernel = total.reshape(geometry.filters, *geometry.kernel, -1)  # (O, K, L, c)
    # A parameter and its optimiser's state are in the usual order: give the gradient theirs.
    return xp.ascontiguousarray(kernel.transpose(0, 3, 1, 2))  # (O, c, K, L)


def _empty(a: Array, b: Array, shape: tuple[int, ...]) -> Array:
    """Return fresh memory for what is computed of a and b."""
    xp = xp_of(a)
    return xp.empty(shape, dtype=xp.result_type(a, b))


def _conv2d_turned(x: Array, weight: Array, geometry: Geometry) -> Array:
    turned = turn(geometry)
    return choose("conv_transpose2d", turned)(x, turn_kernel(weight, geometry), turned)


def _transpose_turned(y: Array, weight: Array, geometry: Geometry) -> Array:
    turned = turn(geometry)
    return choose("conv2d", turned)(y, turn_kernel(weight, geometry), turned)


def _weight_turned(x: Array, y: Array, geometry: Geometry) -> Array:
    turned = turn(geometry)
    return turn_kernel(choose("conv2d_weight", turned)(y, x, turned), turned)


# -- which algorithm where ------------------------------------------------------------------------


def _always(geometry: Geometry) -> bool:
    return True


def _few_filters(geometry: Geometry) -> bool:
    # An addition into place costs about twice as much as a copy, hence the factor.
    return can_turn(geometry) and 2 * geometry.filters < geometry.channels


def _not_many_filters(geometry: Geometry) -> bool:
    return can_turn(geometry) and geometry.filters <= 2 * geometry.channels


def _fewer_filters(geometry: Geometry) -> bool:
    return can_turn(geometry) and geometry.filters < geometry.channels


# For each kernel its algorithms, the preferred ones first. A faster one is added as one line here.
_ALGORITHMS: dict[str, tuple[tuple[Callable[[Geometry], bool], Algorithm], ...]] = {
    "conv2d": (
        (is_product, _conv2d_im2col),
        (_few_filters, _conv2d_turned),
        (_always, _conv2d_im2col),
    ),
    "conv_transpose2d": (
        (is_product, _transpose_product),
        (_not_many_filters, _transpose_turned),
        (_always, _transpose_col2im),
    ),
    "conv2d_weight": (
        (is_product, _weight_im2col),
        (_fewer_filters, _weight_turned),
        (_always, _weight_im2col),
    ),
}


def choose(kernel: str, geometry: Geometry) -> Algorithm:
    """Return the first algorithm of `kernel` that fits the geometry."""
    return next(run for fits, run in _ALGORITHMS[kernel] if fits(geometry))
