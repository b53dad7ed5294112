"""Array kernels of every normalisation: one forward, one first derivative.

With m the mean over the axes `axis`, v = mean((x - m)^2) and r = 1 / sqrt(v + eps),

    y = (x - m) * r * scale + shift.

`scale` and `shift` have as many axes as x, each of x's length or 1; either may be None. Without
`centre`, m is 0 (pixel norm). Which axes are reduced is all that tells batch, instance, layer and
group norm apart.

The variance is computed from centred values, in two passes over x: the short cut E[x^2] - E[x]^2
loses every digit in float32 once the mean is some thousand deviations wide. Only the statistics
are kept for the derivative: normalised values are cheaper to compute again than to store.

Sums are those of `sums.py`. Large NumPy arrays with statistics per channel go to `maps.py`, which
needs fewer passes and uses all cores; there the short cut is taken where the mean it finds is
small, and nowhere else.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend import maps
from minigan.backend.device import xp_of
from minigan.backend.sums import sum_along

Array = Any
Axes = tuple[int, ...]
Statistics = tuple[Array, Array]  # mean and biased variance, lengths 1 along `axis`
Stash = tuple[Array | None, Array]  # mean (None without centring) and r, lengths 1 along `axis`


def moments(x: Array, *, axis: Axes) -> tuple[Array, Array]:
    """Return mean and biased variance of x over `axis`, both with length 1 along these axes."""
    if maps.serves(x, None, None, axis, least=maps.FORWARD):
        return maps.moments(x, axis=axis)
    mean = _mean(x, axis)
    centred = x - mean
    return mean, _sum_of_products(centred, centred, axis) / _count(x, axis)


def normalize_forward(
    x: Array,
    scale: Array | None,
    shift: Array | None,
    *,
    axis: Axes,
    eps: float,
    centre: bool,
    statistics: Statistics | None = None,
) -> tuple[Array, Stash]:
    """Return y, and what `normalize_backward` needs; `statistics` are x's `moments`, if known."""
    if not maps.serves(x, scale, shift, axis, least=maps.FORWARD):
        options = {"axis": axis, "eps": eps, "centre": centre, "statistics": statistics}
        return generic_forward(x, scale, shift, **options)
    mean, variance = statistics or maps.moments(x, axis=axis, centre=centre)
    rate = 1 / np.sqrt(variance + eps)
    return maps.forward(x, scale, shift, mean, rate, axis=axis), (mean, rate)


def normalize_backward(
    g: Array,
    needs: tuple[bool, bool, bool],
    stash: Stash,
    x: Array,
    scale: Array | None,
    shift: Array | None,
    *,
    axis: Axes,
    eps: float,
    centre: bool,
    statistics: Statistics | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Return the gradients of x, scale and shift (None where `needs` says no).

    With n the normalised values and h = g * scale,
    gx = r * (h - mean(h) - n * mean(h * n)), gscale = sum(g * n), gshift = sum(g).
    `statistics` are functions of x here as well: they save the forward some work, no more.
    """
    fast = type(g) is np.ndarray and g.dtype == x.dtype
    if fast and maps.serves(x, scale, shift, axis, least=maps.BACKWARD):
        return maps.backward(g, needs, x, scale, shift, *stash, axis=axis)
    return generic_backward(g, needs, stash, x, scale, shift, axis=axis, centre=centre)


# -- any axes, any arrays -------------------------------------------------------------------------


def generic_forward(
    x: Array,
    scale: Array | None,
    shift: Array | None,
    *,
    axis: Axes,
    eps: float,
    centre: bool,
    statistics: Statistics | None = None,
) -> tuple[Array, Stash]:
    """Do the work of `normalize_forward` for every array; the reference for its fast form."""
    xp = xp_of(x)
    given = [array.dtype for array in (x, scale, shift) if array is not None]
    x = x.astype(xp.result_type(*given), copy=False)
    mean, variance = statistics or (_mean(x, axis) if centre else None, None)
    centred = x - mean if centre else x
    if variance is None:
        variance = _sum_of_products(centred, centred, axis) / _count(x, axis)
    rate = 1 / xp.sqrt(variance + eps)
    factor = rate if scale is None else rate * scale
    y = xp.multiply(centred, factor, out=centred if centre else None)  # x itself stays as it is
    if shift is not None:
        y += shift
    return y, (mean, rate)


def generic_backward(
    g: Array,
    needs: tuple[bool, bool, bool],
    stash: Stash,
    x: Array,
    scale: Array | None,
    shift: Array | None,
    *,
    axis: Axes,
    centre: bool,
) -> tuple[Array | None, Array | None, Array | None]:
    """Do the work of `normalize_backward` for every array; the reference for its fast form."""
    mean, rate = stash
    n = ((x - mean if centre else x) * rate).astype(g.dtype, copy=False)
    # Sums over the axes along which scale and shift are constant come first: they are the long
    # ones, and both the means of h and the gradients of scale and shift are made of them.
    common = _constant_axes(axis, scale, shift)
    g_sum = _sum(g, common)
    gn_sum = _sum_of_products(g, n, common)
    g_x = g_scale = g_shift = None
    if needs[0]:
        g_x = _input_gradient(g, n, g_sum, gn_sum, rate, scale, axis=axis, centre=centre)
    if needs[1]:
        g_scale = _sum_to(gn_sum, scale.shape)
    if needs[2]:
        g_shift = _sum_to(g_sum, shift.shape)
    return g_x, g_scale, g_shift


def _input_gradient(
    g: Array,
    n: Array,
    g_sum: Array,
    gn_sum: Array,
    rate: Array,
    scale: Array | None,
    *,
    axis: Axes,
    centre: bool,
) -> Array:
    """Return r * (h - mean(h) - n * mean(h * n)); overwrites n, which its caller made."""
    count = _count(n, axis)
    h_sum, hn_sum = (g_sum, gn_sum) if scale is None else (g_sum * scale, gn_sum * scale)
    g_x = g * (rate if scale is None else rate * scale)
    n *= _sum(hn_sum, axis) * (rate / count)
    g_x -= n
    if centre:
        g_x -= _sum(h_sum, axis) * (rate / count)
    return g_x


def _constant_axes(axis: Axes, scale: Array | None, shift: Array | None) -> Axes:
    """Return those of the axes `axis` along which neither scale nor shift varies."""
    given = [array for array in (scale, shift) if array is not None]
    return tuple(a for a in axis if all(array.shape[a] == 1 for array in given))


def _mean(x: Array, axis: Axes) -> Array:
    return _sum(x, axis) / _count(x, axis)


def _count(x: Array, axis: Axes) -> int:
    return math.prod(x.shape[a] for a in axis)


def _sum(x: Array, axis: Axes) -> Array:
    """Sum over `axis`, keeping its length as 1."""
    return sum_along(x, axis, keepdims=True) if axis else x


def _sum_of_products(a: Array, b: Array, axis: Axes) -> Array:
    """Return `_sum(a * b, axis)` without an array of the products."""
    labels = "abcdefghijkl"[: a.ndim]
    kept = [i for i in range(a.ndim) if i == 0 or i not in axis]
    sums = xp_of(a).einsum(f"{labels},{labels}->{''.join(labels[i] for i in kept)}", a, b)
    sums = sums.reshape([n if i in kept else 1 for i, n in enumerate(a.shape)])
    return sums.sum(axis=0, keepdims=True) if 0 in axis else sums


def _sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sum the axes of x along which `shape` has length 1: the adjoint of broadcasting."""
    return _sum(x, tuple(a for a, length in enumerate(shape) if length == 1 != x.shape[a]))
