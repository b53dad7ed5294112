"""Parts of an array for several cores, where kernels only move values to places of their own.

Copies and elementwise sums give the same bits wherever they are cut, so the number of parts may
follow the number of threads: every part costs some calls of NumPy, and two for each thread suffice
to even out what the cores do besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.backend.threads import get_num_threads, parallel

PART = 1 << 20  # values: to copy them takes 90 us, and it takes 40 until another thread is awake


def in_parts(task: Callable[[slice], None], length: int, array: Any) -> None:
    """Call task(part of range(length)) for all parts: one, unless `array` has work for more."""
    count = 1
    if type(array) is np.ndarray and array.size >= 2 * PART:
        threads = get_num_threads()
        count = min(array.size // PART, length, 2 * threads if threads > 1 else 1)
    if count < 2:
        task(slice(0, length))
        return
    step = -(-length // count)
    cuts = [slice(start, min(start + step, length)) for start in range(0, length, step)]
    parallel(lambda index: task(cuts[index]), len(cuts))
