"""Frames of values around an array, and their adjoint: one axis inside the other.

An axis says which of the padded indices are the array's own, and for each of its two strips of the
frame which of the array's own lines it repeats. Padding fills the inside, all other axes included,
and then copies whole lines to the strips; folding, its adjoint, reads the same table the other way
and adds the strips to the lines they came from:

    pad     out[inside] = pad(x)               out[strip]  = out[inside][lines]
    fold    out = fold(g[inside])              out[lines] += fold(g[strip])

The axis that varies slowest in memory is the outermost one. Parts of its inside are shared among
the cores, and all that belongs to a part is done while it is in the cache; only the strips of this
one axis are left for the end. The parts write to different places, and a value's summands come in
a fixed order: any number of threads gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from minigan.backend.device import xp_of
from minigan.backend.parts import in_parts

Array = Any  # numpy.ndarray or cupy.ndarray
Index = tuple[slice, ...]
Shape = tuple[int, ...]
Widths = tuple[tuple[int, int], ...]


class _Axis(NamedTuple):
    """One axis of an array and the frame's two strips across it."""

    index: int
    length: int
    inside: Index  # of the padded array
    strips: tuple[tuple[Index, Index], ...]  # (strip of the padded array, lines of the array)


Axes = Sequence[_Axis]


def pad(x: Array, widths: Widths, *, mode: str, value: complex = 0.0) -> Array:
    """Put a frame around x: of `value` ("constant"), or of x's own ("reflect", "replicate").

    `widths` has a pair (before, after) for each axis; a reflected one is narrower than the axis.
    """
    if not x.ndim:
        return x.copy()
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
    out = xp_of(x).empty_like(x, shape=shape)
    slowest, *axes = _axes(x.shape, out.strides, widths, mode)
    inner = out[slowest.inside]

    def part(lines: slice) -> None:
        place = _at(slowest.index, lines)
        _pad_into(inner[place], x[place], axes, value)

    in_parts(part, slowest.length, out)
    _fill_strips(out, inner, slowest, value)
    return out


def _pad_into(out: Array, x: Array, axes: Axes, value: complex) -> None:
    """Fill out with x and its frame along `axes`."""
    if not axes:
        out[...] = x
        return
    axis, *others = axes
    inner = out[axis.inside]
    _pad_into(inner, x, others, value)
    _fill_strips(out, inner, axis, value)


def _fill_strips(out: Array, inner: Array, axis: _Axis, value: complex) -> None:
    for strip, lines in axis.strips:
        out[strip] = inner[lines] if lines else value


def fold(g: Array, widths: Widths, *, mode: str) -> Array:
    """Add the frame of g back to where `pad` took it from: "reflect" or "replicate"."""
    if not g.ndim:
        return g.copy()
    shape = tuple(n - before - after for n, (before, after) in zip(g.shape, widths, strict=True))
    out = xp_of(g).empty_like(g, shape=shape)
    slowest, *axes = _axes(shape, out.strides, widths, mode)
    inner = g[slowest.inside]

    def part(lines: slice) -> None:
        place = _at(slowest.index, lines)
        _fold_into(out[place], inner[place], axes, add=False)

    in_parts(part, slowest.length, g)
    _add_strips(out, g, slowest, axes)
    return out


def _fold_into(out: Array, g: Array, axes: Axes, *, add: bool) -> None:
    """Put g, folded along `axes`, into out, or add it."""
    if not axes:
        if add:
            out += g
        else:
            out[...] = g
        return
    axis, *others = axes
    _fold_into(out, g[axis.inside], others, add=add)
    _add_strips(out, g, axis, others)


def _add_strips(out: Array, g: Array, axis: _Axis, others: Axes) -> None:
    for strip, lines in axis.strips:
        target, frame = out[lines], g[strip]
        if target.shape[axis.index] != frame.shape[axis.index]:  # one line repeated
            frame = frame.sum(axis=axis.index, keepdims=True)
        _fold_into(target, frame, others, add=True)


# -- the table ------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _axes(shape: Shape, strides: Shape, widths: Widths, mode: str) -> Axes:
    """Return the axis that varies slowest in memory, and after it the others that have a frame."""
    order = sorted(range(len(shape)), key=lambda i: (shape[i] == 1, -abs(strides[i])))
    order = order[:1] + sorted((i for i in order[1:] if any(widths[i])), key=order.index)
    return tuple(_axis(i, shape[i], widths[i], mode) for i in order)


def _axis(index: int, n: int, width: tuple[int, int], mode: str) -> _Axis:
    before, after = width
    lines = {
        "constant": (None, None),
        "reflect": (_down(before, before), _down(n - 2, after)),
        "replicate": (slice(0, 1), slice(n - 1, n)),
    }[mode]
    places = slice(0, before), slice(before + n, before + n + after)
    strips = tuple(
        (_at(index, place), () if source is None else _at(index, source))
        for place, source, count in zip(places, lines, width, strict=True)
        if count
    )
    return _Axis(index, n, _at(index, slice(before, before + n)), strips)


def _at(axis: int, part: slice) -> Index:
    return (*(slice(None),) * axis, part)


def _down(start: int, count: int) -> slice:
    """`count` indices from `start` downwards."""
    stop = start - count
    return slice(start, stop if stop >= 0 else None, -1)
