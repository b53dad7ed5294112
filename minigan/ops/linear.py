"""Linear ops, each beside its adjoint: the gradient of one is another in this file.

    sum      <-> broadcast_to        reshape, transpose, flip, roll: their own inverses
    cumsum   <-> cumsum backwards

The set is closed under differentiation, so derivatives of every order exist. Shapes are NumPy's.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache

from minigan.backend import backend_of, get_backend, xp_of
from minigan.backend.sums import mean_along, sum_along
from minigan.errors import DeviceError, ShapeError
from minigan.op import op
from minigan.tensor import Tensor, as_tensor

Axis = int | Sequence[int] | None

# -- the shape ------------------------------------------------------------------------------------


@op(linear=True, view=True)
def _reshape(x, *, shape):
    return x.reshape(shape)


_reshape.vjp(x=lambda g, x_shape: _reshape(g, shape=x_shape))


def reshape(x: Tensor, shape: int | Sequence[int]) -> Tensor:
    """Give x another shape of as many elements; one entry may be -1."""
    return _reshape(x, shape=_as_tuple(shape))


@op(linear=True, view=True)
def _transpose(x, *, axes):
    return x.transpose(axes)


_transpose.vjp(x=lambda g, axes: _transpose(g, axes=_inverse(axes)))


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """Permute the axes: axis i of the result is axis `axes[i]` of x; reversed by default."""
    x = as_tensor(x)
    if axes is None:
        axes = range(x.ndim)[::-1]
    axes = tuple(normalize_axis(a, x.ndim) for a in axes)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(
            f"transpose: axes {axes} are no permutation of the {x.ndim} axes of {x.shape}"
        )
    return _transpose(x, axes=axes)


def swapaxes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes."""
    axes = list(range(x.ndim))
    axis1, axis2 = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return transpose(x, axes)


def moveaxis(x: Tensor, source: int, destination: int) -> Tensor:
    """Move one axis to another place; the others keep their order."""
    axes = list(range(x.ndim))
    moved = axes.pop(normalize_axis(source, x.ndim))
    axes.insert(normalize_axis(destination, x.ndim), moved)
    return transpose(x, axes)


def expand_dims(x: Tensor, axis: int | Sequence[int]) -> Tensor:
    """Insert axes of length 1, so that they stand at `axis` in the result."""
    axes = _as_tuple(axis)
    places = set(normalize_axes(axes, x.ndim + len(axes)))
    sizes = iter(x.shape)
    return reshape(x, [1 if i in places else next(sizes) for i in range(x.ndim + len(axes))])


def squeeze(x: Tensor, axis: Axis = None) -> Tensor:
    """Drop axes of length 1: those given, or all."""
    axes = normalize_axes(axis, x.ndim)
    if axis is None:
        axes = tuple(i for i in axes if x.shape[i] == 1)
    for i in axes:
        if x.shape[i] != 1:
            raise ShapeError(f"squeeze: axis {i} of {x.shape} has length {x.shape[i]}, not 1")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


# -- sum and broadcast ----------------------------------------------------------------------------


@op(linear=True, view=True)
def _broadcast_to(x, *, shape):
    return xp_of(x).broadcast_to(x, shape)


_broadcast_to.vjp(x=lambda g, x_shape: sum_to(g, x_shape))


def broadcast_to(x: Tensor, shape: int | Sequence[int]) -> Tensor:
    """Repeat x along axes of length 1, and along new leading ones, until it has `shape`."""
    return _broadcast_to(x, shape=_as_tuple(shape))


@op(linear=True, view=True)
def _sum_to(x, *, shape):
    return _sum_to_kernel(x, shape)


_sum_to.vjp(x=lambda g, x_shape: _broadcast_to(g, shape=x_shape))


def sum_to(x: Tensor, shape: int | Sequence[int]) -> Tensor:
    """Sum x down to `shape`: the adjoint of `broadcast_to(_, x.shape)`."""
    return _sum_to(x, shape=_as_tuple(shape))


def _sum_to_kernel(x, shape):
    axes = _summed_axes(x.shape, shape)
    if not axes:
        return x
    total = sum_along(x, axes, keepdims=True)
    return total if total.shape == shape else total.reshape(shape)


