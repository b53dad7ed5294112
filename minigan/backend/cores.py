"""Which core a thread runs on: workers are kept off that of the thread they work for.

Linux likes to wake a thread where the thread that wakes it runs, since they probably share data.
For a pool that is the wrong guess: caller and worker then take turns on one core, for some
milliseconds, until the kernel notices that another one is idle, and two cores do the work of one.
Runtimes whose waiting threads spin never leave their cores; ours sleep, so we say where they may
wake up: anywhere but on the caller's core.

Elsewhere than on Linux, and where it is forbidden, nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache


def current_core() -> int | None:
    """Return the core that the calling thread runs on, or None where that cannot be told."""
    core = _getcpu()()
    return core if core >= 0 else None


def keep_off(core: int | None, threads: Iterable[threading.Thread]) -> None:
    """Let these threads run on every core that the caller may use but `core`, if there is one."""
    if core is None:
        return
    allowed = os.sched_getaffinity(0)
    for thread in threads:
        try:
            os.sched_setaffinity(thread.native_id, allowed - {core} or allowed)
        except OSError:  # forbidden here, or the thread has gone
            return


@cache
def _getcpu() -> Callable[[], int]:
    """Return the C library's `sched_getcpu`, or what answers -1."""
    if sys.platform.startswith("linux") and hasattr(os, "sched_setaffinity"):
        try:
            return ctypes.CDLL(None).sched_getcpu
        except (OSError, AttributeError):  # another C library
            pass
    return lambda: -1
