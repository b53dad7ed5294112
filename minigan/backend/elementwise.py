"""Elementwise work on large arrays: in blocks that stay in cache, shared among the cores.

NumPy runs a loop over one whole array after another, on one core: x * sigmoid(x) of 64 MB goes
through memory five times. A value of the result depends on the values at its own place alone, so
the arrays may be cut, and a kernel run on one block at a time: what it makes in between stays in
the cache of the core that made it, and the cores take blocks in turn.

    blockwise(kernel, arrays, options)     =  kernel(*arrays, **options)

Memory that a kernel asks for in between is fresh each time, and its first touch costs more than
the arithmetic. A kernel that takes `out`, as NumPy's ufuncs do, needs less of it. It may put its
result there or not: what it returns counts.

Cuts follow memory, not shape: axes are taken in the order in which the first large array has them,
so a channels-last block is one run of memory, and the result has the layout of its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigan.backend.device import xp_of
from minigan.backend.threads import parallel

Array = Any
Kernel = Callable[..., Array]

LARGE = 1 << 18  # values from which on cutting pays: a call of `parallel` takes some 20 us
BLOCK = 1 << 17  # values in a block, or a little more


def blockwise(
    kernel: Kernel, arrays: Sequence[Any], options: dict, into: Kernel | None = None
) -> Array:
    """Return `kernel(*arrays, **options)`, whose values depend on those at their place alone.

    Arrays broadcast; what is no array goes to every call as it is. `into`, if given, is the same
    function with a parameter `out` for its result. Small arrays, those of another library, and
    kernels that make nothing of nothing are left to one plain call.
    """
    given = [array for array in arrays if type(array) is np.ndarray]
    largest = max(given, key=lambda array: array.size, default=None)
    if largest is None or largest.size < LARGE:
        return kernel(*arrays, **options)
    shape = np.broadcast_shapes(*(array.shape for array in given))
    if shape != largest.shape:
        return kernel(*arrays, **options)
    order = sorted(range(largest.ndim), key=lambda axis: -abs(largest.strides[axis]))
    views = [_in_order(array, order) for array in arrays]
    dtype = _result_dtype(kernel, views, options)
    if dtype is None:
        return kernel(*arrays, **options)
    out = np.empty([shape[axis] for axis in order], dtype)
    _fill(into or _without_out(kernel), _flattened([out, *views]), options)
    return out.transpose(np.argsort(order))


def _in_order(array: Any, order: list[int]) -> Any:
    """View an array with as many axes as there are in `order`, in that order."""
    if type(array) is not np.ndarray or array.ndim == 0:
        return array
    return array[(None,) * (len(order) - array.ndim)].transpose(order)


def _result_dtype(kernel: Kernel, views: list, options: dict) -> np.dtype | None:
    """Ask the kernel what it makes of no values at all; None if that is not as many arrays."""
    none = [view[..., :0] if _is_cut(view) else view for view in views]
    try:
        out = kernel(*none, **options)
    except (ValueError, IndexError):
        return None
    return out.dtype if isinstance(out, np.ndarray) and out.size == 0 else None


def _is_cut(view: Any) -> bool:
    return type(view) is np.ndarray and view.ndim > 0


def _flattened(views: list) -> list:
    """View arrays that are one run of memory each, all of the same shape, with one axis."""
    shape = views[0].shape
    arrays = [view for view in views if _is_cut(view)]
    if all(array.shape == shape and array.flags.c_contiguous for array in arrays):
        return [view.reshape(-1) if _is_cut(view) else view for view in views]
    return views


def _without_out(kernel: Kernel) -> Kernel:
    """Give a kernel a parameter `out` that it does not use."""
    return lambda *arrays, out, **options: kernel(*arrays, **options)


def _fill(into: Kernel, views: list, options: dict) -> None:
    """Write results into the first of the views, block by block."""
    shape = views[0].shape
    count = max(1, math.prod(shape) // BLOCK)
    axis = next((k for k, length in enumerate(shape) if length >= count), int(np.argmax(shape)))
    step = -(-shape[axis] // count)

    def block(index: int) -> None:
        place = (slice(None),) * axis, slice(index * step, (index + 1) * step)
        out, *parts = (_part(view, *place) for view in views)
        made = into(*parts, out=out, **options)
        if made is not out:
            out[...] = made

    parallel(block, -(-shape[axis] // step))


def _part(view: Any, before: tuple, piece: slice) -> Any:
    """Cut a piece along the axis after `before`, unless the view has one value there."""
    if not _is_cut(view) or view.shape[len(before)] == 1:
        return view
    return view[(*before, piece)]


# -- choosing by a condition ----------------------------------------------------------------------
#
# NumPy's `where` looks at one value after the other, at 1 to 4 ns each. What networks need of it
# can be said in arithmetic on whole arrays, which takes a tenth of the time.


def where(condition: Array, a: Any, b: Any) -> Array:
    """Return a where the condition holds, b elsewhere, with NumPy's broadcasting."""
    if _is_zero(b) and _selects(condition, a):
        return _select(condition, a)
    if _is_zero(a) and _selects(condition, b):
        return _select(~condition, b)
    return xp_of(condition, a, b).where(condition, a, b)


