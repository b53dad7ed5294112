"""New tensors: constants, ranges, random numbers; float32, on the current device by default."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from minigan.backend import Generator, current_device, default_generator, get_backend
from minigan.tensor import Tensor


def zeros(
    *shape: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros; the shape as integers or as one tuple."""
    return full(_shape(shape), 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(
    *shape: Any, dtype: Any = "float32", device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones; the shape as integers or as one tuple."""
    return full(_shape(shape), 1, dtype=dtype, device=device, requires_grad=requires_grad)


def full(
    shape: Any,
    value: float,
    *,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one value."""
    xp = get_backend(device or current_device()).xp
    return Tensor(xp.full(_shape((shape,)), value, dtype=dtype), requires_grad=requires_grad)


def zeros_like(x: Tensor) -> Tensor:
    """Zeros in the shape, dtype and device of x."""
    return full(x.shape, 0, dtype=x.dtype, device=x.device)


def ones_like(x: Tensor) -> Tensor:
    """Ones in the shape, dtype and device of x."""
    return full(x.shape, 1, dtype=x.dtype, device=x.device)


def arange(*bounds: Any, dtype: Any = None, device: str | None = None) -> Tensor:
    """Evenly spaced numbers, `arange(stop)` or `arange(start, stop[, step])`, as in NumPy."""
    values = np.arange(*bounds, dtype=dtype)
    if dtype is None and values.dtype == np.float64:
        values = values.astype(np.float32)
    return _from_host(values, device, False)


def linspace(
    start: float, stop: float, num: int, *, dtype: Any = "float32", device: str | None = None
) -> Tensor:
    """`num` evenly spaced numbers from start to stop, both included."""
    return _from_host(np.linspace(start, stop, num, dtype=dtype), device, False)


def randn(
    *shape: Any,
    generator: Generator | None = None,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal numbers, drawn on the host: the same on every device.

    >>> import minigan as mg
    >>> a = mg.randn(2, 3, generator=mg.Generator(0))
    >>> b = mg.randn((2, 3), generator=mg.Generator(0))
    >>> bool((a == b).all())
    True
    """
    values = (generator or default_generator()).normal(_shape(shape), dtype=dtype)
    return _from_host(values, device, requires_grad)


def rand(
    *shape: Any,
    generator: Generator | None = None,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1), on the host: the same on every device."""
    values = (generator or default_generator()).uniform(_shape(shape), dtype=dtype)
    return _from_host(values, device, requires_grad)


def _from_host(values: np.ndarray, device: str | None, requires_grad: bool) -> Tensor:
    return Tensor(
        get_backend(device or current_device()).asarray(values), requires_grad=requires_grad
    )


def _shape(given: tuple) -> tuple[int, ...]:
    """Accept f(2, 3) and f((2, 3))."""
    if len(given) == 1 and hasattr(given[0], "__iter__"):
        given = tuple(given[0])
    return tuple(operator.index(n) for n in given)
