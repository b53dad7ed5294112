"""Random numbers with a state that can be read, saved and set.

Numbers are drawn on the host by NumPy, whatever the device: CPU and GPU then see the same ones,
and a seed names a result. Each `Generator` is a stream of its own: drawing a preview from one
never moves another, and nothing here touches `numpy.random`'s global state.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

Shape = int | Sequence[int]


class Generator:
    """A stream of random numbers (NumPy's PCG64) with explicit state.

    `seed`: a non-negative integer; None takes fresh entropy from the operating system.

    >>> g = Generator(7)
    >>> state = g.get_state()
    >>> a = g.normal((2, 3))
    >>> g.set_state(state)
    >>> bool((g.normal((2, 3)) == a).all())
    True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed(seed)

    def seed(self, seed: int | None) -> None:
        """Start the stream anew at `seed`."""
        if seed is not None and (isinstance(seed, bool) or int(seed) != seed or seed < 0):
            raise ValueError(f"seed is {seed!r}: give an integer >= 0, or None for fresh entropy")
        self._numpy = np.random.Generator(np.random.PCG64(seed))

    def normal(
        self, shape: Shape, *, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32
    ) -> np.ndarray:
        """Draw from N(mean, std^2)."""
        out = self._numpy.standard_normal(shape, dtype=_drawn(dtype))
        return _affine(out, std, mean, dtype)

    def uniform(
        self, shape: Shape, *, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32
    ) -> np.ndarray:
        """Draw uniformly from [low, high)."""
        out = self._numpy.random(shape, dtype=_drawn(dtype))
        return _affine(out, high - low, low, dtype)

    def integers(self, low: int, high: int, shape: Shape) -> np.ndarray:
        """Draw integers uniformly from low <= i < high, as int64."""
        return self._numpy.integers(low, high, shape)

    def permutation(self, n: int) -> np.ndarray:
        """Return the integers 0 to n - 1 in random order."""
        return self._numpy.permutation(n)

    def get_state(self) -> dict[str, Any]:
        """Return the state as a dictionary of strings and integers: it goes through JSON whole."""
        return self._numpy.bit_generator.state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state that `get_state` returned."""
        try:
            self._numpy.bit_generator.state = state
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a state of Generator.get_state(): {error}") from None

    def __repr__(self) -> str:
        return f"Generator(state={self.get_state()['state']['state']:#x})"


def _drawn(dtype: Any) -> type:
    """Draw float64 as such and everything else as float32, then cast."""
    return np.float64 if np.dtype(dtype) == np.float64 else np.float32


def _affine(x: np.ndarray, scale: float, shift: float, dtype: Any) -> np.ndarray:
    """Return x * scale + shift in `dtype`; Python floats, so that float32 stays float32."""
    x = np.asarray(x)
    if scale != 1.0:
        x = x * float(scale)
    if shift != 0.0:
        x = x + float(shift)
    return np.asarray(x, dtype=dtype)


class _RandomState(threading.local):
    """The default generator of a thread, made at its first use from fresh entropy."""

    generator: Generator | None = None


_state = _RandomState()


def default_generator() -> Generator:
    """Return this thread's default generator: what is used where no `generator=` is given."""
    if _state.generator is None:
        _state.generator = Generator()
    return _state.generator


def manual_seed(seed: int) -> Generator:
    """Seed this thread's default generator and return it."""
    generator = default_generator()
    generator.seed(seed)
    return generator
