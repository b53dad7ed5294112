"""Winograd's convolution: tiles of the image instead of pixels, fewer multiplications.

A transform F(m, r) (`toom_cook.py`) turns n = m + r - 1 values of x into m of y with n
multiplications. In two dimensions it is applied to rows and columns: with tiles of n x n values of
x, which overlap by r - 1 and give tiles of m x m values of y,

    y = A^T [U * V] A      with     U = G g G^T,   V = B^T d B,

and with channels the n^2 elementwise products become n^2 matrix products, (tiles, C) by (C, O).

    3x3, stride 1     F(4x4, 3x3)     36 products for 144
    4x4, stride 1     F(3x3, 4x4)     36 products for 144
    4x4, stride 2     F(4x4, 2x2)     25 products for  64
                      F(2x2, 2x2)      9 products for  16, where there are few tiles

**Folding.** A kernel of s r taps with stride s is one of r taps with stride 1 on s times as many
channels: the rows s i + a of the padded x, for one remainder a, are an image of their own, and tap
s j + a is tap j on it. Rows and columns together fold C channels into s^2 C. Nothing is moved in
memory for it: tiles are read from, and written to, every s-th row and column.

The three kernels use the same tiles. With i counting rows of y and of the folded x,

    forward            V from x at i, ..., i + n - 1              -> tiles of y at i
    data gradient      V from y at i - r + 1, ..., i + m - 1      -> tiles of x at i, kernel turned
                       (a path for each remainder: they begin at different i)
    weight gradient    V from x as in the forward, W = A dy A^T from y at i, ..., i + m - 1, and
                       dg = G^T [sum over tiles of V * W] G       (F(r x r, m x m), same points)

Where a sum over tiles is cut does not depend on the number of threads, and parts are added in their
order.

In float32 the results of F(4x4, 3x3) and F(4x4, 2x2) are wrong by some 1e-6 of their largest value,
the latter by up to 8e-6 in a layer of 64 x 64 x 16 x 16; those of F(2x2, 2x2) by less than 1e-6.

Letters: N batch, C channels of x (folded: s^2 C), O channels of y; P, Q rows and columns of y;
n, m, r as above; T tiles in a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigan.backend import reuse
from minigan.backend.columns import Array, Geometry, Pair, channels_first, remainder_span
from minigan.backend.threads import parallel, scratch
from minigan.backend.tiles import (
    FEWEST_TILES,
    PIECES,
    Chunk,
    Side,
    apart,
    cut_tiles,
    fill_cotangents,
    fill_values,
    tiles_from,
)
from minigan.backend.toom_cook import F22, F34, F42, F43, Transform

FEWEST_TILES_42 = 32  # with fewer, transforming a kernel to 25 places takes longer than it saves
FEWEST_VALUES = 1 << 17  # of a transformed kernel, in a task
FEWEST_PRODUCTS = 1 << 21  # multiplications in a task


def transform_for(geometry: Geometry) -> Transform | None:
    """Return the transform that serves a geometry, or None."""
    if geometry.groups != 1 or geometry.dilation != (1, 1):
        return None
    kind = geometry.kernel, geometry.stride
    if kind == ((4, 4), (2, 2)):
        tiles = geometry.batch * math.prod(-(-p // F42.tile) for p in geometry.out)
        return F42 if tiles >= FEWEST_TILES_42 else F22
    if kind == ((4, 4), (1, 1)) and min(geometry.out) <= F34.tile:
        return None  # a full window or not much more: that is one product
    return {((3, 3), (1, 1)): F43, ((4, 4), (1, 1)): F34}.get(kind)


def fits(geometry: Geometry) -> bool:
    """Tell whether these kernels serve a geometry."""
    return transform_for(geometry) is not None


# -- the kernels ----------------------------------------------------------------------------------


def conv2d(x: Array, weight: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with weight (O, C, K, L) -> (N, O, P, Q)."""
    f = transform_for(geometry)
    out = np.empty((geometry.batch, *geometry.out, geometry.filters), x.dtype)  # NHWC
    kernel = _transformed(transform_kernel, weight, f)  # U: (n n, s s C, O)
    source = Side(x, geometry.stride[0], tuple(-p for p in geometry.padding))
    target = Side(channels_first(out), 1, (0, 0))
    correlate(f, [Path(source, kernel, target, (0, 0))], geometry.out)
    return channels_first(out)  # (N, O, P, Q)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Spread y (N, O, P, Q) through weight (O, C, K, L) -> (N, C, H, W)."""
    f, s = transform_for(geometry), geometry.stride[0]
    out = np.empty((geometry.batch, *geometry.size, geometry.channels), y.dtype)  # NHWC
    kernels = _transformed(transform_turned_kernel, weight, f)  # U: (n n, s s, O, C)
    folded = Side(channels_first(out), s, tuple(-p for p in geometry.padding))
    paths, sizes = [], []
    for k, at in enumerate(folded.remainders):
        start, size = remainder_span(at, geometry)
        source = Side(y, 1, tuple(i - (f.taps - 1) for i in start))
        paths.append(Path(source, kernels[:, k], folded.only(at), start))
        sizes.append(size)
    correlate(f, paths, tuple(map(max, *sizes)) if s > 1 else sizes[0])
    return channels_first(out)  # (N, C, H, W)


