"""Winograd's convolution: tiles of the image instead of pixels, fewer multiplications.

A transform F(m, r) (`toom_cook.py`) turns n = m + r - 1 values of x into m of y with n
multiplications. In two dimensions it is applied to rows and columns: with tiles of n x n values of
x, which overlap by r - 1 and give tiles of m x m values of y,

    y = A^T [U * V] A      with     U = G g G^T,   V = B^T d B,

and with channels the n^2 elementwise products become n^2 matrix products, (tiles, C) by (C, O).

    3x3, stride 1     F(4x4, 3x3)     36 products for 144
    4x4, stride 2     F(2x2, 2x2)      9 products for  16

**Folding.** A kernel of s r taps with stride s is one of r taps with stride 1 on s times as many
channels: the rows s i + a of the padded x, for one remainder a, are an image of their own, and tap
s j + a is tap j on it. Rows and columns together fold C channels into s^2 C. Nothing is moved in
memory for it: tiles are read from, and written to, every s-th row and column.

The three kernels use the same tiles. With i counting rows of y and of the folded x,

    forward            V from x at i, ..., i + n - 1              -> tiles of y at i
    data gradient      V from y at i - r + 1, ..., i + m - 1      -> tiles of x at i, kernel turned
                       (one remainder at a time: they begin at different i)
    weight gradient    V from x as in the forward, W = A dy A^T from y at i, ..., i + m - 1, and
                       dg = G^T [sum over tiles of V * W] G       (F(r x r, m x m), same points)

A small sum is taken in parts, some blocks of tiles in each task, the parts added in their order; a
large one row by row, each of the n rows of V and W for all tiles in one task. Either way what is
added to what does not depend on the number of threads.

In float32 the results of F(4x4, 3x3) are good to a few 1e-6 of their largest value, those of
F(2x2, 2x2) to a few 1e-7.

Letters: N batch, C channels of x (folded: s^2 C), O channels of y; P, Q rows and columns of y;
n, m, r as above; T tiles in a block of b images, i rows of tiles and j columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from minigan.backend.columns import Array, Geometry, Pair, channels_first, remainder_span
from minigan.backend.layout import contiguous, filters_first, filters_last
from minigan.backend.threads import parallel, scratch
from minigan.backend.tiles import (
    TASKS,
    Block,
    Side,
    cotangents,
    cotangents_row,
    fill_values,
    grid_of,
    tile_blocks,
    tiles_from,
    values_row,
)
from minigan.backend.toom_cook import F22, F43, Transform

MOST_IN_PARTS = 5 << 18  # values of a weight gradient's sums: TASKS such sums are kept


def transform_for(geometry: Geometry) -> Transform | None:
    """Return the transform that serves a geometry, or None."""
    simple = geometry.groups == 1 and geometry.dilation == (1, 1)
    found = {((3, 3), (1, 1)): F43, ((4, 4), (2, 2)): F22}
    return found.get((geometry.kernel, geometry.stride)) if simple else None


def fits(geometry: Geometry) -> bool:
    """Tell whether these kernels serve a geometry."""
    return transform_for(geometry) is not None


# -- the kernels ----------------------------------------------------------------------------------


def conv2d(x: Array, weight: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with weight (O, C, K, L) -> (N, O, P, Q)."""
    f = transform_for(geometry)
    out = np.empty((geometry.batch, *geometry.out, geometry.filters), x.dtype)  # NHWC
    kernel = transform_kernel(fold_kernel(weight, f), f)  # U: (n n, s s C, O)
    source = Side(x, geometry.stride[0], tuple(-p for p in geometry.padding))
    target = Side(channels_first(out), 1, (0, 0))
    Correlation(f, source, kernel, target, (0, 0), geometry.out).run()
    return channels_first(out)  # (N, O, P, Q)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Spread y (N, O, P, Q) through weight (O, C, K, L) -> (N, C, H, W)."""
    f, s = transform_for(geometry), geometry.stride[0]
    out = np.empty((geometry.batch, *geometry.size, geometry.channels), y.dtype)  # NHWC
    kernels = turned_kernels(weight, f)  # (s, s, r, r, O, C)
    folded = Side(channels_first(out), s, tuple(-p for p in geometry.padding))
    for at in folded.remainders:
        start, size = remainder_span(at, geometry)
        source = Side(y, 1, tuple(i - (f.taps - 1) for i in start))
        kernel = transform_kernel(kernels[at], f)  # U: (n n, O, C)
        Correlation(f, source, kernel, folded.only(at), start, size).run()
    return channels_first(out)  # (N, C, H, W)


