"""Floor 3, beside the ops: which op was the first to make a NaN or an infinity.

    with mg.detect_anomaly():
        loss = critic(x).mean()
        loss.backward()

A NaN spreads: by the time that a loss is NaN, every weight may be. Within the block each result of
a kernel is looked at, forward and backward, and the first that has a NaN, or an infinity made of
finite numbers, raises `AnomalyError`. For a backward pass the error names the op whose derivative
it was, and the line of the program where that op was called (if it was called within the block).

An infinity among the arguments is taken for intended (a mask of -inf, say), and may pass through;
a NaN never is. Looking costs one more pass over every result.
"""

from __future__ import annotations

import bisect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from minigan.backend import is_array, xp_of
from minigan.errors import AnomalyError
from minigan.node import Node, next_id
from minigan.op import Op
from minigan.recording import Watcher, watching

_PACKAGE = str(Path(__file__).parent) + os.sep  # a folder `minigan_play` beside it is not ours


@contextmanager
def detect_anomaly(*, infinite: bool = True) -> Iterator[None]:
    """Raise `AnomalyError` at the first op of this thread in the block that makes a NaN.

    `infinite`: or an infinity, of finite arguments.

    >>> import minigan as mg
    >>> x = mg.tensor([1.0, 0.0], requires_grad=True)
    >>> with mg.detect_anomaly():  # the derivative of the root is 1 / (2 sqrt(x))
    ...     mg.sqrt(x).sum().backward()
    Traceback (most recent call last):
        ...
    minigan.errors.AnomalyError: the derivative of sqrt(x), called at <doctest ...
    """
    with watching(_Detector(infinite)):
        yield


class _Detector(Watcher):
    """Looks at results, and knows for which node of a backward pass they are computed."""

    def __init__(self, infinite: bool) -> None:
        self._infinite = infinite
        self._node: Node | None = None
        self._ids: list[int] = []  # drawn just before the node of a call was made ...
        self._places: list[str] = []  # ... and the place of that call

    def run(self, op: Op, kernel: Callable[..., Any], args: Sequence, options: dict) -> Any:
        with np.errstate(all="ignore"):  # what it would warn of is looked for here
            result = kernel(*args, **options)
        for array in _results(op, kernel, result):
            found = self._anomaly(array, args)
            if found:
                raise AnomalyError(f"{self._where(op)} made {found}; {_describe(op, kernel, args)}")
        return result

    def made(self, op: Op, out: Any) -> None:
        self._ids.append(next_id())
        self._places.append(_place())

    def visit(self, visit: Callable[..., None], node: Node, *args: Any) -> None:
        former = self._node
        self._node = former or node  # a fused op's definition is differentiated within its visit
        try:
            visit(node, *args)
        finally:
            self._node = former

    def _anomaly(self, array: Any, args: Sequence) -> str | None:
        """Say what is wrong with a result, or None."""
        xp = xp_of(array)
        if xp.isfinite(array).all():
            return None
        nan = xp.asarray(xp.isnan(array))
        if not nan.any():
            if not self._infinite or any(_has_infinity(arg) for arg in args):
                return None
            return _count("infinite", xp.asarray(xp.isinf(array)))
        return _count("nan", nan)

    def _where(self, op: Op) -> str:
        """Name the op, or in a backward pass the derivative, and the place of the call."""
        node = self._node
        if node is None:
            return f"{op.name}, called at {_place()},"
        i = bisect.bisect(self._ids, node.id) - 1
        place = self._places[i] if i >= 0 else "a place before the block"
        return f"the derivative of {node.op.name}({', '.join(node.op.params)}), called at {place},"


# -- looking at arrays ----------------------------------------------------------------------------


def _results(op: Op, kernel: Callable[..., Any], result: Any) -> list[Any]:
    """Return the arrays of floats that a kernel returned, but not what it only stashed."""
    if op.definition is not None and kernel is op.kernel:
        result = result[0]
    several = result if isinstance(result, tuple) else (result,)
    several = [np.asarray(a) if isinstance(a, np.generic) else a for a in several]  # of 0-d ones
    return [a for a in several if is_array(a) and a.dtype.kind in "fc"]


def _has_infinity(arg: Any) -> bool:
    if is_array(arg):
        return arg.dtype.kind in "fc" and bool(xp_of(arg).isinf(arg).any())
    return isinstance(arg, float | complex) and not np.isfinite(arg)


def _has_nan(arg: Any) -> bool:
    if is_array(arg):
        return arg.dtype.kind in "fc" and bool(xp_of(arg).isnan(arg).any())
    return arg != arg


def _count(what: str, flags: Any) -> str:
    """Say how many values are flagged, and where the first one is."""
    count, first = int(flags.sum()), xp_of(flags).argwhere(flags)[0].tolist()
    of = f"{count} {what} value{'s' * (count > 1)} of {flags.size}"
    return f"{of} (the first at {first})" if first else of


def _describe(op: Op, kernel: Callable[..., Any], args: Sequence) -> str:
    """Say whether the arguments were in order: if not, the fault lies before the op."""
    for what, has in (("a NaN", _has_nan), ("an infinity", _has_infinity)):
        given = [i for i, arg in enumerate(args) if has(arg)]
        if given:
            i = given[0]
            known = kernel is not getattr(op, "kernel_backward", None) and i < len(op.params)
            name = repr(op.params[i]) if known and not op.variadic else f"number {i}"
            return f"argument {name} of {op.name} had {what} when it was given: look there"
    shapes = ", ".join(str(arg.shape) for arg in args if is_array(arg))
    return f"finite arguments of shapes {shapes} went into {op.name}"


# -- looking at the program -----------------------------------------------------------------------


def _place() -> str:
    """Return file:line of the innermost call outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "an unknown place"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
