"""Which algorithm does a convolution: the cheapest by a small cost model.

On the CPU several algorithms can do the same convolution. Each has an estimate of the time one core
takes, in nanoseconds, from the sizes alone:

- a multiplication and addition within a matrix product takes `PRODUCT`; a product with a side
  thinner than `THIN` takes as long as with that;
- copying a value takes `COPY`, and each run of values `RUN` more;
- adding a value into a strided place takes `SCATTER`;
- a value that a transform of Winograd's makes on its way takes `TRANSFORM`, and fewer channels than
  `SHORT` take as long as that many;
- a value of a kernel transformed for Winograd's way takes `KERNEL`;
- a call of NumPy takes `CALL`; some tens of them decide about tiny convolutions.

The constants were measured on an AMD EPYC (Zen 4); only their proportions matter. CuPy's arrays,
groups, and what no other algorithm can do go to `generic.py`. Winograd's way is for float32 alone:
in float64 one asks for more digits than it keeps.

Letters: C channels of x, O channels of y; K, L rows and columns of the kernel, P, Q of y.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from minigan.backend import blocked, generic, thin, turn, winograd
from minigan.backend.columns import Algorithm, Array, Geometry, is_product
from minigan.backend.device import backend_of

PRODUCT, THIN = 0.02, 16
COPY, RUN = 0.1, 5.0
SCATTER = 0.8
TRANSFORM, SHORT = 0.35, 16
KERNEL = 0.5
CALL = 1000.0


class Candidate(NamedTuple):
    """An algorithm, when it can be used, and what it costs then, in ns on one core."""

    name: str
    run: Algorithm
    fits: Callable[[Geometry], bool]
    cost: Callable[[Geometry], float]


# -- costs ----------------------------------------------------------------------------------------


def _pixels(geometry: Geometry) -> int:
    return geometry.batch * math.prod(geometry.out)


def _products(geometry: Geometry) -> float:
    """All multiplications, the channels of y on a side of their own."""
    return PRODUCT * _pixels(geometry) * geometry.window * max(geometry.filters, THIN)


def _direct(geometry: Geometry) -> float:
    if is_product(geometry):
        return _products(geometry)
    copies = COPY * geometry.window + RUN * geometry.kernel[0]
    return _products(geometry) + _pixels(geometry) * copies + 40 * CALL


def _phases(geometry: Geometry) -> float:
    """Like `_direct` with x and y exchanged: K L O values copied, C on a side of their own."""
    taps = math.prod(geometry.kernel) * geometry.filters
    products = PRODUCT * taps * max(geometry.channels, THIN)
    copies = 0 if is_product(geometry) else COPY * taps + RUN * geometry.kernel[0]
    calls = 30 + 10 * math.prod(geometry.stride)
    return _pixels(geometry) * (products + copies) + calls * CALL


def _taps(geometry: Geometry) -> float:
    products = PRODUCT * max(geometry.window, THIN) * geometry.filters
    calls = 30 + 4 * math.prod(geometry.kernel)
    return _pixels(geometry) * (products + SCATTER * geometry.window) + calls * CALL


def _winograd(geometry: Geometry) -> float:
    """n^2 products a tile, the transforms of its values of x and y, and that of the kernel."""
    f, fold = winograd.transform_for(geometry), math.prod(geometry.stride)
    tiles = geometry.batch * math.prod(-(-p // f.tile) for p in geometry.out)
    channels, filters = fold * geometry.channels, geometry.filters
    products = PRODUCT * f.window**2 * channels * max(filters, THIN)
    values = max(channels, SHORT) + max(filters, SHORT)
    sums = TRANSFORM * f.window * (f.window + f.tile) * values
    kernel = KERNEL * f.window**2 * channels * filters
    return tiles * (products + sums) + kernel + 130 * CALL


def _turned(cost: Callable[[Geometry], float]) -> Callable[[Geometry], float]:
    return lambda geometry: cost(turn.turn(geometry))


# -- which can do what ----------------------------------------------------------------------------


def _one_group(geometry: Geometry) -> bool:
    return geometry.groups == 1


def _undilated(geometry: Geometry) -> bool:
    return geometry.groups == 1 and geometry.dilation == (1, 1)


def _turns(geometry: Geometry) -> bool:
    return geometry.groups == 1 and turn.can_turn(geometry)


_CANDIDATES: dict[str, tuple[Candidate, ...]] = {
    "conv2d": (
        Candidate("direct", blocked.conv2d, _one_group, _direct),
        Candidate("taps", turn.adjoint(thin.conv_transpose2d), _turns, _turned(_taps)),
        Candidate("winograd", winograd.conv2d, winograd.fits, _winograd),
    ),
    "conv_transpose2d": (
        Candidate("phases", blocked.conv_transpose2d, _undilated, _phases),
        Candidate("taps", thin.conv_transpose2d, _one_group, _taps),
        Candidate("winograd", winograd.conv_transpose2d, winograd.fits, _winograd),
    ),
    "conv2d_weight": (
        Candidate("direct", blocked.conv2d_weight, _one_group, _direct),
        Candidate("turned", turn.exchanged(blocked.conv2d_weight), _turns, _turned(_direct)),
        Candidate("winograd", winograd.conv2d_weight, winograd.fits, _winograd),
    ),
}


def candidates(
    kernel: str, geometry: Geometry, single: bool, choice: str = "auto"
) -> list[Candidate]:
    """Return the CPU's algorithms that can do `kernel` (all in float32: `single`) and may."""
    fitting = [c for c in _CANDIDATES[kernel] if c.fits(geometry)]
    forced = [c for c in fitting if c.name == "winograd" and single]
    others = [c for c in fitting if c.name != "winograd"]
    return {"auto": forced + others, "direct": others, "winograd": forced or others}[choice]


