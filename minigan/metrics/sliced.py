"""The sliced Wasserstein distance: two sets compared along random lines, no Gaussians assumed.

It needs no classifier, so it sees what a classifier has learnt to overlook; but on pixels it
knows nothing of shapes. The transport itself is `minigan.transport`'s.

Letters: N, M points.
"""

from __future__ import annotations

import numpy as np

from minigan.backend import Generator
from minigan.errors import ShapeError
from minigan.transport import sliced_wasserstein


def sliced_distance(
    a: np.ndarray, b: np.ndarray, *, projections: int = 256, p: int = 1, seed: int = 0
) -> float:
    """Return the sliced Wasserstein-p distance of features or images (N, ...) and (M, ...).

        SW_p^p = mean over directions u on the unit sphere of W_p(u . a, u . b)^p >= 0

    In units of a coordinate, here of a pixel or feature. `p`: 1 or 2. The directions depend on
    `seed` and the number of coordinates only. Few samples bias it upwards, so compare at equal N
    and M. Source: Bonneel et al. 2015; as a figure for GANs Karras et al. 2018, arXiv:1710.10196.

    >>> x = np.random.default_rng(0).normal(size=(100, 1))
    >>> round(sliced_distance(x, x + 3.0), 6)  # on the line, where every direction is the same
    3.0
    """
    a, b = _floats("a", a), _floats("b", b)
    generator = Generator(seed)
    return sliced_wasserstein(a, b, projections=projections, p=p, generator=generator).item()


def _floats(name: str, values: np.ndarray) -> np.ndarray:
    """Return points (N, ...) as floating-point numbers, of their own dtype where they are."""
    points = np.asarray(values)
    if points.ndim < 2:
        raise ShapeError(
            f"{name} has shape {points.shape}: give points (N, ...) of two axes or more"
        )
    return points if points.dtype.kind == "f" else points.astype(np.float64)
