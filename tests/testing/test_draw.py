"""Recipes keep the promises that the cases rely on."""

import numpy as np

from minigan.testing.draw import apart, booleans, grid, kink_free, normal, positive, spectrum


def test_kink_free_keeps_its_range_and_gap():
    x = kink_free(np.random.default_rng(0), (2000,), low=-1, high=1, avoid=[-0.5, 0.5], gap=0.05)
    assert abs(x).max() <= 1
    assert min(abs(x - 0.5).min(), abs(x + 0.5).min()) >= 0.05
    assert (x < -0.5).any()
    assert (x > 0.5).any()


def test_grid_has_no_ties():
    x = np.sort(grid(5, 4)(np.random.default_rng(1)).ravel())
    assert np.diff(x).min() > 0.29


def test_apart_is_a_family_of_recipes():
    assert abs(apart(0.0)(50)(np.random.default_rng(2))).min() >= 0.1


def test_spectrum_has_the_values_asked_for():
    x = spectrum(2.0, 1.2, shape=(4, 3))(np.random.default_rng(3))
    np.testing.assert_allclose(np.linalg.svd(x, compute_uv=False), [2.0, 1.2, 0.0], atol=1e-12)


def test_recipes_have_the_shape_asked_for():
    rng = np.random.default_rng(4)
    for recipe in (normal, positive, grid, apart(0.0), booleans):
        for shape in [(), (1,), (0, 3), (2, 3)]:
            assert recipe(*shape)(rng).shape == shape


def test_positive_stays_off_zero():
    assert positive(100)(np.random.default_rng(5)).min() >= 0.5
