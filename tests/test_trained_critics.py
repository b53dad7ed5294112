"""What trained discriminators and critics must come to, where the theory has exact answers.

Parallel lines are P = (0, Z), Q = (theta, Z), Z uniform on [0, 1]. There WGAN-GP's best critic has
the slope 1 + theta / (2 lambda) and the objective theta + theta^2 / (4 lambda); W_1 = theta and
JS = log 2. Real and fake samples share their Z: between independent ones the points of the penalty
avoid the corners of the rectangle, and a network may be steeper there than the formula has it.
"""

import math

import numpy as np
import pytest
from scipy import special, stats

import minigan as mg
from minigan import divergences, losses, nn, penalties, transport
from minigan.data import toy


def lines(theta, count, generator):
    real = toy.Line().sample(count, generator=generator)
    return mg.tensor(real), mg.tensor(real + np.float32([theta, 0.0]))


def train(network, objective, batch, *, steps, rate, betas=(0.5, 0.9)):
    """Minimise objective(real, fake) on fresh batches, with a rate that falls to 0."""
    generator = mg.Generator(0)
    adam = mg.optim.Adam(network.parameters(), lr=rate, betas=betas)
    for step in range(steps):
        adam.lr = rate * (1 - step / steps)
        adam.zero_grad()
        objective(*batch(generator)).backward()
        adam.step()


def small_network(inputs, width, activation):
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, width), activation(), nn.Linear(width, 1))


@pytest.mark.parametrize("lam", [10.0, 0.1])
@pytest.mark.parametrize("theta", [0.5, 1.0])
@pytest.mark.parametrize("kind", ["linear", "network"])
def test_slope_of_a_penalised_critic(kind, theta, lam):
    """Interpolation, per-sample norm, double backward and optimiser, in one number: within 2%."""
    critic = small_network(2, 16, nn.SiLU) if kind == "network" else nn.Linear(2, 1)
    rate = 0.05 if kind == "network" else 0.2
    loss = losses.get("wasserstein")

    def objective(real, fake):
        penalty = penalties.gradient_penalty(critic, real, fake, generator=mg.Generator(7))
        return loss.discriminator(critic(real), critic(fake)) + lam * penalty

    train(critic, objective, lambda g: lines(theta, 64, g), steps=150, rate=rate)
    real, fake = lines(theta, 500, mg.Generator(1))
    gap = -loss.discriminator(critic(real), critic(fake)).item()
    assert gap / theta == pytest.approx(1 + theta / (2 * lam), rel=0.02)
    best = theta + theta**2 / (4 * lam)
    assert -objective(real, fake).item() == pytest.approx(best, rel=0.02)
    assert transport.wasserstein(real, fake) == pytest.approx(theta, rel=1e-6)  # float32 samples


@pytest.mark.parametrize("theta", [-1.0, 0.25, 2.0])
def test_a_discriminator_finds_log_2_at_every_distance(theta):
    network, loss = small_network(2, 16, nn.SiLU), losses.get("minimax")

    def objective(real, fake):
        return loss.discriminator(network(real), network(fake))

    train(network, objective, lambda g: lines(theta, 64, g), steps=100, rate=0.1)
    real, fake = lines(theta, 500, mg.Generator(1))
    js = divergences.js_lower_bound(network(real), network(fake)).item()
    assert js == pytest.approx(math.log(2), abs=0.01)
    assert js <= math.log(2) + 1e-6
    # ... and the minimax loss then hardly moves the generator, however far it is.
    shift = mg.zeros(2, requires_grad=True)
    (pull,) = mg.grad(loss.generator(network(fake + shift)), [shift])
    assert np.abs(pull.numpy()).max() < 0.05


def test_a_trained_discriminator_is_the_best_one():
    """Two normals on the line: |D - P / (P + q)| < 0.02 where a hundredth of the mass may fall."""
    normals = (-1.0, 0.7), (1.0, 1.2)
    mg.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    loss = losses.get("minimax")

    def batch(generator, count=256):
        """One sample from each of `count` slices of equal probability: little noise."""
        slices = np.arange(count)[:, None] + generator.uniform((count, 1), dtype=np.float64)
        z = special.ndtri(slices / count)
        return (mg.tensor((mean + std * z).astype(np.float32)) for mean, std in normals)

    def objective(real, fake):
        return loss.discriminator(network(real), network(fake))

    train(network, objective, batch, steps=1000, rate=0.02, betas=(0.9, 0.999))
    x = np.linspace(-8, 8, 801)
    p, q = (stats.norm.pdf(x, *normal) for normal in normals)
    d = mg.sigmoid(network(mg.tensor(x[:, None].astype(np.float32)))).numpy()[:, 0]
    best = divergences.optimal_discriminator(p, q).numpy()
    assert np.abs(d - best)[p + q > 0.02].max() < 0.02
    spacing = x[1] - x[0]
    value = divergences.game_value(d.astype(np.float64), p, q, spacing=spacing).item()
    bound = 2 * divergences.js(p, q, spacing=spacing).item() - math.log(4)
    assert bound - 1e-3 < value < bound


def test_a_critic_exceeds_w1_by_its_lipschitz_excess_at_most():
    """gap <= L W_1 for every function with slopes <= L between the samples, trained or not."""
    generator = mg.Generator(0)
    x = toy.eight_gaussians().sample(40, generator=generator)
    y = generator.normal((40, 2), std=0.4)
    w1 = transport.wasserstein(x, y)
    points = np.concatenate([x, y]).astype(np.float64)
    distance = transport.pairwise_cost(points, points).numpy()
    critic, loss = small_network(2, 32, nn.SiLU), losses.get("wasserstein")
    real, fake = mg.tensor(x), mg.tensor(y)

    def objective(real, fake):
        penalty = penalties.gradient_penalty(critic, real, fake)
        return loss.discriminator(critic(real), critic(fake)) + penalty

    reached = []
    for _ in range(4):
        train(critic, objective, lambda g: (real, fake[g.permutation(40)]), steps=40, rate=0.02)
        f = critic(mg.tensor(points.astype(np.float32))).numpy()[:, 0].astype(np.float64)
        gap = f[:40].mean() - f[40:].mean()
        slope = (np.abs(f[:, None] - f)[distance > 0] / distance[distance > 0]).max()
        assert gap <= slope * w1 + 1e-6
        reached.append(gap / (slope * w1))
    assert reached[-1] > 0.5  # the bound is not an empty one
