"""Convolution: three ops whose derivatives are one another.

    y = conv2d(x, w)      y[n,o,p,q] = b[o] + sum over c,k,l of w[o,c,k,l] x[n, c, ps+kd, qs+ld]

is bilinear in x and w. With <., .> the sum of products, three ops say the same thing three times:

    <y, conv2d(x, w)>  =  <x, conv_transpose2d(y, w)>  =  <w, conv2d_weight(x, y)>

so each one's derivative with respect to either argument is another of the three, and derivatives
of any order need nothing new. The inner ops name the spatial size of their result: where the
stride leaves rows over, the size of x cannot be told from y and w alone.

The public functions take an int or a pair for each geometry option, check shapes as PyTorch does
and call the inner op. The arithmetic is in `minigan/backend/conv.py`.

Letters: N batch, C channels of x, O channels of y, G groups; H, W rows and columns of x, K, L of
the kernel, P, Q of y.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from minigan.backend import conv as kernels
from minigan.backend import xp_of
from minigan.errors import ShapeError
from minigan.op import op
from minigan.ops.linear import sum as sum_
from minigan.tensor import Tensor, as_tensor

__all__ = ["conv2d", "conv2d_weight", "conv_transpose2d"]

Pair = tuple[int, int]
IntOrPair = int | Sequence[int]

# -- the closed triple ----------------------------------------------------------------------------
#
# `geometry` is what all three have in common: stride, padding, dilation (pairs) and groups.


@op
def _conv2d(x, weight, bias, *, size, geometry):
    """(N, C, H, W), (O, C/G, K, L), (O,) -> (N, O, *size)."""
    return _add_bias(kernels.conv2d(x, weight, size=size, **geometry), bias)


@op
def _conv_transpose2d(y, weight, bias, *, size, geometry):
    """(N, O, P, Q), (O, C/G, K, L), (C,) -> (N, C, *size)."""
    return _add_bias(kernels.conv_transpose2d(y, weight, size=size, **geometry), bias)


@op(linear=True)
def _conv2d_weight(x, y, *, kernel_size, geometry):
    """(N, C, H, W), (N, O, P, Q) -> (O, C/G, *kernel_size)."""
    return kernels.conv2d_weight(x, y, kernel_size=kernel_size, **geometry)


def _add_bias(out: Any, bias: Any) -> Any:
    """Add a value per channel, in place: `out` is the kernel's own fresh memory."""
    if bias is None:
        return out
    bias = bias[:, None, None]  # (O, 1, 1)
    if xp_of(out).result_type(out, bias) != out.dtype:
        return out + bias
    out += bias
    return out


# Each op's derivative is another of the three.


def _solve_x(y, weight, x_shape, geometry):
    return _conv_transpose2d(y, weight, None, size=x_shape[2:], geometry=geometry)


def _solve_y(x, weight, y_shape, geometry):
    return _conv2d(x, weight, None, size=y_shape[2:], geometry=geometry)


def _solve_weight(x, y, weight_shape, geometry):
    return _conv2d_weight(x, y, kernel_size=weight_shape[2:], geometry=geometry)


def _sum_channels(g):
    return sum_(g, axis=(0, 2, 3))


_conv2d.vjp(
    x=lambda g, weight, x_shape, geometry: _solve_x(g, weight, x_shape, geometry),
    weight=lambda g, x, weight_shape, geometry: _solve_weight(x, g, weight_shape, geometry),
    bias=_sum_channels,
)
_conv_transpose2d.vjp(
    y=lambda g, weight, y_shape, geometry: _solve_y(g, weight, y_shape, geometry),
    weight=lambda g, y, weight_shape, geometry: _solve_weight(g, y, weight_shape, geometry),
    bias=_sum_channels,
)
_conv2d_weight.vjp(
    x=lambda g, y, x_shape, geometry: _solve_x(y, g, x_shape, geometry),
    y=lambda g, x, y_shape, geometry: _solve_y(x, g, y_shape, geometry),
)


