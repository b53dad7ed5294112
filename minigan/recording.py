"""Floor 2, its ground: whether a thread records what it computes, and who watches it.

The state belongs to a thread and every block restores what it found, exceptions included.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from typing import Any


class Mode(threading.local):
    """Whether this thread records, what it did before each open block, and who watches its ops."""

    recording = True
    watcher: Callable[[str, Any], None] | None = None

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
def trace(callback: Callable[[str, Any], None]) -> Iterator[None]:
    """Call `callback(op_name, out_array)` after each op of this thread within the block."""
    former, mode.watcher = mode.watcher, callback
    try:
        yield
    finally:
        mode.watcher = former
