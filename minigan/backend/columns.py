"""Windows as columns: the geometry of a convolution and the memory behind it.

*im2col*: windows of an image are copied side by side into a matrix of columns, so that one matrix
product (GEMM) does a convolution's arithmetic. In channels-last memory a window is made of long
contiguous runs, and the rows of the product are the pixels of the output.

Windows are first *viewed*, without a copy, as an array of seven axes whose elements appear in many
windows; copying a block of that view makes columns. A block is small enough to stay in cache
between the copy and the product. Where windows do not overlap and leave nothing out, the view
already is a matrix, and nothing is copied.

Letters: N batch, C channels of x, O channels of y, G groups, c = C/G, o = O/G; H, W rows and
columns of x (padded: H', W'), K, L of the kernel, P, Q of y; n and p count a block's images and
rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minigan.backend.device import backend_of, xp_of

Array = Any
Pair = tuple[int, int]

# Columns made at a time. On the CPU they should stay in cache between the copy and the product; a
# GPU wants few, large launches.
BLOCK_BYTES = {"cpu": 4 << 20, "cuda": 256 << 20}


@dataclass(frozen=True)
class Geometry:
    """All the sizes of one convolution; `size` is that of x and `out` that of y."""

    batch: int
    channels: int
    filters: int
    size: Pair
    kernel: Pair
    out: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def __post_init__(self) -> None:
        # The windows are strided views: one outside the padded input would read foreign memory.
        if any(reach > have for reach, have in zip(self.reach, self.padded, strict=True)):
            raise ValueError(
                f"convolution windows reach {self.reach} but the padded input is {self.padded}: "
                "ask for a smaller output or pad more"
            )

    @cached_property
    def padded(self) -> Pair:
        """(H', W'): size of x with its padding."""
        return tuple(h + 2 * p for h, p in zip(self.size, self.padding, strict=True))

    @cached_property
    def reach(self) -> Pair:
        """Rows and columns of the padded x that the windows cover, remainder excluded."""
        sizes = zip(self.out, self.stride, self.kernel, self.dilation, strict=True)
        return tuple((p - 1) * s + (k - 1) * d + 1 for p, s, k, d in sizes)

    @cached_property
    def window(self) -> int:
        """K L c: values under one window, the width of the columns."""
        return self.kernel[0] * self.kernel[1] * (self.channels // self.groups)


# A kernel's algorithm: two of x, weight and y, and the geometry, to the third.
Algorithm = Callable[[Array, Array, Geometry], Array]


def is_product(geometry: Geometry) -> bool:
    """Tell whether the columns are a mere view of the padded input: no copy, one product.

    So it is for 1x1 kernels (stride 1), and where the window is the whole input (one group).
    """
    pointwise = geometry.kernel == geometry.stride == (1, 1) and geometry.out == geometry.padded
    whole = geometry.kernel == geometry.padded  # then it is not dilated: it would not fit
    return pointwise or (whole and geometry.groups == 1)


# -- windows and columns --------------------------------------------------------------------------


def columns_of(padded: Array, geometry: Geometry) -> Iterator[tuple[slice, slice, Array]]:
    """Yield (images, rows, columns (G, npQ, K L c)) for every block; columns are overwritten."""
    windows = windows_of(padded, geometry)  # (G, N, P, Q, K, L, c)
    if is_product(geometry):
        yield slice(None), slice(None), as_columns(windows)
        return
    scratch = None
    for images, rows in blocks(geometry, padded):
        block = windows[:, images, rows]  # (G, n, p, Q, K, L, c)
        if scratch is None:
            scratch = xp_of(padded).empty(block.size, dtype=padded.dtype)
        columns = scratch[: block.size].reshape(block.shape)
        columns[...] = block
        yield images, rows, columns.reshape(geometry.groups, -1, geometry.window)


def windows_of(padded: Array, geometry: Geometry) -> Array:
    """View padded x (N, H', W', C), contiguous, as windows (G, N, P, Q, K, L, c): no copy."""
    groups, (sh, sw), (dh, dw) = geometry.groups, geometry.stride, geometry.dilation
    n, h, w, c = padded.strides
    width = geometry.channels // groups
    shape = (groups, geometry.batch, *geometry.out, *geometry.kernel, width)
    strides = (width * c, n, sh * h, sw * w, dh * h, dw * w, c)
    return xp_of(padded).lib.stride_tricks.as_strided(padded, shape, strides)


def as_columns(windows: Array) -> Array:
    """View the windows (G, N, P, Q, K, L, c) as columns, where `is_product` says they are that."""
    groups, n, p, q, *window = windows.shape
    return windows.reshape(groups, n * p * q, math.prod(window))  # (G, N P Q, K L c)


def blocks(geometry: Geometry, array: Array) -> Iterator[tuple[slice, slice]]:
    """Cut the output into (images, rows): whole images, or rows of one; the largest comes first."""
    backend = backend_of(array)
    limit = BLOCK_BYTES[backend.name] // array.dtype.itemsize
    row = geometry.out[1] * geometry.window * geometry.groups
    image = geometry.out[0] * row
    if image <= limit:
        for images in _cuts(geometry.batch, limit // max(image, 1)):
            yield images, slice(0, geometry.out[0])
        return
    for image in range(geometry.batch):
        for rows in _cuts(geometry.out[0], limit // row):
            yield slice(image, image + 1), rows


def _cuts(count: int, most: int) -> Iterator[slice]:
    """Cut range(count) into slices of at most `most` (at least 1), equal but for the last."""
    pieces = max(1, -(-count // max(1, most)))
    step = max(1, -(-count // pieces))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


# -- matrices, group by group ---------------------------------------------------------------------


def multiply(a: Array, b: Array, out: Array) -> Array:
    """Multiply (G, n, k) by (G, k, m) into out (G, n, m); one group is a plain 2-D product."""
    xp = xp_of(out)
    if len(out) == 1:  # CuPy copies the operands of a 3-D product, those of a 2-D one it does not
        xp.matmul(a[0], b[0], out=out[0])
    else:
        xp.matmul(a, b, out=out)
    return out


def kernel_matrix(weight: Array, geometry: Geometry) -> Array:
    """Return weight (O, c, K, L) as (G, o, K L c), in the order of the columns."""
    last = channels_last(weight)  # (O, K, L, c)
    return last.reshape(geometry.groups, -1, geometry.window)


def by_group(block: Array, geometry: Geometry) -> Array:
    """View a contiguous block (n, p, Q, O) as (G, n p Q, o)."""
    n, p, q, filters = block.shape
    grouped = block.reshape(n * p * q, geometry.groups, filters // geometry.groups)
    return grouped.swapaxes(0, 1)  # (G, npQ, o)


# -- channels last, channels first ----------------------------------------------------------------


def pad_last(x: Array, geometry: Geometry) -> Array:
    """Return x (N, C, H, W) with its padding as contiguous (N, H', W', C)."""
    if geometry.padding == (0, 0):
        return channels_last(x)
    xp = xp_of(x)
    (ph, pw), (h, w) = geometry.padding, geometry.size
    padded = xp.zeros((geometry.batch, *geometry.padded, geometry.channels), dtype=x.dtype)
    padded[:, ph : ph + h, pw : pw + w] = x.transpose(0, 2, 3, 1)
    return padded


def crop_first(padded: Array, geometry: Geometry) -> Array:
    """Return the inside (N, C, H, W) of a padded (N, H', W', C), as a view."""
    (ph, pw), (h, w) = geometry.padding, geometry.size
    return channels_first(padded[:, ph : ph + h, pw : pw + w])


def channels_last(x: Array) -> Array:
    """Return (N, C, H, W) as contiguous (N, H, W, C), without a copy where it is that already."""
    return xp_of(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def channels_first(x: Array) -> Array:
    """View (N, H, W, C) as (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


def read_padded(x: Array, at: Pair, target: Array, step: Pair = (1, 1)) -> None:
    """Fill target (N, h, w, C) from every `step`-th pixel of x (N, C, H, W), `at` the first.

    That may be negative or beyond the end: outside of x there are zeros.
    """
    high, wide = target.shape[1:3]
    i, rows = overlap(at[0], step[0], high, x.shape[2])
    j, columns = overlap(at[1], step[1], wide, x.shape[3])
    target[:, : i.start] = 0
    target[:, i.stop :] = 0
    middle = target[:, i]
    middle[:, :, : j.start] = 0
    middle[:, :, j.stop :] = 0
    middle[:, :, j] = x[:, :, rows, columns].transpose(0, 2, 3, 1)


def overlap(start: int, step: int, count: int, size: int) -> tuple[slice, slice]:
    """Of the places start + step i, i < count, take those within range(size): which i, and where.

    >>> overlap(-3, 2, 5, 4)                               # places -3, -1, 1, 3, 5
    (slice(2, 4, None), slice(1, 5, 2))
    """
    low = min(max(-(start // step), 0), count)  # the first i with start + step i >= 0
    high = min(max(-((start - size) // step), low), count)  # the first that lies beyond
    return slice(low, high), slice(start + step * low, start + step * high, step)


def remainder_span(at: Pair, geometry: Geometry) -> tuple[Pair, Pair]:
    """Return the first and the number of the i with 0 <= s i + a - padding < H, for rows, columns.

    These are the pixels of x whose place in the padded x leaves the remainder `at` = (a, b) by s.
    """
    axes = list(zip(at, geometry.stride, geometry.padding, geometry.size, strict=True))
    first = tuple(-((a - p) // s) for a, s, p, _ in axes)
    stop = tuple(-((a - p - h) // s) for a, s, p, h in axes)
    return first, (stop[0] - first[0], stop[1] - first[1])


def windows_from(
    padded: Array, size: Pair, kernel: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1)
) -> Array:
    """View (n, h, w, C), of any strides, as windows (n, p, q, K, L, C) with (p, q) = `size`."""
    n, h, w, c = padded.strides
    shape = (padded.shape[0], *size, *kernel, padded.shape[3])
    strides = (n, stride[0] * h, stride[1] * w, dilation[0] * h, dilation[1] * w, c)
    return xp_of(padded).lib.stride_tricks.as_strided(padded, shape, strides)
