"""Distributions in the plane, as the GAN papers use them: what a generator missed can be seen.

Two parametrisations are about, and results are comparable only within one:

* `eight_gaussians`, `twenty_five_gaussians`, `swiss_roll`: those of WGAN-GP's toy experiments,
  scaled to about unit variance (Gulrajani et al. 2017, arXiv:1704.00028);
* `ring`, `grid`: those of the mode-collapse tables of VEEGAN (Srivastava et al. 2017,
  arXiv:1705.07761) and PacGAN (Lin et al. 2017, arXiv:1712.04086), with PacGAN's numbers.

`parallel_lines` is the example of disjoint supports of the WGAN paper (arXiv:1701.07875, example
1). A sample is a function of the generator's state alone.

Letters: N samples, K modes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minigan.backend import Generator, default_generator


class Toy(Protocol):
    """A distribution in the plane; `centres` (K, 2) and `sigma` are None where it has no modes."""

    centres: np.ndarray | None
    sigma: float | None

    def sample(self, n: int, *, generator: Generator | None = None) -> np.ndarray:
        """Draw n points: (n, 2), float32."""


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Equally likely modes N(centre, sigma^2 I); `centres`: (K, 2), `sigma` > 0.

    >>> ring().sample(3, generator=Generator(0)).shape
    (3, 2)
    """

    centres: np.ndarray
    sigma: float

    def sample(self, n: int, *, generator: Generator | None = None) -> np.ndarray:
        """Draw n points, each from a mode drawn by itself: (n, 2), float32."""
        generator = generator or default_generator()
        mode = generator.integers(0, len(self.centres), n)  # (N,)
        noise = generator.normal((n, 2), dtype=np.float64)
        return (self.centres[mode] + self.sigma * noise).astype(np.float32)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Return log p at points (N, 2): (N,), float64."""
        offsets = np.asarray(x, np.float64)[:, None] - self.centres  # (N, 1, 2) - (K, 2)
        exponents = -0.5 * np.square(offsets / self.sigma).sum(axis=2)  # -> (N, K)
        normaliser = math.log(len(self.centres) * 2.0 * math.pi * self.sigma**2)
        return np.logaddexp.reduce(exponents, axis=1) - normaliser


@dataclass(frozen=True)
class SwissRoll:
    """The spiral t (cos t, sin t), t uniform on [1.5 pi, 4.5 pi), with noise; then divided by 7.5.

    It has no modes: judge samples by a distance, such as `transport.wasserstein`. The formula is
    that of scikit-learn's swiss roll without its second coordinate.
    """

    noise: float = 0.25
    scale: float = 7.5
    centres = None
    sigma = None

    def sample(self, n: int, *, generator: Generator | None = None) -> np.ndarray:
        """Draw n points: (n, 2), float32."""
        generator = generator or default_generator()
        t = generator.uniform(n, low=1.5 * math.pi, high=4.5 * math.pi, dtype=np.float64)
        spiral = t[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1)  # (N, 1) * (N, 2)
        noise = generator.normal((n, 2), std=self.noise, dtype=np.float64)
        return ((spiral + noise) / self.scale).astype(np.float32)


@dataclass(frozen=True)
class Line:
    """The points (offset, Z) with Z uniform on [0, 1): a line of length 1 in the plane."""

    offset: float = 0.0
    centres = None
    sigma = None

    def sample(self, n: int, *, generator: Generator | None = None) -> np.ndarray:
        """Draw n points: (n, 2), float32."""
        height = (generator or default_generator()).uniform(n)
        return np.stack([np.full_like(height, self.offset), height], axis=1)  # (N, 2)


def ring(*, modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> GaussianMixture:
    """Return a ring of modes at equal angles, the first at (radius, 0), as in PacGAN.

    >>> ring().centres.shape, ring().sigma
    ((8, 2), 0.01)
    """
    angles = 2.0 * np.pi * np.arange(modes) / modes
    return GaussianMixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), sigma)


def grid(*, side: int = 5, step: float = 2.0, sigma: float = 0.05) -> GaussianMixture:
    """Return a grid of side x side modes around the origin, as in PacGAN.

    >>> sorted(set(grid().centres[:, 0].tolist())), len(grid().centres)
    ([-4.0, -2.0, 0.0, 2.0, 4.0], 25)
    """
    ticks = step * (np.arange(side) - 0.5 * (side - 1))
    centres = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)  # (side, side, 2)
    return GaussianMixture(centres.reshape(-1, 2), sigma)


def eight_gaussians() -> GaussianMixture:
    """Return WGAN-GP's ring: radius 2, sigma 0.02, all divided by 1.414."""
    return ring(radius=2.0 / 1.414, sigma=0.02 / 1.414)


def twenty_five_gaussians() -> GaussianMixture:
    """Return WGAN-GP's grid: {-4, -2, 0, 2, 4}^2, sigma 0.05, all divided by 2.828."""
    return grid(step=2.0 / 2.828, sigma=0.05 / 2.828)


def swiss_roll() -> SwissRoll:
    """Return WGAN-GP's swiss roll: noise 0.25, divided by 7.5."""
    return SwissRoll()


def parallel_lines(theta: float) -> tuple[Line, Line]:
    """Return P = (0, Z) and Q = (theta, Z), Z uniform on [0, 1).

    For theta != 0 the supports are disjoint: JS(P, Q) = log 2 and KL = infinity at every distance,
    while W_1 = |theta|.
    """
    return Line(), Line(theta)


TOYS: dict[str, Callable[[], Toy]] = {
    "ring": ring,
    "grid": grid,
    "eight-gaussians": eight_gaussians,
    "twenty-five-gaussians": twenty_five_gaussians,
    "swiss-roll": swiss_roll,
}


def get(name: str) -> Toy:
    """Return the toy distribution of a name, one of those in `TOYS`.

    >>> len(get("grid").centres)
    25
    """
    if name not in TOYS:
        near = difflib.get_close_matches(name, TOYS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no toy is called {name!r}: use one of {', '.join(TOYS)}{hint}")
    return TOYS[name]()
