"""Padding, and its adjoints: what a frame of values around an array does to gradients.

    pad, constant   <-> crop                       the frame is constant: its gradient is dropped
    pad, reflect or replicate <-> fold             the frame repeats values: theirs is added back

`pad_width` is NumPy's: an int for all sides of all axes, a pair (before, after) for all axes, or
one pair per axis. Results keep the memory order of the input (channels-last stays channels-last).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

from minigan.backend import xp_of
from minigan.errors import ShapeError
from minigan.op import op
from minigan.tensor import Tensor, as_tensor

__all__ = ["crop", "pad"]

Widths = tuple[tuple[int, int], ...]
PadWidth = int | Sequence[int] | Sequence[Sequence[int]]

# -- constant padding and cropping ----------------------------------------------------------------


@op
def _pad(x, *, widths, value):
    xp = xp_of(x)
    out = xp.empty_like(x, shape=_padded_shape(x.shape, widths))
    out[...] = value
    out[_inside(x.shape, widths)] = x
    return out


@op(linear=True, view=True)
def _crop(x, *, widths):
    return x[_inside(_cropped_shape(x.shape, widths), widths)]


_pad.vjp(x=lambda g, widths: _crop(g, widths=widths))
_crop.vjp(x=lambda g, widths: _pad(g, widths=widths, value=0.0))


def crop(x: Tensor, pad_width: PadWidth) -> Tensor:
    """Cut a frame off: the inverse of `pad` and the adjoint of its constant mode.

    Raises `ShapeError` where the frame is wider than x.

    >>> import minigan as mg
    >>> mg.crop(mg.ones(4, 6), ((1, 0), (2, 2))).shape
    (3, 2)
    """
    x = as_tensor(x)
    widths = _widths("crop", x.ndim, pad_width)
    if any(n < 0 for n in _cropped_shape(x.shape, widths)):
        raise ShapeError(
            f"crop: pad_width={pad_width!r} takes more away than there is of {x.shape}"
        )
    return _crop(x, widths=widths)


# -- padding with values of the array itself ------------------------------------------------------
#
# One axis after the other, each over what the axes before it have filled: so the corners get what
# NumPy puts there. The adjoint goes the same way backwards.


@op(linear=True)
def _pad_inside(x, *, widths, mode):
    out = xp_of(x).empty_like(x, shape=_padded_shape(x.shape, widths))
    out[_inside(x.shape, widths)] = x
    for _, frame, source in _strips(x.shape, widths, mode):
        out[frame] = out[source]  # a strip of the frame <- its mirror image, or one line repeated
    return out


@op(linear=True)
def _fold_inside(g, *, widths, mode):
    shape = _cropped_shape(g.shape, widths)
    total = g.copy(order="K")
    for axis, frame, source in reversed(list(_strips(shape, widths, mode))):
        strip = total[frame]
        total[source] += strip.sum(axis=axis, keepdims=True) if mode == "replicate" else strip
    return total[_inside(shape, widths)]


_pad_inside.vjp(x=lambda g, widths, mode: _fold_inside(g, widths=widths, mode=mode))
_fold_inside.vjp(g=lambda g, widths, mode: _pad_inside(g, widths=widths, mode=mode))


def _strips(shape: tuple[int, ...], widths: Widths, mode: str) -> Iterator[tuple[int, Any, Any]]:
    """Yield (axis, index of a strip of the frame, index of the values it repeats), in order."""
    filled = _inside(shape, widths)
    for axis, ((before, after), n) in enumerate(zip(widths, shape, strict=True)):
        first, end = before, before + n
        for width, frame, line, mirror in (
            (before, slice(0, first), slice(first, first + 1), _down(first + before, before)),
            (after, slice(end, end + after), slice(end - 1, end), _down(end - 2, after)),
        ):
            if width:
                source = line if mode == "replicate" else mirror
                yield axis, _put(filled, axis, frame), _put(filled, axis, source)
        filled = _put(filled, axis, slice(None))


def _down(start: int, count: int) -> slice:
    """`count` indices from `start` downwards."""
    stop = start - count
    return slice(start, stop if stop >= 0 else None, -1)


def _put(index: tuple[slice, ...], axis: int, part: slice) -> tuple[slice, ...]:
    return (*index[:axis], part, *index[axis + 1 :])


def pad(x: Tensor, pad_width: PadWidth, *, mode: str = "constant", value: float = 0.0) -> Tensor:
    """Put a frame around x, `pad_width` wide, as `numpy.pad` does.

    `mode`: "constant" fills it with `value`, "reflect" mirrors x at its border lines (which are
    not repeated), "replicate" repeats the border line (NumPy's "edge"). Raises `ShapeError` where
    a reflected frame is as wide as x or wider: one reflection does not reach.

    >>> import minigan as mg
    >>> mg.pad(mg.tensor([1.0, 2.0, 3.0]), (2, 1), mode="reflect").numpy().tolist()
    [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """
    x = as_tensor(x)
    widths = _widths("pad", x.ndim, pad_width)
    if mode == "constant":
        return _pad(x, widths=widths, value=value)
    if mode not in ("reflect", "replicate"):
        raise ValueError(f"pad: mode={mode!r}: use 'constant', 'reflect' or 'replicate'")
    for axis, (width, n) in enumerate(zip(widths, x.shape, strict=True)):
        _check_frame(mode, axis, width, n)
    return _pad_inside(x, widths=widths, mode=mode)


def _check_frame(mode: str, axis: int, width: tuple[int, int], n: int) -> None:
    where = f"pad: mode={mode!r} with widths {width} on axis {axis} of length {n}"
    if any(width) and n == 0:
        raise ShapeError(f"{where}: there is nothing to repeat")
    if mode == "reflect" and any(w >= n for w in width if w):
        raise ShapeError(f"{where}: a reflected frame must be narrower than the axis")


# -- widths and shapes ----------------------------------------------------------------------------


def _widths(name: str, ndim: int, pad_width: PadWidth) -> Widths:
    """Return NumPy's ways of writing `pad_width` as one pair per axis."""
    try:
        widths = _pairs(ndim, pad_width)
    except TypeError:
        widths = ()
    if len(widths) != ndim or any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise ValueError(
            f"{name}: pad_width={pad_width!r} for {ndim} axes: give an int, a pair (before, "
            "after), or one pair per axis, all >= 0"
        )
    return widths


def _pairs(ndim: int, pad_width: PadWidth) -> Widths:
    if hasattr(pad_width, "tolist"):  # an array, as NumPy takes it too
        pad_width = pad_width.tolist()
    if not isinstance(pad_width, Sequence):
        return ((operator.index(pad_width),) * 2,) * ndim
    if all(isinstance(entry, Sequence) for entry in pad_width):
        pairs = tuple(tuple(operator.index(n) for n in pair) for pair in pad_width)
        return pairs * ndim if len(pairs) == 1 else pairs
    pair = tuple(operator.index(n) for n in pad_width)
    return (pair * 2 if len(pair) == 1 else pair,) * ndim


def _padded_shape(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    return tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))


def _cropped_shape(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    return tuple(n - before - after for n, (before, after) in zip(shape, widths, strict=True))


def _inside(shape: tuple[int, ...], widths: Widths) -> tuple[slice, ...]:
    """Where an array of `shape` lies within its frame."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))
