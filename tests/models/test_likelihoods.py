import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import minigan as mg
from minigan.errors import ShapeError
from minigan.models.likelihoods import Bernoulli, Gaussian
from minigan.testing import gradcheck
from minigan.testing.cupy_double import cupy_double


@pytest.mark.parametrize("trials", [1, 3, 16])
def test_bernoulli_and_binomial_agree_with_scipy(rng, trials):
    k = rng.integers(0, trials + 1, (4, 2, 3))
    a = rng.normal(size=(4, 2, 3))
    got = Bernoulli(trials=trials).log_prob(2 * k / trials - 1, mg.tensor(a)).numpy()
    p = 1 / (1 + np.exp(-2 * a))
    np.testing.assert_allclose(got, stats.binom.logpmf(k, trials, p).sum(axis=(1, 2)), rtol=1e-10)
    assert got.shape == (4,)


def test_the_probabilities_of_all_counts_sum_to_one():
    counts = np.arange(17.0)[:, None]  # (17, 1): each count as an image of one pixel
    a = mg.full((17, 1), 0.3, dtype="float64")
    log_prob = Bernoulli(trials=16).log_prob(counts / 8 - 1, a).numpy()
    assert np.exp(log_prob).sum() == pytest.approx(1, abs=1e-12)


def test_gaussian_agrees_with_scipy(rng):
    x, a = rng.normal(size=(2, 4, 3))
    likelihood = Gaussian(std=0.5).to(dtype=np.float64)
    expected = stats.norm.logpdf(x, a, 0.5).sum(axis=1)
    np.testing.assert_allclose(likelihood.log_prob(x, mg.tensor(a)).numpy(), expected, rtol=1e-7)
    of_image = Gaussian(std=0.5, image=True).to(dtype=np.float64)
    expected = stats.norm.logpdf(x, np.tanh(a), 0.5).sum(axis=1)
    np.testing.assert_allclose(of_image.log_prob(x, mg.tensor(a)).numpy(), expected, rtol=1e-7)


@pytest.mark.parametrize("logit", [-200.0, -100.0, 100.0, 200.0])
@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_float32_holds_at_any_logit(logit, x):
    a = mg.tensor([[logit / 2]], requires_grad=True)
    log_prob = Bernoulli().log_prob(mg.full((1, 1), x), a)
    assert log_prob.dtype == np.float32
    assert log_prob.item() == pytest.approx(0.0 if logit * x > 0 else -abs(logit))
    (slope,) = mg.grad(log_prob.sum(), a)
    assert slope.item() == pytest.approx(0.0 if logit * x > 0 else 2 * x)


@given(st.floats(-5, 5))
def test_the_mean_is_the_expected_image(value):
    a = mg.tensor(np.array([[value]]))
    p = 1 / (1 + np.exp(-2 * value))
    assert Bernoulli().mean(a).item() == pytest.approx(2 * p - 1, abs=1e-12)
    assert Gaussian(image=True).mean(a).item() == pytest.approx(np.tanh(value), abs=1e-12)
    assert Gaussian().mean(a).item() == value


@pytest.mark.parametrize(
    "likelihood",
    [Bernoulli(), Bernoulli(trials=4), Gaussian(std=0.7), Gaussian(image=True)],
    ids=repr,
)
def test_gradients(rng, likelihood):
    likelihood.to(dtype=np.float64)
    x = rng.integers(0, 5, (2, 3)) / 2 - 1
    parameters = dict(likelihood.named_parameters())
    assert gradcheck(
        lambda a: likelihood.log_prob(x, a), [rng.normal(size=(2, 3))], params=parameters, order=2
    )


def test_the_best_std_is_the_root_mean_squared_error(rng):
    x = mg.tensor(rng.normal(size=(50, 3)))
    likelihood = Gaussian(std=float(np.sqrt((x.numpy() ** 2).mean()))).to(dtype=np.float64)
    (slope,) = mg.grad(likelihood.log_prob(x, mg.zeros_like(x)).sum(), [likelihood.log_std])
    assert abs(slope.item()) < 1e-4


def test_nothing_broadcasts_in_silence():
    for likelihood in (Bernoulli(), Gaussian()):
        with pytest.raises(ShapeError, match=r"x is \(2, 1\) and the decoder's output \(2, 3\)"):
            likelihood.log_prob(mg.zeros(2, 1), mg.zeros(2, 3))


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="trials is 0: give an integer >= 1"):
        Bernoulli(trials=0)
    with pytest.raises(ValueError, match="std is 0"):
        Gaussian(std=0.0)


def test_binomial_on_a_gpu():
    x = np.array([[-1.0, 0.5]], np.float32)
    expected = Bernoulli(trials=16).log_prob(x, mg.zeros(1, 2)).numpy()
    with cupy_double():
        on_gpu = Bernoulli(trials=16).log_prob(
            mg.tensor(x, device="cuda"), mg.zeros(1, 2, device="cuda")
        )
        assert on_gpu.device == "cuda"
        np.testing.assert_allclose(on_gpu.numpy(), expected, rtol=1e-6)
