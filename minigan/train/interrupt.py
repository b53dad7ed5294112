"""Ctrl-C between two steps: the state that is then saved is a whole one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether a stop was asked for; true in a condition once it was."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Take note of Ctrl-C within the block instead of raising at a random place in it.

    A second Ctrl-C raises `KeyboardInterrupt` at once, for who cannot wait for the step to end.
    Outside the main thread, where Python allows no signal handlers, nothing is changed.
    """
    stop = Interrupt()

    def note(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, former)
