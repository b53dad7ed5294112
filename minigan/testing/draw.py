"""Recipes for inputs: `normal(2, 3)` is a function of a random generator that draws an array.

Each keeps away from where the ops it is meant for have a kink or a pole, by 0.1 at least; and
`with_layout` puts an array elsewhere in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Shape = tuple[int, ...]
Recipe = Callable[[np.random.Generator], np.ndarray]
LAYOUTS = ("fortran", "reversed", "strided", "broadcast")


def kink_free(
    rng: np.random.Generator,
    shape: Shape,
    *,
    low: float = -2.0,
    high: float = 2.0,
    avoid: Sequence[float] = (),
    gap: float = 0.1,
) -> np.ndarray:
    """Uniform numbers in [low, high], moved so that none is nearer than `gap` to one to avoid.

    >>> x = kink_free(np.random.default_rng(0), (1000,), avoid=[0.0])
    >>> bool(abs(x).min() >= 0.1)
    True
    """
    x = rng.uniform(low, high, size=shape)
    for point in avoid:
        side = np.where(x < point, -1.0, 1.0)
        x = np.where(abs(x - point) < gap, point + side * gap * rng.uniform(1, 2, shape), x)
    return x


def normal(*shape: int) -> Recipe:
    """Standard normal numbers."""
    return lambda rng: np.asarray(rng.normal(size=shape))


def positive(*shape: int) -> Recipe:
    """Numbers in [0.5, 2]."""
    return lambda rng: kink_free(rng, shape, low=0.5)


def apart(*points: float) -> Callable[..., Recipe]:
    """Numbers in [-2, 2] that stay 0.1 away from the given points: `apart(0.0)(2, 3)`."""
    return lambda *shape: lambda rng: kink_free(rng, shape, avoid=points)


def grid(*shape: int, offset: float = 0.0) -> Recipe:
    """Numbers that differ by 0.3 at least, in random order, centred on `offset`."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        count = int(np.prod(shape))
        places = rng.permutation(count) - (count - 1) / 2
        jitter = rng.uniform(-0.1, 0.1, count)
        return (0.5 * places + jitter + offset).reshape(shape)

    return draw


def booleans(*shape: int) -> Recipe:
    """True or False, evenly."""
    return lambda rng: np.asarray(rng.random(shape) < 0.5)


def spectrum(*values: float, shape: Shape | None = None) -> Recipe:
    """A matrix (default: square) with the given singular values between random rotations."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        m, n = shape or (len(values), len(values))
        u, _ = np.linalg.qr(rng.normal(size=(m, len(values))))
        v, _ = np.linalg.qr(rng.normal(size=(n, len(values))))
        return (u * np.array(values)) @ v.T  # (m, K) (K, n)

    return draw


def with_layout(array: np.ndarray, layout: str) -> np.ndarray:
    """Return an array of the same shape in another memory layout, of the same values but one case.

    "c", "fortran" (axes transposed in memory), "reversed" (negative strides), "strided" (every
    other element of a larger buffer); "broadcast" repeats the first slice along axis 0 by stride 0.

    >>> with_layout(np.zeros((2, 3)), "broadcast").strides[0]
    0
    """
    if not array.ndim:
        return array
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[flip])[flip]
    if layout == "strided":
        wide = np.zeros((*array.shape, 2), array.dtype)
        wide[..., 0] = array
        return wide[..., 0]
    if layout == "broadcast" and array.size:
        return np.broadcast_to(array[:1], array.shape)
    return array
