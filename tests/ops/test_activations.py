"""Activations against SciPy and closed forms, and their behaviour for large arguments."""

import numpy as np
import pytest
from scipy import special

import minigan as mg

X = np.concatenate([np.linspace(-40, 40, 81), [-800.0, 800.0, 0.0, 1e-9]])

REFERENCES = {
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "log_sigmoid": special.log_expit,
    "silu": lambda x: x * special.expit(x),
    "gelu": lambda x: x * special.ndtr(x),
    "erf": special.erf,
}


@pytest.mark.parametrize("name", REFERENCES)
def test_values(name):
    y = getattr(mg, name)(mg.tensor(X))
    # 1 + erf cancels far to the left: gelu is exact there to an absolute 1e-14
    np.testing.assert_allclose(y.numpy(), REFERENCES[name](X), rtol=4e-15, atol=1e-14)


@pytest.mark.parametrize("name", REFERENCES)
def test_float32_is_finite_up_to_the_second_derivative_at_plus_and_minus_100(name):
    x = mg.tensor([-100.0, 100.0, 0.0], requires_grad=True)
    y = getattr(mg, name)(x)
    (g,) = mg.grad(y.sum(), x, create_graph=True)
    assert y.dtype == g.dtype == np.float32
    values = [y, g]
    if g.requires_grad:
        values.extend(mg.grad(g.sum(), x))
    assert all(np.isfinite(v.numpy()).all() for v in values)


def test_erf_in_float32_and_its_slope():
    x = np.linspace(-7, 7, 141).astype(np.float32)
    np.testing.assert_allclose(mg.erf(mg.tensor(x)).numpy(), special.erf(x), rtol=4e-7)


def test_the_tanh_form_of_gelu_is_close_to_the_exact_one():
    x = mg.tensor(np.linspace(-5, 5, 101))
    gap = np.abs(mg.gelu(x).numpy() - mg.gelu(x, approximate="tanh").numpy())
    assert 1e-6 < gap.max() < 5e-4
    with pytest.raises(ValueError, match="approximate is 'fast'"):
        mg.gelu(x, approximate="fast")


def test_slopes_can_be_set():
    x = mg.tensor([-2.0, 3.0])
    np.testing.assert_allclose(mg.leaky_relu(x, negative_slope=0.2).numpy(), [-0.4, 3.0], rtol=1e-6)
    np.testing.assert_allclose(mg.elu(x, alpha=2.0).numpy(), [2 * np.expm1(-2.0), 3.0], rtol=1e-6)
