"""Transformed kernels, kept while the weights they were made of stand still.

Between two steps of an optimiser a network's weights are put to use several times: a critic sees
real images, fakes and points between them, and its data gradient and their derivatives use the
same kernels again. Winograd's way transforms a kernel at every use, and the direct way brings it
into another order, unless they may keep the result.

It may within `reuse_transforms()`, where weights change as they should: by `assign_`, an optimiser,
an average, all of which raise the version of what they write and report it here (`forget`). What
is kept belongs to the *memory* of an array, its base and all views of it, so that a report about
one of them counts for all. Kernels see arrays and not versions: they could not tell that somebody
wrote into `tensor.data` directly, and would go on with the old weights. Therefore it is a choice.

Memory is bounded: first come, first kept. To drive out what came first would be worse, for a step
uses the same kernels in the same order, and none would be left when its turn comes again.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.backend.columns import Array

MOST_BYTES = 64 << 20

# make(fresh) transforms a kernel: into memory of its own if `fresh`, else into scratch memory.
Make = Callable[[bool], Array]


class _Kept:
    """What is kept: {memory: {key: transformed kernel}}, by the identity of the memory."""

    def __init__(self) -> None:
        self.blocks = 0  # reuse_transforms() that are open, in all threads
        self.room = 0  # bytes that may still be kept
        self.kernels: dict[int, dict[Any, Array]] = {}
        self.owners: dict[int, weakref.ref] = {}

    def drop(self, owner: int) -> None:
        self.owners.pop(owner, None)
        self.room += sum(kernel.nbytes for kernel in self.kernels.pop(owner, {}).values())

    def clear(self) -> None:
        for owner in list(self.kernels):
            self.drop(owner)


_kept = _Kept()


class reuse_transforms:
    """Keep transformed kernels within the block: `with mg.reuse_transforms(): ...train...`.

    Inside it weights must change by `assign_`, optimisers and `EMA` alone, never by a write into
    `tensor.data`. At most `most_bytes` are kept, for the whole process; leaving the block, the
    outermost if there are several, frees them. Results are the same bit for bit.

    >>> import minigan as mg
    >>> x, weight = mg.randn(2, 64, 8, 8), mg.randn(64, 64, 3, 3)
    >>> with mg.reuse_transforms():
    ...     a, b = mg.conv2d(x, weight), mg.conv2d(x, weight)
    >>> bool((a.numpy() == b.numpy()).all())
    True
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        if most_bytes < 0:
            raise ValueError(f"most_bytes is {most_bytes}: give a number of bytes, at least 0")
        self.most_bytes = most_bytes

    def __enter__(self) -> reuse_transforms:
        if not _kept.blocks:
            _kept.room = self.most_bytes
        _kept.blocks += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        _kept.blocks -= 1
        if not _kept.blocks:
            _kept.clear()


def transformed(weight: Array, key: Any, values: int, make: Make) -> Array:
    """Return make(...) of a weight, `values` numbers, or what it made before of the same memory.

    `key` tells the transforms of one weight apart.
    """
    if not _kept.blocks:
        return make(False)
    base = _base(weight)
    place = weight.__array_interface__["data"][0]
    key = key, place, weight.shape, weight.strides, weight.dtype.char
    found = _kept.kernels.get(id(base), {}).get(key)
    if found is not None:
        return found
    if values * weight.itemsize > _kept.room:
        return make(False)
    return _keep(base, key, make(True))


def forget(array: Any) -> None:
    """Drop what was made of an array, or of other views of its memory: it has changed."""
    if _kept.kernels and isinstance(array, np.ndarray):
        _kept.drop(id(_base(array)))


def _keep(base: Array, key: Any, kernel: Array) -> Array:
    if _base(kernel) is base:  # it was in order as it is; kept, it would keep the weight alive
        return kernel
    owner = id(base)
    if owner not in _kept.owners:  # when the memory goes, its number may be given to another one
        _kept.owners[owner] = weakref.ref(base, lambda _: _kept.drop(owner))
    _kept.kernels.setdefault(owner, {})[key] = kernel
    _kept.room -= kernel.nbytes
    return kernel


def _base(array: Array) -> Array:
    """Return the array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