def choose(kernel: str, geometry: Geometry, *arrays: Array) -> Algorithm:
    """Return the algorithm for `kernel` ("conv2d", ...), this geometry and these two arrays."""
    backend = backend_of(arrays[0])
    if backend.name != "cpu":
        return generic.choose(kernel, geometry)
    single = all(array.dtype == "float32" for array in arrays)
    return _cheapest(kernel, geometry, single, _choice.name)


@lru_cache(maxsize=1024)  # a step meets the same few geometries again and again
def _cheapest(kernel: str, geometry: Geometry, single: bool, choice: str) -> Algorithm:
    found = candidates(kernel, geometry, single, choice)
    return _best(found, geometry).run if found else generic.choose(kernel, geometry)


def _best(found: list[Candidate], geometry: Geometry) -> Candidate:
    return min(found, key=lambda candidate: candidate.cost(geometry))


def name_of(kernel: str, geometry: Geometry, single: bool = True) -> str:
    """Return the name of the algorithm that the CPU takes (all in float32: `single`)."""
    found = candidates(kernel, geometry, single, _choice.name)
    return _best(found, geometry).name if found else "generic"


# -- the reader's choice --------------------------------------------------------------------------


class _Choice(threading.local):
    """What this thread asked for."""

    name = "auto"


_choice = _Choice()


class conv_algorithm:
    """Choose how convolutions are done in the block: `with mg.conv_algorithm("direct"): ...`.

    "auto" takes the cheapest by the cost model; "direct" never uses Winograd's transforms;
    "winograd" uses them wherever they can be (3x3 or 4x4 with stride 1, 4x4 with stride 2, no
    dilation, one group, float32, on the CPU) and is "direct" elsewhere. It holds for this thread,
    and for derivatives taken within the block. Raises `ValueError` for any other name.

    >>> import minigan as mg
    >>> with mg.conv_algorithm("direct"):
    ...     mg.conv2d(mg.ones(1, 64, 8, 8), mg.ones(64, 64, 3, 3)).shape
    (1, 64, 6, 6)
    """

    def __init__(self, name: str) -> None:
        if name not in ("auto", "direct", "winograd"):
            raise ValueError(f"conv_algorithm({name!r}): use 'auto', 'direct' or 'winograd'")
        self.name = name
        self._former: list[str] = []

    def __enter__(self) -> conv_algorithm:
        self._former.append(_choice.name)
        _choice.name = self.name
        return self

    def __exit__(self, *exc_info: object) -> None:
        _choice.name = self._former.pop()
