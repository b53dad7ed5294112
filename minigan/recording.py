"""Floor 2, its ground: whether a thread records what it computes, and who watches it.

The state belongs to a thread and every block restores what it found, exceptions included.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ContextDecorator, contextmanager
from typing import Any


class Watcher:
    """Stands between the engine and what it calls; this base lets everything pass.

    A subclass installed by `watching` sees each kernel of its thread and what came of it, and each
    node that a backward pass visits. Where nobody watches, it costs one look at the thread's state.
    """

    def run(self, op: Any, kernel: Callable[..., Any], args: Sequence, options: dict) -> Any:
        """Call a kernel of `op`: the forward one, or for a fused op that of the derivative."""
        return kernel(*args, **options)

    def made(self, op: Any, out: Any) -> None:
        """Take note of `out`, the array that becomes the result of `op`."""

    def visit(self, visit: Callable[..., None], node: Any, *args: Any) -> None:
        """Call `visit(node, *args)`, which turns the gradient of one node into its parents'."""
        visit(node, *args)


class Mode(threading.local):
    """Whether this thread records, what it did before each open block, and who watches its ops."""

    recording = True
    watcher: Watcher | None = None

    def __init__(self) -> None:
        self.former: list[bool] = []


mode = Mode()


class _Recording(ContextDecorator):
    """Set recording on or off for a block or a function, and restore it whatever happens."""

    def __init__(self, flag: bool) -> None:
        self._flag = flag

    def __enter__(self) -> _Recording:
        mode.former.append(mode.recording)
        mode.recording = self._flag
        return self

    def __exit__(self, *exc_info: object) -> None:
        mode.recording = mode.former.pop()

    def __call__(self, function: Callable) -> Callable:
        if inspect.isgeneratorfunction(function):
            raise TypeError(
                f"{function.__name__} is a generator: decorated, only its making would be covered; "
                "put `with` inside it"
            )
        return super().__call__(function)


def recording(flag: bool) -> _Recording:
    """Record ops in the block, or not."""
    return _Recording(flag)


def no_grad() -> _Recording:
    """Record nothing in the block (or decorated function): results have no graph.

    >>> import minigan as mg
    >>> x = mg.tensor(2.0, requires_grad=True)
    >>> with mg.no_grad():
    ...     print((x * x).requires_grad)
    False
    """
    return _Recording(False)


def enable_grad() -> _Recording:
    """Record in the block (or decorated function), inside `no_grad` too."""
    return _Recording(True)


def is_grad_enabled() -> bool:
    """Whether this thread records ops."""
    return mode.recording


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` stand between the engine and its kernels, in this thread and block."""
    former, mode.watcher = mode.watcher, watcher
    try:
        yield
    finally:
        mode.watcher = former


def trace(callback: Callable[[str, Any], None]) -> AbstractContextManager[None]:
    """Call `callback(op_name, out_array)` after each op of this thread within the block."""
    return watching(_Tracer(callback))


class _Tracer(Watcher):
    """Reports each result of an op."""

    def __init__(self, callback: Callable[[str, Any], None]) -> None:
        self._callback = callback

    def made(self, op: Any, out: Any) -> None:
        self._callback(op.name, out)


def run_kernel(op: Any, kernel: Callable[..., Any], args: Sequence, options: dict) -> Any:
    """Call a kernel of `op`, through the thread's watcher if there is one."""
    watcher = mode.watcher
    if watcher is None:
        return kernel(*args, **options)
    return watcher.run(op, kernel, args, options)


def watched(visit: Callable[..., None]) -> Callable[..., None]:
    """Return the function that visits a node, through the thread's watcher if there is one."""
    watcher = mode.watcher
    return visit if watcher is None else functools.partial(watcher.visit, visit)
