"""What a level is compared with, and by: the settings of a check, both sides, the tolerance.

Letters: n inputs, m outputs, K directions, L cotangents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigan.testing.numeric import Derivative

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Settings:
    """What `gradcheck` was asked for; `asked`: the options of the call that were not defaults."""

    method: str = "auto"
    directions: int = 4
    full_limit: int = 4096
    factor: float = 500.0
    seed: int = 0
    kinks: bool = True
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Sides:
    """Both sides of a comparison, (L, K) each, and what they were made of."""

    cotangents: np.ndarray  # (L, m)
    directions: np.ndarray  # (K, n)
    gradients: np.ndarray  # (L, n), analytic
    derivative: Derivative  # (K, m), numeric
    scale: np.ndarray  # (L, K)
    full: bool
    eps: float
    noise: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))

    @property
    def analytic(self) -> np.ndarray:
        """<vjp(v), u>."""
        return self.gradients @ self.directions.T

    @property
    def numeric(self) -> np.ndarray:
        """<v, jvp(u)>."""
        return self.cotangents @ self.derivative.values.T

    @property
    def error(self) -> np.ndarray:
        """An estimate of the error of the numerical side."""
        return np.abs(self.cotangents) @ self.derivative.errors.T

    @property
    def difference(self) -> np.ndarray:
        """|analytic - numeric|, infinite where either is not a number."""
        difference = np.abs(self.analytic - self.numeric)
        return np.where(np.isfinite(difference), difference, np.inf)

    def wrong(self, factor: float) -> np.ndarray:
        """Where the difference is more than the tolerance."""
        allowed = factor * (self.error + self.eps * self.scale + self.noise)
        return ~(self.difference <= allowed)

    @property
    def relative_error(self) -> float:
        """The largest difference over sum |g u|, where round-off does not explain it."""
        scale = np.maximum(self.scale + self.noise / self.eps, TINY)
        return float((self.difference / scale).max(initial=0.0))