# -- the public functions -------------------------------------------------------------------------


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
    """Correlate images with kernels, as PyTorch's function of this name.

    x (N, C, H, W), weight (O, C/G, K, L), bias (O,) or None -> (N, O, P, Q), where
    P = floor((H + 2 padding - dilation (K - 1) - 1) / stride) + 1 and likewise Q; rows and
    columns that the last window does not reach are left out. Raises `ShapeError` where shapes do
    not fit together.

    >>> import minigan as mg
    >>> mg.conv2d(mg.ones(1, 3, 8, 8), mg.ones(4, 3, 3, 3), stride=2, padding=1).shape
    (1, 4, 4, 4)
    """
    x, weight = images("conv2d", x), _kernel("conv2d", weight)
    geometry = _geometry("conv2d", stride, padding, dilation, groups)
    _check_filters("conv2d", weight, groups)
    if x.shape[1] != weight.shape[1] * groups:
        raise ShapeError(
            f"conv2d: x {x.shape} has {x.shape[1]} channels but weight {weight.shape} with "
            f"groups={groups} takes {weight.shape[1] * groups}"
        )
    bias = _check_bias("conv2d", bias, weight.shape[0])
    size = _output_size("conv2d", x.shape[2:], weight.shape[2:], geometry)
    return _conv2d(x, weight, bias, size=size, geometry=geometry)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
    """Spread images through kernels: the adjoint of `conv2d` in its first argument.

    x (N, C, H, W), weight (C, O/G, K, L), bias (O,) or None -> (N, O, P, Q), where
    P = (H - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1 and likewise Q.
    `output_padding`, smaller than stride or dilation, makes the result larger on its far side.
    Raises `ShapeError` where shapes do not fit together.

    >>> import minigan as mg
    >>> x, weight = mg.ones(1, 4, 4, 4), mg.ones(4, 3, 4, 4)
    >>> mg.conv_transpose2d(x, weight, stride=2, padding=1).shape
    (1, 3, 8, 8)
    """
    name = "conv_transpose2d"
    x, weight = images(name, x), _kernel(name, weight)
    geometry = _geometry(name, stride, padding, dilation, groups)
    extra = pair(output_padding, "output_padding", least=0)
    _check_filters(name, weight, groups)
    if x.shape[1] != weight.shape[0]:
        raise ShapeError(
            f"{name}: x {x.shape} has {x.shape[1]} channels but weight {weight.shape} takes "
            f"{weight.shape[0]} (its axes are input, output/groups, rows, columns)"
        )
    bias = _check_bias(name, bias, weight.shape[1] * groups)
    size = _transposed_size(name, x.shape[2:], weight.shape[2:], extra, geometry)
    return _conv_transpose2d(x, weight, bias, size=size, geometry=geometry)


