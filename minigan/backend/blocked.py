"""Direct convolution on the cores of a CPU: columns made and multiplied in blocks that fit a cache.

A block is a few images, or a few rows of one. Each task reads its part of x with the padding,
copies the windows side by side into a matrix of columns, and multiplies that by the kernel, all in
the cache of the core it runs on: the product runs at the speed of any product, and the copies,
being long runs in channels-last memory, cost a few percent of it.

    forward          y = columns(x) w                        tasks: blocks of y
    data gradient    one forward per phase of the stride     tasks: blocks of x
    weight gradient  w = y^T columns(x), a sum over pixels   tasks: parts of the sum, or pieces of w

**Phases.** With stride s, row r = s i + a of the padded x is touched by the taps k = a, a + s, ...
and by no others:  x[s i + a] = sum over j of y[i - j] w[a + s j].  So the rows of x with the same
remainder a (the columns likewise, b) are an ordinary convolution of y, with stride 1, by every
s-th tap of the kernel, turned by half a turn. No zeros are stuffed between the rows of y, nothing
is added into place, and the s^2 phases together do just the multiplications of the forward.

How the work is cut depends on the geometry alone, never on the number of threads, and sums are
taken in a fixed order: results are the same bit for bit on any number of threads. One group, and
for the data gradient dilation 1; `columns.py` and `conv.py` have the general case.

Letters: N batch, C channels of x, O channels of y; H, W rows and columns of x (padded: H', W'),
K, L of the kernel, P, Q of y; n and p count a block's images and rows.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from minigan.backend.columns import (
    Array,
    Geometry,
    Pair,
    channels_first,
    read_padded,
    remainder_span,
    windows_from,
)
from minigan.backend.layout import (
    channels_last,
    channels_of_filters_last,
    filters_first,
    filters_last,
)
from minigan.backend.threads import parallel, scratch

Cuts = list[tuple[slice, slice]]

# A block's columns and results should stay in the cache of one core between copy and product, but
# a product of few rows spends its time on rearranging the kernel.
BLOCK_BYTES = 2 << 20
FEWEST_ROWS = 128
TASKS = 8  # cut at least so finely where there is work enough, for the sake of more cores
THIN = 4  # channels: with so few, or fewer, columns are made column by column
TASK_VALUES = 1 << 17  # of columns and results: fewer are not worth a task of their own
SMALL_KERNEL_BYTES = 1 << 20  # so small that a sum for each of 2 TASKS tasks may be kept


# -- forward --------------------------------------------------------------------------------------


def conv2d(x: Array, weight: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with weight (O, C, K, L) -> (N, O, P, Q)."""
    out = np.empty((geometry.batch, *geometry.out, geometry.filters), np.result_type(x, weight))
    matrix = filters_last(weight).reshape(geometry.window, -1)  # (K L C, O)
    cuts = cut_rows(geometry.batch, geometry.out, geometry.window + geometry.filters, out.itemsize)
    pieces = _pieces(geometry.filters, len(cuts))

    def block(index: int) -> None:
        (images, rows), piece = cuts[index // len(pieces)], pieces[index % len(pieces)]
        columns = _columns(_windows(x, geometry, images, rows))  # (npQ, K L C)
        _multiply_into(columns, matrix[:, piece], out[images, rows, :, piece])

    parallel(block, len(cuts) * len(pieces))
    return channels_first(out)  # (N, O, P, Q)


# -- data gradient --------------------------------------------------------------------------------


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Spread y (N, O, P, Q) through weight (O, C, K, L) -> (N, C, H, W), phase by phase."""
    if geometry.out == (1, 1) and geometry.kernel == geometry.size and geometry.padding == (0, 0):
        return _spread_pixel(y, weight, geometry)
    out = np.empty((geometry.batch, *geometry.size, geometry.channels), np.result_type(y, weight))
    last = channels_of_filters_last(weight)  # (K, L, O, C)
    phases = [_Phase(last, geometry, at) for at in product(*map(range, geometry.stride))]
    size = tuple(-(-h // s) for h, s in zip(geometry.size, geometry.stride, strict=True))
    width = max(phase.width for phase in phases) + geometry.channels
    cuts = cut_rows(geometry.batch, size, width, out.itemsize)

    def block(index: int) -> None:
        images, rows = cuts[index // len(phases)]
        phases[index % len(phases)].run(y[images], out[images], rows)

    parallel(block, len(cuts) * len(phases))
    return channels_first(out)  # (N, C, H, W)


def _spread_pixel(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Spread one pixel y (N, O, 1, 1) over an image as large as the kernel: a single product."""
    out = np.empty((geometry.batch, *geometry.size, geometry.channels), np.result_type(y, weight))
    last = y.reshape(geometry.batch, geometry.filters)  # (N, O)
    pieces = _pieces(geometry.channels, 1)

    def piece(index: int) -> None:
        channels = pieces[index]
        part = weight[:, channels]  # (O, c, K, L)
        images = last @ part.reshape(len(part), -1)  # (N, c K L)
        shape = geometry.batch, part.shape[1], *geometry.size
        out[..., channels] = images.reshape(shape).transpose(0, 2, 3, 1)

    parallel(piece, len(pieces))
    return channels_first(out)  # (N, C, H, W)


class _Phase:
    """The pixels (s i + a, s j + b) of padded x, as a convolution of y with stride 1."""

    def __init__(self, weight: Array, geometry: Geometry, at: Pair) -> None:
        """`weight` is (K, L, O, C), `at` is (a, b)."""
        self.stride = geometry.stride
        self.first, _ = remainder_span(at, geometry)
        axes = zip(self.first, self.stride, at, geometry.padding, strict=True)
        self.start = tuple(s * i + a - p for i, s, a, p in axes)  # of the first, in x
        taps = weight[at[0] :: self.stride[0], at[1] :: self.stride[1]][::-1, ::-1]
        self.kernel = taps.shape[:2]
        self.matrix = taps.reshape(-1, geometry.channels)  # (K' L' O, C)
        self.width = len(self.matrix)

    def run(self, y: Array, out: Array, rows: slice) -> None:
        """Fill rows `rows` of this phase's pixels in out (n, H, W, C) from y (n, O, P, Q)."""
        target = out[:, self.start[0] :: self.stride[0], self.start[1] :: self.stride[1]][:, rows]
        n, high, wide = target.shape[:3]
        if not self.width or not target.size:  # K < s: no tap touches these pixels
            target[...] = 0
            return
        # y[i - j] for the taps j: the window ends at i.
        at = tuple(i - k + 1 for i, k in zip(self.first, self.kernel, strict=True))
        shape = n, high + self.kernel[0] - 1, wide + self.kernel[1] - 1, y.shape[1]
        padded = scratch("padded", shape, y.dtype)
        read_padded(y, (at[0] + rows.start, at[1]), padded)
        windows = windows_from(padded, (high, wide), self.kernel)  # (n, h, w, K', L', O)
        _multiply_into(_columns(windows), self.matrix, target)


# -- weight gradient ------------------------------------------------------------------------------


def conv2d_weight(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate x (N, C, H, W) with y (N, O, P, Q) -> (O, C, K, L)."""
    dtype = np.result_type(x, y)
    last = channels_last(y)  # (N, P, Q, O)
    size = geometry.filters * geometry.window * dtype.itemsize
    if size <= SMALL_KERNEL_BYTES:
        return _sum_in_parts(x, last, geometry, dtype)
    return _sum_by_pieces(x, last, geometry, dtype)


def _sum_in_parts(x: Array, last: Array, geometry: Geometry, dtype: np.dtype) -> Array:
    """Sum over some of the blocks in each task; then over the tasks, in order."""
    cuts = cut_rows(
        geometry.batch, geometry.out, geometry.window + geometry.filters, dtype.itemsize
    )
    count = max(1, min(2 * TASKS, len(cuts)))
    sums = scratch("sums", (count, geometry.window, geometry.filters), dtype)

    def part(index: int) -> None:
        one = scratch("part", sums.shape[1:], dtype)
        sums[index] = 0
        for images, rows in cuts[index::count]:
            columns = _columns(_windows(x, geometry, images, rows))  # (npQ, K L C)
            block = last[images, rows].reshape(len(columns), -1)  # (npQ, O)
            sums[index] += np.matmul(columns.T, block, out=one)  # (K L C, O)

    parallel(part, count)
    total = sums.sum(axis=0).reshape(*geometry.kernel, -1, geometry.filters)  # (K, L, C, O)
    return filters_first(total.transpose(2, 0, 1, 3))  # (O, C, K, L)


def _sum_by_pieces(x: Array, last: Array, geometry: Geometry, dtype: np.dtype) -> Array:
    """Compute one row of the kernel, for some of the channels, in each task."""
    weight = np.empty((geometry.filters, geometry.channels, *geometry.kernel), dtype)
    high, wide = geometry.kernel
    pieces = _pieces(geometry.channels, high)
    widest = wide * max(piece.stop - piece.start for piece in pieces)
    cuts = cut_rows(
        geometry.batch, geometry.out, widest + geometry.filters, dtype.itemsize, fewest=512
    )

    def piece_of_row(index: int) -> None:
        channels, k = pieces[index // high], index % high
        width = channels.stop - channels.start
        total = scratch("total", (wide * width, geometry.filters), dtype)
        one = scratch("part", total.shape, dtype)
        total[...] = 0
        for images, rows in cuts:
            windows = _windows(x[:, channels], geometry, images, rows)[:, :, :, k]
            columns = _columns(windows)  # (npQ, L c)
            block = last[images, rows].reshape(len(columns), -1)  # (npQ, O)
            total += np.matmul(columns.T, block, out=one)  # (L c, O)
        weight[:, channels, k] = total.reshape(wide, width, -1).transpose(2, 1, 0)  # (O, c, L)

    parallel(piece_of_row, high * len(pieces))
    return weight


# -- blocks ---------------------------------------------------------------------------------------


def cut_rows(batch: int, size: Pair, width: int, itemsize: int, fewest: int = FEWEST_ROWS) -> Cuts:
    """Cut (images, rows) of a result of `size`, each pixel of which takes `width` values."""
    pixels = max(fewest, BLOCK_BYTES // max(width * itemsize, 1))
    shared = max(-(-batch * size[0] * size[1] // TASKS), TASK_VALUES // max(width, 1))
    pixels = min(pixels, max(FEWEST_ROWS, shared))
    images = max(1, pixels // max(size[0] * size[1], 1))
    rows = size[0] if images > 1 else min(size[0], max(1, pixels // max(size[1], 1)))
    return [(n, p) for n in _cuts(batch, images) for p in _cuts(size[0], rows)]


def _cuts(count: int, most: int) -> list[slice]:
    """Cut range(count) into slices of at most `most`, equal but for the last."""
    pieces = max(1, -(-count // max(1, most)))
    step = max(1, -(-count // pieces))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _pieces(channels: int, tasks: int) -> list[slice]:
    """Cut channels into pieces of 64 or more, where there are fewer than TASKS tasks otherwise."""
    count = min(-(-TASKS // max(tasks, 1)), max(1, channels // 64))
    return _cuts(channels, -(-channels // count))


def _windows(x: Array, geometry: Geometry, images: slice, rows: slice) -> Array:
    """View the windows of a block of the output as (n, p, Q, K, L, C)."""
    (sh, sw), (dh, dw), (high, wide) = geometry.stride, geometry.dilation, geometry.kernel
    p, q = rows.stop - rows.start, geometry.out[1]
    x = x[images]
    reach = (p - 1) * sh + (high - 1) * dh + 1, (q - 1) * sw + (wide - 1) * dw + 1
    last = x.transpose(0, 2, 3, 1)
    if geometry.padding == (0, 0) and last.flags.c_contiguous:
        block = last[:, rows.start * sh :]
    else:
        block = _padded_block(len(x), reach, x.shape[1], x.dtype)
        ph, pw = geometry.padding
        read_padded(x, (rows.start * sh - ph, -pw), block)
    return windows_from(block, (p, q), geometry.kernel, geometry.stride, geometry.dilation)


def _padded_block(count: int, size: Pair, channels: int, dtype: np.dtype) -> Array:
    """Return scratch for images (n, h, w, C): channels last in memory, if they are many."""
    if channels > THIN:
        return scratch("padded", (count, *size, channels), dtype)
    return scratch("padded", (count, channels, *size), dtype).transpose(0, 2, 3, 1)


def _columns(windows: Array) -> Array:
    """Return windows (n, p, Q, ...) as a matrix (npQ, K L C): copied, unless they are one.

    Few channels make short runs, and many of them. There the matrix is made in columns: the pixels
    of a row are a run.
    """
    pixels = math.prod(windows.shape[:3])
    if windows.flags.c_contiguous:
        return windows.reshape(pixels, -1)
    if windows.shape[-1] > THIN:
        columns = scratch("columns", windows.shape, windows.dtype)
        columns[...] = windows
        return columns.reshape(pixels, -1)
    turned = np.moveaxis(windows, (0, 1, 2), (-3, -2, -1))
    columns = scratch("columns", turned.shape, windows.dtype)  # (K, L, C, n, p, Q)
    columns[...] = turned
    return columns.reshape(-1, pixels).T


def _multiply_into(columns: Array, matrix: Array, target: Array) -> None:
    """Write columns (m, k) times matrix (k, O) into target (n, p, Q, O), of any strides."""
    if target.flags.c_contiguous:
        np.matmul(columns, matrix, out=target.reshape(len(columns), -1))
        return
    part = scratch("product", (len(columns), matrix.shape[1]), target.dtype)
    target[...] = np.matmul(columns, matrix, out=part).reshape(target.shape)
