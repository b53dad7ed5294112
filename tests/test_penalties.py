"""Gradient penalties against closed forms, at zero gradient, and in their own derivative."""

import importlib.util
from pathlib import Path

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
    for penalty in (penalties.r1, penalties.r2):
        value = penalty(critic, real, gamma=3.0)
        np.testing.assert_allclose(value.item(), 1.5 * norm**2, rtol=1e-4, atol=1e-5)
    value = penalties.gradient_l1(critic, real)
    np.testing.assert_allclose(value.item(), np.abs(w).sum(), rtol=1e-4, atol=1e-5)
    value = penalties.dragan(critic, real, target=0.5)
    np.testing.assert_allclose(value.item(), (norm - 0.5) ** 2, rtol=1e-4, atol=1e-5)


LENGTHS = {"l2": lambda w: np.sqrt((w * w).sum()), "l1": lambda w: np.abs(w).sum()}
SIDES = {"two": abs, "one": lambda t: max(0.0, t)}


@pytest.mark.parametrize("norm", LENGTHS)
@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("target", [0.5, 1.0, 20.0])
def test_every_form_of_the_gradient_penalty(norm, sides, power, target):
    """On D(x) = <w, x>, in value and in the derivative with respect to w."""
    w = mg.tensor(draw(0, 3, 2, dtype=np.float64), requires_grad=True)
    real, fake = (mg.tensor(draw(i, 4, 3, 2, dtype=np.float64)) for i in (1, 2))

    def closed_form(w):
        return SIDES[sides](LENGTHS[norm](w) - target) ** power

    options = {"target": target, "sides": sides, "power": power, "norm": norm}
    value = penalties.gradient_penalty(linear_critic(w), real, fake, **options)
    assert value.item() == pytest.approx(closed_form(w.numpy()), rel=1e-12)
    (g,) = mg.grad(value, [w])
    for index in np.ndindex(w.shape):
        step = np.zeros(w.shape)
        step[index] = 1e-6
        slope = (closed_form(w.numpy() + step) - closed_form(w.numpy() - step)) / 2e-6
        assert g.numpy()[index] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_one_sided_leaves_gentle_critics_alone():
    w = mg.tensor([0.3, 0.4], requires_grad=True)
    real, fake = mg.tensor(draw(0, 4, 2)), mg.tensor(draw(1, 4, 2))
    value = penalties.gradient_penalty(linear_critic(w), real, fake, sides="one")
    assert value.item() == 0.0
    np.testing.assert_array_equal(mg.grad(value, [w])[0].numpy(), 0.0)


def test_derivative_with_respect_to_the_critic():
    """d/dw (||w|| - 1)^2 = 2 (||w|| - 1) w / ||w||: double backward, in closed form."""
    w = mg.tensor(draw(0, 3, 4, 4, dtype=np.float64), requires_grad=True)
    real, fake = (mg.tensor(draw(i, 5, 3, 4, 4, dtype=np.float64)) for i in (1, 2))
    n = np.sqrt((w.numpy() ** 2).sum())
    (g,) = mg.grad(penalties.gradient_penalty(linear_critic(w), real, fake), [w])
    np.testing.assert_allclose(g.numpy(), 2 * (n - 1) * w.numpy() / n, rtol=1e-10)
    (g,) = mg.grad(penalties.r1(linear_critic(w), real, gamma=3.0), [w])
    np.testing.assert_allclose(g.numpy(), 3.0 * w.numpy(), rtol=1e-10)
    (g,) = mg.grad(penalties.gradient_l1(linear_critic(w), real), [w])
    np.testing.assert_array_equal(g.numpy(), np.sign(w.numpy()))


def test_subgradient_of_the_l1_norm_at_zero_is_zero():
    w = mg.tensor([2.0, 0.0, -3.0], requires_grad=True)
    (g,) = mg.grad(penalties.gradient_l1(linear_critic(w), mg.zeros(2, 3)), [w])
    assert g.numpy().tolist() == [1.0, 0.0, -1.0]


