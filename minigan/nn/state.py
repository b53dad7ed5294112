"""Fitting a saved state to its places: everything is checked before anything is changed.

Modules and optimisers share this. A state maps names to arrays, and so do the tensors it is meant
for; `fit` compares the two and says all that is wrong at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minigan.backend import backend_of, is_array
from minigan.errors import ShapeError
from minigan.tensor import Tensor

Array = Any


class Fit(NamedTuple):
    """How a state fits: the arrays that do, ready to be written, and what is wrong by kind."""

    arrays: dict[str, Array]
    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]
    unfit: list[str]

    def faults(self, *, strict: bool = True) -> str:
        """List what is wrong in one line, "" if nothing; unless `strict`, names may differ."""
        kinds = self._fields[1:] if strict else ("misshapen", "unfit")
        lists = ((kind, getattr(self, kind)) for kind in kinds)
        return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in lists if names)


def fit(state: Mapping[str, Any], places: Mapping[str, Tensor]) -> Fit:
    """Copy the arrays of a state to the devices and dtypes of the tensors of the same names.

    Neither the state nor a tensor is changed.
    """
    missing = [name for name in places if name not in state]
    unexpected = [name for name in state if name not in places]
    found = Fit({}, missing, unexpected, [], [])
    for name in (name for name in places if name in state):
        try:
            array = _fitted(state[name], places[name])
            found.arrays[name] = backend_of(places[name].data).asarray(array)
        except ShapeError as error:
            found.misshapen.append(f"{name} {error}")
        except (TypeError, ValueError) as error:
            found.unfit.append(f"{name} {error}")
    return found


def _fitted(value: Any, place: Tensor) -> np.ndarray:
    """Return a copy of `value` on the host, in the dtype of `place`, or raise what is wrong."""
    given = _on_host(value)
    if given.dtype.kind not in "biufcV":  # V: bfloat16, where a package has added it to NumPy
        raise TypeError(f"is {type(value).__name__} ({given.dtype}), must be {place.dtype}")
    if given.shape != place.shape:
        raise ShapeError(f"is {given.shape}, must be {place.shape}")
    if given.dtype.kind == "c" and place.dtype.kind != "c":
        raise TypeError(f"is {given.dtype}, must be {place.dtype}")
    with np.errstate(all="ignore"):  # what a cast breaks is looked for below
        cast = given.astype(place.dtype)
    if not _survived(given, cast):
        raise ValueError(f"holds values of {given.dtype} that do not exist in {place.dtype}")
    return cast


def _on_host(value: Any) -> np.ndarray:
    value = value.data if isinstance(value, Tensor) else value
    return backend_of(value).asnumpy(value) if is_array(value) else np.asarray(value)


def _survived(given: np.ndarray, cast: np.ndarray) -> bool:
    """Whether a cast kept finite numbers finite and, to integers, every number as it was."""
    if cast.dtype.kind in "fc":
        return bool((np.isfinite(given) == np.isfinite(cast)).all())
    return np.array_equal(given, cast)
