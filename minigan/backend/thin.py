"""The data gradient for few channels of x (an image's three): products first, additions after.

Where x has few channels, a product that ends in them is narrow, and narrow products are slow. Here
the product comes first and ends in pixels: every pixel of y gives K L taps for each channel,

    taps[c, k, l, p, q] = sum over o of w[o, c, k, l] y[o, p, q]         (C K L, O) @ (O, P Q)

and each plane of taps is added where it belongs, taps[c, k, l, p, q] at x[c, p s + k d, q s + l d],
in long runs since x is written channels *first*. The adjoint serves the forward with few filters.

Tasks are bands of rows of x; a band computes all the taps that fall on it, so the taps of K - 1
rows of y at its edge are computed twice, and no two tasks write to the same place. One group.

Letters: N batch, C channels of x, O channels of y; H, W rows and columns of x, K, L of the kernel,
P, Q of y; n and h count a band's images and rows.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from minigan.backend.blocked import cut_rows
from minigan.backend.columns import Array, Geometry, overlap
from minigan.backend.threads import parallel, scratch

BAND_ROWS = 32  # at least, lest the double work at the edges weigh too much


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry) -> Array:
    """Spread y (N, O, P, Q) through weight (O, C, K, L) -> (N, C, H, W), contiguous."""
    out = np.empty((geometry.batch, geometry.channels, *geometry.size), np.result_type(y, weight))
    matrix = np.ascontiguousarray(weight.transpose(1, 2, 3, 0)).reshape(-1, geometry.filters)
    last = y.transpose(0, 2, 3, 1)  # (N, P, Q, O)
    # A pixel of x takes K L C taps, divided by the area of the stride.
    width = len(matrix) // (geometry.stride[0] * geometry.stride[1]) + geometry.channels
    fewest = BAND_ROWS * geometry.size[1]
    cuts = cut_rows(geometry.batch, geometry.size, width, out.itemsize, fewest=fewest)

    def band(index: int) -> None:
        images, rows = cuts[index]
        target = out[images, :, rows]  # (n, C, h, W)
        target[...] = 0
        first, seen = _seen_rows(rows, geometry)
        block = last[images, seen].reshape(-1, geometry.filters)  # (npQ, O)
        if not block.size:
            return
        taps = scratch("taps", (len(matrix), len(block)), out.dtype)
        np.matmul(matrix, block.T, out=taps)  # (C K L, npQ)
        shape = geometry.channels, *geometry.kernel, len(target), -1, geometry.out[1]
        _add_taps(taps.reshape(shape), target, first, geometry)

    parallel(band, len(cuts))
    return out


def _seen_rows(rows: slice, geometry: Geometry) -> tuple[int, slice]:
    """Return the rows of y that touch `rows` of x, and where in the band the first one begins."""
    s, d, high = geometry.stride[0], geometry.dilation[0], geometry.kernel[0]
    top, bottom = rows.start + geometry.padding[0], rows.stop + geometry.padding[0]  # padded rows
    start = min(max(-(-(top - (high - 1) * d) // s), 0), geometry.out[0])
    stop = min(max(-(-bottom // s), start), geometry.out[0])
    return start * s - top, slice(start, stop)


def _add_taps(taps: Array, target: Array, first: int, geometry: Geometry) -> None:
    """Add taps (C, K, L, n, p, Q) into target (n, C, h, W); row 0 of the taps begins at `first`."""
    (sh, sw), (dh, dw), pw = geometry.stride, geometry.dilation, geometry.padding[1]
    for k, m in product(*map(range, geometry.kernel)):
        source_rows, rows = overlap(first + k * dh, sh, taps.shape[4], target.shape[2])
        source_columns, columns = overlap(m * dw - pw, sw, taps.shape[5], target.shape[3])
        part = taps[:, k, m, :, source_rows, source_columns].swapaxes(0, 1)  # (n, C, p, q)
        target[:, :, rows, columns] += part
