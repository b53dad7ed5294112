"""Padding, and its adjoints: what a frame of values around an array does to gradients.

    pad, constant   <-> crop                       the frame is constant: its gradient is dropped
    pad, reflect or replicate <-> fold             the frame repeats values: theirs is added back

`pad_width` is NumPy's: an int for all sides of all axes, a pair (before, after) for all axes, or
one pair per axis. Results keep the memory order of the input (channels-last stays channels-last).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache

from minigan.backend import padding as framing
from minigan.errors import ShapeError
from minigan.op import op
from minigan.tensor import Tensor, as_tensor

__all__ = ["crop", "pad"]

Widths = tuple[tuple[int, int], ...]
PadWidth = int | Sequence[int] | Sequence[Sequence[int]]

# -- constant padding and cropping ----------------------------------------------------------------


@op
def _pad(x, *, widths, value):
    return framing.pad(x, widths, mode="constant", value=value)


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
# The corners get what NumPy puts there: a line of the frame repeats a whole line, frame included.


@op(linear=True)
def _pad_inside(x, *, widths, mode):
    return framing.pad(x, widths, mode=mode)


@op(linear=True)
def _fold_inside(g, *, widths, mode):
    return framing.fold(g, widths, mode=mode)


_pad_inside.vjp(x=lambda g, widths, mode: _fold_inside(g, widths=widths, mode=mode))
_fold_inside.vjp(g=lambda g, widths, mode: _pad_inside(g, widths=widths, mode=mode))


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
    _check_frame(mode, widths, x.shape)
    return _pad_inside(x, widths=widths, mode=mode)


@lru_cache(maxsize=1024)
def _check_frame(mode: str, widths: Widths, shape: tuple[int, ...]) -> None:
    for axis, (width, n) in enumerate(zip(widths, shape, strict=True)):
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


def _cropped_shape(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    return tuple(n - before - after for n, (before, after) in zip(shape, widths, strict=True))


def _inside(shape: tuple[int, ...], widths: Widths) -> tuple[slice, ...]:
    """Where an array of `shape` lies within its frame."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True))
