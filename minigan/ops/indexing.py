"""Taking parts and putting parts together, each beside its adjoint.

    getitem <-> scatter        concatenate <-> slices of the gradient

`scatter` adds: an element that was taken twice receives both gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigan.backend import is_array, xp_of
from minigan.errors import ShapeError
from minigan.op import op
from minigan.ops.linear import broadcast_to, expand_dims, normalize_axis, reshape
from minigan.tensor import Tensor, as_tensor


@op(linear=True, view=True)
def _getitem(x, *, index):
    return x[index]


@op(linear=True)
def _scatter(x, *, index, shape):
    xp = xp_of(x)
    out = xp.zeros(shape, dtype=x.dtype)
    if _is_basic(index):
        out[index] = x
    else:
        xp.add.at(out, index, x)  # repeated indices add up
    return out


_getitem.vjp(x=lambda g, x_shape, index: _scatter(g, index=index, shape=x_shape))
_scatter.vjp(x=lambda g, index: _getitem(g, index=index))


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: NumPy's indexing with slices, integers, None, `...`, integer and boolean arrays."""
    return _getitem(x, index=_plain_index(index))


def scatter(x: Tensor, index: Any, shape: Sequence[int]) -> Tensor:
    """Zeros of `shape` with x added at `index`: the adjoint of `getitem`.

    >>> import minigan as mg
    >>> mg.scatter(mg.tensor([1.0, 2.0, 3.0]), [0, 2, 0], (4,)).numpy()
    array([4., 0., 2., 0.], dtype=float32)
    """
    index, shape = _plain_index(index), tuple(shape)
    place = xp_of(x.data).empty(shape, dtype=bool)[index]
    if place.shape != x.shape:
        raise ShapeError(f"scatter: x has shape {x.shape}, the places it goes to {place.shape}")
    return _scatter(x, index=index, shape=shape)


def _plain_index(index: Any) -> Any:
    """Replace Tensors and lists in an index by arrays, copied: the derivative needs them later."""
    if isinstance(index, tuple):
        return tuple(_plain_index(part) for part in index)
    if isinstance(index, Tensor):
        index = index.data
        if index.dtype.kind not in "iub":
            raise TypeError(f"an index must hold integers or booleans, not {index.dtype}")
        return index.copy()
    if isinstance(index, list):
        return np.asarray(index, dtype=None if index else np.intp)
    return index.copy() if is_array(index) else index


def _is_basic(index: Any) -> bool:
    """Whether an index names every element at most once, by slices and integers alone."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice) or _is_integer(part)
        for part in parts
    )


def _is_integer(part: Any) -> bool:
    return isinstance(part, int | np.integer) and not isinstance(part, bool)


# -- together and apart ---------------------------------------------------------------------------


@op(linear=True)
def _concatenate(*xs, axis):
    return xp_of(*xs).concatenate(xs, axis=axis)


_concatenate.vjp(xs=lambda g, index, xs_shapes, axis: _part_of(g, index, xs_shapes, axis))


def _part_of(g, index, shapes, axis):
    """The slice of g that belongs to operand `index`."""
    start = sum(shape[axis] for shape in shapes[:index])
    return g[_along(axis, slice(start, start + shapes[index][axis]))]


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (slice(None),) * axis + (part,)


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis; the other axes must agree."""
    tensors = [as_tensor(x) for x in tensors]
    if not tensors:
        raise ShapeError("concatenate: no tensors given")
    return _concatenate(*tensors, axis=normalize_axis(axis, tensors[0].ndim))


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    return concatenate([expand_dims(as_tensor(x), axis) for x in tensors], axis)


def split(x: Tensor, sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut x into `sections` equal parts, or at the given indices, along an axis."""
    axis = normalize_axis(axis, x.ndim)
    length = x.shape[axis]
    if _is_integer(sections):
        if sections < 1 or length % sections:
            raise ShapeError(f"split: axis {axis} of length {length} has no {sections} equal parts")
        sections = range(length // sections, length, length // sections)
    edges = [0, *sections, length]
    parts = zip(edges[:-1], edges[1:], strict=True)
    return [x[_along(axis, slice(start, stop))] for start, stop in parts]


def repeat(x: Tensor, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Repeat each element along an axis; without an axis, of the flattened tensor.

    `repeats`: how often, one number or one for each index along the axis.
    """
    x = reshape(x, -1) if axis is None else x
    axis = 0 if axis is None else normalize_axis(axis, x.ndim)
    if not _is_integer(repeats):
        return getitem(
            x, (*_along(axis, slice(None))[:-1], np.repeat(np.arange(x.shape[axis]), repeats))
        )
    head, tail = x.shape[: axis + 1], x.shape[axis + 1 :]
    wide = broadcast_to(expand_dims(x, axis + 1), (*head, repeats, *tail))
    return reshape(wide, (*head[:-1], head[-1] * repeats, *tail))


def tile(x: Tensor, reps: Sequence[int]) -> Tensor:
    """Lay copies of x side by side, `reps[i]` of them along axis i."""
    if len(reps) != x.ndim:
        raise ShapeError(f"tile: {len(reps)} counts for the {x.ndim} axes of {x.shape}")
    for axis, count in enumerate(reps):
        x = concatenate([x] * count, axis)
    return x
