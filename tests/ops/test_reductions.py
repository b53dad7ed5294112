"""Reductions against NumPy and SciPy, their conventions at ties and at zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import minigan as mg
from minigan.errors import ShapeError

REFERENCES = {
    "max": lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    "min": lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    "var": lambda x, axis, keepdims: x.var(axis=axis, keepdims=keepdims),
    "std": lambda x, axis, keepdims: x.std(axis=axis, keepdims=keepdims),
    "norm": lambda x, axis, keepdims: np.sqrt((x * x).sum(axis=axis, keepdims=keepdims)),
    "logsumexp": lambda x, axis, keepdims: special.logsumexp(x, axis=axis, keepdims=keepdims),
    "sum": lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    "mean": lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
}


@pytest.mark.parametrize("name", REFERENCES)
@given(
    axis=st.sampled_from([None, 0, -1, (0, 2), (1,), (0, 1, 2)]),
    keepdims=st.booleans(),
    seed=st.integers(0, 99),
)
def test_values(name, axis, keepdims, seed):
    x = np.random.default_rng(seed).normal(size=(2, 3, 4))
    y = getattr(mg, name)(mg.as_tensor(x), axis, keepdims)
    np.testing.assert_allclose(
        y.numpy(), REFERENCES[name](x, axis, keepdims), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_and_log_softmax(axis, rng):
    x = rng.normal(size=(3, 4)) * 10
    np.testing.assert_allclose(mg.softmax(mg.tensor(x), axis).numpy(), special.softmax(x, axis))
    np.testing.assert_allclose(
        mg.log_softmax(mg.tensor(x), axis).numpy(), special.log_softmax(x, axis)
    )


def test_large_arguments_do_not_overflow():
    x = mg.tensor([1000.0, -1000.0, 999.0], requires_grad=True)
    for f in (mg.logsumexp, mg.softmax, mg.log_softmax):
        y = f(x)
        (g,) = mg.grad(y.sum(), x)
        assert np.isfinite(y.numpy()).all()
        assert np.isfinite(g.numpy()).all()


def test_logsumexp_of_minus_infinities():
    with np.errstate(divide="ignore"):
        assert mg.logsumexp(mg.tensor([-np.inf, -np.inf])).item() == -np.inf
    assert mg.logsumexp(mg.tensor([-np.inf, 2.0])).item() == 2.0


def test_equal_extremes_share_the_gradient():
    x = mg.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True)
    np.testing.assert_allclose(
        mg.grad(x.max(axis=1).sum(), x)[0].numpy(), [[0, 0.5, 0.5], [1 / 3] * 3], rtol=1e-6
    )


@pytest.mark.parametrize("f", [mg.norm, mg.std])
def test_norm_and_std_at_zero_have_zero_derivatives_of_both_orders(f):
    x = mg.zeros(2, 3, requires_grad=True)
    y = f(x, 1)
    (g,) = mg.grad(y.sum(), x, create_graph=True)
    (h,) = mg.grad((g * g).sum() + g.sum(), x)
    for value in (y, g, h):
        np.testing.assert_array_equal(value.numpy(), np.zeros(value.shape))


def test_norm_away_from_zero_has_the_textbook_derivatives():
    v = np.array([3.0, 4.0])
    x = mg.tensor(v, requires_grad=True)
    (g,) = mg.grad(mg.norm(x), x, create_graph=True)
    np.testing.assert_allclose(g.numpy(), v / 5)
    rows = [mg.grad(g[i], x, retain_graph=True)[0].numpy() for i in range(2)]
    np.testing.assert_allclose(rows, (np.eye(2) - np.outer(v, v) / 25) / 5, atol=1e-16)


def test_var_with_ddof_and_its_refusal():
    x = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(mg.var(mg.tensor(x), 1, ddof=1).numpy(), x.var(1, ddof=1))
    with pytest.raises(ShapeError, match="ddof=1"):
        mg.var(mg.tensor(x), 0, ddof=1)


def test_reductions_without_elements_are_refused():
    for f in (mg.max, mg.min, mg.logsumexp):
        with pytest.raises(ShapeError, match="no elements"):
            f(mg.zeros(0, 2), 0)


def test_argmax_any_all():
    x = mg.tensor([[1.0, 5.0], [7.0, 0.0]])
    np.testing.assert_array_equal(x.argmax(1).numpy(), [1, 0])
    assert mg.argmax(x).item() == 2
    assert (x > 6).any().item()
    assert not (x > 6).all().item()
    np.testing.assert_array_equal((x >= 0).all(axis=1).numpy(), [True, True])


@pytest.mark.parametrize("size", [1e-22, 1e-18, 1.0, 1e18, 1e30])
def test_norm_neither_overflows_nor_underflows(size):
    x = mg.tensor(np.array([3.0, 4.0], dtype=np.float32) * np.float32(size), requires_grad=True)
    y = mg.norm(x)
    (g,) = mg.grad(y, x, create_graph=True)
    (h,) = mg.grad(g[0], x)
    np.testing.assert_allclose(y.item(), 5.0 * size, rtol=1e-6)
    np.testing.assert_allclose(g.numpy(), [0.6, 0.8], rtol=1e-6)
    expected = np.array([0.64, -0.48]) / (5.0 * size)
    np.testing.assert_allclose(h.numpy().astype(float), expected, rtol=1e-5)
