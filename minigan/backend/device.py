"""Devices: which array library serves which array, and what to say when there is no GPU.

An array's *type* names its backend, so finding the library that serves an array is one look-up in
a small table (25 ns; `cupy.get_array_module` takes 400). CuPy is imported on the first use of
`"cuda"`, never before, and each way of not having a GPU gives one line that says which it is.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from minigan.errors import DeviceError

Array = Any  # numpy.ndarray or cupy.ndarray: CuPy may be absent, so the type cannot be named here.


@dataclass(frozen=True)
class Backend:
    """One array library: its module, its array type, and the ways in and out of it."""

    name: str
    xp: ModuleType | Any
    array_type: type
    asarray: Callable[[Any], Array]
    asnumpy: Callable[[Array], np.ndarray]
    synchronize: Callable[[], None]

    def __repr__(self) -> str:
        return f"Backend({self.name!r}, {getattr(self.xp, '__name__', self.xp)})"


CPU = Backend("cpu", np, np.ndarray, np.asarray, np.asarray, lambda: None)

# The backends loaded so far, by device name and by array type. CuPy joins on its first use.
_BY_NAME: dict[str, Backend] = {"cpu": CPU}
_BY_TYPE: dict[type, Backend] = {np.ndarray: CPU}


class _DeviceState(threading.local):
    """The default device of a thread, and what it was before each open block."""

    name = "cpu"

    def __init__(self) -> None:
        self.former: list[str] = []


_state = _DeviceState()


# -- from arrays to libraries ---------------------------------------------------------------------


def is_array(value: object) -> bool:
    """Tell whether `value` is an array of a loaded backend."""
    return type(value) in _BY_TYPE


def backend_of(array: Array) -> Backend:
    """Return the backend that serves `array`."""
    return _BY_TYPE[type(array)]


def xp_of(*values: Any) -> Any:
    """Return the array library (`numpy` or `cupy`) of the first array among `values`.

    Python scalars and None are passed over; with no array at all the answer is NumPy.
    """
    for value in values:
        backend = _BY_TYPE.get(type(value))
        if backend is not None:
            return backend.xp
    return np


# -- choosing a device ----------------------------------------------------------------------------


def get_backend(name: str) -> Backend:
    """Return the backend of device `name`, "cpu" or "cuda"; CuPy is imported here.

    Raises `DeviceError`, in one line, for an unknown name or a GPU that cannot be used.
    """
    if name not in _BY_NAME:
        if name != "cuda":
            raise DeviceError(f"unknown device {name!r}: use 'cpu' or 'cuda'")
        _register(_load_cupy())
    return _BY_NAME[name]


def current_device() -> str:
    """Return the name of this thread's default device."""
    return _state.name


def set_default_device(name: str) -> None:
    """Make `name` the device on which this thread's new tensors are born."""
    get_backend(name)
    _state.name = name


class device:
    """Use a device for the tensors created in the block: `with mg.device("cuda"): ...`.

    The device is looked up at once, so that a missing GPU is reported where it is asked for; the
    former default is restored at the end of the block, exceptions included.

    >>> import minigan as mg
    >>> with mg.device("cpu"):
    ...     print(mg.zeros(2).device)
    cpu
    """

    def __init__(self, name: str) -> None:
        self.name = get_backend(name).name

    def __enter__(self) -> device:
        _state.former.append(_state.name)
        _state.name = self.name
        return self

    def __exit__(self, *exc_info: object) -> None:
        _state.name = _state.former.pop()


def synchronize(name: str | None = None) -> None:
    """Wait until every kernel launched on a device (default: the current one) has finished."""
    get_backend(name or _state.name).synchronize()


@contextmanager
def installed_backend(backend: Backend) -> Iterator[Backend]:
    """Serve a device name by `backend` within the block: the door for test doubles."""
    former = _BY_NAME.get(backend.name)
    _register(backend)
    try:
        yield backend
    finally:
        _BY_TYPE.pop(backend.array_type, None)
        _BY_NAME.pop(backend.name, None)
        if former is not None:
            _register(former)


def _register(backend: Backend) -> None:
    _BY_NAME[backend.name] = backend
    _BY_TYPE[backend.array_type] = backend


# -- CuPy, and the ways of not having it ----------------------------------------------------------

_INSTALL = 'pip install "cupy-cuda13x[ctk]" (or "cupy-cuda12x[ctk]" for a CUDA 12 driver)'
_NO_DRIVER, _NO_DEVICE = 35, 100  # cudaErrorInsufficientDriver, cudaErrorNoDevice


def gpu_status() -> str:
    """Say in one line whether the GPU can be used, and if not, why and what to do.

    Never raises: for reports. `get_backend("cuda")` raises the same line as `DeviceError`.
    """
    try:
        xp = get_backend("cuda").xp
        return f"GPU ready: CuPy {xp.__version__}, {xp.cuda.runtime.getDeviceCount()} device(s)"
    except DeviceError as error:
        return str(error)


def _load_cupy() -> Backend:
    """Import CuPy and run one tiny kernel and one product, so that what is missing shows now."""
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise DeviceError(_explain(error)) from error
        raise DeviceError(f"no GPU: CuPy is not installed; {_INSTALL}") from None
    except Exception as error:  # a broken installation may fail in any way while being imported
        raise DeviceError(_explain(error)) from error
    try:
        probe = cupy.ones((2, 2), dtype="float32")
        float((probe @ probe).sum())
    except Exception as error:
        raise DeviceError(_explain(error)) from error
    return Backend(
        name="cuda",
        xp=cupy,
        array_type=cupy.ndarray,
        asarray=cupy.asarray,
        asnumpy=cupy.asnumpy,
        synchronize=lambda: cupy.cuda.get_current_stream().synchronize(),
    )


def _explain(error: Exception) -> str:
    """Turn what CuPy raised into one line: which part is missing, and what to install."""
    status = getattr(error, "status", None)
    text = " ".join(str(error).split()) or type(error).__name__
    if status == _NO_DRIVER:
        return f"no GPU: no NVIDIA driver, or one too old for this CuPy ({text}); update the driver"
    if status == _NO_DEVICE:
        return f"no GPU: the driver sees no device ({text}); check nvidia-smi, CUDA_VISIBLE_DEVICES"
    if isinstance(error, ImportError) or "DynamicLibNotFound" in type(error).__name__:
        return f"no GPU: a CUDA library is missing ({text}); {_INSTALL}"
    if "CUDA headers" in text:
        return f"no GPU: the CUDA headers are missing ({text}); {_INSTALL}"
    return f"no GPU: CuPy failed with {type(error).__name__}: {text}"
