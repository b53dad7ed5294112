"""Indexing as CuPy does it: out-of-range index arrays wrap, masks make the host wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minigan.testing.cupy_double.ledger import Ledger


def lower_index(key: Any, shape: tuple[int, ...], ledger: Ledger) -> tuple:
    """Return the NumPy index that selects what CuPy would select by `key` from a `shape` array.

    The result always holds an Ellipsis: with it, NumPy answers a full integer index with a 0-d
    view, as CuPy does, where it would otherwise copy a scalar.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    items = [_lower_item(item, ledger) for item in items]
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    axis = 0
    for position, item in enumerate(items):
        if item is Ellipsis:
            axis = len(shape) - sum(map(_axes_used, items[position + 1 :]))
            continue
        if isinstance(item, np.ndarray) and item.dtype.kind in "iu" and axis < len(shape):
            items[position] = wrap(item, shape[axis])
        axis += _axes_used(item)
    return tuple(items)


def wrap(index: np.ndarray, size: int) -> np.ndarray:
    """Bring an index array into 0 <= i < size: CuPy wraps where NumPy raises."""
    return index % size if size else index


def _lower_item(item: Any, ledger: Ledger) -> Any:
    """Turn one item of an index into what NumPy takes, and count what it costs."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return item
    inner = getattr(item, "_array", None)
    if inner is None:
        inner = _from_host(item, ledger)
    if inner.dtype.kind == "b":
        ledger.synchronise("indexing by a boolean array")
    elif inner.dtype.kind not in "iu":
        raise IndexError(
            f"arrays used as indices must be of integer or boolean type (actual: {inner.dtype})"
        )
    return inner


def _from_host(item: Any, ledger: Ledger) -> np.ndarray:
    """Send an index given as a list or NumPy array to the device, as CuPy does in silence."""
    if not isinstance(item, (list, tuple, bool, np.bool_, np.ndarray)):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
            f"boolean arrays are valid indices, not {type(item).__name__}"
        )
    inner = np.asarray(item)
    if inner.size == 0 and isinstance(item, (list, tuple)):
        inner = inner.astype(np.intp)
    if inner.ndim:
        ledger.copy_to_device("indexing by a host array")
    return inner


def _axes_used(item: Any) -> int:
    """Return how many axes of the indexed array one item of an index uses up."""
    if item is None:
        return 0
    if isinstance(item, np.ndarray) and item.dtype.kind == "b":
        return item.ndim
    return 1
