"""Gradient penalties against closed forms, at zero gradient, and in their own derivative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, penalties


def draw(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def linear_critic(w):
    """D(x) = <w, x>: its gradient is w at every point."""
    axes = tuple(range(1, w.ndim + 1))
    return lambda x: (x * w).sum(axis=axes)


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@given(shape=shapes, batch=st.integers(1, 5), seed=st.integers(0, 100))
def test_linear_critic(shape, batch, seed):
    """(||w|| - target)^2 for WGAN-GP and gamma / 2 ||w||^2 for R1, for any batch and shape."""
    w = draw(seed, *shape)
    real, fake = (mg.tensor(draw(seed + i, batch, *shape)) for i in (1, 2))
    norm = np.sqrt((w.astype(np.float64) ** 2).sum())
    critic = linear_critic(mg.tensor(w))
    gp = penalties.gradient_penalty(critic, real, fake)
    np.testing.assert_allclose(gp.item(), (norm - 1) ** 2, rtol=1e-4, atol=1e-5)
    gp = penalties.gradient_penalty(critic, real, fake, target=0.0)
    np.testing.assert_allclose(gp.item(), norm**2, rtol=1e-4, atol=1e-5)
    r1 = penalties.r1(critic, real, gamma=3.0)
    np.testing.assert_allclose(r1.item(), 1.5 * norm**2, rtol=1e-4, atol=1e-5)


def test_derivative_with_respect_to_the_critic():
    """d/dw (||w|| - 1)^2 = 2 (||w|| - 1) w / ||w||: double backward, in closed form."""
    w = mg.tensor(draw(0, 3, 4, 4, dtype=np.float64), requires_grad=True)
    real, fake = (mg.tensor(draw(i, 5, 3, 4, 4, dtype=np.float64)) for i in (1, 2))
    n = np.sqrt((w.numpy() ** 2).sum())
    (g,) = mg.grad(penalties.gradient_penalty(linear_critic(w), real, fake), [w])
    np.testing.assert_allclose(g.numpy(), 2 * (n - 1) * w.numpy() / n, rtol=1e-10)
    (g,) = mg.grad(penalties.r1(linear_critic(w), real, gamma=3.0), [w])
    np.testing.assert_allclose(g.numpy(), 3.0 * w.numpy(), rtol=1e-10)


def test_norm_is_per_sample_and_points_lie_between():
    """D(x) = |x|^2 / 2 has gradient x, so each sample shows its own point and its own norm."""
    seen = []

    def critic(x):
        seen.append(x.numpy().copy())
        return (x * x).sum(axis=1) * 0.5

    real, fake = draw(0, 64, 3, dtype=np.float64), draw(1, 64, 3, dtype=np.float64)
    value = penalties.gradient_penalty(critic, mg.tensor(real), mg.tensor(fake))
    (points,) = seen
    expected = np.mean([(np.sqrt(p @ p) - 1) ** 2 for p in points])
    assert value.item() == pytest.approx(expected, rel=1e-10)
    share = (points - fake) / (real - fake)  # one epsilon for all coordinates of a sample
    np.testing.assert_allclose(share, share[:, :1] * np.ones(3), rtol=1e-6, atol=1e-8)
    epsilons = share[:, 0]
    assert epsilons.min() >= 0
    assert epsilons.max() <= 1
    assert 0.3 < epsilons.mean() < 0.7
    assert len(np.unique(epsilons.round(6))) == 64


def test_generator_names_the_points():
    real, fake = mg.tensor(draw(0, 4, 2)), mg.tensor(draw(1, 4, 2))

    def value(seed):
        critic = lambda x: (x * x * x).sum(axis=1)  # noqa: E731
        return penalties.gradient_penalty(critic, real, fake, generator=mg.Generator(seed)).item()

    assert value(3) == value(3)
    assert value(3) != value(4)


def test_nothing_flows_into_the_samples():
    real = mg.tensor(draw(0, 4, 2), requires_grad=True)
    fake = mg.tensor(draw(1, 4, 2), requires_grad=True) * 2.0
    w = mg.tensor(draw(2, 2), requires_grad=True)
    total = penalties.gradient_penalty(linear_critic(w), real, fake) + penalties.r1(
        linear_critic(w), real
    )
    (g, none, also_none) = mg.grad(total, [w, real, fake], allow_unused=True)
    assert none is None
    assert also_none is None
    assert np.abs(g.numpy()).max() > 0


@pytest.mark.parametrize("build", [
    lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)),
    lambda: nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1)),
])  # fmt: skip
def test_zero_gradient_is_finite(build):
    """A critic whose last layer is zero has gradient zero everywhere: value 1, no NaN behind it."""
    critic = build()
    critic[2].weight.assign_(0.0)
    real, fake = mg.tensor(draw(0, 5, 4)), mg.tensor(draw(1, 5, 4))
    value = penalties.gradient_penalty(critic, real, fake)
    assert value.item() == 1.0
    for penalty in (value, penalties.r1(critic, real)):
        critic.zero_grad()
        penalty.backward()
        for name, parameter in critic.named_parameters():
            if parameter.grad is not None:
                assert np.isfinite(parameter.grad.numpy()).all(), name
        assert critic[2].weight.grad is not None


@pytest.mark.parametrize("out_shape", [(6,), (6, 1), (6, 1, 1, 1)])
def test_shape_of_the_score_does_not_matter(out_shape):
    w = mg.tensor(draw(0, 3))
    critic = linear_critic(w)
    reshaped = lambda x: critic(x).reshape(*out_shape)  # noqa: E731
    real = mg.tensor(draw(1, 6, 3))
    assert penalties.r1(reshaped, real).item() == penalties.r1(critic, real).item()


def test_convolutional_critic_stays_in_float32():
    """No float64 anywhere in value, double backward and step, even with np.float64 options."""
    critic = nn.Sequential(
        nn.Conv2d(1, 4, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.spectral_norm(nn.Conv2d(4, 4, 3, 1, 1)),
        nn.LayerNorm((4, 4, 4)),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(64, 1),
    )
    adam = mg.optim.Adam(critic.parameters(), lr=np.float64(1e-3))
    real, fake = mg.tensor(draw(0, 3, 1, 8, 8)), mg.tensor(draw(1, 3, 1, 8, 8))
    seen = {}
    with mg.trace(lambda name, out: seen.setdefault(out.dtype, name)):
        loss = penalties.gradient_penalty(critic, real, fake, target=np.float64(1.0))
        loss = loss + penalties.r1(critic, real, gamma=np.float64(0.1))
        loss.backward()
        adam.step()
    assert np.dtype(np.float64) not in seen, seen
    assert all(p.grad is not None for p in critic.parameters() if p is not critic[-1].bias)
    assert all(p.dtype == np.float32 for p in critic.parameters())


def test_shapes_must_agree():
    with pytest.raises(mg.errors.ShapeError, match=r"real has shape \(4, 2\), fake \(3, 2\)"):
        penalties.gradient_penalty(linear_critic(mg.ones(2)), mg.zeros(4, 2), mg.zeros(3, 2))
