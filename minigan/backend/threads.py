"""Independent blocks of work on several cores, and the scratch memory they use.

NumPy's loops run on one core, and BLAS divides one product among all of them. Dividing the *work*
is better: each thread takes a block through all its steps (copy, transform, multiply, write) while
the block is in that core's cache, and BLAS does each product on the calling thread alone. NumPy
lets go of the interpreter's lock in loops and products, so ordinary Python threads suffice.

    parallel(task, count)       calls task(0), ..., task(count - 1), in any order, and returns

The number of threads never changes a result: the caller fixes the blocks without asking how many
threads there are, tasks write to different places, and a product is always done by one thread.

The threads start at the first work that is worth sharing, sleep on a queue when there is none, and
do not keep the process alive. The caller works too, so nested or simultaneous calls cannot block
each other: whoever waits is waiting for tasks that already run. A forked child starts anew.
"""

from __future__ import annotations

import contextvars
import math
import os
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.backend.blas import find_blas
from minigan.backend.cores import current_core, keep_off

Task = Callable[[int], Any]


# -- how many -------------------------------------------------------------------------------------


def get_num_threads() -> int:
    """Return how many threads `parallel` uses, the caller's included."""
    return _pool.size


def set_num_threads(count: int) -> None:
    """Let the blocked kernels use `count` >= 1 threads, in the whole process.

    The default is the number of cores this process may run on. Results are the same, bit for bit,
    for every number. A process whose products are all too small to share (`products.py`) leaves
    them to BLAS, which goes by a setting of its own.

    >>> import minigan as mg
    >>> before = mg.get_num_threads()
    >>> mg.set_num_threads(1)
    >>> mg.get_num_threads()
    1
    >>> mg.set_num_threads(before)
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"set_num_threads: count={count!r}: give an int >= 1")
    _pool.size = count


def pool_is_in_use() -> bool:
    """Tell whether this process has shared out work: whatever the number of threads."""
    return _pool.wanted


def use_pool() -> None:
    """Let this process share out its work from now on, as if it had done so before.

    What it did before decides how its products are divided (`products.py`), and so their last bits:
    who wants those of another process, which may have begun earlier, says so at the beginning.
    """
    _pool.wanted = True


def _cores() -> int:
    """Return the number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# -- sharing out work -----------------------------------------------------------------------------


def parallel(task: Task, count: int) -> None:
    """Call task(0), ..., task(count - 1) on the pool's threads, with BLAS at one thread in each.

    Of the errors that tasks raise the one with the smallest index is raised here, after every task
    that had started has ended; tasks that had not started are not run.
    """
    if count < 1:
        return
    _pool.wanted = _pool.wanted or count > 1
    with single_threaded_blas():
        job = _Job(task, count)
        helpers = 0 if _here.busy else min(_pool.size, count) - 1
        if helpers:
            _pool.call(job, helpers)
        try:
            job.work()
            job.finished.wait()
        except BaseException:  # Ctrl-C between tasks; within one, it is the error of that task
            job.stop()
            _scratch.buffers.clear()  # others may still write there, until their tasks end
            raise
    failed, job.error = job.error, None  # the traceback holds the job: no circle of references
    if failed is not None:
        try:
            raise failed[1]
        finally:
            del failed  # ... and this frame


class _Job:
    """One call of `parallel`: which task comes next, how many have ended, what went wrong."""

    def __init__(self, task: Task, count: int) -> None:
        self.task, self.count = task, count
        self.next = self.ended = 0
        self.error: tuple[int, BaseException] | None = None
        self.lock = threading.Lock()
        self.finished = threading.Event()

    def work(self) -> None:
        """Do tasks until none is left."""
        outer, _here.busy = _here.busy, True
        try:
            while (index := self.take()) is not None:
                try:
                    self.task(index)
                except BaseException as error:  # it is raised in the thread that called `parallel`
                    self.end(index, error)
                else:
                    self.end(index, None)
        finally:
            _here.busy = outer

    def take(self) -> int | None:
        with self.lock:
            if self.next == self.count:
                return None
            self.next += 1
            return self.next - 1

    def end(self, index: int, error: BaseException | None) -> None:
        with self.lock:
            self.ended += 1
            if error is not None:
                self.count = self.next  # start no more
                if self.error is None or index < self.error[0]:
                    self.error = index, error
            if self.ended == self.count:
                self.finished.set()

    def stop(self) -> None:
        """Hand out no more tasks."""
        with self.lock:
            self.count = self.next


