"""The array of the double: a NumPy array behind CuPy's front door."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigan.testing.cupy_double.dialect import REFUSED, REFUSED_ANYWHERE, SYNCHRONISING, names
from minigan.testing.cupy_double.indexing import lower_index
from minigan.testing.cupy_double.ledger import Ledger

Scalar = (bool, int, float, complex, np.generic)


class ndarray:
    """An array on the pretended device; made by the functions of a `CupyDouble`, never directly.

    NumPy cannot read it: `np.asarray(x)` raises as with CuPy, and so does `np.exp(x)`, where CuPy
    would dispatch in silence. `.get()` brings it to the host, and is counted.
    """

    __slots__ = ("__weakref__", "_array", "_ledger", "base")
    __array_priority__ = 100
    __array_ufunc__ = None  # every NumPy ufunc and operator refuses, or leaves it to this class
    __hash__ = None

    def __init__(self, array: np.ndarray, ledger: Ledger, base: ndarray | None = None) -> None:
        self._array = array
        self._ledger = ledger
        self.base = base  # the device array whose memory this one looks at, or None

    # -- what NumPy is told ------------------------------------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_function__(self, function: Callable, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(
            f"numpy.{function.__name__} was called on a device array: call it through the array's "
            f"own module, xp_of(x).{function.__name__}"
        )

    # -- facts, known to the host without asking the device ----------------------------------------

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    device = property(lambda self: SimpleNamespace(id=0))
    data = property(lambda self: SimpleNamespace(ptr=self._array.ctypes.data))

    def __len__(self) -> int:
        return len(self._array)

    @property
    def flags(self) -> SimpleNamespace:
        """The layout; as in CuPy there is no `writeable`, every array is."""
        flags = self._array.flags
        names = ("c_contiguous", "f_contiguous", "fnc", "forc")
        return SimpleNamespace(
            owndata=self.base is None, **{name: getattr(flags, name) for name in names}
        )

    # -- views -------------------------------------------------------------------------------------

    T = property(lambda self: self._view(self._array.T))
    mT = property(lambda self: self._view(self._array.mT))
    real = property(lambda self: self._view(self._array.real))
    imag = property(lambda self: self._view(np.imag(self._array)))

    def _view(self, array: np.ndarray) -> ndarray:
        return settle(array, [self], self._ledger)

    def __iter__(self) -> Iterator[ndarray]:
        return (self[i] for i in range(len(self)))

    # -- indexing ----------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> ndarray:
        index = lower_index(key, self.shape, self._ledger)
        return settle(self._array[index], [self], self._ledger)

    def __setitem__(self, key: Any, value: Any) -> None:
        check_operand(value)
        index = lower_index(key, self.shape, self._ledger)
        if isinstance(value, ndarray) and _is_itself(self._array, index, value._array):
            return  # the second half of `x[index] += y`: CuPy sees that nothing is left to do
        self._array[index] = lower(value)
        self._ledger.launch()

    # -- to the host: each of these waits for the device -------------------------------------------

    def get(self, stream: Any = None, order: str = "C", out: Any = None) -> np.ndarray:
        """Return a copy as a NumPy array."""
        self._ledger.synchronise("array.get()")
        if out is None:
            return self._array.copy(order=order)
        out[...] = self._array
        return out

    def item(self) -> Any:
        """Return the only element as a Python number."""
        self._ledger.synchronise("array.item()")
        return self._array.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists."""
        self._ledger.synchronise("array.tolist()")
        return self._array.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """Return the elements as bytes."""
        self._ledger.synchronise("array.tobytes()")
        return self._array.tobytes(order)

    def __float__(self) -> float:
        self._ledger.synchronise("float(array)")
        return float(self._array)

    def __int__(self) -> int:
        self._ledger.synchronise("int(array)")
        return int(self._array)

    def __bool__(self) -> bool:
        self._ledger.synchronise("bool(array)")
        return bool(self._array)

    def __complex__(self) -> complex:
        self._ledger.synchronise("complex(array)")
        return complex(self._array)

    def __repr__(self) -> str:
        self._ledger.synchronise("repr(array)")
        return repr(self._array)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        self._ledger.synchronise("format(array)")
        return format(self._array.item() if spec and self.ndim == 0 else self._array, spec)

    # -- from the host -----------------------------------------------------------------------------

    def set(self, array: np.ndarray) -> None:
        """Copy a NumPy array of the same shape and dtype into this one."""
        like = isinstance(array, np.ndarray) and array.shape == self.shape
        if not like or array.dtype != self.dtype:
            raise ValueError(f"set() takes a NumPy array of shape {self.shape}, {self.dtype}")
        self._ledger.copy_to_device("array.set()")
        self._array[...] = array

    def fill(self, value: Any) -> None:
        """Set every element to a scalar or 0-d array."""
        self[...] = value

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()


# -- the crossing from double to NumPy and back ---------------------------------------------------


def check_operand(value: Any) -> None:
    """Raise TypeError unless `value` may meet a device array: a device array or a scalar."""
    if not isinstance(value, (ndarray, *Scalar)):
        raise TypeError(
            f"Unsupported type {type(value)}: a device array takes device arrays and scalars only; "
            "send host data over with asarray()"
        )


def lower(value: Any) -> Any:
    """Return `value` with the NumPy arrays inside its device arrays; a bare NumPy array raises."""
    if isinstance(value, ndarray):
        return value._array
    if isinstance(value, np.ndarray):
        check_operand(value)
    if type(value) in (list, tuple):
        return type(value)(map(lower, value))
    return value


