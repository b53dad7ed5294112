"""Linear ops, each beside its adjoint: the gradient of one is another in this file.

    sum      <-> broadcast_to        reshape, transpose, flip, roll: their own inverses
    matmul   <-> matmul              cumsum <-> cumsum backwards
    einsum   <-> einsum

The set is closed under differentiation, so derivatives of every order exist. Shapes are NumPy's.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from minigan.backend import backend_of, get_backend, xp_of
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
    extra = x.ndim - len(shape)
    fits = extra >= 0 and all(n in (1, m) for n, m in zip(shape, x.shape[extra:], strict=True))
    if not fits:
        raise ShapeError(
            f"sum_to: {x.shape} cannot be summed to {shape}: {shape} does not broadcast to it"
        )
    axes = [i + extra for i, n in enumerate(shape) if n == 1 and x.shape[i + extra] != 1]
    axes = (*range(extra), *axes)
    return x.sum(axis=axes, keepdims=True).reshape(shape) if axes else x


@op(linear=True)
def _sum(x, *, axis, keepdims):
    return x.sum(axis=axis, keepdims=keepdims)


_sum.vjp(x=lambda g, x_shape, axis: _broadcast_to(restore_axes(g, axis, x_shape), shape=x_shape))


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over the given axes (default: all)."""
    x = as_tensor(x)
    return _sum(x, axis=normalize_axes(axis, x.ndim), keepdims=keepdims)


@op(linear=True)
def _mean(x, *, axis, keepdims):
    return x.mean(axis=axis, keepdims=keepdims)


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


# -- products -------------------------------------------------------------------------------------


@op(linear=True)
def _matmul(a, b):  # (..., n, k), (..., k, m) -> (..., n, m)
    return a @ b


_matmul.vjp(
    a=lambda g, b, a_shape: sum_to(_matmul(g, matrix_transpose(b)), a_shape),  # (n, m) @ (m, k)
    b=lambda g, a, b_shape: sum_to(_matmul(matrix_transpose(a), g), b_shape),  # (k, n) @ (n, m)
)


def matrix_transpose(x: Tensor) -> Tensor:
    """Exchange the last two axes."""
    return _transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product over the last two axes, the leading ones broadcast; vectors as in NumPy."""
    a, b = as_tensor(a), as_tensor(b)
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul of {a.shape} and {b.shape}: scalars are multiplied with *")
    rows, columns = a.ndim > 1, b.ndim > 1
    if rows and columns:
        return _matmul(a, b)
    a = a if rows else expand_dims(a, 0)  # (k,) -> (1, k)
    b = b if columns else expand_dims(b, 1)  # (k,) -> (k, 1)
    return squeeze(_matmul(a, b), [i for i, kept in ((-2, rows), (-1, columns)) if not kept])


@op(linear=True)
def _einsum(*xs, labels, result):
    out = xp_of(*xs).einsum(f"{','.join(labels)}->{result}", *xs, optimize=True)
    return out if out.base is None else out.copy()  # a mere transposition would be a view


_einsum.vjp(
    xs=lambda g, index, xs, xs_shapes, labels, result: _einsum_rule(
        g, index, xs, xs_shapes[index], labels, result
    )
)


def _einsum_rule(g, index, xs, shape, labels, result):
    """The gradient of operand `index`: contract g with the other operands.

    A label that stands in this operand alone was summed by itself: its gradient is constant along
    that axis.
    """
    others = [(x, s) for i, (x, s) in enumerate(zip(xs, labels, strict=True)) if i != index]
    available = set(result).union(*(s for _, s in others))
    own = labels[index]
    kept = "".join(c for c in own if c in available)
    inputs = (result, *(s for _, s in others))
    part = _einsum(g, *(x for x, _ in others), labels=inputs, result=kept)
    part = reshape(part, [part.shape[kept.index(c)] if c in kept else 1 for c in own])
    part = sum_to(part, [1 if n == 1 else m for n, m in zip(shape, part.shape, strict=True)])
    return _broadcast_to(part, shape=shape)


def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Sum of products in Einstein's notation, as in NumPy: `einsum("ij,jk->ik", a, b)`.

    An ellipsis stands for leading axes that are common to the operands. A label repeated within
    one operand (a diagonal) is refused: index with two equal index arrays instead.
    """
    operands = tuple(as_tensor(x) for x in operands)
    labels, result = _parse_einsum(subscripts, operands)
    return _einsum(*operands, labels=labels, result=result)


def _parse_einsum(subscripts: str, operands: Sequence[Tensor]) -> tuple[tuple[str, ...], str]:
    """Spell out ellipses and the implicit result."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    labels = left.split(",")
    if len(labels) != len(operands):
        raise ShapeError(f"einsum {subscripts!r}: {len(labels)} terms for {len(operands)} operands")
    hidden = max(
        (x.ndim - len(s) + 3 for s, x in zip(labels, operands, strict=True) if "..." in s),
        default=0,
    )
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in subscripts][:hidden][::-1]
    labels = [_spell(s, x.ndim, free) for s, x in zip(labels, operands, strict=True)]
    for s, x in zip(labels, operands, strict=True):
        if len(s) != x.ndim or len(set(s)) != len(s):
            raise ShapeError(
                f"einsum {subscripts!r}: term {s!r} does not fit an operand of shape {x.shape}"
            )
    if arrow and free and "..." not in right:
        raise ShapeError(f"einsum {subscripts!r}: the result must keep the ellipsis")
    if not arrow:
        joined = "".join(labels)
        once = sorted(c for c in set(joined) if joined.count(c) == 1 and c not in free)
        right = "".join([*free, *once])
    return tuple(labels), right.replace("...", "".join(free))


def _spell(term: str, ndim: int, free: list[str]) -> str:
    count = ndim - len(term) + 3
    return term.replace("...", "".join(free[len(free) - count :]))


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