class _Pool:
    """Daemon threads that take jobs from a queue; started when first needed."""

    def __init__(self) -> None:
        self.size = _cores()
        self.wanted = False
        self.reset()

    def reset(self) -> None:
        """Forget the threads and their locks: a forked child has copies that nobody serves."""
        self.lock = threading.Lock()
        self.jobs: queue.SimpleQueue[tuple[contextvars.Context, _Job]] = queue.SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.avoided: int | None = None  # the core that the threads keep off

    def call(self, job: _Job, helpers: int) -> None:
        """Offer a job to `helpers` threads."""
        with self.lock:
            while len(self.threads) < helpers:
                name = f"minigan-{len(self.threads) + 1}"
                thread = threading.Thread(target=_serve, args=(self.jobs,), name=name, daemon=True)
                thread.start()
                self.threads.append(thread)
                self.avoided = None
            core = current_core()
            if core != self.avoided:
                self.avoided = core
                keep_off(core, self.threads)
        for _ in range(helpers):
            # In the caller's context: `np.errstate` holds for the tasks as well.
            self.jobs.put((contextvars.copy_context(), job))


def _serve(jobs: queue.SimpleQueue) -> None:
    """Live as a worker thread."""
    while True:
        context, job = jobs.get()
        context.run(job.work)
        del context, job  # keep nothing alive while asleep


class _Here(threading.local):
    """What this thread is doing: within a task, further calls of `parallel` are not divided."""

    busy = False


# -- BLAS at one thread ---------------------------------------------------------------------------


class _Limit:
    """Which blocks want BLAS at one thread, and the number to return to after the last.

    Ctrl-C may come in the middle of entering or leaving a block. It leaves a dead reference, or a
    number to return to; the next block makes it good.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()
        self.blocks: set[weakref.ref[single_threaded_blas]] = set()
        self.former: int | None = None  # None: BLAS is at that number


class single_threaded_blas:
    """Hold BLAS at one thread within the block, in the whole process.

    Its former number comes back after the last such block of any thread, exceptions included.
    Where NumPy's BLAS offers no such switch, nothing is done: right results, less speed.
    """

    __slots__ = ("__weakref__",)

    def __enter__(self) -> None:
        with _limit.lock:
            if not _limit.blocks:
                blas = find_blas()
                if _limit.former is None:
                    _limit.former = blas.get()
                blas.set(1)
            _limit.blocks.add(weakref.ref(self))

    def __exit__(self, *exc_info: object) -> None:
        with _limit.lock:
            _limit.blocks.discard(weakref.ref(self))
            if _limit.blocks:
                _limit.blocks = {block for block in _limit.blocks if block() is not None}
            if not _limit.blocks and _limit.former is not None:
                find_blas().set(_limit.former)
                _limit.former = None


# -- scratch memory -------------------------------------------------------------------------------
#
# The first touch of fresh memory costs more than the arithmetic on it, so each thread keeps one
# buffer per purpose, as large as the largest request so far, and hands out its beginning again.


class _Scratch(threading.local):
    """One thread's buffers by purpose; they go when the thread ends."""

    def __init__(self) -> None:
        self.buffers = _Buffers()
        _every_scratch.add(self.buffers)


class _Buffers(dict):
    """A dict that can be referred to weakly, and is itself, whatever it holds."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


_every_scratch: weakref.WeakSet[_Buffers] = weakref.WeakSet()


def scratch(purpose: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return this thread's scratch array for `purpose`, its contents arbitrary.

    It is valid until the same thread asks for the same purpose again.
    """
    buffers, size = _scratch.buffers, math.prod(shape) * np.dtype(dtype).itemsize
    buffer = buffers.get(purpose)
    if buffer is None or buffer.nbytes < size:
        buffers.pop(purpose, None)  # first of all: never two of them at a time
        buffer = buffers[purpose] = _aligned(size)
    return buffer[:size].view(dtype).reshape(shape)


def _aligned(size: int) -> np.ndarray:
    """Return `size` fresh bytes that start at a cache line."""
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def free_scratch() -> None:
    """Give back the scratch memory that kernels keep between calls, that of all threads.

    Convolutions keep their blocks, transformed kernels and partial sums: per thread a few to some
    tens of MB, as large as the largest layer so far asked for. Kernels that run at the moment keep
    theirs until they end; the next ones allocate anew.

    >>> import minigan as mg
    >>> mg.free_scratch()
    >>> mg.scratch_bytes()
    0
    """
    for buffers in list(_every_scratch):
        buffers.clear()


def scratch_bytes() -> int:
    """Return how much scratch memory all threads keep, in bytes."""
    return sum(b.nbytes for buffers in list(_every_scratch) for b in list(buffers.values()))


# -- this process ---------------------------------------------------------------------------------


def _after_fork() -> None:
    """A child has the thread that forked, and no other: no workers, no half-done blocks."""
    former = _limit.former
    _pool.reset()
    _limit.reset()
    if former is not None:
        find_blas().set(former)


_pool = _Pool()
_here = _Here()
_limit = _Limit()
_scratch = _Scratch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
