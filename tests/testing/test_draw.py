"""Recipes keep the promises that the cases rely on."""

import numpy as np
import pytest

from minigan.testing.draw import (
    LAYOUTS,
    apart,
    booleans,
    grid,
    kink_free,
    normal,
    positive,
    spectrum,
    with_layout,
)

X = np.arange(24.0).reshape(2, 3, 4)


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


@pytest.mark.parametrize("layout", ["c", *LAYOUTS])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_layout_keeps_shape_and_dtype(layout, shape):
    x = np.ones(shape, np.float32)
    y = with_layout(x, layout)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("layout", ["c", "fortran", "reversed", "strided"])
def test_layout_keeps_values(layout):
    np.testing.assert_array_equal(with_layout(X, layout), X)


def test_layouts_are_what_they_say():
    assert with_layout(X, "fortran").flags.f_contiguous
    assert max(with_layout(X, "reversed").strides) < 0
    assert not with_layout(X, "strided").flags.c_contiguous
    broadcast = with_layout(X, "broadcast")
    assert broadcast.strides[0] == 0
    np.testing.assert_array_equal(broadcast[1], X[0])
