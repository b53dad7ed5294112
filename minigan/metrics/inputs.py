"""What the measures are given: features and images, checked once, and pairs drawn of them.

Letters: N, M samples, F features, C channels, H, W image, P pairs.
"""

from __future__ import annotations

import numpy as np

from minigan.backend import Generator
from minigan.errors import ShapeError


def as_features(name: str, values: np.ndarray, *, at_least: int = 1) -> np.ndarray:
    """Return features (N, F), N >= `at_least`, as float64, or raise in one line."""
    features = np.asarray(values, np.float64)
    if features.ndim != 2 or len(features) < at_least or not features.shape[1]:
        raise ShapeError(f"{name} must be (N, F) with N >= {at_least}, got {features.shape}")
    return _finite(name, features)


def same_features(a: np.ndarray, b: np.ndarray) -> None:
    """Raise unless both sets (N, F) and (M, F) have the same features."""
    if a.shape[1] != b.shape[1]:
        raise ShapeError(
            f"one set has {a.shape[1]} features and the other {b.shape[1]}: must agree"
        )


def as_images(name: str, values: np.ndarray) -> np.ndarray:
    """Return images (N, C, H, W), N >= 1, of their own dtype, or raise in one line."""
    images = np.asarray(values)
    if images.ndim != 4 or not images.size:
        raise ShapeError(f"{name} must be images (N, C, H, W) with N >= 1, got {images.shape}")
    return _finite(name, images)


def random_pairs(count: int, pairs: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `pairs` pairs of different indices below `count` >= 2, all equally likely: (P,), (P,).

    >>> i, j = random_pairs(2, 100, seed=0)
    >>> bool((i != j).all()), bool(((i + j) == 1).all())
    (True, True)
    """
    if count < 2:
        raise ShapeError(f"there is {count} sample: a pair needs two")
    if pairs < 1:
        raise ValueError(f"pairs is {pairs}: give an integer >= 1")
    generator = Generator(seed)
    first = generator.integers(0, count, pairs)
    return first, (first + generator.integers(1, count, pairs)) % count


def _finite(name: str, values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError(f"there is NaN or infinity in {name}: measure finite numbers")
    return values