def test_dragan_looks_around_the_data():
    """Its points are the data plus normal noise, half a standard deviation of the batch wide."""
    seen = []

    def critic(x):
        seen.append(x.numpy().copy())
        return (x * x).sum(axis=1) * 0.5

    real = 3.0 * draw(0, 4096, 3, dtype=np.float64)
    value = penalties.dragan(critic, mg.tensor(real), generator=mg.Generator(0))
    (points,) = seen
    noise = (points - real) / real.std()
    assert noise.mean() == pytest.approx(0.0, abs=0.02)
    assert noise.std() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.06  # each coordinate by itself
    expected = np.mean((np.linalg.norm(points, axis=1) - 1) ** 2)
    assert value.item() == pytest.approx(expected, rel=1e-10)
    again = penalties.dragan(critic, mg.tensor(real), generator=mg.Generator(0))
    assert again.item() == value.item()


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
    critic = linear_critic(w)
    total = penalties.gradient_penalty(critic, real, fake) + penalties.r1(critic, real)
    total = total + penalties.r2(critic, fake) + penalties.gradient_l1(critic, fake)
    total = total + penalties.dragan(critic, real)
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
    others = [penalties.r1(critic, real), penalties.r2(critic, fake)]
    others += [penalties.gradient_l1(critic, real), penalties.dragan(critic, real)]
    others += [penalties.gradient_penalty(critic, real, fake, power=1, norm="l1")]
    for penalty in (value, *others):
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


def test_unknown_options_name_the_known_ones():
    samples = mg.zeros(4, 2), mg.zeros(4, 2)
    for option, message in [
        ({"sides": "both"}, "sides is 'both': use one of 'two', 'one'"),
        ({"power": 3}, "power is 3: use one of 1, 2"),
        ({"norm": "max"}, "norm is 'max': use one of 'l2', 'l1'"),
    ]:
        with pytest.raises(ValueError, match=message):
            penalties.gradient_penalty(linear_critic(mg.ones(2)), *samples, **option)


# -- batch normalisation --------------------------------------------------------------------------


def critic_with(norm):
    return nn.Sequential(nn.Linear(3, 4), norm, nn.Tanh(), nn.Linear(4, 1))


def every_penalty(critic):
    real, fake = mg.tensor(draw(0, 5, 3)), mg.tensor(draw(1, 5, 3))
    return [
        lambda: penalties.gradient_penalty(critic, real, fake),
        lambda: penalties.gradient_l1(critic, real),
        lambda: penalties.r1(critic, real),
        lambda: penalties.r2(critic, fake),
        lambda: penalties.dragan(critic, real),
    ]


@pytest.mark.parametrize("wrapped", [False, True])
def test_batch_norm_is_warned_about(wrapped):
    """In a module and behind a function, from every penalty, at the line that calls it."""
    network = critic_with(nn.BatchNorm1d(4))
    critic = (lambda x: network(x) * 2.0) if wrapped else network
    for penalty in every_penalty(critic):
        with pytest.warns(UserWarning, match="every score depends on the whole batch") as record:
            penalty()
        assert record[0].filename == __file__


def test_norms_within_a_sample_are_not():
    batch_norm = critic_with(nn.BatchNorm1d(4))
    generator_with_batch_norm = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    style = generator_with_batch_norm(mg.tensor(draw(0, 5, 2)))  # older than the points
    plain = critic_with(nn.Identity())
    for critic in (
        critic_with(nn.LayerNorm(4)),
        batch_norm.eval(),
        lambda x: plain(x + style),
    ):
        for penalty in every_penalty(critic):
            penalty()  # a warning would be an error


# -- lazily, and by force -------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 4, 16])
def test_lazy_pull_is_the_same_over_a_round(every):
    """The gradients of k steps add up to those of a penalty on every step."""
    w, real = mg.tensor([3.0, 4.0], requires_grad=True), mg.zeros(2, 2)
    lazy, calls = penalties.Lazy(every), []

    def penalty():
        calls.append(1)
        return penalties.r1(linear_critic(w), real, gamma=1.0)

    total = np.zeros(2)
    for step in range(2 * every):
        due = lazy(step, penalty)
        assert (due is not None) == (step % every == 0)
        if due is not None:
            total += mg.grad(due, [w])[0].numpy()
    assert len(calls) == 2  # on the other steps it is not even computed
    np.testing.assert_allclose(total, 2 * every * w.numpy(), rtol=1e-6)


