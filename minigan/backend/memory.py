"""Memory that stays: what one training step frees, the next one uses again.

The first touch of memory fresh from the system costs more than the arithmetic on it: every page is
cleared and entered into the process's tables. A training step frees as much as it allocates, and a
C library that hands large blocks back to the system at once pays that price in every step. glibc's
`mallopt` tells it to keep them; it then divides and joins them as it does with small ones.

What is kept is the most that the process has used so far, so its peak does not rise. Scratch
memory of the kernels, which is kept in any case, is in `threads.py`.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

from minigan.backend.threads import free_scratch

# mallopt(3): from how many bytes on a block is mapped by itself, and how many free bytes at the
# end of the heap are kept. Setting either ends glibc's own guessing, which goes up to _USUAL.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: (1 << 31) - 1}
_USUAL = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}


def keep_memory(flag: bool = True) -> bool:
    """Let this process keep the memory of freed arrays for new ones; tell whether that can be set.

    It is a setting of the C library, for the whole process, and nothing but training loops that
    allocate the same again and again gain by it: a toy step takes 15% less time, a step of a
    convolutional network up to 8%. With `keep_memory(False)` large blocks go back to the system
    when they are freed; `free_memory()` gives back what is kept now. Without glibc (macOS, Windows,
    musl) nothing is changed, and the answer is False.

    >>> import minigan as mg
    >>> mg.keep_memory() in (True, False)
    True
    """
    mallopt = _function("mallopt")
    if mallopt is None:
        return False
    settings = _KEEP if flag else _USUAL
    done = [mallopt(name, value) == 1 for name, value in settings.items()]
    return all(done)


def free_memory() -> None:
    """Give back to the system what is kept for reuse: scratch memory, and freed arrays.

    >>> import minigan as mg
    >>> mg.free_memory()
    >>> mg.scratch_bytes()
    0
    """
    free_scratch()
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _function(name: str) -> Any:
    """Look up a function of glibc, or None where the C library is another one."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        return getattr(library, name) if hasattr(library, "gnu_get_libc_version") else None
    except (OSError, AttributeError):
        return None
