"""The numbers every framework starts from: each array is drawn from its own name.

Two frameworks that ask for the weight `d.0.weight` or the batch `real.1` get the same float32
values, in whatever process, order and framework they ask. Nothing has to be handed over, and a
parameter that is called or shaped differently shows at once in the losses.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

Shape = tuple[int, ...]


def normal(name: str, shape: Shape) -> np.ndarray:
    """Return float32 draws from N(0, 1) that depend on the name alone."""
    return _source(name).standard_normal(shape, dtype=np.float32)


def uniform(name: str, shape: Shape) -> np.ndarray:
    """Return float32 draws from [0, 1) that depend on the name alone."""
    return _source(name).random(shape, dtype=np.float32)


def parameter(name: str, shape: Shape, std: float | None = None) -> np.ndarray:
    """Return the initial value of a parameter.

    Matrices and kernels have deviation `std`, by default sqrt(2 / fan-in), as suits a ReLU. A
    vector is a little off 1 if it is called a weight and off 0 if not: none is without effect.
    """
    if len(shape) > 1:
        std = std or math.sqrt(2.0 / math.prod(shape[1:]))
        return normal(name, shape) * np.float32(std)
    return normal(name, shape) * np.float32(0.02) + np.float32(name.endswith("weight"))


def _source(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))
