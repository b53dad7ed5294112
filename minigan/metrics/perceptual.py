"""How far apart two images are in the features of a network, and so how diverse a set of them is.

The distance is the LPIPS of Zhang et al. 2018 (arXiv:1801.03924, equation 1) with all weights 1,
in the features of whatever network they are taken from: at each place of a layer's map the
channels are a vector, which is brought to length 1; then

    d(x, y) = sum over layers of the mean over places of |x_place - y_place|^2.

Letters: N images, C channels and H, W places of a layer, F features, P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.inputs import random_pairs

Maps = np.ndarray | Sequence[np.ndarray]  # one layer or several: (N, C, H, W) or (N, F) each

_AT_ONCE = 2**20  # numbers of each layer that are copied together


def feature_distance(a: Maps, b: Maps) -> np.ndarray:
    """Return the distance of image pairs in the maps of one layer or several: (N,).

    A layer adds from 0 to 4, or to 2 where its features are never negative. A place at which all
    channels are 0 has no direction and stays 0: it is at 1 from any other vector.

    >>> feature_distance(np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [2.0, 0.0]]))
    array([0., 2.])
    """
    layers_a, layers_b = _layers(a), _layers(b)
    shapes_a, shapes_b = ([layer.shape for layer in v] for v in (layers_a, layers_b))
    if shapes_a != shapes_b:
        raise ShapeError(f"a has layers {shapes_a} and b {shapes_b}: give the same layers of both")
    return sum(
        np.square(_unit(x) - _unit(y)).sum(axis=1).mean(axis=(1, 2))  # (N, C, H, W) -> (N,)
        for x, y in zip(layers_a, layers_b, strict=True)
    )


def feature_diversity(maps: Maps, *, pairs: int = 1000, seed: int = 0) -> float:
    """Return the mean distance of random pairs of images, given their maps, N >= 2.

    0 if all images are one; see `feature_distance` for the range. Like any mean over pairs it
    hardly sees the difference between ten images and ten thousand.

    >>> feature_diversity(np.eye(3)), feature_diversity(np.ones((3, 2)))
    (2.0, 0.0)
    """
    layers = _layers(maps)
    first, second = random_pairs(len(layers[0]), pairs, seed=seed)
    step = max(1, _AT_ONCE // max(layer[0].size for layer in layers))
    parts = [
        feature_distance(
            *([layer[chosen[i : i + step]] for layer in layers] for chosen in (first, second))
        )
        for i in range(0, pairs, step)
    ]
    return float(np.concatenate(parts).mean())


def _layers(maps: Maps) -> list[np.ndarray]:
    """Return every layer as (N, C, H, W) of finite numbers, features (N, F) as (N, F, 1, 1)."""
    given = [np.asarray(m) for m in ([maps] if isinstance(maps, np.ndarray) else maps)]
    shapes = [m.shape for m in given]
    if not given or len({len(m) if m.ndim else 0 for m in given}) > 1:
        raise ShapeError(f"maps have shapes {shapes}: give one layer or more, of the same images")
    if any(m.ndim not in (2, 4) or not m.size for m in given):
        raise ShapeError(f"maps have shapes {shapes}: each must be (N, C, H, W) or (N, F)")
    if not all(np.isfinite(m).all() for m in given):
        raise ValueError("there is NaN or infinity in maps: measure finite numbers")
    return [m[:, :, None, None] if m.ndim == 2 else m for m in given]


def _unit(x: np.ndarray) -> np.ndarray:
    """Bring the channels at each place to length 1, or leave them 0: (N, C, H, W)."""
    lengths = np.sqrt(np.square(x).sum(axis=1, keepdims=True))  # (N, 1, H, W)
    return x / np.where(lengths > 0, lengths, 1)
