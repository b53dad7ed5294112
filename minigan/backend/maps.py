"""Normalisation over maps on the cores of a CPU, in few passes over blocks.

Serves the norms whose statistics belong to a channel (batch norm) or to a channel of a sample
(instance norm, AdaIN), for real arrays of some size; `normalize.py` has the general case, which is
the reference. Arrays are seen as (groups, positions, channels), channels last in memory, as the
convolutions leave them, or first, if samples are small. Other memory is copied to channels last.

**Sums over positions** are products of a row of ones and a matrix: BLAS reads at twice to six
times the speed of NumPy's reductions; sums of products are one `einsum`. Blocks add up in the
arrays' own precision, their sums are added in float64 and in fixed order, and blocks are cut by
the sizes alone: the number of threads never changes a bit.

**Centred or not.** In float32 E[x^2] - E[x]^2 loses every digit where the mean is thousands of
deviations wide, and so does x * a + (shift - mean * a). Where every mean is within `NEAR`
deviations of 0 they lose no more than a last digit, and save a pass each. So the short form is
computed first; its result tells whether it was good enough. Where not, all is done again with
centred values: about the mean found, and the mean of what is left corrects that.

**Blocks** are few and large, more than the innermost cache holds: a call from Python costs what
some thousand values cost, and threads that make many short calls wait for each other. Numbers that
all blocks share are written out to the size of a block, because NumPy multiplies two runs of
memory faster than it broadcasts.

Letters: N batch, C channels, P positions; S lots of statistics, 1 or N; G groups: N, or 1 where
the whole batch is one run of positions; g, p groups and positions of a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.backend.layout import contiguous
from minigan.backend.threads import parallel, scratch

Array = Any
Axes = tuple[int, ...]
Place = tuple[slice, slice]  # which groups, which of their positions

FORWARD, BACKWARD = 1 << 19, 1 << 18  # values: below, the general case is as fast
LEAST = 1 << 17  # values in a block, at least ...
READ, WRITTEN = 1 << 18, 1 << 17  # ... and at most, where blocks are read only or written as well
NEAR = 4.0  # deviations: so wide may a mean be without centring, for log2(1 + NEAR^2) = 4 bits
WIDE = 1 << 9  # columns of a matrix whose columns are summed: short rows stand side by side

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def serves(x: Array, scale: Array | None, shift: Array | None, axis: Axes, *, least: int) -> bool:
    """Tell whether the functions below take these arguments, x having `least` values or more."""
    if type(x) is not np.ndarray or x.size < least or x.ndim < 3 or x.dtype not in _DTYPES:
        return False
    if x.flags.c_contiguous and x[0].size > WRITTEN:  # with channels first a block is whole samples
        return False
    if axis not in (tuple(range(2, x.ndim)), (0, *range(2, x.ndim))):
        return False
    lots = 1 if 0 in axis else len(x)
    return all(
        array is None
        or array.dtype == x.dtype
        and array.shape[0] in (1, lots)
        and array.shape[1:] == (x.shape[1], *(1,) * (x.ndim - 2))
        for array in (scale, shift)
    )


# -- the three functions --------------------------------------------------------------------------


def moments(x: Array, *, axis: Axes, centre: bool = True) -> tuple[Array | None, Array]:
    """Return mean and biased variance over `axis`, with length 1 along these axes.

    Without `centre` the mean is None and takes no part in the variance.
    """
    values, count = _positions(x, axis), math.prod(x.shape[a] for a in axis)
    with np.errstate(over="ignore", invalid="ignore"):  # the centred form has the last word then
        mean, square = _sums(None, values, None, axis) / count  # (S, C) each
        variance = square - mean * mean if centre else square
        good = not centre or bool(((mean * mean <= NEAR**2 * variance) & (square < np.inf)).all())
    if not good:
        middle = mean.astype(x.dtype)
        rest, square = _sums(None, values, middle, axis) / count
        mean, variance = middle + rest, square - rest * rest
    return _restored(mean, x) if centre else None, _restored(variance, x)


def forward(
    x: Array,
    scale: Array | None,
    shift: Array | None,
    mean: Array | None,
    rate: Array,
    *,
    axis: Axes,
) -> Array:
    """Return (x - mean) * rate * scale + shift; without a mean it is 0."""
    values, middle = _positions(x, axis), _centre(mean, rate)
    factor = _numbers(rate) if scale is None else _numbers(rate) * _numbers(scale)  # (S, C)
    offset = None if shift is None else _numbers(shift)
    if mean is not None and middle is None:
        offset = (0.0 if offset is None else offset) - _numbers(mean) * factor
    cut = _Cut(values, WRITTEN)
    middle, factor, offset = (cut.spread(numbers) for numbers in (middle, factor, offset))
    out = np.empty_like(values)

    def block(place: Place) -> None:
        y = out[place]
        np.multiply(_centred(values, middle, place, y), factor[place], out=y)
        if offset is not None:
            np.add(y, offset[place], out=y)

    cut.each(block)
    return _channels_second(out, x)


def backward(
    g: Array,
    needs: tuple[bool, bool, bool],
    x: Array,
    scale: Array | None,
    shift: Array | None,
    mean: Array | None,
    rate: Array,
    *,
    axis: Axes,
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, scale and shift (None where `needs` says no).

    With n the normalised values, and scale being the same at all positions,
    gx = rate * scale * (g - mean(g) - n * mean(g * n)), gscale = sum(g * n), gshift = sum(g).
    """
    values, slopes, middle = _positions(x, axis), _positions(g, axis, like=x), _centre(mean, rate)
    speed, count = _numbers(rate), math.prod(x.shape[a] for a in axis)
    g_sum, gn_sum = _sums(slopes, values, middle, axis)  # (S, C) each
    near = mean is not None and middle is None
    gn_sum = (gn_sum - _numbers(mean) * g_sum if near else gn_sum) * speed
    g_x = g_scale = g_shift = None
    if needs[0]:
        factor = speed if scale is None else speed * _numbers(scale)
        turn = speed * gn_sum / count
        offset = None if mean is None else g_sum / count
        offset = offset - _numbers(mean) * turn if near else offset
        g_x = _channels_second(_turned(slopes, values, middle, turn, offset, factor), x)
    if needs[1]:
        g_scale = _summed_to(scale, gn_sum)
    if needs[2]:
        g_shift = _summed_to(shift, g_sum)
    return g_x, g_scale, g_shift