@lru_cache(maxsize=1024)
def _summed_axes(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which `target`, broadcast to `shape`, is repeated."""
    extra = len(shape) - len(target)
    fits = extra >= 0 and all(n in (1, m) for n, m in zip(target, shape[extra:], strict=True))
    if not fits:
        raise ShapeError(
            f"sum_to: {shape} cannot be summed to {target}: {target} does not broadcast to it"
        )
    axes = (i + extra for i, n in enumerate(target) if n == 1 != shape[i + extra])
    return (*range(extra), *axes)


@op(linear=True)
def _sum(x, *, axis, keepdims):
    return sum_along(x, axis, keepdims=keepdims)


_sum.vjp(x=lambda g, x_shape, axis: _broadcast_to(restore_axes(g, axis, x_shape), shape=x_shape))


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over the given axes (default: all)."""
    x = as_tensor(x)
    return _sum(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims)


@op(linear=True)
def _mean(x, *, axis, keepdims):
    return mean_along(x, axis, keepdims=keepdims)


_mean.vjp(x=lambda g, x_shape, axis: _mean_rule(g, x_shape, axis))


def _mean_rule(g, x_shape, axis):
    share = g * (1.0 / count_along(x_shape, axis))
    return _broadcast_to(restore_axes(share, axis, x_shape), shape=x_shape)


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean over the given axes (default: all)."""
    x = as_tensor(x)
    axes = normalize_axes(axis, x.ndim)
    if count_along(x.shape, axes) == 0:
        raise ShapeError(f"mean over axes {axes} of a tensor of shape {x.shape}: no elements")
    return _mean(x, axis=axes, keepdims=keepdims)


@op(linear=True)
def _cumsum(x, *, axis, reverse):
    xp = xp_of(x)
    if reverse:
        return xp.flip(xp.cumsum(xp.flip(x, axis), axis=axis), axis)
    return xp.cumsum(x, axis=axis)


_cumsum.vjp(x=lambda g, axis, reverse: _cumsum(g, axis=axis, reverse=not reverse))


def cumsum(x: Tensor, axis: int, *, reverse: bool = False) -> Tensor:
    """Running sum along an axis; `reverse=True` runs from the end."""
    return _cumsum(x, axis=normalize_axis(axis, x.ndim), reverse=reverse)


# -- order ----------------------------------------------------------------------------------------


@op(linear=True, view=True)
def _flip(x, *, axis):
    return xp_of(x).flip(x, axis)


_flip.vjp(x=lambda g, axis: _flip(g, axis=axis))


def flip(x: Tensor, axis: Axis = None) -> Tensor:
    """Reverse the order of the elements along the given axes (default: all)."""
    return _flip(x, axis=normalize_axes(axis, x.ndim))


@op(linear=True)
def _roll(x, *, shift, axis):
    return xp_of(x).roll(x, shift, axis)


_roll.vjp(x=lambda g, shift, axis: _roll(g, shift=tuple(-s for s in shift), axis=axis))


def roll(x: Tensor, shift: int | Sequence[int], axis: int | Sequence[int]) -> Tensor:
    """Shift the elements cyclically along one or more axes."""
    shifts, axes = _as_tuple(shift), normalize_axes(axis, x.ndim)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    return _roll(x, shift=shifts, axis=axes)


def matrix_transpose(x: Tensor) -> Tensor:
    """Exchange the last two axes."""
    return _transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


# -- between devices ------------------------------------------------------------------------------


@op(linear=True, view=True)
def _to_device(x, *, source, target):
    host = backend_of(x).asnumpy(x)
    return get_backend(target).asarray(host)


_to_device.vjp(x=lambda g, source, target: _to_device(g, source=target, target=source))


def to(x: Tensor, device: str | None = None, dtype: object = None) -> Tensor:
    """Bring x to another device and dtype; the gradient comes back the same way."""
    if device is not None and device not in ("cpu", "cuda"):
        raise DeviceError(
            f"to: unknown device {device!r}: use 'cpu' or 'cuda' (or dtype={device!r})"
        )
    if device is not None and device != x.device:
        get_backend(device)
        x = _to_device(x, source=x.device, target=device)
    return x if dtype is None or xp_of(x.data).dtype(dtype) == x.dtype else x.astype(dtype)


# -- axes -----------------------------------------------------------------------------------------


def normalize_axis(axis: int, ndim: int) -> int:
    """Count an axis from the front, and check that it exists."""
    if not -ndim <= axis < ndim:
        raise ShapeError(f"axis {axis} does not exist: the tensor has {ndim} axes")
    return axis % ndim


def normalize_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """A tuple of axes counted from the front; None for all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(normalize_axis(a, ndim) for a in _as_tuple(axis))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axes {axes} name one axis twice")
    return axes


def restore_axes(g: Tensor, axis: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Put back, with length 1, the axes that a reduction of `shape` over `axis` took away."""
    return _reshape(g, shape=tuple(1 if i in axis else n for i, n in enumerate(shape)))


def count_along(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
    """The number of elements that a reduction of `shape` over `axis` takes together."""
    return math.prod(shape[i] for i in axis)


def _as_tuple(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (
        (operator.index(shape),)
        if not hasattr(shape, "__iter__")
        else tuple(map(operator.index, shape))
    )


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))
