"""Factories: shapes, dtypes, and random numbers that a seed names."""

import numpy as np
import pytest

import minigan as mg


@pytest.mark.parametrize("make", [mg.zeros, mg.ones, mg.randn, mg.rand])
def test_shapes_as_integers_or_tuple_and_float32_by_default(make):
    for x in (make(2, 3), make((2, 3)), make([2, 3])):
        assert x.shape == (2, 3)
        assert x.dtype == np.float32
    assert make(()).shape == ()
    assert make(2, dtype="float64", requires_grad=True).requires_grad


def test_values():
    np.testing.assert_array_equal(mg.full((2,), 3.0).numpy(), [3, 3])
    np.testing.assert_array_equal(mg.arange(3).numpy(), [0, 1, 2])
    assert mg.arange(0.0, 1.0, 0.5).dtype == np.float32
    np.testing.assert_array_equal(mg.linspace(0, 1, 3).numpy(), [0, 0.5, 1])
    x = mg.ones(2, dtype="float64")
    assert mg.zeros_like(x).dtype == np.float64
    assert mg.ones_like(x).shape == (2,)


def test_a_seed_names_the_numbers():
    mg.manual_seed(3)
    a = mg.randn(5)
    mg.randn(7, generator=mg.Generator(1))  # another stream moves nothing
    b = mg.rand(5)
    mg.manual_seed(3)
    np.testing.assert_array_equal(mg.randn(5).numpy(), a.numpy())
    np.testing.assert_array_equal(mg.rand(5).numpy(), b.numpy())


def test_moments():
    x = mg.randn(100_000, generator=mg.Generator(0)).numpy()
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    u = mg.rand(100_000, generator=mg.Generator(0)).numpy()
    assert 0 <= u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01