def conv2d_weight(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with y (N, O, P, Q) -> (O, C, K, L)."""
    f, s = transform_for(geometry), geometry.stride[0]
    source, cotangent = Side(x, s, tuple(-p for p in geometry.padding)), Side(y, 1, (0, 0))
    sums = sum_over_tiles(f, source, cotangent, geometry)  # (n n, O, s s C)
    return gather_sums(sums, f, s)


# -- forward and data gradient --------------------------------------------------------------------


class Path(NamedTuple):
    """From tiles of one side, by a transformed kernel, to tiles of the other."""

    source: Side
    kernel: Array  # U: (n n, C, O)
    target: Side
    start: Pair  # the first pixel of the target that is written


def correlate(f: Transform, paths: list[Path], size: Pair) -> None:
    """Write `size` pixels from each path's start on, as far as there are so many.

    The tiles of a chunk, on all paths, go through one step after the other: the products are large.
    """
    squares, channels, filters = paths[0].kernel.shape
    dtype = paths[0].kernel.dtype
    tile_bytes = len(paths) * squares * (channels + filters) * dtype.itemsize
    pieces = -(-PIECES // len(paths))
    batch, most = len(paths[0].source.array), max(channels, filters)
    for chunk in cut_tiles(f, batch, size, most, tile_bytes, pieces):
        count = len(paths) * squares
        values = apart("values", count, (chunk.tiles, channels), dtype)
        products = apart("products", count, (chunk.tiles, filters), dtype)
        values, products = (a.reshape(len(paths), -1, *a.shape[1:]) for a in (values, products))
        _correlate_chunk(f, paths, size, chunk, values, products)


def _correlate_chunk(
    f: Transform, paths: list[Path], size: Pair, chunk: Chunk, values: Array, products: Array
) -> None:
    """`values` and `products` are (paths, n n, T, C) and (paths, n n, T, O)."""
    cuts = _cut_products(*values.shape[1:], products.shape[-1])

    def transform(index: int) -> None:
        k, piece = index % len(paths), chunk.pieces[index // len(paths)]
        fill_values(f, paths[k].source, piece, size, values[k])

    def multiply(index: int) -> None:
        k, (squares, half) = index // len(cuts), cuts[index % len(cuts)]
        some, kernel = values[k, squares, half], paths[k].kernel[squares]
        np.matmul(some, kernel, out=products[k, squares, half])  # (t, C) (C, O)

    def write(index: int) -> None:
        k, piece = index % len(paths), chunk.pieces[index // len(paths)]
        tiles, path = tiles_from(f, products[k], piece, size), paths[k]
        row = path.start[0] + piece.rows.start * f.tile
        path.target.write(tiles, piece.images, row, path.start[1])

    parallel(transform, len(paths) * len(chunk.pieces))
    parallel(multiply, len(paths) * len(cuts))
    parallel(write, len(paths) * len(chunk.pieces))


def _cut_products(squares: int, rows: int, inner: int, columns: int) -> list[tuple[slice, slice]]:
    """Cut products (rows, inner) (inner, columns), one for each square, into (squares, rows).

    Some squares to a task where the products are small, half a product where there are many rows.
    """
    step = max(1, FEWEST_PRODUCTS // max(rows * inner * columns, 1))
    half = -(-rows // 2)
    halves = [slice(0, half), slice(half, rows)] if half >= FEWEST_TILES else [slice(0, rows)]
    groups = [slice(k, min(k + step, squares)) for k in range(0, squares, step)]
    return [(group, part) for group in groups for part in halves]


# -- weight gradient ------------------------------------------------------------------------------


def sum_over_tiles(f: Transform, source: Side, cotangent: Side, geometry: Geometry) -> Array:
    """Return the sums over tiles of W * V: (n n, O, s s C), the chunks added in their order."""
    squares, channels, filters = f.window**2, source.channels, cotangent.channels
    dtype, size = source.array.dtype, geometry.out
    sums = apart("kernel", squares, (filters, channels), dtype)
    tile_bytes = squares * (channels + filters) * dtype.itemsize
    chunks = cut_tiles(f, geometry.batch, size, max(channels, filters), tile_bytes)
    if not chunks:
        sums[...] = 0
    for number, chunk in enumerate(chunks):
        _add_chunk(f, (source, cotangent), size, chunk, sums, number > 0)
    return sums


def _add_chunk(
    f: Transform, sides: tuple[Side, Side], size: Pair, chunk: Chunk, sums: Array, further: bool
) -> None:
    """Write the sums over the tiles of a chunk into `sums`, or add them to it."""
    squares, filters, channels = sums.shape
    values = apart("values", squares, (chunk.tiles, channels), sums.dtype)
    others = apart("products", squares, (chunk.tiles, filters), sums.dtype)
    cuts = _cut_products(squares, filters, chunk.tiles, channels)

    def transform(index: int) -> None:
        fill_values(f, sides[0], chunk.pieces[index], size, values)
        fill_cotangents(f, sides[1], chunk.pieces[index], size, others)

    def multiply(index: int) -> None:
        k, half = cuts[index]
        total, some = sums[k, half], others[k, :, half].mT  # (o, s s C), (o, T)
        if not further:
            np.matmul(some, values[k], out=total)
            return
        total += np.matmul(some, values[k], out=scratch("part", total.shape, total.dtype))

    parallel(transform, len(chunk.pieces))
    parallel(multiply, len(cuts))


# -- kernels --------------------------------------------------------------------------------------
#
# Everything is a product of a small matrix, so that BLAS reads and writes with whatever strides and
# no axes are moved before or after. With stride s > 1 the s r x s r taps are first brought into the
# order (a, b, j, k), by a matrix of zeros and ones. Then the r r taps of all filters, for a channel
# and a remainder (a, b), or those of all channels, for a filter and a remainder, are multiplied by
# G (x) G, (n n, r r): whichever the products over tiles read in long runs.


def _transformed(transform: Callable[..., Array], weight: Array, f: Transform) -> Array:
    """Return transform(weight, f), which may have been kept; see `reuse.py`."""
    values = weight.size * f.window**2 // f.taps**2
    key = transform.__name__, f
    return reuse.transformed(weight, key, values, lambda fresh: transform(weight, f, fresh=fresh))


def transform_kernel(weight: Array, f: Transform, *, fresh: bool = False) -> Array:
    """Return U = G g G^T of weight (O, C, s r, s r) as (n n, s s C, O), in scratch memory.

    `fresh`: in memory of its own.
    """
    filters, channels, high, _ = weight.shape
    s, matrix = high // f.taps, np.kron(f.g, f.g).astype(weight.dtype)  # (n n, r r)
    taps = _fold(weight, f).transpose(1, 2, 3, 0)  # (C, s s, r r, O)
    kernel = apart("kernel", len(matrix), (s * s, channels, filters), weight.dtype, fresh=fresh)
    out = kernel.transpose(2, 1, 0, 3)  # (C, s s, n n, O)
    _in_parts(lambda some: np.matmul(matrix, taps[some], out=out[some]), channels, kernel.size)
    return kernel.reshape(len(matrix), -1, filters)


def transform_turned_kernel(weight: Array, f: Transform, *, fresh: bool = False) -> Array:
    """Return U of weight (O, C, s r, s r), its r x r taps in reverse, as (n n, s s, O, C)."""
    filters, channels, high, _ = weight.shape
    s, turned = high // f.taps, f.g[:, ::-1]
    matrix = np.kron(turned, turned).astype(weight.dtype)  # (n n, r r)
    taps = np.ascontiguousarray(weight).reshape(filters, channels, -1)
    kernel = apart("kernel", len(matrix), (s * s, filters, channels), weight.dtype, fresh=fresh)
    order = _order(f, s).astype(weight.dtype)

    def transform(some: slice) -> None:
        given, out = taps[some], kernel[:, :, some]  # (o, C, s s r r), (n n, s s, o, C)
        if s == 1:
            np.matmul(matrix, given.reshape(-1, f.taps**2).T, out=out.reshape(len(matrix), -1))
            return
        shape = len(given), len(order), channels
        folded = np.matmul(order, given.mT, out=scratch("folded", shape, weight.dtype))
        folded = folded.reshape(len(given), s * s, -1, channels)  # (o, s s, r r, C)
        np.matmul(matrix, folded, out=out.transpose(2, 1, 0, 3))

    _in_parts(transform, filters, kernel.size)
    return kernel


def gather_sums(sums: Array, f: Transform, s: int) -> Array:
    """Return G^T t G of sums t (n n, O, s s C) as a kernel (O, C, s r, s r), contiguous."""
    _, filters, folded_channels = sums.shape
    matrix = np.kron(f.g, f.g).astype(sums.dtype)  # (n n, r r)
    weight = np.empty((filters, folded_channels // (s * s), s * f.taps, s * f.taps), sums.dtype)
    back = _order(f, s).reshape(s * s, f.taps**2, -1).swapaxes(0, 1)  # from (j, k, a, b)
    back = back.reshape(-1, (s * f.taps) ** 2).astype(sums.dtype)

    def gather(some: slice) -> None:
        given, out = sums[:, some], weight[some]  # (n n, o, s s C), (o, C, s r, s r)
        if s == 1:
            np.matmul(given.transpose(1, 2, 0), matrix, out=out.reshape(*out.shape[:2], -1))
            return
        shape = len(out), f.taps**2, folded_channels
        folded = scratch("folded", shape, sums.dtype)
        np.matmul(matrix.T, given.swapaxes(0, 1), out=folded)  # (o, r r, s s C)
        taps = folded.reshape(len(out), len(back), -1).mT  # (o, C, r r s s)
        np.matmul(taps, back, out=out.reshape(*out.shape[:2], -1))

    _in_parts(gather, filters, sums.size)
    return weight


def _fold(weight: Array, f: Transform) -> Array:
    """Return weight (O, C, s r, s r) as (O, C, s s, r r); with s > 1 in scratch memory."""
    filters, channels, high, _ = weight.shape
    s, taps = high // f.taps, np.ascontiguousarray(weight).reshape(filters, channels, -1)
    if s > 1:
        order, flat = _order(f, s).astype(weight.dtype), taps
        taps = apart("folded", filters, flat.shape[1:], weight.dtype)
        _in_parts(lambda some: np.matmul(flat[some], order.T, out=taps[some]), filters, taps.size)
    return taps.reshape(filters, channels, s * s, -1)


def _order(f: Transform, s: int) -> Array:
    """Return the matrix that brings taps (s j + a, s k + b) into the order (a, b, j, k)."""
    r = f.taps
    places = np.arange((s * r) ** 2).reshape(r, s, r, s).transpose(1, 3, 0, 2)  # a, b, j, k
    return np.eye(places.size)[places.ravel()]


def _in_parts(task: Callable[[slice], object], length: int, values: int) -> None:
    """Call task for slices of range(length), all of which together make so many values."""
    step = max(1, -(-length * FEWEST_VALUES // max(values, 1)))
    parallel(lambda index: task(slice(index * step, (index + 1) * step)), -(-length // step))