def conv2d_weight(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with y (N, O, P, Q) -> (O, C, K, L)."""
    f, s = transform_for(geometry), geometry.stride[0]
    source, cotangent = Side(x, s, tuple(-p for p in geometry.padding)), Side(y, 1, (0, 0))
    sum_up = _sums_in_parts if in_parts(geometry) else _sums_by_rows
    sums = sum_up(f, source, cotangent, geometry)  # (n n, s s C, O)
    taps = gather_sums(sums.reshape(f.window**2, -1), f)  # (r r, s s C O)
    return unfold_kernel(taps.reshape(f.taps, f.taps, *sums.shape[1:]), s)


def in_parts(geometry: Geometry) -> bool:
    """Tell whether the sums of a weight gradient are small enough to keep several of them."""
    f, fold = transform_for(geometry), geometry.stride[0] ** 2
    return f.window**2 * fold * geometry.channels * geometry.filters <= MOST_IN_PARTS


def _sums_in_parts(f: Transform, source: Side, cotangent: Side, geometry: Geometry) -> Array:
    """Return the sums over tiles of V * W: over some blocks in each task, then over the tasks."""
    n = f.window
    shape = n * n, source.channels, cotangent.channels
    dtype = source.array.dtype
    bytes_of_tile = n * n * (shape[1] + shape[2]) * dtype.itemsize // 2  # twice the usual blocks
    cuts = tile_blocks(f, geometry.batch, geometry.out, bytes_of_tile)
    sums = scratch("sums", (min(TASKS, max(len(cuts), 1)), *shape), dtype)

    def part(index: int) -> None:
        total, one = sums[index], scratch("part", shape, dtype)
        total[...] = 0
        for images, rows in cuts[index :: len(sums)]:
            grid = grid_of(f, images, rows, geometry.out, shape[1])
            values = scratch("values", grid, dtype)
            fill_values(f, source, images, rows, values)
            others = cotangents(f, cotangent, images, rows, geometry.out[1])
            values = values.reshape(n * n, -1, shape[1]).swapaxes(1, 2)  # (n n, C, T)
            total += np.matmul(values, others.reshape(n * n, -1, shape[2]), out=one)

    parallel(part, len(sums))
    return sums.sum(axis=0)


def _sums_by_rows(f: Transform, source: Side, cotangent: Side, geometry: Geometry) -> Array:
    """Return the same sums: a task takes one of the n rows, and one remainder of x's rows.

    No task adds to another one's sums; in exchange x and y are read by each.
    """
    n, s, channels, filters = f.window, source.fold, source.channels, cotangent.channels
    sums = scratch("sums", (n, n, s, channels // s, filters), source.array.dtype)
    shape = n, channels // s, filters
    bytes_of_tile = n * (channels // s + filters) * sums.itemsize
    cuts = tile_blocks(f, geometry.batch, geometry.out, bytes_of_tile)

    def row(index: int) -> None:
        i, a = divmod(index, s)
        part = scratch("part", shape, sums.dtype)
        strip = source.only(*product([a], range(s)))
        sums[i, :, a] = 0
        for images, rows in cuts:
            values = values_row(f, strip, images, rows, geometry.out[1], i)  # (n, T, s C)
            others = cotangents_row(f, cotangent, images, rows, geometry.out[1], i)  # (n, T, O)
            sums[i, :, a] += np.matmul(values.swapaxes(1, 2), others, out=part)  # (n, s C, O)

    parallel(row, n * s)
    return sums.reshape(n * n, channels, filters)


# -- forward and data gradient --------------------------------------------------------------------


@dataclass(frozen=True)
class Correlation:
    """From tiles of one side, by a transformed kernel, to tiles of the other."""

    f: Transform
    source: Side
    kernel: Array  # U: (n n, C, O)
    target: Side
    start: Pair  # the first pixel of the target that is written
    size: Pair  # how many are

    def run(self) -> None:
        """Do it the way that suits: few tiles would each read the whole of a large kernel."""
        _, channels, filters = self.kernel.shape
        batch = len(self.source.array)
        if not min(self.size) or not batch:  # one row of x has no row of the other remainder
            return
        tile_bytes = self.f.window**2 * (channels + filters) * self.kernel.itemsize
        cuts = tile_blocks(self.f, batch, self.size, tile_bytes)
        tiles = batch * math.prod(-(-p // self.f.tile) for p in self.size)
        if tiles > filters:
            self.in_blocks(cuts)
        else:
            self.in_phases(cuts)

    def in_blocks(self, cuts: list[Block]) -> None:
        """Take each block of tiles through all steps, within the cache of one core."""
        squares, channels, filters = self.kernel.shape

        def block(index: int) -> None:
            values = self.scratch("values", *cuts[index], channels)
            fill_values(self.f, self.source, *cuts[index], values)
            products = self.scratch("products", *cuts[index], filters)
            flat = values.reshape(squares, -1, channels)  # (n n, T, C)
            np.matmul(flat, self.kernel, out=products.reshape(squares, -1, filters))
            self.write(products, *cuts[index])

        parallel(block, len(cuts))

    def in_phases(self, cuts: list[Block]) -> None:
        """Take all tiles through one step after the other; each product reads its U once."""
        squares, channels, filters = self.kernel.shape
        everything = slice(0, len(self.source.array)), slice(0, -(-self.size[0] // self.f.tile))
        values = self.scratch("all values", *everything, channels)
        products = self.scratch("all products", *everything, filters)
        flat, results = (a.reshape(squares, -1, a.shape[-1]) for a in (values, products))

        def transform(index: int) -> None:
            images, rows = cuts[index]
            fill_values(self.f, self.source, images, rows, values[:, :, rows, :, images])

        def multiply(index: int) -> None:
            np.matmul(flat[index], self.kernel[index], out=results[index])  # (T, C) (C, O)

        def write(index: int) -> None:
            images, rows = cuts[index]
            self.write(products[:, :, rows, :, images], images, rows)

        parallel(transform, len(cuts))
        parallel(multiply, squares)
        parallel(write, len(cuts))

    def scratch(self, purpose: str, images: slice, rows: slice, channels: int) -> Array:
        """Return scratch for a block's V or products: (n, n, i, j, b, channels)."""
        shape = grid_of(self.f, images, rows, self.size, channels)
        return scratch(purpose, shape, self.kernel.dtype)

    def write(self, products: Array, images: slice, rows: slice) -> None:
        """Write a block's tiles, given its products (n, n, i, j, b, O)."""
        row = self.start[0] + rows.start * self.f.tile
        self.target.write(tiles_from(self.f, products), images, row, self.start[1])


# -- kernels, folded and transformed --------------------------------------------------------------


def fold_kernel(weight: Array, f: Transform) -> Array:
    """Return weight (O, C, s r, s r) as (r, r, s s C, O), contiguous."""
    filters, channels, high, wide = weight.shape
    r, s = f.taps, high // f.taps
    taps = weight.reshape(filters, channels, r, s, r, s).transpose(2, 4, 3, 5, 1, 0)
    return filters_last(taps).reshape(r, r, s * s * channels, filters)


def turned_kernels(weight: Array, f: Transform) -> Array:
    """Return weight (O, C, s r, s r), taps in reverse, as (s, s, r, r, O, C), contiguous."""
    filters, channels, high, _ = weight.shape
    r, s = f.taps, high // f.taps
    taps = weight.reshape(filters, channels, r, s, r, s)[:, :, ::-1, :, ::-1]
    return contiguous(taps.transpose(3, 5, 2, 4, 0, 1), axis=4, step=8)


def unfold_kernel(taps: Array, s: int) -> Array:
    """Return taps (r, r, s s C, O) as a kernel (O, C, s r, s r), contiguous."""
    r, _, folded, filters = taps.shape
    split = taps.reshape(r, r, s, s, folded // (s * s), filters)
    return filters_first(split.transpose(4, 0, 2, 1, 3, 5)).reshape(filters, -1, s * r, s * r)


def transform_kernel(taps: Array, f: Transform) -> Array:
    """Return U = G g G^T of taps (r, r, C, O) as (n n, C, O), in scratch memory."""
    both = np.kron(f.g, f.g).astype(taps.dtype)  # (n n, r r): rows and columns at once
    kernel = scratch("kernel", (len(both), *taps.shape[2:]), taps.dtype)
    _by_columns(both, taps.reshape(f.taps**2, -1), kernel.reshape(len(both), -1))
    return kernel


def gather_sums(sums: Array, f: Transform) -> Array:
    """Return G^T s G of sums (n n, anything) as (r r, anything)."""
    taps = np.empty((f.taps**2, sums.shape[1]), sums.dtype)
    _by_columns(np.kron(f.g, f.g).T.astype(sums.dtype), sums, taps)
    return taps


def _by_columns(small: Array, wide: Array, out: Array) -> None:
    """Multiply a small matrix by a wide one, some thousand columns to a task."""
    step = 8192

    def block(index: int) -> None:
        columns = slice(index * step, (index + 1) * step)
        np.matmul(small, wide[:, columns], out=out[:, columns])

    parallel(block, -(-wide.shape[1] // step))
