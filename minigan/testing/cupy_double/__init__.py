"""A test double of CuPy: run GPU code on the CPU, under CuPy's rules, and count what it would cost.

NumPy and CuPy look alike until the first GPU: a forgotten `np.exp` on a device array, a list where
an array must stand, a `float(loss)` in the middle of a step that makes the host wait, a keyword
CuPy does not have. The double has NumPy's numbers behind CuPy's strictness, so that all of these
fail on a machine without a GPU:

    from minigan.testing.cupy_double import cupy_double

    with cupy_double() as double:
        x = mg.tensor(images, device="cuda")
        double.reset()
        with double.capturing():          # any wait or copy between host and device raises
            loss = step(x)
        assert double.synchronisations == 0, double.journal
        assert double.launches < 400

It is stricter than CuPy in three things, on purpose: NumPy's functions refuse device arrays, which
CuPy would serve in silence; a NumPy array is refused wherever a value is assigned; and a broadcast
view cannot be written to. It is no simulator: memory is the host's, and linear algebra, the order
of sums and denormals are NumPy's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from minigan.backend.device import Backend, installed_backend
from minigan.testing.cupy_double.array import ndarray
from minigan.testing.cupy_double.ledger import CaptureError, Ledger
from minigan.testing.cupy_double.module import CupyDouble

__all__ = ["CaptureError", "CupyDouble", "Ledger", "cupy_double", "ndarray"]


@contextmanager
def cupy_double() -> Iterator[CupyDouble]:
    """Serve the device "cuda" by a fresh `CupyDouble` within the block, whatever served it before.

    >>> import minigan as mg
    >>> with cupy_double() as double:
    ...     x = mg.tensor([1.0, 2.0, 3.0], device="cuda")
    ...     y = (x * x).sum()
    ...     y.device, double.synchronisations
    ('cuda', 0)
    """
    double = CupyDouble()
    backend = Backend(
        name="cuda",
        xp=double,
        array_type=ndarray,
        asarray=double.asarray,
        asnumpy=double.asnumpy,
        synchronize=partial(double.synchronise, "synchronize()"),
    )
    with installed_backend(backend):
        yield double