@pytest.mark.parametrize("every", [1, 4, 16])
def test_lazy_adam_keeps_pace_and_memory(every):
    """k + 1 small steps where k were made: the same way in all, the same forgetting in all."""
    options = penalties.Lazy(every).adam(lr=0.002, betas=(0.5, 0.99))
    assert options["lr"] * (every + 1) == pytest.approx(0.002 * every)
    for rescaled, beta in zip(options["betas"], (0.5, 0.99), strict=True):
        assert rescaled ** (every + 1) == pytest.approx(beta**every)
    x = mg.tensor([0.0], requires_grad=True)
    adam = mg.optim.Adam([x], **options)
    for _ in range(every + 1):
        x.grad = mg.tensor([1.0])
        adam.step()
    assert x.item() == pytest.approx(-0.002 * every, rel=1e-4)  # Adam moves by lr a step


def test_lazy_refuses():
    with pytest.raises(ValueError, match="every is 0: a lazy penalty is due every 1 or more"):
        penalties.Lazy(0)


def test_weight_clipping():
    critic = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    before = {name: p.numpy().copy() for name, p in critic.named_parameters()}
    penalties.clip_weights_(critic.parameters(), 0.2)
    for name, parameter in critic.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), np.clip(before[name], -0.2, 0.2))
        assert parameter.dtype == np.float32
        assert parameter.requires_grad
    with pytest.raises(ValueError, match="clip_value is 0: weights are clipped to a positive"):
        penalties.clip_weights_(critic.parameters(), 0)


def test_gap_of_a_clipped_linear_critic():
    """On two lines at distance theta the best critic with |w_i| <= c has the gap c theta."""
    theta, c = 0.7, 0.3
    z = draw(0, 64, 1)
    real, fake = (mg.tensor(np.hstack([x + 0 * z, z])) for x in (np.float32(0), np.float32(theta)))
    w = mg.tensor([0.0, 0.0], requires_grad=True)
    sgd, loss = mg.optim.SGD([w], lr=0.1), mg.losses.Wasserstein()
    for _ in range(20):
        sgd.zero_grad()
        gap = loss.discriminator(linear_critic(w)(real), linear_critic(w)(fake))
        gap.backward()
        sgd.step()
        penalties.clip_weights_([w], c)
    assert -gap.item() == pytest.approx(c * theta, rel=1e-5)


# -- DiracGAN: the numbers of the published dynamics ----------------------------------------------

# Final |(theta, psi)| after 500 steps of size 0.2 from distance sqrt(2), to the digits known:
# (simultaneous, alternating).
PUBLISHED = {
    "GAN": ("3.10", "1.42"),
    "NS-GAN": ("0.640", "0.284"),
    "WGAN, clipped": ("1.00", "1.02"),
    "WGAN-GP": ("1.80", "1.22"),
    "R1, gamma 0.3": ("2.6e-06", "2.3e-07"),
    "R1, gamma 1": ("9.5e-22", "7.5e-17"),
}


@pytest.fixture(scope="module")
def dirac():
    path = Path(__file__).parents[1] / "examples" / "07_dirac_gan.py"
    spec = importlib.util.spec_from_file_location("dirac_gan", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("alternating", [False, True])
def test_dirac_gan_follows_the_published_dynamics(dirac, name, alternating):
    path = dirac.simulate(dirac.VARIANTS[name], alternating=alternating, steps=500)
    final = np.hypot(*path[-1])
    shown = f"{final:#.3g}" if final > 0.01 else f"{final:.1e}"
    assert shown == PUBLISHED[name][alternating]
    if name.startswith("R1"):
        assert final < 1e-5  # it contracts ...
    else:
        assert final > 0.1  # ... and without R1 it does not


def test_dirac_gan_unclipped_spirals_out(dirac):
    """A rotation by one step each way: the norm grows by sqrt(1 + h^2) a step, exactly."""
    path = dirac.simulate(dirac.VARIANTS["WGAN"], alternating=False, steps=100)
    expected = np.sqrt(2) * (1 + 0.2**2) ** (0.5 * np.arange(101))
    np.testing.assert_allclose(np.hypot(*path.T), expected, rtol=1e-10)
