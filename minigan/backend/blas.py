"""The number of threads of NumPy's own BLAS: where the switch is.

NumPy's wheels carry OpenBLAS under names of their own (`scipy_openblas_set_num_threads64_`), other
builds use the plain ones. The library is already loaded, so asking the dynamic linker for a symbol
of NumPy's core module finds it: that module depends on it, and look-up follows dependencies. Where
that fails (Windows, another BLAS) `threadpoolctl` is asked if it is installed, and failing that the
switch does nothing.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

# Not the names with one more underscore: those are Fortran's and take pointers.
_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


class Blas(NamedTuple):
    """How to ask for the number of threads and how to set it."""

    name: str
    get: Callable[[], int]
    set: Callable[[int], object]


@cache
def find_blas() -> Blas:
    """Return the switch of NumPy's BLAS; its name is "openblas", "threadpoolctl" or "none"."""
    return _from_openblas() or _from_threadpoolctl() or Blas("none", lambda: 1, lambda count: None)


def _from_openblas() -> Blas | None:
    try:
        core = importlib.import_module("numpy._core._multiarray_umath")
        library = ctypes.CDLL(core.__file__)
    except (ImportError, OSError):
        return None
    for name in _NAMES:
        getter = getattr(library, name.format("get"), None)
        setter = getattr(library, name.format("set"), None)
        if getter is not None and setter is not None:
            getter.argtypes, getter.restype = [], ctypes.c_int
            setter.argtypes, setter.restype = [ctypes.c_int], None
            return Blas("openblas", getter, setter)
    return None


def _from_threadpoolctl() -> Blas | None:
    try:
        threadpoolctl = importlib.import_module("threadpoolctl")
    except ImportError:
        return None
    controllers = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    if not controllers:
        return None

    def set_all(count: int) -> None:
        for controller in controllers:
            controller.set_num_threads(count)

    return Blas("threadpoolctl", controllers[0].get_num_threads, set_all)
