"""One formula over many arrays, in place: what optimisers and averages spend their time on.

An update is a dozen elementwise ufuncs over every parameter. Done one parameter and one ufunc at a
time, a small network pays for the calls and a large one for memory: each ufunc reads its arrays
from RAM again and writes to fresh pages, on one core. Here the work is cut into blocks instead:

    small arrays   are gathered, as many as fit into one block, and written back afterwards: the
                   formula is called once for all of them
    large arrays   are cut; a block stays in the core's cache through all the ufuncs, and is read
                   and written in place

Blocks are shared out over the threads of `minigan.backend.threads`. All is elementwise, so neither
the cut nor the number of threads changes a bit of the result.

**Memory.** The arrays themselves stay where they are: whoever holds `param.data` or a view of it
sees the new values there. What is kept is the state, one flat array for each slot (Adam: two, as
large as all parameters together), which goes when its owner goes, and for each thread the scratch
of a block, at most 2 MB in float32, which `minigan.free_scratch()` gives back. An array that was
replaced by another (`module.to`) is held until the next call.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from minigan.backend import backend_of, xp_of
from minigan.backend.threads import parallel, scratch
from minigan.errors import ShapeError
from minigan.nn.parameter import moved

Array = Any
Formula = Callable[..., None]
Task = Callable[[], None]

BLOCK = 1 << 17  # values: few calls, and what Adam needs of them (five arrays) fits into 3 MB
SMALL = 1 << 15  # values: up to here a copy to and fro costs less than calls of its own


class Blocks:
    """Arrays that a formula changes in place, each with `slots` state arrays of its shape.

    `state[i]` are those of array i, at first zeros. They may be replaced by others, of any device
    and floating dtype: `settle` takes the values over.
    """

    def __init__(self, slots: int = 0) -> None:
        self.slots = slots
        self.state: list[tuple[Array, ...]] = []
        self._arrays: list[Array] = []
        self._shelves: list[_Shelf] = []

    def settle(self, arrays: Sequence[Array], sources: Mapping[int, Array]) -> None:
        """Prepare for `apply`, whose sources these will be; all that can be refused is, here.

        New arrays get room; their state follows to their device and dtype. ShapeError or ValueError
        if they do not fit their sources or their state: then nothing has been changed.
        """
        for i, source in sources.items():
            _refuse_misfit(i, arrays[i], source)
        if len(arrays) != len(self._arrays) or not all(map(operator.is_, arrays, self._arrays)):
            self._lay(list(arrays))

    def _lay(self, arrays: list[Array]) -> None:
        """Put arrays on shelves, and the state they have beside them."""
        former = self.state[: len(arrays)]
        for i, kept in enumerate(former):
            _refuse_state(i, arrays[i], kept)
        shelves = list(_shelves(arrays, self.slots))
        views = {i: parts for shelf in shelves for i, parts in shelf.views()}
        for i, kept in enumerate(former):
            for view, old in zip(views[i], kept, strict=False):  # () where it is new
                view[...] = moved(old, backend_of(view).name, view.dtype)
        self.state = [views[i] for i in range(len(arrays))]
        self._arrays, self._shelves = arrays, shelves

    def replace(self, state: list[tuple[Array, ...]]) -> None:
        """Take over the state of all arrays; () is a new beginning."""
        self.state, self._arrays = state, []

    def apply(
        self, formula: Formula, sources: Mapping[int, Array], turns: Sequence[int] | None = None
    ) -> None:
        """Call `formula(turn, p, g, *state)` on blocks of the arrays that have a source.

        p and the state are to be changed in place; g, the values of the source, is to be read.
        All are 1-d and of one length. `turns`: a number for each array, 0 by default; a block has
        one.
        """
        turns = turns or [0] * len(self._arrays)
        tasks = [t for shelf in self._shelves for t in shelf.tasks(formula, sources, turns)]
        if self._worth_sharing(sources):
            parallel(lambda k: tasks[k](), len(tasks))
        else:
            for task in tasks:
                task()

    def _worth_sharing(self, sources: Mapping[int, Array]) -> bool:
        """Whether there is more than a block to do, and in any order."""
        size = sum([self._arrays[i].size for i in sources])
        return size > BLOCK and not any(shelf.in_order for shelf in self._shelves)


def spare(like: Array, purpose: str = "spare") -> Array:
    """Return an array like another with arbitrary contents, for the time of one block."""
    if isinstance(like, np.ndarray):
        return scratch(f"update: {purpose}", like.shape, like.dtype)
    return xp_of(like).empty_like(like)


class _Shelf:
    """The arrays of one dtype on one device, by their places, and the flat memory of their state.

    `in_order`: the arrays overlap, or the device has one queue anyway; each is then done by itself.
    """

    def __init__(self, arrays: dict[int, Array], slots: int) -> None:
        first = next(iter(arrays.values()))
        on_host = isinstance(first, np.ndarray)
        self.in_order = not on_host or _overlap(arrays.values())
        self.arrays, self.block = arrays, BLOCK if on_host else np.inf
        self.runs = [[i] for i in arrays] if self.in_order else _packed(arrays)
        order = [i for run in self.runs for i in run]
        ends = np.cumsum([0, *(arrays[i].size for i in order)]).tolist()
        self.spans = {i: slice(a, b) for i, a, b in zip(order, ends, ends[1:], strict=False)}
        self.memory = [xp_of(first).zeros(ends[-1], first.dtype) for _ in range(slots)]

    def views(self) -> Iterator[tuple[int, tuple[Array, ...]]]:
        """Yield for each place its part of the state, in the shape of its array."""
        for i, p in self.arrays.items():
            yield i, tuple(flat[self.spans[i]].reshape(p.shape) for flat in self.memory)

    def tasks(
        self, formula: Formula, sources: Mapping[int, Array], turns: Sequence[int]
    ) -> Iterator[Task]:
        """Yield the blocks of work; a run stays together if all move, at the same turn."""
        for run in self.runs:
            live = [i for i in run if i in sources]
            if 1 < len(run) == len(live) and len({turns[i] for i in run}) == 1:
                yield partial(self.gathered, partial(formula, turns[run[0]]), run, sources)
                continue
            for i in live:
                yield from self.pieces(partial(formula, turns[i]), i, sources[i])

    def gathered(self, formula: Formula, run: list[int], sources: Mapping[int, Array]) -> None:
        """Do a run of small arrays as one."""
        start, stop = self.spans[run[0]].start, self.spans[run[-1]].stop
        state = [flat[start:stop] for flat in self.memory]
        p, g = (scratch(f"update: {x}", (stop - start,), self.arrays[run[0]].dtype) for x in "pg")
        np.concatenate([self.arrays[i] for i in run], axis=None, out=p)
        np.concatenate([sources[i] for i in run], axis=None, out=g, casting="same_kind")
        formula(p, g, *state)
        for i in run:
            array, span = self.arrays[i], self.spans[i]
            array[...] = p[span.start - start : span.stop - start].reshape(array.shape)

    def pieces(self, formula: Formula, i: int, source: Array) -> Iterator[Task]:
        """Yield the blocks of one array: so many rows of it as make a block, at least one."""
        p = self.arrays[i]
        if p.size <= self.block:
            p, source = p[None], source[None]  # one row; also where there was no axis
        elif p.flags.c_contiguous and source.flags.c_contiguous:
            p, source = p.reshape(-1), source.reshape(-1)  # each value is a row
        count = max(1, BLOCK // max(p[0].size, 1))
        for a in range(0, len(p), count):
            yield partial(self.piece, formula, p, source, slice(a, a + count), self.spans[i].start)

    def piece(self, formula: Formula, p: Array, source: Array, rows: slice, start: int) -> None:
        """Do some rows of one array: in place where they are contiguous, else through a copy."""
        start += rows.start * p[0].size
        part, g = p[rows], source[rows].reshape(-1)
        flat = part.reshape(-1)
        formula(flat, g, *(slot[start : start + flat.size] for slot in self.memory))
        if not part.flags.c_contiguous:
            part[...] = flat.reshape(part.shape)


def _packed(arrays: Mapping[int, Array]) -> list[list[int]]:
    """Put small arrays together, up to a block each time; every large one is by itself."""
    runs, room = [], -1  # no run has been begun
    for i in (i for i, p in arrays.items() if p.size <= SMALL):
        if arrays[i].size > room:
            runs.append([])
            room = BLOCK
        runs[-1].append(i)
        room -= arrays[i].size
    return runs + [[i] for i, p in arrays.items() if p.size > SMALL]


def _shelves(arrays: Sequence[Array], slots: int) -> Iterator[_Shelf]:
    """Sort arrays by device and dtype."""
    kinds: dict[Any, dict[int, Array]] = {}
    for i, p in enumerate(arrays):
        kinds.setdefault((type(p), p.dtype), {})[i] = p
    return (_Shelf(kind, slots) for kind in kinds.values())


def _overlap(arrays: Any) -> bool:
    """Whether some arrays may share memory: then the one is to be done before the other."""
    bounds = sorted(np.lib.array_utils.byte_bounds(p) for p in arrays if p.size)
    return any(b[0] < a[1] for a, b in zip(bounds, bounds[1:], strict=False))


def _refuse_misfit(i: int, p: Array, source: Array) -> None:
    if p.shape != source.shape or type(p) is not type(source):
        raise ShapeError(
            f"parameter {i} is {p.shape} on {backend_of(p).name}, what it shall follow "
            f"{source.shape} on {backend_of(source).name}: bring them together, or begin anew"
        )
    if not getattr(p.flags, "writeable", True):
        raise ValueError(f"parameter {i} is on read-only memory: give it a copy")


def _refuse_state(i: int, p: Array, state: tuple[Array, ...]) -> None:
    for kept in state:
        if kept.shape != p.shape:
            raise ShapeError(
                f"parameter {i} is {p.shape} now, its state {kept.shape}: build a new optimiser"
            )
