"""The mistakes that GAN code has made before, one test each: it would fail if this code made it.

Each test is named after its mistake and says what goes wrong. Those of data, checkpoints, metrics
and image translation are tested beside the code that they belong to.
"""

import inspect

import numpy as np
import pytest

import minigan as mg
from minigan import lipschitz, losses, nn, optim, penalties
from minigan.nn.operator_norm import operator_norm
from minigan.nn.spectral import sigmas
from minigan.testing.cupy_double import cupy_double


def draw(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def samples(*shape, dtype=np.float32):
    """A batch of real samples and one of fakes."""
    return mg.tensor(draw(1, *shape, dtype=dtype)), mg.tensor(draw(2, *shape, dtype=dtype))


def linear_critic(w):
    axes = tuple(range(1, w.ndim + 1))
    return lambda x: (x * w).sum(axis=axes)


def small_critic(*, dtype="float32"):
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype=dtype)


# -- the gradient penalty -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (3, 4, 4), (2, 3)])
@pytest.mark.parametrize("batch", [1, 7])
def test_penalty_norm_over_the_wrong_axes(shape, batch):
    """One norm a pixel (axis 1 of images) or one a batch gives another number than (|w| - 1)^2."""
    w = draw(0, *shape)
    found = penalties.gradient_penalty(linear_critic(mg.tensor(w)), *samples(batch, *shape))
    expected = (np.linalg.norm(w.astype(np.float64)) - 1) ** 2
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("penalty", [
    lambda critic, real, fake: penalties.gradient_penalty(
        critic, real, fake, generator=mg.Generator(0)
    ),
    lambda critic, real, fake: penalties.gradient_l1(critic, real),
    lambda critic, real, fake: penalties.r1(critic, real),
    lambda critic, real, fake: penalties.r2(critic, fake),
    lambda critic, real, fake: penalties.dragan(critic, real, generator=mg.Generator(0)),
], ids=["gradient_penalty", "gradient_l1", "r1", "r2", "dragan"])  # fmt: skip
def test_penalty_in_the_value_but_not_in_the_gradient(penalty):
    """Dropping the graph of the inner gradient leaves the value right and trains nothing."""
    critic, batch = small_critic(dtype="float64"), samples(6, 3, dtype=np.float64)
    weight = critic[0].weight
    w, direction = weight.numpy().copy(), draw(3, *weight.shape, dtype=np.float64)

    def value(step):
        weight.assign_(w + step * direction)
        return penalty(critic, *batch)

    (g,) = mg.grad(value(0.0), [weight])
    slope = (value(1e-6).item() - value(-1e-6).item()) / 2e-6
    assert abs(slope) > 1e-3
    assert (g.numpy() * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_batch_norm_in_a_penalised_critic():
    """It ties the samples of a batch together, so "the gradient of each" is not what comes out."""
    critic = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    x = mg.tensor(draw(0, 4, 3), requires_grad=True)
    (g,) = mg.grad(critic(x)[0].sum(), [x])
    assert np.abs(g.numpy()[1:]).max() > 1e-3  # score 0 depends on the other samples
    with pytest.warns(UserWarning, match="batch normalisation.*use LayerNorm or no normalisation"):
        penalties.gradient_penalty(critic, *samples(4, 3))


def test_square_root_at_a_zero_gradient():
    """The derivative of sqrt(sum g^2) at g = 0 is 0 / 0: the first step of a zero critic is NaN."""
    critic = small_critic()
    critic[2].weight.assign_(0.0)
    real, fake = samples(5, 3)
    loss = penalties.gradient_penalty(critic, real, fake) + penalties.r1(critic, real)
    loss.backward()
    found = [p.grad.numpy() for p in critic.parameters() if p.grad is not None]
    assert found
    assert all(np.isfinite(g).all() for g in found)


def test_r1_takes_no_square_root():
    """|g|^2 as norm(g)**2 brings the trouble at zero in for nothing."""
    used, critic = [], small_critic()
    with mg.trace(lambda name, out: used.append(name)):
        penalties.r1(critic, samples(5, 3)[0]).backward()
    assert used
    assert not [name for name in used if "sqrt" in name or "norm" in name]


def test_one_epsilon_for_the_batch_or_a_normal_one():
    """The points must be spread along all the segments: one uniform number for each sample."""
    seen = []

    def critic(x):
        seen.append(x.numpy())
        return x.sum(axis=(1, 2))

    penalties.gradient_penalty(critic, mg.ones(500, 2, 2), mg.zeros(500, 2, 2))
    (epsilon,) = seen
    assert (epsilon == epsilon[:, :1, :1]).all()
    assert epsilon.min() >= 0.0
    assert epsilon.max() < 1.0
    assert len(np.unique(epsilon)) == 500
    quantiles = np.quantile(epsilon, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quantiles, [0.25, 0.5, 0.75], atol=0.08)


def test_interpolates_attached_to_the_generator():
    """G's graph would be walked for nothing, and its weights get gradients of D's penalty."""
    generator, critic = nn.Linear(2, 3), small_critic()
    fake, real = generator(mg.randn(5, 2)), samples(5, 3)[0]
    penalty = penalties.gradient_penalty(critic, real, fake) + penalties.r2(critic, fake)
    penalty.backward()
    assert all(p.grad is None for p in generator.parameters())


def test_two_optimiser_steps_for_loss_and_penalty():
    """A penalty is a term to be added: it steps nothing and leaves no gradient behind."""
    critic, (real, fake) = small_critic(), samples(5, 3)
    penalty = penalties.gradient_penalty(critic, real, fake)
    loss = losses.Wasserstein().discriminator(critic(real), critic(fake))
    assert all(p.grad is None for p in critic.parameters())
    weight = critic[0].weight
    (alone,) = mg.grad(loss, [weight], retain_graph=True)
    (extra,) = mg.grad(penalty, [weight], retain_graph=True)
    (loss + 10.0 * penalty).backward()
    together = alone.numpy() + 10.0 * extra.numpy()
    np.testing.assert_allclose(weight.grad.numpy(), together, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("strength", "theta"), [(10.0, 1.0), (0.1, 1.0), (10.0, 0.5)])
def test_penalised_critic_taken_for_a_wasserstein_distance(strength, theta):
    """It overshoots, by a known amount: on two lines at distance theta, W1 = theta, the slope is

    1 + theta / (2 lambda) and the objective theta + theta^2 / (4 lambda). With the toys' lambda of
    0.1 that is a slope of 6 where 1 is meant.
    """
    z = draw(0, 32, 1, dtype=np.float64)
    real, fake = mg.tensor(np.hstack([theta + 0 * z, z])), mg.tensor(np.hstack([0 * z, z]))
    w, loss = mg.tensor(np.array([0.5, 0.3]), requires_grad=True), losses.Wasserstein()
    sgd = optim.SGD([w], lr=0.4 / (2 * strength))
    for _ in range(600):
        critic = linear_critic(w)
        total = loss.discriminator(critic(real), critic(fake))
        total = total + strength * penalties.gradient_penalty(critic, real, fake)
        sgd.zero_grad()
        total.backward()
        sgd.step()
    assert w.numpy()[0] == pytest.approx(1 + theta / (2 * strength), rel=1e-5)
    assert -total.item() == pytest.approx(theta + theta**2 / (4 * strength), rel=1e-5)


def test_r1_convention():
    """gamma / 2, a sum over pixels and a mean over the batch: not a mean over both, no double."""
    w, real = mg.ones(3, 4, 4), samples(5, 3, 4, 4)[0]
    assert penalties.r1(linear_critic(w), real, gamma=2.0).item() == pytest.approx(48.0)
    assert inspect.signature(penalties.r1).parameters["gamma"].default == 10.0


def test_lazy_penalty_without_rescaling():
    """Every k-th step alone is a k times weaker penalty and, in a step of its own, another Adam."""
    lazy, w = penalties.Lazy(16), mg.tensor([3.0, 4.0])
    value = lazy(0, lambda: penalties.r1(linear_critic(w), mg.zeros(2, 2), gamma=2.0))
    assert value.item() == pytest.approx(16 * 25.0)
    assert lazy(1, lambda: pytest.fail("computed on a step on which it is not due")) is None
    options = lazy.adam(lr=0.002, betas=(0.0, 0.99))
    assert options["lr"] == pytest.approx(0.002 * 16 / 17)
    assert options["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))


# -- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("logit", [-18.0, -20.0, -30.0, -100.0])
def test_log_of_sigmoid_plus_epsilon(logit):
    """-log(sigmoid(x) + 1e-8) stops teaching G where D wins; softplus(-x) keeps its slope of -1."""
    fake = mg.tensor([logit], requires_grad=True)
    (slope,) = mg.grad(losses.NonSaturating().generator(fake), [fake])
    assert slope.item() == pytest.approx(-1.0, abs=1e-6)
    (usual,) = mg.grad(-mg.log(mg.sigmoid(fake) + 1e-8), [fake], mg.ones(1))
    assert usual.item() > -0.7


def test_saturating_loss_under_the_name_of_the_other():
    """The two are different objectives with one discriminator."""
    fake = mg.tensor([-10.0], requires_grad=True)
    (weak,) = mg.grad(losses.get("minimax").generator(fake), [fake])
    (strong,) = mg.grad(losses.get("non-saturating").generator(fake), [fake])
    assert weak.item() == pytest.approx(-4.54e-5, rel=1e-3)
    assert strong.item() == pytest.approx(-1.0, abs=1e-4)


@pytest.mark.parametrize("name", [name for name in losses.LOSSES if name != "relativistic"])
def test_batches_of_different_sizes(name):
    """Targets made with the shape of the other batch fail, or broadcast in silence."""
    loss, real, fake = losses.get(name), mg.tensor(draw(0, 7, 1)), mg.tensor(draw(1, 3, 1))
    whole = loss.discriminator(real, fake).item()
    none = mg.zeros(1, 1)
    parts = loss.discriminator(real, none).item() + loss.discriminator(none, fake).item()
    assert whole == pytest.approx(parts - loss.discriminator(none, none).item(), rel=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_loss_cut_off_from_the_graph(name):
    """A loss wrapped in a new tensor trains nothing: every part must reach every weight."""
    generator, critic, loss = nn.Linear(2, 3), small_critic(), losses.get(name)
    real, fake = samples(5, 3)[0], generator(mg.randn(5, 2))
    loss.generator(critic(fake), critic(real)).backward()
    assert all(np.abs(p.grad.numpy()).max() > 0 for p in generator.parameters())
    critic.zero_grad()
    loss.discriminator(critic(real), critic(fake.detach())).backward()
    assert all(np.abs(p.grad.numpy()).max() > 0 for p in list(critic.parameters())[:-1])
    with pytest.raises(TypeError, match="leave the graph in silence"):
        mg.tensor([loss.generator(critic(fake), critic(real))])


def test_least_squares_without_a_stated_half():
    """A half before each of the three means, in D and in G alike."""
    loss, x = losses.LeastSquares(), mg.tensor([3.0])
    assert loss.discriminator(x, x).item() == pytest.approx(2.0 + 4.5)
    assert loss.generator(x).item() == pytest.approx(2.0)
    assert "a half in front of each mean" in inspect.getdoc(losses.LeastSquares)


# -- normalisation --------------------------------------------------------------------------------


def test_eps_passed_for_momentum():
    """`BatchNorm2d(128, 0.8)` means momentum and sets eps: neither is positional here."""
    for layer in (nn.BatchNorm2d, nn.BatchNorm1d, nn.InstanceNorm2d, nn.LayerNorm):
        with pytest.raises(TypeError, match="positional argument"):
            layer(8, 0.8)


def test_instance_norm_of_a_single_pixel():
    """The normalised value is always 0, whatever the network says."""
    with pytest.raises(mg.ShapeError, match="instance_norm"):
        nn.InstanceNorm2d(3)(mg.randn(2, 3, 1, 1))


def test_instance_norm_of_a_constant_map():
    """At a constant map the gain of the backward pass is 1 / sqrt(eps): 300 and not 10,000."""
    x = mg.ones(1, 1, 4, 4).requires_grad_()
    y = nn.InstanceNorm2d(1)(x)
    np.testing.assert_array_equal(y.numpy(), 0.0)
    pull = draw(0, 1, 1, 4, 4)
    (g,) = mg.grad(y, [x], mg.tensor(pull))
    gain = np.linalg.norm(g.numpy()) / np.linalg.norm(pull - pull.mean())
    assert gain == pytest.approx(1 / np.sqrt(1e-5), rel=1e-3)


# -- spectral norm --------------------------------------------------------------------------------


@pytest.fixture
def normalized():
    """A layer with spectral norm whose weight has changed since the last forward."""
    mg.manual_seed(0)
    layer = nn.spectral_norm(nn.Linear(6, 5))
    layer.weight_orig.assign_(layer.weight_orig.numpy() + 0.1 * draw(0, 5, 6))
    return layer


def test_spectral_norm_moves_in_evaluation(normalized):
    """Then the same network gives another answer each time it is asked."""
    normalized.eval()
    first = normalized(mg.ones(2, 6)).numpy()
    for _ in range(3):
        np.testing.assert_array_equal(normalized(mg.ones(2, 6)).numpy(), first)


def test_spectral_norm_moves_at_every_forward(normalized):
    """Then real and fake samples of one step meet two different critics."""
    x = mg.ones(2, 6)
    np.testing.assert_array_equal(normalized(x).numpy(), normalized(x).numpy())


def test_spectral_norm_without_a_gradient_through_sigma(normalized):
    """Scaling the trained weight changes nothing, so its gradient has no part along the weight."""
    normalized._derived["weight"].advance(normalized, 200)
    (g,) = mg.grad((normalized(mg.ones(2, 6)) ** 2).sum(), [normalized.weight_orig])
    along = (g.numpy() * normalized.weight_orig.numpy()).sum()
    assert np.abs(g.numpy()).max() > 0.1
    assert along == pytest.approx(0.0, abs=1e-4)


def test_spectral_norm_writes_in_place_what_a_graph_holds(normalized):
    """An advance between two forwards must not touch what the first one's backward needs."""
    y = normalized(mg.ones(2, 6)).sum()
    (expected,) = mg.grad(y, [normalized.weight_orig], retain_graph=True)
    normalized._derived["weight"].advance(normalized, 3)
    (g,) = mg.grad(y, [normalized.weight_orig])
    np.testing.assert_array_equal(g.numpy(), expected.numpy())


@pytest.mark.parametrize("build", [
    lambda: nn.Linear(64, 64), lambda: nn.Conv2d(24, 48, 4), lambda: nn.ConvTranspose2d(48, 24, 4)
])  # fmt: skip
def test_spectral_norm_without_warm_up(build):
    """From random vectors the first estimates are far too small, and the weight too large."""
    mg.manual_seed(0)
    layer = nn.spectral_norm(build())
    assert sigmas(layer)[""].used == pytest.approx(1.0, abs=0.01)


def test_spectral_norm_of_the_wrong_axis():
    """A transposed convolution has its output channels on axis 1."""
    mg.manual_seed(0)
    layer = nn.spectral_norm(nn.ConvTranspose2d(3, 8, 4), warmup=200)
    rows = layer.weight.numpy().transpose(1, 0, 2, 3).reshape(8, -1)
    assert layer.weight_u.shape == (8,)
    assert np.linalg.norm(rows, 2) == pytest.approx(1.0, abs=1e-3)


def test_spectral_norm_of_the_matrix_taken_for_that_of_the_convolution():
    """They differ; who wants the second says so."""
    mg.manual_seed(0)
    by_matrix, by_operator = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(2))
    nn.spectral_norm(by_matrix, warmup=300)
    nn.spectral_norm(by_operator, view="operator", input_size=8, warmup=300)
    norms = [operator_norm(layer, 8) for layer in (by_matrix, by_operator)]
    assert norms[0] > 1.2
    assert norms[1] == pytest.approx(1.0, abs=1e-3)


def test_spectral_norm_hides_a_drifting_weight(normalized):
    """The trained weight may grow unseen: the log shows it."""
    normalized.weight_orig.assign_(normalized.weight_orig.numpy() * 100)
    sigma = sigmas(normalized)[""]
    assert sigma.trained > 50
    assert sigma.used == pytest.approx(1.0, abs=0.1)


# -- training -------------------------------------------------------------------------------------


def test_average_without_the_buffers():
    """An EMA of the weights with the first batch-norm statistics samples noise."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    ema = optim.EMA(net, decay=0.9)
    net(mg.tensor(5.0 + draw(0, 16, 2)))
    ema.update()
    np.testing.assert_array_equal(ema.module[1].running_mean.numpy(), net[1].running_mean.numpy())
    assert np.abs(net[1].running_mean.numpy()).max() > 0.01


def test_previews_that_disturb_training():
    """Looking on (a fixed grid, a penalty with points of its own, sigmas) moves no other stream."""
    critic, (real, fake) = nn.spectral_norm(nn.Linear(3, 1)), samples(5, 3)
    ours, numpys = mg.default_generator().get_state(), np.random.get_state()[1].copy()
    mg.Generator(0).normal((8, 2))
    penalties.gradient_penalty(critic, real, fake, generator=mg.Generator(1))
    penalties.dragan(critic, real, generator=mg.Generator(1))
    sigmas(critic)
    assert mg.default_generator().get_state() == ours
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)


def test_sampling_in_training_mode():
    """In evaluation a batch leaves the statistics alone, and a sample does not see its mates."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    before = net.state_dict()
    z = draw(0, 8, 2)
    together, alone = net(mg.tensor(z)).numpy(), net(mg.tensor(z[:1])).numpy()
    np.testing.assert_allclose(together[:1], alone, rtol=1e-6)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_code_that_was_only_run_on_the_cpu():
    """Losses, penalties, spectral norm and bounds give on CuPy's double what they give on NumPy."""

    def theory(device):
        mg.manual_seed(0)
        critic = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 1)
        ).to(device)
        nn.spectral_norm(critic[0], view="operator", input_size=8)
        nn.spectral_norm(critic[3])
        real, fake = (mg.tensor(draw(i, 5, 1, 8, 8), device=device) for i in (1, 2))
        options = {"sides": "one", "power": 1, "norm": "l1"}
        total = penalties.gradient_penalty(critic, real, fake, **options)
        total = total + penalties.gradient_penalty(critic, real, fake)
        total = total + penalties.r1(critic, real) + penalties.r2(critic, fake)
        total = total + penalties.gradient_l1(critic, real) + penalties.dragan(critic, real)
        for name in losses.LOSSES:
            loss = losses.get(name)
            total = total + loss.discriminator(critic(real), critic(fake))
            total = total + loss.generator(critic(fake), critic(real))
        total.backward()
        optim.Adam(critic.parameters(), lr=1e-3).step()
        penalties.clip_weights_(critic.parameters(), 0.05)
        logged = [number for sigma in sigmas(critic).values() for number in sigma]
        bounds = lipschitz.lower_bound(critic, real), lipschitz.upper_bound(critic)
        tight = lipschitz.upper_bound(critic, input_shape=(1, 8, 8))
        return [total.item(), *logged, *bounds, tight, operator_norm(critic[0], 8)]

    with cupy_double():
        on_double = theory("cuda")
    np.testing.assert_allclose(on_double, theory("cpu"), rtol=1e-5)


def test_backward_through_weights_that_have_moved():
    """G steps, then D's loss goes back through the graph of the old G: refused, not wrong."""
    generator, critic = nn.Linear(2, 3), small_critic()
    fake = mg.tanh(generator(mg.randn(5, 2)))
    loss_g = losses.NonSaturating().generator(critic(fake))
    loss_d = losses.NonSaturating().discriminator(critic(samples(5, 3)[0]), critic(fake))
    loss_g.backward(retain_graph=True)
    optim.SGD(critic.parameters(), lr=0.1).step()
    with pytest.raises(mg.VersionError):
        loss_d.backward()
