"""Generators: explicit state, independence, dtypes."""

import json

import numpy as np
import pytest

import minigan as mg


def test_state_goes_through_json_and_back():
    g = mg.Generator(5)
    g.normal(3)
    state = json.loads(json.dumps(g.get_state()))
    a = g.uniform((2, 2)), g.integers(0, 9, 4), g.permutation(6)
    g.set_state(state)
    for x, y in zip(a, (g.uniform((2, 2)), g.integers(0, 9, 4), g.permutation(6)), strict=True):
        np.testing.assert_array_equal(x, y)
    with pytest.raises(ValueError, match="not a state"):
        g.set_state({"nonsense": 1})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_location_and_scale(dtype):
    x = mg.Generator(0).normal(20_000, mean=3.0, std=np.float64(0.5), dtype=dtype)
    assert x.dtype == dtype
    assert abs(x.mean() - 3.0) < 0.02
    assert abs(x.std() - 0.5) < 0.02
    u = mg.Generator(0).uniform(20_000, low=-2.0, high=2.0, dtype=dtype)
    assert u.dtype == dtype
    assert -2 <= u.min() < u.max() <= 2


def test_generators_do_not_touch_numpys_global_state():
    before = np.random.get_state()[1].copy()
    mg.manual_seed(1)
    mg.randn(10)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="give an integer >= 0"):
        mg.Generator(seed)


def test_the_shape_may_be_empty_and_a_scalar_is_an_array():
    assert isinstance(mg.Generator(0).normal(()), np.ndarray)
    assert mg.Generator(0).normal((0, 2)).shape == (0, 2)
