"""Layouts, and that property checks raise no false alarm on ill-behaved but correct functions."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing.levels import Problem
from minigan.testing.properties import CHECKS, LAYOUTS, with_layout

X = np.arange(24.0).reshape(2, 3, 4)


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


@pytest.mark.parametrize("name", CHECKS)
def test_no_false_alarm_on_noise(name):
    """The gradient is 0 in exact arithmetic: what is computed is round-off, and not linear."""
    rng = np.random.default_rng(0)
    problem = Problem(lambda x: mg.softmax(x).sum(), [rng.normal(size=(3, 4))])
    if name != "adjoint":
        CHECKS[name](problem)