def _is_zero(number: Any) -> bool:
    """Tell whether it is Python's 0, and not -0.0."""
    return type(number) in (int, float) and number == 0 and math.copysign(1.0, number) > 0


def _selects(condition: Array, a: Array) -> bool:
    """Tell whether `_select` serves these two."""
    plain = type(a) is np.ndarray and type(condition) is np.ndarray
    return plain and condition.dtype == bool and condition.shape == a.shape and a.dtype in _BITS


def _select(condition: Array, a: Array, out: Array | None = None) -> Array:
    """Return a where the condition holds and +0 elsewhere, even where a is not finite.

    As a whole number, -1 has all bits set and `and` with it keeps a; with 0 it keeps nothing.
    """
    bits = _BITS[a.dtype]
    out = np.empty_like(a) if out is None else out
    mask = out.view(bits)
    mask[...] = np.negative(condition.view(np.int8))
    np.bitwise_and(mask, a.view(bits), out=mask)
    return out


_BITS = {np.dtype(np.float32): np.dtype(np.int32), np.dtype(np.float64): np.dtype(np.int64)}

# -- rectifiers -----------------------------------------------------------------------------------


def positive_part(x: Array, *, out: Array | None = None) -> Array:
    """Return max(x, 0); complex numbers by their real parts."""
    xp = xp_of(x)
    if x.dtype.kind == "c":
        return xp.where(x.real > 0, x, 0)
    if out is None:
        out = xp.zeros_like(x)
    else:
        out[...] = 0
    return xp.maximum(x, out, out=out)  # three times as fast in NumPy as with one 0 for all


def rectify(x: Array, *, negative_slope: float, out: Array | None = None) -> Array:
    """Return x where x > 0, else slope * x, for a slope >= 0: the larger (smaller) of the two."""
    if negative_slope == 0.0:
        return positive_part(x, out=out)
    xp = xp_of(x)
    scaled = xp.multiply(x, negative_slope, out=out)
    if x.dtype.kind == "c":
        return xp.where(x.real > 0, x, scaled)
    return (xp.maximum if negative_slope <= 1.0 else xp.minimum)(
        x, scaled, out=scaled if x.ndim else None
    )


def rectify_gradient(u: Array, y: Array, *, negative_slope: float, out: Array | None = None):
    """Return u where y > 0, else slope * u.

    With c = 0 or 1 the factor is slope + (1 - slope) c: exactly the slope or 1, since the rounding
    error of 1 - slope is too small to matter beside 1.
    """
    positive = y.real > 0
    if negative_slope == 0.0:  # 0, not 0 * u: u may be infinite
        return _select(positive, u, out) if _selects(positive, u) else where(positive, u, 0)
    if u.dtype.kind != "f" or u.dtype != y.dtype or u.shape != y.shape or negative_slope > 1.0:
        return xp_of(u).where(positive, u, u * negative_slope)
    factor = xp_of(u).empty_like(u) if out is None else out
    factor[...] = positive
    factor *= 1.0 - u.dtype.type(negative_slope)
    factor += u.dtype.type(negative_slope)
    factor *= u
    return factor
