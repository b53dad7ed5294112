"""The next batches, prepared by a thread while the networks work on this one.

Batches are functions of their number (`data/batches.py`), so it does not matter who computes them,
or when: with the thread or without it they are the same bit for bit.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from minigan.data.transforms import Indexed


class Prefetch:
    """`at(step)` of any batches, computed ahead: `with Prefetch(batches) as ready: ready.at(t)`.

    `ahead` >= 1: how many are prepared beyond the last one asked for. Steps may be asked for in any
    order; in ascending order they are ready. What goes wrong in the thread is raised by `at` for
    the step it belongs to, and again if that is asked for again. Leaving the block ends the thread.

    >>> from minigan.data import Batches
    >>> batches = Batches(np.arange(100), batch_size=8, seed=0)
    >>> with Prefetch(batches) as ready:
    ...     all((ready.at(t) == batches.at(t)).all() for t in range(20))
    True
    """

    def __init__(self, batches: Indexed, *, ahead: int = 2) -> None:
        if ahead < 1:
            raise ValueError(f"ahead is {ahead}: give an integer >= 1")
        self.batches, self.ahead = batches, ahead
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="minigan-prefetch")
        self._coming: dict[int, Future[np.ndarray]] = {}
        self._closed = False

    def at(self, step: int) -> np.ndarray:
        """Return batch number `step` >= 0, and let the thread begin the ones after it."""
        if self._closed:
            raise RuntimeError("the prefetch is closed: ask within its block")
        self._drop_all_but(range(step, step + self.ahead + 1))
        for number in range(step, step + self.ahead + 1):
            if number not in self._coming:
                self._coming[number] = self._thread.submit(self.batches.at, number)
        return self._coming.pop(step).result()

    def close(self) -> None:
        """End the thread; what it has begun is finished and dropped. Closing twice does nothing."""
        self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()

    def _drop_all_but(self, wanted: range) -> None:
        for number in [number for number in self._coming if number not in wanted]:
            self._coming.pop(number).cancel()

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
