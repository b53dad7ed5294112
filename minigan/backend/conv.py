"""Convolution kernels on arrays: one geometry, three kernels, algorithms chosen by a plan.

A convolution pairs an input x, a kernel w and an output y. Whichever of the three is unknown, the
other two are given, so there are three kernels, each the adjoint of another one:

    conv2d            x, w -> y     y[n,o,p,q] = sum over c,k,l of w[o,c,k,l] x[n, c, ps+kd, qs+ld]
    conv_transpose2d  y, w -> x     its adjoint in x (the "data gradient")
    conv2d_weight     x, y -> w     its adjoint in w (the "weight gradient")

where x is padded with zeros, s is the stride and d the dilation. All sizes are explicit: a caller
names the spatial size of the unknown, so rows that the stride leaves over are no special case.

The arithmetic is in one file an algorithm: `generic.py` (any array library), `blocked.py` (the
cores of a CPU), `thin.py` (a few channels), `winograd.py` (fewer multiplications); `plan.py`
chooses. All accept any strides, modify nothing and return an NCHW array, as a rule a *view* of
channels-last memory.

Letters: N batch, C channels of x, O channels of y, G groups; H, W rows and columns of x, K, L of
the kernel, P, Q of y.
"""

from __future__ import annotations

from typing import Any

from minigan.backend.columns import Array, Geometry, Pair
from minigan.backend.plan import choose

# -- the three kernels ----------------------------------------------------------------------------
#
# `options` are the last four fields of `Geometry`: stride, padding, dilation (pairs) and groups.


def conv2d(x: Array, weight: Array, *, size: Pair, **options: Any) -> Array:
    """Correlate x (N, C, H, W) with weight (O, C/G, K, L); `size` = (P, Q) -> (N, O, P, Q)."""
    geometry = Geometry(
        batch=x.shape[0],
        channels=x.shape[1],
        filters=weight.shape[0],
        size=x.shape[2:],
        kernel=weight.shape[2:],
        out=size,
        **options,
    )
    return choose("conv2d", geometry, x, weight)(x, weight, geometry)


def conv_transpose2d(y: Array, weight: Array, *, size: Pair, **options: Any) -> Array:
    """Spread y (N, O, P, Q) through weight (O, C/G, K, L); `size` = (H, W) -> (N, C, H, W)."""
    geometry = Geometry(
        batch=y.shape[0],
        channels=weight.shape[1] * options["groups"],
        filters=weight.shape[0],
        size=size,
        kernel=weight.shape[2:],
        out=y.shape[2:],
        **options,
    )
    return choose("conv_transpose2d", geometry, y, weight)(y, weight, geometry)


def conv2d_weight(x: Array, y: Array, *, kernel_size: Pair, **options: Any) -> Array:
    """Correlate x (N, C, H, W) with y (N, O, P, Q); `kernel_size` = (K, L) -> (O, C/G, K, L)."""
    geometry = Geometry(
        batch=x.shape[0],
        channels=x.shape[1],
        filters=y.shape[1],
        size=x.shape[2:],
        kernel=kernel_size,
        out=y.shape[2:],
        **options,
    )
    return choose("conv2d_weight", geometry, x, y)(x, y, geometry)
