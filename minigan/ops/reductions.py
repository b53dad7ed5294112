"""Reductions that are not linear: extremes, spread, norms, and the softmax family.

Conventions: equal extremes share the gradient of `max` and `min` evenly; `std` and `norm` have
derivatives 0, of every order, where they are 0 (a subgradient of the norm, and what keeps a
gradient penalty finite at a vanishing gradient).
"""

from __future__ import annotations

from minigan.backend import xp_of
from minigan.errors import ShapeError
from minigan.op import op
from minigan.ops.elementwise import equal, exp, safe_reciprocal, safe_sqrt, square
from minigan.ops.linear import (
    Axis,
    count_along,
    mean,
    normalize_axes,
    normalize_axis,
    restore_axes,
    sum,
)
from minigan.tensor import Tensor, as_tensor

# -- extremes -------------------------------------------------------------------------------------


@op
def _max(x, *, axis, keepdims):
    return (
        x.max(axis=axis, keepdims=keepdims) if x.dtype.kind != "c" else _pick(x, axis, keepdims, 1)
    )


@op
def _min(x, *, axis, keepdims):
    return (
        x.min(axis=axis, keepdims=keepdims) if x.dtype.kind != "c" else _pick(x, axis, keepdims, -1)
    )


def _pick(x, axis, keepdims, direction):
    """The extreme of complex numbers by their real parts: the mean of those that attain it."""
    key = direction * x.real
    best = key == key.max(axis=axis, keepdims=True)
    count = best.sum(axis=axis, keepdims=keepdims)
    return xp_of(x).where(best, x, 0).sum(axis=axis, keepdims=keepdims) / count


def _extreme_rule(g, x, out, axis):
    """Spread the gradient evenly over the elements that attain the extreme."""
    best = equal(x, restore_axes(out, axis, x.shape)).astype(x.dtype)
    share = best / sum(best, axis, keepdims=True)
    return restore_axes(g, axis, x.shape) * share


_max.vjp(x=_extreme_rule)
_min.vjp(x=_extreme_rule)


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element along the given axes (default: all)."""
    x = as_tensor(x)
    return _max(x, axis=_filled_axes(x, axis, "max"), keepdims=keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element along the given axes (default: all)."""
    x = as_tensor(x)
    return _min(x, axis=_filled_axes(x, axis, "min"), keepdims=keepdims)


def _filled_axes(x: Tensor, axis: Axis, what: str) -> tuple[int, ...]:
    axes = normalize_axes(axis, x.ndim)
    if count_along(x.shape, axes) == 0:
        raise ShapeError(f"{what} over axes {axes} of a tensor of shape {x.shape}: no elements")
    return axes


# -- spread and norms -----------------------------------------------------------------------------


def var(x: Tensor, axis: Axis = None, keepdims: bool = False, *, ddof: int = 0) -> Tensor:
    """Variance: the sum of squared deviations over n - ddof, in two passes."""
    x = as_tensor(x)
    axes = normalize_axes(axis, x.ndim)
    n = count_along(x.shape, axes)
    if n <= ddof:
        raise ShapeError(
            f"var of {n} elements (axes {axes} of {x.shape}) with ddof={ddof}: needs more"
        )
    deviation = x - mean(x, axes, keepdims=True)
    return sum(square(deviation), axes, keepdims) * (1.0 / (n - ddof))


def std(x: Tensor, axis: Axis = None, keepdims: bool = False, *, ddof: int = 0) -> Tensor:
    """Standard deviation; where it is 0 its derivatives are taken as 0."""
    return safe_sqrt(var(x, axis, keepdims, ddof=ddof))


def norm(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Euclidean norm sqrt(sum x^2) over the given axes (default: all).

    At x = 0 the value is 0 and so are the derivatives of every order, by convention.

    >>> import minigan as mg
    >>> x = mg.zeros(3, requires_grad=True)
    >>> mg.grad(mg.norm(x), x)[0].numpy()
    array([0., 0., 0.], dtype=float32)
    """
    x = as_tensor(x)
    return _norm(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims)


@op
def _norm(x, *, axis, keepdims):
    """The squares are taken of x / max|x|: neither overflow nor underflow comes between."""
    xp = xp_of(x)
    if not x.size:
        return xp.sqrt((x * x).sum(axis=axis, keepdims=keepdims))
    size = xp.abs(x.real).max(axis=axis, keepdims=True)
    size = xp.where(xp.isfinite(size) & (size > 0), size, 1).astype(x.real.dtype)
    scaled = x / size
    root = xp.sqrt((scaled * scaled).sum(axis=axis, keepdims=True)) * size
    return root if keepdims else root.squeeze(axis)


_norm.vjp(
    x=lambda g, x, out, axis: (
        restore_axes(g, axis, x.shape) * (x * safe_reciprocal(restore_axes(out, axis, x.shape)))
    )
)


# -- softmax and its kin --------------------------------------------------------------------------


@op
def _logsumexp(x, *, axis, keepdims):
    xp = xp_of(x)
    top = x.real.max(axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)  # all -inf, or some +inf: no shift
    total = xp.log(xp.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return total if keepdims else total.squeeze(axis)


_logsumexp.vjp(
    x=lambda g, x, out, axis: (
        restore_axes(g, axis, x.shape) * exp(x - restore_axes(out, axis, x.shape))
    )
)


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log sum e^x over the given axes (default: all), without overflow."""
    x = as_tensor(x)
    return _logsumexp(x, axis=_filled_axes(x, axis, "logsumexp"), keepdims=keepdims)


@op
def _softmax(x, *, axis):
    xp = xp_of(x)
    e = xp.exp(x - x.real.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@op
def _log_softmax(x, *, axis):
    xp = xp_of(x)
    x = x - x.real.max(axis=axis, keepdims=True)
    return x - xp.log(xp.exp(x).sum(axis=axis, keepdims=True))


_softmax.vjp(x=lambda g, out, axis: out * (g - sum(g * out, axis, keepdims=True)))
_log_softmax.vjp(x=lambda g, out, axis: g - exp(out) * sum(g, axis, keepdims=True))


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / sum e^x along an axis."""
    x = as_tensor(x)
    return _softmax(x, axis=normalize_axis(axis, x.ndim))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - log sum e^x along an axis."""
    x = as_tensor(x)
    return _log_softmax(x, axis=normalize_axis(axis, x.ndim))


# -- without a derivative -------------------------------------------------------------------------


@op(differentiable=False)
def _argmax(x, *, axis):
    return x.argmax(axis=axis)


@op(differentiable=False)
def _any(x, *, axis, keepdims):
    return x.any(axis=axis, keepdims=keepdims)


@op(differentiable=False)
def _all(x, *, axis, keepdims):
    return x.all(axis=axis, keepdims=keepdims)


def argmax(x: Tensor, axis: int | None = None) -> Tensor:
    """Index of the (first) largest element along an axis, or in the flattened tensor."""
    return _argmax(x, axis=axis)


def any(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true."""
    return _any(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims)


def all(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true."""
    return _all(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims)
