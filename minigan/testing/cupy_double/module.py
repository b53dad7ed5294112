"""The module of the double: NumPy's functions under CuPy's rules, made as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minigan.testing.cupy_double import dialect
from minigan.testing.cupy_double.array import (
    check_keywords,
    check_operand,
    launch,
    lower,
    ndarray,
)
from minigan.testing.cupy_double.indexing import lower_index, wrap
from minigan.testing.cupy_double.ledger import Ledger


class Namespace:
    """A module of functions, each made of NumPy's at its first use."""

    def __init__(self, module: ModuleType, path: str, ledger: Ledger) -> None:
        self._module, self._path, self._ledger = module, path, ledger

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _translate(self._module, self._path, name, self._ledger)
        setattr(self, name, value)  # found without coming here the next time
        return value


class CupyDouble(Ledger):
    """A module that stands in for `cupy`: NumPy's functions under CuPy's rules, and the counts.

    Counts and the capturing mode are described at `Ledger`. What CuPy 14 lacks is missing here
    too, also keywords. `random` is not offered: minigan draws its numbers on the host.

    >>> xp = CupyDouble()
    >>> x = xp.asarray(np.ones((2, 3), np.float32))
    >>> total = (x + 1).sum()
    >>> total.shape, xp.launches, xp.synchronisations
    ((), 2, 0)
    >>> float(total), xp.synchronisations
    (12.0, 1)
    >>> with xp.capturing():
    ...     float(total)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    CaptureError: float(array) makes the host wait for the device, which a CUDA graph cannot record
    """

    __name__ = "cupy_double"
    __version__ = "14.2.0 (double)"
    ndarray = ndarray

    def __init__(self) -> None:
        super().__init__()
        self.cuda = _cuda(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = _translate(np, "", name, self)
        setattr(self, name, value)
        return value

    def __repr__(self) -> str:
        return (
            f"CupyDouble(launches={self.launches}, synchronisations={self.synchronisations}, "
            f"copies_to_device={self.copies_to_device})"
        )

    # -- between host and device -------------------------------------------------------------------

    def array(self, obj: Any, dtype: Any = None, copy: bool = True, **kwargs: Any) -> ndarray:
        """Return a device array with the values of `obj`: an array, a number, or nested lists."""
        check_keywords("array", kwargs)
        if isinstance(obj, ndarray):
            return launch(self, np.array, (obj,), {"dtype": dtype, "copy": copy, **kwargs})
        parts_on_device = _holds_device_array(obj)
        column_major = isinstance(obj, np.ndarray) and obj.flags.fnc
        kwargs = {"dtype": dtype, "order": "F" if column_major else "C", **kwargs}
        array = np.array(lower(obj) if parts_on_device else obj, **kwargs)
        if array.dtype.char not in dialect.DTYPES:
            raise ValueError(f"Unsupported dtype {array.dtype}")
        if array.ndim and not parts_on_device:
            self.copy_to_device("asarray(host array)")
        else:
            self.launch()  # a number is the argument of a kernel that fills
        return ndarray(array, self)

    def asarray(self, a: Any, dtype: Any = None, **kwargs: Any) -> ndarray:
        """Return `a` itself if it is a device array of that dtype, else as `array`."""
        return self.array(a, dtype, **{"copy": None, **kwargs})

    asanyarray = asarray

    def asnumpy(self, a: Any, stream: Any = None, order: str = "C", out: Any = None) -> np.ndarray:
        """Return `a` as a NumPy array; a device array is waited for and copied."""
        return a.get(order=order, out=out) if isinstance(a, ndarray) else np.asarray(a)

    def get_array_module(self, *args: Any) -> Any:
        """Return this module if a device array is among `args`, else NumPy."""
        return self if any(isinstance(arg, ndarray) for arg in args) else np

    # -- functions whose indices wrap, where NumPy raises ------------------------------------------

    def take(self, a: ndarray, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
        """As `numpy.take`; indices out of range wrap, and a list of them is copied over."""
        check_first("take", a)
        if isinstance(indices, (list, tuple, np.ndarray)):
            indices = self.array(indices)
        function = partial(np.take, mode="wrap")
        return launch(self, function, (a, indices), {"axis": axis, "out": out})

    def take_along_axis(self, a: ndarray, indices: ndarray, axis: int | None) -> ndarray:
        """As `numpy.take_along_axis`; indices out of range wrap."""
        check_first("take_along_axis", a)
        check_first("take_along_axis", indices)
        size = a.size if axis is None else a.shape[axis]
        function = partial(np.take_along_axis, indices=wrap(indices._array, size), axis=axis)
        return launch(self, function, (a,))


class Ufunc:
    """A NumPy ufunc under CuPy's rules: device arrays and scalars, `out`, `dtype`, `casting`."""

    def __init__(self, ufunc: np.ufunc, ledger: Ledger) -> None:
        self._ufunc, self._ledger = ufunc, ledger
        self.__name__ = self.name = ufunc.__name__
        self.nin, self.nout, self.nargs = ufunc.nin, ufunc.nout, ufunc.nargs

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.name != "matmul" and not kwargs.keys() <= dialect.UFUNC_KEYWORDS:
            raise TypeError(f"Wrong arguments {sorted(kwargs.keys() - dialect.UFUNC_KEYWORDS)}")
        for arg in args:
            check_operand(arg)
        if len(args) > self.nin == self.nargs - 1:  # the output, given by position
            args, kwargs = args[: self.nin], {**kwargs, "out": args[self.nin]}
        return launch(self._ledger, self._ufunc, args, kwargs, c_order=True)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Apply the ufunc in place at `indices`, repeated ones included."""
        if self.name not in dialect.UFUNC_AT:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        check_first(f"{self.name}.at", a)
        check_operand(b)
        index = lower_index(indices, a.shape, self._ledger)
        has_atomics = a.dtype.name in dialect.ATOMIC_DTYPES
        if not has_atomics and any(isinstance(item, np.ndarray) for item in index):
            dtypes = ", ".join(sorted(dialect.ATOMIC_DTYPES))
            raise TypeError(f"{self.name}.at only supports {dtypes} as data type, not {a.dtype}")
        self._ufunc.at(a._array, index, lower(b))
        self._ledger.launch()

    def reduce(self, array: ndarray, axis: Any = 0, **kwargs: Any) -> ndarray:
        """Reduce over `axis`: CuPy has it for `add` and `multiply`."""
        return self._add_or_multiply("reduce", array, axis=axis, **kwargs)

    def accumulate(self, array: ndarray, axis: int = 0, **kwargs: Any) -> ndarray:
        """Accumulate along `axis`: CuPy has it for `add` and `multiply`."""
        return self._add_or_multiply("accumulate", array, axis=axis, **kwargs)

    def outer(self, a: Any, b: Any, **kwargs: Any) -> ndarray:
        """Apply the ufunc to all pairs of elements."""
        check_operand(a)
        check_operand(b)
        return launch(self._ledger, self._ufunc.outer, (a, b), kwargs)

    def _add_or_multiply(self, method: str, array: ndarray, **kwargs: Any) -> ndarray:
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")
        check_first(f"{self.name}.{method}", array)
        return launch(self._ledger, getattr(self._ufunc, method), (array,), kwargs)


# -- from NumPy's names to the double's -----------------------------------------------------------


def _translate(module: ModuleType, path: str, name: str, ledger: Ledger) -> Any:
    """Return what the double offers under `name`, or raise the AttributeError that CuPy would."""
    full = f"{path}.{name}".lstrip(".")
    absent = dialect.ABSENT_IN[path] if path else dialect.ABSENT
    if name in absent or not hasattr(module, name):
        raise AttributeError(f"CuPy has no {full!r}")
    value = getattr(module, name)
    if isinstance(value, ModuleType):
        if full not in dialect.ABSENT_IN:
            raise AttributeError(f"the CuPy double offers no {full!r}")
        return Namespace(value, full, ledger)
    if isinstance(value, np.ufunc):
        return Ufunc(value, ledger)
    if isinstance(value, type) or not callable(value):
        return value  # dtypes and constants are NumPy's own in CuPy too
    if name in dialect.METADATA:
        return lambda *args: value(*map(lower, args))
    return partial(_call, ledger, name, value)


def _call(ledger: Ledger, name: str, function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy function as CuPy would: check what it is given, count what it costs."""
    check_keywords(name, kwargs)
    if name == "einsum":
        for operand in args[1:] if isinstance(args[0], str) else args[::2]:
            check_first(name, operand)
    elif name in dialect.SEQUENCES:
        for operand in args[0] if isinstance(args[0], (list, tuple)) else args[:1]:
            check_first(name, operand)
    elif name not in dialect.FROM_SHAPE:
        _check_data(name, args)
    if name in dialect.SYNCHRONISING or (name == "where" and len(args) == 1):
        ledger.synchronise(f"{name}()")
    if name in dialect.CUSOLVER:
        ledger.refuse_capture(f"linalg.{name}()", "calls cuSOLVER")
    return launch(ledger, function, args, kwargs)


def _check_data(name: str, args: tuple) -> None:
    """Check the leading arguments that hold data: the first an array, the others no lists."""
    count = dialect.DATA_ARGUMENTS.get(name, 1)
    for position, arg in enumerate(args[:count]):
        if position == 0 and name != "full_like":
            check_first(name, arg)
        elif arg is not None:
            check_operand(arg)


def check_first(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a device array."""
    if not isinstance(value, ndarray):
        raise TypeError(f"Unsupported type {type(value)}: {name}() takes a device array here")


def _holds_device_array(value: Any) -> bool:
    """Tell whether nested lists hold a device array."""
    if isinstance(value, (list, tuple)):
        return any(map(_holds_device_array, value))
    return isinstance(value, ndarray)


def _cuda(ledger: Ledger) -> SimpleNamespace:
    """Return the little of `cupy.cuda` that a backend asks for."""
    stream = SimpleNamespace(synchronize=partial(ledger.synchronise, "stream.synchronize()"), ptr=0)
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        deviceSynchronize=partial(ledger.synchronise, "deviceSynchronize()"),
    )
    device = SimpleNamespace(id=0, synchronize=partial(ledger.synchronise, "device.synchronize()"))
    return SimpleNamespace(
        is_available=lambda: True,
        runtime=runtime,
        Stream=SimpleNamespace(null=stream),
        get_current_stream=lambda: stream,
        Device=lambda number=0: device,
    )
