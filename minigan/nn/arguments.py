"""Constructor arguments: checked when a layer is built and not when it first runs.

Whole numbers may be Python's or NumPy's; a pair is checked by `minigan.ops.conv.pair`.
"""

from __future__ import annotations

import operator
from typing import Any


def whole(value: Any, name: str, *, least: int | None = 1) -> int:
    """Return a whole number as an int; unless `least` is None, it must be at least that."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: give an int") from None
    if least is not None and number < least:
        raise ValueError(f"{name}={value!r}: give an int >= {least}")
    return number


def refuse_inplace(layer: str, inplace: bool) -> None:
    """Refuse PyTorch's `inplace=True`, which ports of its networks bring along."""
    if inplace:
        raise ValueError(
            f"{layer}(inplace=True): minigan changes no result in place; leave the option out"
        )


def short(pair: tuple[int, int]) -> str:
    """Write a pair of equal numbers as one."""
    return str(pair[0]) if pair[0] == pair[1] else str(pair)
