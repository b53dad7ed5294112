"""Sliced distances against SciPy's on every line, and closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

import minigan as mg
from minigan import metrics


def mean_cosine(d):
    """The mean of |u_1| over the unit sphere in d dimensions."""
    return math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))


def test_it_is_the_mean_over_lines(rng):
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(20, 4)) * 2
    u = mg.Generator(5).normal((4, 16), dtype=np.float64)
    u /= np.linalg.norm(u, axis=0)
    expected = np.mean([stats.wasserstein_distance(x @ v, y @ v) for v in u.T])
    assert metrics.sliced_distance(x, y, projections=16, seed=5) == pytest.approx(expected)


@pytest.mark.parametrize("d", [2, 5])
def test_a_shift_has_a_closed_form(rng, d):
    x, shift = rng.normal(size=(40, d)), rng.normal(size=d)
    got = metrics.sliced_distance(x, x + shift, projections=20_000)
    assert got == pytest.approx(np.linalg.norm(shift) * mean_cosine(d), rel=0.02)


def test_shifted_gaussians_are_as_far_as_their_means(rng):
    """Independent samples: on every line two normals, W_1 the distance of their means."""
    x, y = rng.normal(size=(4000, 3)), rng.normal(size=(5000, 3)) + [2.0, -1.0, 2.0]
    assert metrics.sliced_distance(x, y) == pytest.approx(3 * mean_cosine(3), rel=0.05)


def test_images_keep_their_dtype_and_are_flattened(rng):
    x, y = rng.uniform(-1, 1, (2, 10, 3, 4, 4)).astype(np.float32)
    assert metrics.sliced_distance(x, x) == 0
    flat = metrics.sliced_distance(x.reshape(10, -1), y.reshape(10, -1))
    assert metrics.sliced_distance(x, y) == flat > 0
    in_double = metrics.sliced_distance(x.astype(np.float64), y.astype(np.float64))
    assert flat == pytest.approx(in_double, rel=0.3)  # other directions: drawn in another dtype


def test_integers_are_points_too():
    assert metrics.sliced_distance([[0], [1]], [[3], [4]]) == pytest.approx(3)


def test_directions_come_from_the_seed_alone(rng):
    x, y = rng.normal(size=(2, 20, 3))
    one, again, other = (metrics.sliced_distance(x, y, seed=s) for s in (0, 0, 1))
    assert one == again != other
