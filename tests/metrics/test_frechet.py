"""The Frechet distance against closed forms and SciPy's matrix root."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from minigan import metrics
from minigan.errors import ShapeError


def random_psd(rng, size, rank=None):
    root = rng.normal(size=(size, rank or size))
    return root @ root.T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_numpys_in_float64(dtype):
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(dtype)
    mean, cov = metrics.moments(x)
    assert mean.dtype == cov.dtype == np.float64
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(cov, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3), (5,), (2, 3, 4)])
def test_moments_refuse_a_wrong_shape(shape):
    with pytest.raises(ShapeError, match=r"\(N, F\) with N >= 2"):
        metrics.moments(np.zeros(shape))


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_frechet_distance_agrees_with_scipys_matrix_root(size, seed):
    rng = np.random.default_rng(seed)
    mean_a, mean_b = rng.normal(size=(2, size))
    cov_a, cov_b = random_psd(rng, size), random_psd(rng, size)
    cross = linalg.sqrtm(cov_a @ cov_b)
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b - 2 * cross).real
    got = metrics.frechet_of_moments(mean_a, cov_a, mean_b, cov_b)
    scale = np.trace(cov_a) + np.trace(cov_b)
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


def test_frechet_distance_of_commuting_covariances_has_a_closed_form():
    mean_a, mean_b = np.array([0.0, 1.0]), np.array([2.0, -1.0])
    cov_a, cov_b = np.diag([4.0, 9.0]), np.diag([1.0, 0.0])
    # |m|^2 + the squared differences of the standard deviations
    expected = 8.0 + (2 - 1) ** 2 + (3 - 0) ** 2
    assert metrics.frechet_of_moments(mean_a, cov_a, mean_b, cov_b) == pytest.approx(expected)


def test_frechet_distance_is_finite_for_singular_covariances():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(5, 20))  # rank 4 of 20
    assert metrics.frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)
    assert metrics.frechet_distance(a, a + 1.0) == pytest.approx(20.0, rel=1e-6)


@given(st.integers(0, 10**6))
def test_frechet_distance_is_symmetric_and_not_negative(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(20, 3)), rng.normal(size=(30, 3)) * rng.uniform(0, 3, size=3)
    forth, back = metrics.frechet_distance(a, b), metrics.frechet_distance(b, a)
    assert forth >= 0
    assert forth == pytest.approx(back, rel=1e-9, abs=1e-9)


def test_frechet_of_moments_refuses_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="moments must be"):
        metrics.frechet_of_moments(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3))


@given(st.integers(1, 6), st.integers(0, 10**6), st.data())
def test_sqrt_psd_squares_back(size, seed, data):
    rank = data.draw(st.integers(1, size))
    matrix = random_psd(np.random.default_rng(seed), size, rank)
    root = metrics.sqrt_psd(matrix)
    np.testing.assert_allclose(root, root.T, atol=1e-12)
    np.testing.assert_allclose(root @ root, matrix, atol=1e-10)
    assert np.linalg.eigvalsh(root).min() > -1e-7
