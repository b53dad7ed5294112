import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import minigan as mg
from minigan import nn
from minigan.backend import Generator
from minigan.models.likelihoods import Gaussian
from minigan.models.vae import (
    LIKELIHOODS,
    VAE,
    ConvVAE,
    kl_to_standard_normal,
    reparametrize,
)
from minigan.optim import Adam
from minigan.testing import gradcheck


def linear_vae(inputs, latent, seed=0):
    mg.manual_seed(seed)
    vae = VAE(nn.Linear(inputs, 2 * latent), nn.Linear(latent, inputs), Gaussian())
    return vae.to(dtype=np.float64)


def log_likelihood(x, mean, covariance):
    """The mean of log N(x; mean, covariance) over the rows of x."""
    return stats.multivariate_normal(mean, covariance).logpdf(x).mean()


def of_model(vae, x):
    """The exact log-likelihood of a linear VAE: x ~ N(b, W W^T + std^2 I)."""
    weight, std = vae.decoder.weight.numpy(), np.exp(vae.likelihood.log_std.item())
    covariance = weight @ weight.T + std**2 * np.eye(len(weight))
    return log_likelihood(x, vae.decoder.bias.numpy(), covariance)


# -- the KL divergence ----------------------------------------------------------------------------


def test_the_kl_agrees_with_monte_carlo(rng):
    mean, log_var = rng.normal(size=(2, 3, 4))
    std, draws = np.exp(log_var / 2), 40_000
    z = mean + std * rng.normal(size=(draws, 3, 4))
    log_ratio = (stats.norm.logpdf(z, mean, std) - stats.norm.logpdf(z)).sum(axis=2)
    exact = kl_to_standard_normal(mg.tensor(mean), mg.tensor(log_var)).numpy()
    error = log_ratio.std(axis=0) / np.sqrt(draws)
    assert (np.abs(log_ratio.mean(axis=0) - exact) < 4 * error).all()
    assert (error < 0.02 * exact).all(), "the comparison is sharp"


@given(
    st.lists(st.tuples(st.floats(-4, 4), st.floats(-6, 4)), min_size=1, max_size=4),
)
def test_the_kl_is_not_negative_and_adds_up_over_coordinates(pairs):
    mean, log_var = np.array(pairs).T
    whole = kl_to_standard_normal(mg.tensor(mean[None]), mg.tensor(log_var[None])).item()
    parts = kl_to_standard_normal(mg.tensor(mean[:, None]), mg.tensor(log_var[:, None])).numpy()
    assert whole >= -1e-12
    assert whole == pytest.approx(parts.sum(), abs=1e-9)


def test_gradients_of_the_kl(rng):
    assert gradcheck(kl_to_standard_normal, list(rng.normal(size=(2, 3, 2))), order=2)


# -- reparametrisation ----------------------------------------------------------------------------


def test_z_has_the_moments_asked_for():
    mean, log_var = mg.full((50_000, 2), 3.0), mg.full((50_000, 2), np.log(0.25))
    z = reparametrize(mean, log_var, Generator(0)).numpy()
    np.testing.assert_allclose(z.mean(axis=0), 3.0, atol=0.01)
    np.testing.assert_allclose(z.std(axis=0), 0.5, atol=0.01)
    assert z.dtype == np.float32


def test_the_gradient_goes_through_z(rng):
    assert gradcheck(
        lambda mean, log_var: reparametrize(mean, log_var, Generator(3)),
        list(rng.normal(size=(2, 3, 2))),
        order=2,
    )