def lift(value: Any, ledger: Ledger, base: ndarray | None = None) -> Any:
    """Return `value` with its NumPy arrays and scalars as device arrays: scalars become 0-d."""
    if isinstance(value, (np.ndarray, *Scalar)):
        return ndarray(np.asarray(value), ledger, base)
    if isinstance(value, (tuple, list)):
        kind = list if isinstance(value, list) else tuple  # NumPy's named tuples become plain ones
        return kind(lift(part, ledger, base) for part in value)
    return value


def launch(
    ledger: Ledger,
    function: Callable,
    args: tuple,
    kwargs: dict | None = None,
    *,
    c_order: bool = False,
) -> Any:
    """Call a NumPy function on device arrays, and count one launch unless it returns a mere view.

    A GPU divides by zero in silence, and so does this. `c_order`: as CuPy's elementwise functions,
    answer in C order whatever the layout of the arguments (NumPy would keep it).
    """
    kwargs = kwargs or {}
    with np.errstate(all="ignore"):
        result = function(*map(lower, args), **{key: lower(kwargs[key]) for key in kwargs})
    written = kwargs.get("out") is not None
    if c_order and not written and isinstance(result, np.ndarray):
        result = np.asarray(result, order="C")
    given = [a for a in (*args, *kwargs.values()) if isinstance(a, ndarray)]
    return settle(result, given, ledger, written=written)


def settle(result: Any, given: list[ndarray], ledger: Ledger, *, written: bool = False) -> Any:
    """Lift what NumPy returned for the arrays `given`, and count the launch that made it."""
    seen = next((a for a in given if _is_view(result, a._array)), None)
    if written or seen is None:
        ledger.launch()
    for a in given:
        if result is a._array:
            return a  # astype(copy=False), out=: the very same array comes back
    base = seen if seen is None or seen.base is None else seen.base
    return lift(result, ledger, base)


def _is_view(result: Any, array: np.ndarray) -> bool:
    """Tell whether `result` (or the first of several) looks at the memory of `array`."""
    if isinstance(result, (tuple, list)) and result:
        result = result[0]
    return isinstance(result, np.ndarray) and np.may_share_memory(result, array)


def _is_itself(array: np.ndarray, index: tuple, value: np.ndarray) -> bool:
    """Tell whether `array[index]` is the very memory of `value`."""
    if value.base is None or any(isinstance(item, np.ndarray) for item in index):
        return False
    return array[index].__array_interface__ == value.__array_interface__


def check_keywords(name: str, kwargs: dict[str, Any]) -> None:
    """Raise TypeError for a keyword that NumPy's function takes and CuPy's does not."""
    refused = (REFUSED_ANYWHERE | REFUSED.get(name, frozenset())) & kwargs.keys()
    if refused:
        raise TypeError(f"CuPy's {name}() takes no keyword {', '.join(sorted(refused))}")


# -- operators and methods, made from NumPy's -----------------------------------------------------

_BINARY = names("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift")
_COMPARISONS = names("eq ne lt le gt ge")
_UNARY = names("neg pos abs invert")
_METHODS = names("""
    all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy
    cumprod cumsum diagonal dot flatten max mean min nonzero partition prod ravel repeat
    reshape round searchsorted sort squeeze std sum swapaxes take trace transpose var view
""")


def _defers_to(other: Any) -> bool:
    """Tell whether `other` wants to answer an operator itself, by NumPy's protocol (NEP 13)."""
    if isinstance(other, ndarray):
        return False
    if hasattr(other, "__array_ufunc__"):
        return other.__array_ufunc__ is None
    return getattr(other, "__array_priority__", 0) > ndarray.__array_priority__


def _binary(function: Callable, *, reflected: bool = False) -> Callable:
    def method(self: ndarray, other: Any) -> ndarray:
        if _defers_to(other):
            return NotImplemented
        check_operand(other)
        args = (other, self) if reflected else (self, other)
        return launch(self._ledger, function, args, c_order=True)

    return method


def _in_place(function: Callable) -> Callable:
    def method(self: ndarray, other: Any) -> ndarray:
        check_operand(other)
        with np.errstate(all="ignore"):
            function(self._array, lower(other))
        self._ledger.launch()
        return self

    return method


def _unary(function: Callable) -> Callable:
    return lambda self: launch(self._ledger, function, (self,), c_order=True)


def _method(name: str) -> Callable:
    function = getattr(np.ndarray, name)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        if name != "clip":  # CuPy's method takes min= and max=, its function does not
            check_keywords(name, kwargs)
        if name in SYNCHRONISING:
            self._ledger.synchronise(f"array.{name}()")
        return launch(self._ledger, function, (self, *args), kwargs)

    method.__name__ = name
    method.__doc__ = f"As `numpy.ndarray.{name}`; the result stays on the device."
    return method


for _name in _BINARY | _COMPARISONS:
    setattr(ndarray, f"__{_name}__", _binary(getattr(operator, f"__{_name}__")))
for _name in _BINARY:
    setattr(ndarray, f"__r{_name}__", _binary(getattr(operator, f"__{_name}__"), reflected=True))
    if _name != "matmul":  # CuPy has no in-place matmul
        setattr(ndarray, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in _UNARY:
    setattr(ndarray, f"__{_name}__", _unary(getattr(operator, f"__{_name}__")))
for _name in _METHODS:
    setattr(ndarray, _name, _method(_name))
