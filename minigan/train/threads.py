"""How many threads the linear algebra (BLAS) uses.

The matrix products of small networks take some tens of microseconds. A second thread saves little
there, and where the cores are shared it costs a lot: BLAS threads wait for one another by spinning,
so one that is not scheduled holds up all the others. The number is an option of a run and not a
property of the machine also because products may round differently with another number.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

from minigan.backend.threads import use_pool


def blas_threads(count: int) -> AbstractContextManager:
    """Let BLAS use `count` >= 1 threads within the block, in the whole process.

    Large products go to minigan's own pool from here on, so that a run that is resumed divides them
    as one that was never stopped.
    """
    use_pool()
    return threadpool_limits(count, user_api="blas")