def test_the_generator_says_which_z(rng):
    mean, log_var = (mg.tensor(v) for v in rng.normal(size=(2, 3, 2)))
    a, b, c = (reparametrize(mean, log_var, Generator(s)).numpy() for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


# -- the bound ------------------------------------------------------------------------------------


def test_the_bound_lies_below_the_likelihood_and_rises_with_the_samples(rng):
    vae, x = linear_vae(5, 2), rng.normal(size=(60, 5))
    exact = of_model(vae, x)
    data = mg.tensor(np.repeat(x, 40, axis=0))
    elbo = vae.bound(data, Generator(0)).elbo.mean().item()
    bounds = [vae.importance_bound(data, Generator(0), samples=k).mean().item() for k in (1, 5, 50)]
    assert bounds[0] == pytest.approx(elbo, abs=0.1)  # the KL estimated, not in closed form
    assert bounds[0] < bounds[1] < bounds[2] < exact
    assert exact - bounds[2] < 0.1 * (exact - elbo)


def test_a_linear_vae_reaches_probabilistic_pca(rng):
    inputs, latent, count = 6, 2, 300
    x = rng.normal(size=(count, inputs)) @ rng.normal(size=(inputs, inputs)) + 1.0
    # The maximum of the likelihood (Tipping and Bishop 1999): the first eigenvalues are kept, the
    # others replaced by their mean.
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    kept, noise = values[:latent], values[latent:].mean()
    log_det = np.log(kept).sum() + (inputs - latent) * np.log(noise)
    best = -0.5 * (inputs * np.log(2 * np.pi) + log_det + inputs)

    vae, data, steps = linear_vae(inputs, latent), mg.tensor(x), 1200
    adam, generator = Adam(vae.parameters(), lr=0.02), Generator(0)
    for step in range(steps):
        adam.lr = 0.02 * min(1.0, 2 * (1 - step / steps))
        adam.zero_grad()
        (-vae.bound(data, generator).elbo.mean()).backward()
        adam.step()
    assert of_model(vae, x) <= best + 1e-9
    assert of_model(vae, x) == pytest.approx(best, rel=0.01)
    # A linear encoder can be the exact posterior, so nothing is lost between bound and likelihood.
    repeated = mg.tensor(np.repeat(x, 50, axis=0))
    elbo = vae.bound(repeated, generator).elbo.mean().item()
    assert elbo == pytest.approx(best, rel=0.01)


def test_gradients_of_the_bound(rng):
    vae = linear_vae(4, 2)
    assert gradcheck(
        lambda x: vae.bound(x, Generator(0)).elbo,
        [rng.normal(size=(3, 4))],
        params=dict(vae.named_parameters()),
    )


# -- the convolutional one ------------------------------------------------------------------------


def test_the_decoder_is_the_generator():
    mg.manual_seed(0)
    vae, z = ConvVAE(latent=3, width=4).eval(), mg.randn(5, 3)
    image = vae.generator(z).numpy()
    np.testing.assert_array_equal(vae.likelihood.mean(vae.decode(z)).numpy(), image)
    assert image.shape == (5, 1, 8, 8)
    assert np.abs(image).max() < 1


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_bound_moves_as_its_gradient_says(likelihood, rng):
    mg.manual_seed(0)
    vae = ConvVAE(latent=2, width=2, likelihood=likelihood).to(dtype=np.float64)
    x = mg.tensor(rng.integers(0, 17, (3, 1, 8, 8)) / 8 - 1)
    parameters = list(vae.parameters())
    start, way = (
        [p.numpy().copy() for p in parameters],
        [rng.normal(size=p.shape) for p in parameters],
    )

    def bound(h):
        for parameter, at, direction in zip(parameters, start, way, strict=True):
            parameter.assign_(at + h * direction)
        return vae.bound(x, Generator(0)).elbo.sum()

    gradients = mg.grad(bound(0.0), parameters)
    slope = sum((g.numpy() * v).sum() for g, v in zip(gradients, way, strict=True))
    h = 1e-6
    with mg.no_grad():
        difference = (bound(h).item() - bound(-h).item()) / (2 * h)
    assert slope == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize("size", [8, 16])
def test_sizes(size):
    vae = ConvVAE(latent=3, width=2, size=size, channels=3)
    x = mg.zeros(2, 3, size, size)
    mean, log_var = vae.encode(x)
    assert mean.shape == log_var.shape == (2, 3)
    assert vae(x).shape == x.shape


def test_an_unknown_likelihood_is_named():
    with pytest.raises(ValueError, match="likelihood is 'poisson': use one of bernoulli, binomial"):
        ConvVAE(likelihood="poisson")