# -- passes over the blocks -----------------------------------------------------------------------


def _sums(slopes: Array | None, values: Array, middle: Array | None, axis: Axes) -> Array:
    """Return the sums of a and of a * b over all positions of a lot, in float64: (2, S, C).

    b is what `values` are without `middle`; a is `slopes`, or b again.
    """
    cut = _Cut(values, READ)
    middle = cut.spread(middle)
    ones = np.ones(cut.rows, values.dtype)
    groups, _, channels = values.shape
    sums = np.empty((2, cut.parts, groups, channels), values.dtype)

    def block(place: Place) -> None:
        part = sums[:, place[1].start // cut.rows, place[0]]  # (2, g, C)
        b = values[place]
        if middle is not None:
            b = _centred(values, middle, place, scratch("maps: centred", b.shape, b.dtype))
        a = b if slopes is None else slopes[place]
        _add_up(a, b, ones, part)

    cut.each(block)
    return sums.sum(axis=(1, 2) if 0 in axis else 1, dtype=np.float64).reshape(2, -1, channels)


def _add_up(a: Array, b: Array, ones: Array, sums: Array) -> None:
    """Write the sums over p of a and of a * b, both (g, p, C), into `sums`, (2, g, C)."""
    groups, p, channels = a.shape
    beside = WIDE // channels
    rows = p // beside if beside > 1 and a.flags.c_contiguous and b.flags.c_contiguous else 0
    if not rows:
        _column_sums(a, ones, sums[0])
        np.einsum("gpc,gpc->gc", a, b, out=sums[1])
        return
    whole, few = rows * beside, np.empty((2, groups, beside * channels), a.dtype)
    wide = (array[:, :whole].reshape(groups, rows, -1) for array in (a, b))
    _add_up(*wide, ones, few)
    np.add.reduce(few.reshape(2, groups, beside, channels), axis=2, out=sums)
    if whole < p:
        rest = np.empty_like(sums)
        _add_up(a[:, whole:], b[:, whole:], ones, rest)
        sums += rest


def _column_sums(a: Array, ones: Array, out: Array) -> None:
    """Write the sums of (g, p, C) over p into `out`, (g, C)."""
    if len(a) == 1:  # `matmul` of a single row gains nothing from a second thread, `dot` does
        np.dot(ones[: a.shape[1]], a[0], out=out[0])
    elif a.flags.c_contiguous:
        np.add.reduce(a, axis=1, out=out)
    else:
        np.matmul(ones[: a.shape[1]], a, out=out)


def _turned(
    slopes: Array,
    values: Array,
    middle: Array | None,
    turn: Array,
    offset: Array | None,
    factor: Array,
) -> Array:
    """Return factor * (slopes - (values - middle) * turn - offset): (G, P, C)."""
    cut = _Cut(values, WRITTEN)
    middle, turn, offset, factor = map(cut.spread, (middle, turn, offset, factor))
    out = np.empty_like(values)

    def block(place: Place) -> None:
        y = out[place]
        np.multiply(_centred(values, middle, place, y), turn[place], out=y)
        if offset is not None:
            np.add(y, offset[place], out=y)
        np.subtract(slopes[place], y, out=y)
        np.multiply(y, factor[place], out=y)

    cut.each(block)
    return out


def _centred(values: Array, middle: _Spread | None, place: Place, out: Array) -> Array:
    """Return a block of values, without their mean and then in `out` if there is a mean."""
    block = values[place]
    return block if middle is None else np.subtract(block, middle[place], out=out)


# -- blocks ---------------------------------------------------------------------------------------


class _Cut:
    """How (G, P, C) is cut into blocks: some groups in each, or some positions of one group."""

    def __init__(self, values: Array, largest: int) -> None:
        self.values, size = values, min(largest, max(LEAST, values.size // 4))
        groups, positions, channels = values.shape
        self.rows = min(positions, max(1, size // channels))
        self.parts = -(-positions // self.rows)
        step = max(1, size // (positions * channels))
        self.places = [
            (slice(first, first + step), slice(start, min(start + self.rows, positions)))
            for first in range(0, groups, step)
            for start in range(0, positions, self.rows)
        ]

    def each(self, block: Callable[[Place], None]) -> None:
        """Call `block` with every place, the cores taking turns."""
        parallel(lambda index: block(self.places[index]), len(self.places))

    def spread(self, numbers: Array | None) -> _Spread | None:
        """Prepare (S, C) numbers for use with blocks."""
        return None if numbers is None else _Spread(numbers, self)


class _Spread:
    """One number for each lot and channel; at [place] they broadcast with the block there."""

    def __init__(self, numbers: Array, cut: _Cut) -> None:
        lots, channels = numbers.shape
        shared = len(cut.values) == 1 and cut.values.flags.c_contiguous
        self.numbers = np.empty((lots, cut.rows if shared else 1, channels), cut.values.dtype)
        self.numbers[...] = numbers[:, None]  # (S, C) -> (S, rows or 1, C)

    def __getitem__(self, place: Place) -> Array:
        groups, rows = place
        groups = groups if len(self.numbers) > 1 else slice(None)
        return self.numbers[groups, : rows.stop - rows.start]


# -- shapes ---------------------------------------------------------------------------------------


def _positions(x: Array, axis: Axes, like: Array | None = None) -> Array:
    """Return (N, C, ...) as (G, P, C), a view of x if its memory has the order of `like`, or x."""
    n, channels = x.shape[:2]
    if (x if like is None else like).flags.c_contiguous:
        return np.ascontiguousarray(x).reshape(n, channels, -1).transpose(0, 2, 1)
    last = contiguous(x.transpose(0, *range(2, x.ndim), 1), axis=0, step=1)  # (N, ..., C)
    return last.reshape(1 if 0 in axis else n, -1, channels)


def _channels_second(values: Array, like: Array) -> Array:
    """View (G, P, C) as (N, C, ...)."""
    n, channels, *rest = like.shape
    if values.flags.c_contiguous:
        return values.reshape(n, *rest, channels).transpose(0, -1, *range(1, like.ndim - 1))
    return values.transpose(0, 2, 1).reshape(like.shape)


def _numbers(array: Array) -> Array:
    """Return (S, C, 1, ...) as (S, C) in float64."""
    return array.reshape(array.shape[:2]).astype(np.float64)


def _centre(mean: Array | None, rate: Array) -> Array | None:
    """Return the mean, (S, C), if values must be centred before they are multiplied, else None."""
    if mean is None or bool((abs(mean) * rate <= NEAR).all()):
        return None
    return _numbers(mean)


def _restored(numbers: Array, x: Array) -> Array:
    """Return (S, C) numbers as (S, C, 1, ...) in x's dtype."""
    return numbers.astype(x.dtype).reshape(*numbers.shape, *(1,) * (x.ndim - 2))


def _summed_to(like: Array, sums: Array) -> Array:
    """Return (S, C) sums in the shape and dtype of `like`, (S or 1, C, 1, ...)."""
    if len(like) < len(sums):
        sums = sums.sum(axis=0)
    return sums.astype(like.dtype).reshape(like.shape)
