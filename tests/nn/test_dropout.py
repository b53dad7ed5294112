"""Dropout: scale, share, evaluation mode, its own stream of numbers."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


@pytest.mark.parametrize("p", [0.25, np.float64(0.5)])
def test_keeps_the_mean(p):
    y = nn.Dropout(p, generator=mg.Generator(0))(mg.ones(200, 200))
    assert y.dtype == np.float32
    values = y.numpy()
    kept = values != 0
    np.testing.assert_allclose(values[kept], 1 / (1 - p), rtol=1e-6)
    assert kept.mean() == pytest.approx(1 - p, abs=0.01)


def test_the_gradient_uses_the_same_mask():
    x = mg.ones(50, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    (g,) = mg.grad(y.sum(), [x])
    np.testing.assert_array_equal(g.numpy(), y.numpy())


def test_does_nothing_in_evaluation_or_at_zero():
    x = mg.ones(5)
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x


def test_own_generator_leaves_the_default_alone():
    mg.manual_seed(0)
    state = mg.default_generator().get_state()
    nn.Dropout(0.5, generator=mg.Generator(1))(mg.ones(5))
    assert mg.default_generator().get_state() == state
    nn.Dropout(0.5)(mg.ones(5))
    assert mg.default_generator().get_state() != state


def test_certain_dropout_gives_zeros():
    x = mg.ones(50, requires_grad=True)
    y = nn.Dropout(1.0)(x)
    np.testing.assert_array_equal(y.numpy(), np.zeros(50, np.float32))
    (g,) = mg.grad(y.sum(), [x])
    np.testing.assert_array_equal(g.numpy(), np.zeros(50))
    assert nn.Dropout(1.0).eval()(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_bad_probability(p):
    with pytest.raises(ValueError, match="give a probability, 0 <= p <= 1"):
        nn.Dropout(p)
