"""Initialisers: moments, ranges, orthogonality, streams."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan.nn import init

SHAPE = (64, 32, 5, 5)
FAN_IN, FAN_OUT = 32 * 25, 64 * 25


def filled(rule, *args, shape=SHAPE, **options):
    tensor = mg.zeros(shape)
    assert rule(tensor, *args, generator=mg.Generator(0), **options) is tensor
    assert tensor.dtype == np.float32
    assert tensor.version == 1
    return tensor.numpy()


@pytest.mark.parametrize(("values", "std"), [
    (filled(init.normal_, 0.0, 0.02), 0.02),
    (filled(init.xavier_normal_), math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (filled(init.xavier_normal_, 3.0), 3 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
    (filled(init.kaiming_normal_), math.sqrt(2 / FAN_IN)),
    (filled(init.kaiming_normal_, mode="fan_out"), math.sqrt(2 / FAN_OUT)),
    (filled(init.kaiming_normal_, 0.2), math.sqrt(2 / 1.04 / FAN_IN)),
    (filled(init.kaiming_normal_, nonlinearity="linear"), math.sqrt(1 / FAN_IN)),
])  # fmt: skip
def test_normal_rules(values, std):
    assert values.std() == pytest.approx(std, rel=0.02)
    assert abs(values.mean()) < 0.02 * std
    kurtosis = ((values / values.std()) ** 4).mean()
    assert kurtosis == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize(("values", "bound"), [
    (filled(init.uniform_, -0.3, 0.3), 0.3),
    (filled(init.xavier_uniform_), math.sqrt(6 / (FAN_IN + FAN_OUT))),
    (filled(init.kaiming_uniform_), math.sqrt(6 / FAN_IN)),
    (filled(init.kaiming_uniform_, math.sqrt(5)), math.sqrt(1 / FAN_IN)),
])  # fmt: skip
def test_uniform_rules(values, bound):
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert np.abs(values).max() > 0.999 * bound
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (8, 2, 3, 3), (5, 5)])
def test_orthogonal(shape):
    matrix = filled(init.orthogonal_, 2.0, shape=shape).reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-5)


def test_constants():
    tensor = mg.zeros(3, 2)
    assert (init.ones_(tensor).numpy() == 1).all()
    assert (init.constant_(tensor, -0.5).numpy() == -0.5).all()
    assert (init.zeros_(tensor).numpy() == 0).all()


def test_same_generator_same_values():
    np.testing.assert_array_equal(filled(init.normal_), filled(init.normal_))
    mg.manual_seed(1)
    first = init.normal_(mg.zeros(5)).numpy().copy()
    assert not np.array_equal(init.normal_(mg.zeros(5)).numpy(), first)


def test_a_parameter_that_requires_grad_can_be_filled():
    tensor = mg.zeros(2, 2, requires_grad=True)
    assert init.ones_(tensor).requires_grad


def test_mistakes():
    with pytest.raises(ValueError, match=r"need at least 2 axes, got shape \(3,\)"):
        init.xavier_normal_(mg.zeros(3))
    with pytest.raises(ValueError, match="orthogonal_ needs at least 2 axes"):
        init.orthogonal_(mg.zeros(3))
    with pytest.raises(ValueError, match="mode is 'fan_avg'"):
        init.kaiming_normal_(mg.zeros(3, 3), mode="fan_avg")
    with pytest.raises(ValueError, match="no gain known for 'swish'"):
        init.calculate_gain("swish")