def conv2d_weight(
    x: Tensor,
    g: Tensor,
    *,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
    """Return the gradient of `conv2d` with respect to its kernel, for the cotangent g.

    x (N, C, H, W), g (N, O, P, Q) in the shape of `conv2d`'s result -> (O, C/G, *kernel_size).
    Raises `ShapeError` where shapes do not fit together.
    """
    name = "conv2d_weight"
    x, g = images(name, x), images(name, g, "g")
    geometry = _geometry(name, stride, padding, dilation, groups)
    kernel_size = pair(kernel_size, "kernel_size", least=1)
    if x.shape[1] % groups or g.shape[1] % groups:
        raise ShapeError(
            f"{name}: groups={groups} must divide the channels of x {x.shape} and of g {g.shape}"
        )
    size = _output_size(name, x.shape[2:], kernel_size, geometry)
    if (x.shape[0], *size) != (g.shape[0], *g.shape[2:]):
        raise ShapeError(
            f"{name}: g has shape {g.shape} but conv2d of x {x.shape} gives "
            f"{(x.shape[0], g.shape[1], *size)}"
        )
    return _conv2d_weight(x, g, kernel_size=kernel_size, geometry=geometry)


# -- checks ---------------------------------------------------------------------------------------


def pair(value: IntOrPair, name: str, *, least: int) -> Pair:
    """Return an int or a pair of ints as a pair; each must be at least `least`."""
    values = tuple(value) if isinstance(value, Sequence) else (value, value)
    try:
        values = tuple(operator.index(v) for v in values)
    except TypeError:
        raise TypeError(f"{name}={value!r}: give an int or a pair of ints") from None
    if len(values) != 2 or min(values) < least:
        raise ValueError(f"{name}={value!r}: give an int or a pair of ints, each >= {least}")
    return values


def _geometry(
    name: str, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair, groups: int
) -> dict[str, Any]:
    return {
        "stride": pair(stride, "stride", least=1),
        "padding": pair(padding, "padding", least=0),
        "dilation": pair(dilation, "dilation", least=1),
        "groups": _count(name, groups),
    }


def _count(name: str, groups: int) -> int:
    if not hasattr(groups, "__index__") or groups < 1:
        raise ValueError(f"{name}: groups={groups!r}: give an int >= 1")
    return operator.index(groups)


def images(name: str, x: Any, argument: str = "x") -> Tensor:
    """Return x as a Tensor, after a look at its axes."""
    x = as_tensor(x)
    if x.ndim != 4:
        hint = f"; for a single image write {argument}[None]" if x.ndim == 3 else ""
        raise ShapeError(
            f"{name}: {argument} has shape {x.shape}, it must have 4 axes (N, C, H, W){hint}"
        )
    return x


def _kernel(name: str, weight: Any) -> Tensor:
    weight = as_tensor(weight)
    if weight.ndim != 4 or 0 in weight.shape:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, it must have 4 non-empty axes")
    return weight


def _check_filters(name: str, weight: Tensor, groups: int) -> None:
    if weight.shape[0] % groups:
        raise ShapeError(
            f"{name}: groups={groups} does not divide the {weight.shape[0]} channels on the "
            f"first axis of weight {weight.shape}"
        )


def _check_bias(name: str, bias: Any, channels: int) -> Tensor | None:
    if bias is None:
        return None
    bias = as_tensor(bias)
    if bias.shape != (channels,):
        raise ShapeError(f"{name}: bias has shape {bias.shape}, it must be ({channels},)")
    return bias


def _output_size(name: str, size: Pair, kernel: Pair, geometry: dict[str, Any]) -> Pair:
    """Return (P, Q): how many windows fit."""
    stride, padding, dilation = (geometry[k] for k in ("stride", "padding", "dilation"))
    covered = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padded = tuple(h + 2 * p for h, p in zip(size, padding, strict=True))
    if any(c > h for c, h in zip(covered, padded, strict=True)):
        raise ShapeError(
            f"{name}: a kernel of {kernel} with dilation {dilation} covers {covered}, more than "
            f"the padded input {padded}: enlarge padding or the image"
        )
    return tuple((h - c) // s + 1 for h, c, s in zip(padded, covered, stride, strict=True))


def _transposed_size(
    name: str, size: Pair, kernel: Pair, extra: Pair, geometry: dict[str, Any]
) -> Pair:
    """Return (P, Q) of a transposed convolution."""
    stride, padding, dilation = (geometry[k] for k in ("stride", "padding", "dilation"))
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise ValueError(
                f"{name}: output_padding={extra} must be smaller than stride={stride} or "
                f"dilation={dilation}"
            )
    axes = zip(size, kernel, extra, stride, padding, dilation, strict=True)
    result = tuple((h - 1) * s - 2 * p + d * (k - 1) + e + 1 for h, k, e, s, p, d in axes)
    if min(result) < 1:
        raise ShapeError(
            f"{name}: an image of {size} with kernel {kernel}, stride {stride} and padding "
            f"{padding} gives size {result}: use less padding"
        )
    return result
