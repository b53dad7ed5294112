"""Spectral norm: sigma against NumPy's SVD and the operator's matrix, and when u and v move."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim
from minigan.nn.operator_norm import operator_norm
from minigan.nn.spectral import remove_spectral_norm, sigmas


def as_matrix(layer):
    """The weight the layer uses, as the matrix (O, everything else)."""
    weight = layer.weight.numpy()
    if isinstance(layer, nn.ConvTranspose2d):
        weight = weight.transpose(1, 0, 2, 3)
    return weight.reshape(weight.shape[0], -1)


def top(matrix):
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)[0]


def bump(layer):
    """Change the weight a little, as an optimiser does."""
    layer.weight_orig.assign_(layer.weight_orig.numpy() * np.float32(1.01))


LAYERS = [
    lambda: nn.Linear(6, 4),
    lambda: nn.Conv2d(3, 8, 3),
    lambda: nn.ConvTranspose2d(8, 3, 4, 2, 1),
    lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
]
each_layer = pytest.mark.parametrize("build", LAYERS)


@pytest.fixture
def layer():
    return nn.spectral_norm(nn.Linear(5, 4))


@each_layer
def test_sigma_is_one_after_warm_up(build):
    layer = nn.spectral_norm(build(), warmup=200)
    assert top(as_matrix(layer)) == pytest.approx(1.0, abs=1e-3)
    assert layer.weight.dtype == np.float32


@each_layer
def test_one_iteration_a_step_follows_a_drifting_weight(build):
    layer, rng = nn.spectral_norm(build(), warmup=100), np.random.default_rng(0)
    for _ in range(30):
        noise = rng.standard_normal(layer.weight_orig.shape).astype(np.float32)
        layer.weight_orig.assign_(layer.weight_orig.numpy() + np.float32(0.002) * noise)
        layer.weight.numpy()
    assert top(as_matrix(layer)) == pytest.approx(1.0, abs=0.03)


def test_two_forwards_one_advance(layer):
    """However many forwards, u and v move once for each change of the weight."""
    x = mg.ones(2, 5)
    settled = layer.weight_u
    layer(x), layer(x)
    assert layer.weight_u is settled  # the weight has not changed since the warm-up
    bump(layer)
    first = layer(x)
    moved = layer.weight_u
    assert moved is not settled
    second = layer(x)
    assert layer.weight_u is moved
    np.testing.assert_array_equal(first.numpy(), second.numpy())


def test_advance_is_one_power_iteration(layer):
    bump(layer)
    u, w = layer.weight_u.numpy().copy(), layer.weight_orig.numpy()
    layer.weight.numpy()
    v = w.T @ u
    v /= np.linalg.norm(v)
    u = w @ v / np.linalg.norm(w @ v)
    np.testing.assert_allclose(layer.weight_v.numpy(), v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.weight_u.numpy(), u, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.weight.numpy(), w / (u @ w @ v), rtol=1e-5)


def test_frozen_in_evaluation(layer):
    bump(layer)
    layer.eval()
    u = layer.weight_u.numpy().copy()
    for _ in range(3):
        layer(mg.ones(2, 5))
    layer.state_dict()
    np.testing.assert_array_equal(layer.weight_u.numpy(), u)


def test_gradient_goes_through_sigma_with_u_and_v_constant():
    """d<C, W / sigma> / dW = (C - <C, W / sigma> u v^T) / sigma: the paper's equation 12."""
    layer = nn.spectral_norm(nn.Linear(5, 4).to(dtype="float64"))
    w, u, v = (t.numpy() for t in (layer.weight_orig, layer.weight_u, layer.weight_v))
    sigma, c = u @ w @ v, np.random.default_rng(0).standard_normal((4, 5))
    (g,) = mg.grad((layer.weight * mg.tensor(c)).sum(), [layer.weight_orig])
    expected = (c - (c * w).sum() / sigma * np.outer(u, v)) / sigma
    np.testing.assert_allclose(g.numpy(), expected, rtol=1e-10, atol=1e-12)


def test_a_graph_keeps_the_vectors_it_was_made_with(layer):
    """An advance between forward and backward changes neither; an in-place write would."""
    y = (layer(mg.ones(2, 5)) ** 2).sum()
    (expected,) = mg.grad(y, [layer.weight_orig], retain_graph=True)
    expected = expected.numpy().copy()
    u = layer.weight_u
    before = u.numpy().copy()
    layer._derived["weight"].advance(layer, 1)
    np.testing.assert_array_equal(u.numpy(), before)
    (g,) = mg.grad(y, [layer.weight_orig])
    np.testing.assert_array_equal(g.numpy(), expected)


def test_real_and_fake_in_one_backward_equal_separate_ones():
    critic = nn.Sequential(
        nn.spectral_norm(nn.Linear(5, 4)), nn.LeakyReLU(0.2), nn.spectral_norm(nn.Linear(4, 1))
    )
    rng = np.random.default_rng(0)
    real, fake = (mg.tensor(rng.standard_normal((3, 5)).astype("f4")) for _ in range(2))
    params = list(critic.parameters())
    both = mg.grad(critic(real).sum() - critic(fake).sum(), params, allow_unused=True)
    one = mg.grad(critic(real).sum(), params)
    two = mg.grad(critic(fake).sum(), params)
    for joint, a, b in zip(both, one, two, strict=True):
        np.testing.assert_allclose(joint.numpy(), a.numpy() - b.numpy(), rtol=1e-4, atol=1e-6)


def train(layer, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (layer(mg.ones(2, 5)) ** 2).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("forward_after_step", [False, True])
def test_save_and_load_continue_bit_for_bit(forward_after_step):
    """Whether or not the weight was used since its last change, a loaded run goes on the same."""
    layer = nn.spectral_norm(nn.Linear(5, 4), warmup=2)
    twin, other = copy.deepcopy(layer), nn.spectral_norm(nn.Linear(5, 4))
    train(layer, optim.SGD(layer.parameters(), 0.1), 3)
    if forward_after_step:
        layer(mg.ones(2, 5))
    other.load_state_dict(layer.state_dict())
    train(other, optim.SGD(other.parameters(), 0.1), 3)
    train(twin, optim.SGD(twin.parameters(), 0.1), 6)
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value, err_msg=name)


def test_keys_are_pytorchs_and_the_weight_stays_trainable(layer):
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
    assert dict(layer.named_parameters()).keys() == {"bias", "weight_orig"}
    before = layer.weight_orig.numpy().copy()
    train(layer, optim.Adam(layer.parameters()), 1)
    assert not np.array_equal(layer.weight_orig.numpy(), before)


def test_a_copy_moves_by_itself(layer):
    twin = copy.deepcopy(layer)
    bump(layer)
    layer(mg.ones(2, 5))
    u = layer.weight_u
    bump(twin)
    twin(mg.ones(2, 5))
    assert layer.weight_u is u


def test_a_moved_or_copied_layer_does_not_advance(layer):
    """Its weight is the same; so are the vectors that a loaded state brought with it."""
    u = layer.weight_u.numpy().copy()
    copy.deepcopy(layer).weight.numpy()
    other = nn.spectral_norm(nn.Linear(5, 4))
    other.load_state_dict(layer.state_dict())
    for moved in (layer, other):
        moved.to(dtype="float64")
        moved(mg.ones(2, 5, dtype="float64"))
        np.testing.assert_array_equal(moved.weight_u.numpy(), u)


def test_zero_weight_is_finite():
    layer = nn.Linear(3, 2)
    layer.weight.assign_(0.0)
    nn.spectral_norm(layer)
    layer.bias.assign_(0.0)
    assert np.isfinite(layer.weight_u.numpy()).all()
    np.testing.assert_array_equal(layer(mg.ones(2, 3)).numpy(), 0.0)


def test_mistakes(layer):
    with pytest.raises(ValueError, match="has spectral norm already"):
        nn.spectral_norm(layer)
    with pytest.raises(ValueError, match=r"needs a layer with a weight matrix, got ReLU\(\)"):
        nn.spectral_norm(nn.ReLU())
    with pytest.raises(ValueError, match="needs a layer with a weight matrix"):
        nn.spectral_norm(nn.BatchNorm2d(3))
    with pytest.raises(AttributeError, match=r"Linear.weight is computed and cannot be set"):
        layer.weight = nn.Parameter(np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"ReLU\(\) has no spectral norm to remove"):
        remove_spectral_norm(nn.ReLU())
    conv = nn.Conv2d(2, 3, 3)
    for options, message in [
        ({"method": "qr"}, "method is 'qr': use one of 'power', 'svd'"),
        ({"view": "patch"}, "view is 'patch': use one of 'matrix', 'operator'"),
        ({"view": "operator"}, "needs input_size="),
        ({"view": "operator", "method": "svd", "input_size": 8}, "too large for an SVD"),
        ({"input_size": 8}, "input_size is for view='operator'"),
    ]:
        with pytest.raises(ValueError, match=message):
            nn.spectral_norm(conv, **options)
    with pytest.raises(ValueError, match=r"is for convolutions, got Embedding\(3, 2\)"):
        nn.spectral_norm(nn.Embedding(3, 2), view="operator", input_size=8)
    assert list(conv.state_dict()) == ["weight", "bias"]  # nothing was half done


# -- by decomposition -----------------------------------------------------------------------------


@each_layer
def test_decomposition_is_exact(build):
    layer = nn.spectral_norm(build(), method="svd")
    assert top(as_matrix(layer)) == pytest.approx(1.0, abs=1e-6)
    for _ in range(3):  # at every weight, in training and in evaluation
        noise = np.random.default_rng(0).standard_normal(layer.weight_orig.shape)
        layer.weight_orig.assign_(layer.weight_orig.numpy() + noise.astype(np.float32))
        assert top(as_matrix(layer.eval())) == pytest.approx(1.0, abs=1e-6)
        layer.train()
    assert [name for name in layer.state_dict() if name != "bias"] == ["weight_orig"]
    assert layer.weight.dtype == np.float32


@each_layer
def test_gradient_of_decomposition_by_differences(build):
    layer = nn.spectral_norm(build().to(dtype="float64"), method="svd")
    rng = np.random.default_rng(0)
    w, c = layer.weight_orig.numpy().copy(), rng.standard_normal(layer.weight_orig.shape)
    direction = rng.standard_normal(w.shape)

    def value(step):
        layer.weight_orig.assign_(w + step * direction)
        return (layer.weight * mg.tensor(c)).sum()

    (g,) = mg.grad(value(0.0), [layer.weight_orig])
    slope = (value(1e-5).item() - value(-1e-5).item()) / 2e-5
    assert (g.numpy() * direction).sum() == pytest.approx(slope, rel=1e-7)


def test_second_derivative_of_decomposition_by_differences():
    layer = nn.spectral_norm(nn.Linear(5, 4).to(dtype="float64"), method="svd")
    rng = np.random.default_rng(0)
    w, c = layer.weight_orig.numpy().copy(), rng.standard_normal((4, 5))
    along, across = rng.standard_normal((2, 4, 5))

    def first(step):
        layer.weight_orig.assign_(w + step * across)
        value = (layer.weight * mg.tensor(c)).sum()
        (g,) = mg.grad(value, [layer.weight_orig], create_graph=True)
        return (g * mg.tensor(along)).sum()

    (h,) = mg.grad(first(0.0), [layer.weight_orig])
    slope = (first(1e-5).item() - first(-1e-5).item()) / 2e-5
    assert (h.numpy() * across).sum() == pytest.approx(slope, rel=1e-6)


def test_both_methods_have_the_same_gradient():
    """d sigma / dW = u v^T either way, once the power iteration has converged."""
    rng = np.random.default_rng(0)
    w, c = rng.standard_normal((2, 4, 5))
    found = []
    for method in ("power", "svd"):
        layer = nn.Linear(5, 4).to(dtype="float64")
        layer.weight.assign_(w)
        nn.spectral_norm(layer, method=method, warmup=500)
        found += mg.grad((layer.weight * mg.tensor(c)).sum(), [layer.weight_orig])
    np.testing.assert_allclose(found[0].numpy(), found[1].numpy(), rtol=1e-9)


# -- the estimate beside the exact value ----------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 16), (32, 8), (8, 72)])
def test_power_iteration_against_svd_on_random_layers(shape):
    """After w iterations on a Gaussian matrix the estimate is below, and nears the true value."""
    errors = {}
    for warmup in (1, 15, 100):
        relative = []
        for seed in range(10):
            mg.manual_seed(seed)
            layer = nn.spectral_norm(nn.Linear(*shape[::-1]), warmup=warmup)
            estimate = layer._derived["weight"].sigma(layer).item()
            relative.append(1 - estimate / top(layer.weight_orig.numpy()))
        assert min(relative) > -1e-6  # u^T W v never exceeds the norm
        errors[warmup] = np.mean(relative)
    assert errors[1] > errors[15] > errors[100]
    assert errors[15] < 0.02
    assert errors[100] < 0.002


@pytest.mark.parametrize("view", ["matrix", "operator"])
def test_power_iteration_against_exact_along_training(view):
    """One iteration a step keeps within 2% of the exact value while the weights learn."""
    mg.manual_seed(0)
    options = {"view": view, "input_size": 8} if view == "operator" else {}
    first = nn.spectral_norm(nn.Conv2d(1, 8, 3, padding=1), **options)
    head = nn.spectral_norm(nn.Linear(8 * 64, 1))
    net = nn.Sequential(first, nn.LeakyReLU(0.2), nn.Flatten(), head)
    adam, loss = optim.Adam(net.parameters(), lr=2e-3, betas=(0.0, 0.9)), mg.losses.Hinge()
    rng = np.random.default_rng(0)
    before = first.weight_orig.numpy().copy()
    for step in range(60):
        real = mg.tensor(rng.normal(0.5, 1.0, (16, 1, 8, 8)).astype("f4"))
        fake = mg.tensor(rng.normal(-0.5, 1.0, (16, 1, 8, 8)).astype("f4"))
        adam.zero_grad()
        loss.discriminator(net(real), net(fake)).backward()
        if step >= 10:
            for name, sigma in sigmas(net).items():
                assert sigma.used == pytest.approx(1.0, abs=0.02), (step, name)
        adam.step()
    assert np.abs(first.weight_orig.numpy() - before).max() > 0.02  # it did learn


# -- the convolution as an operator ---------------------------------------------------------------

OPERATORS = [
    lambda: nn.Conv2d(2, 3, 3, padding=1),
    lambda: nn.Conv2d(2, 4, 4, 2, 1, groups=2),
    lambda: nn.ConvTranspose2d(3, 2, 4, 2, 1),
]


def matrix_of(layer, size):
    """The layer without its bias as a dense matrix, one basis image at a time."""
    count = layer.in_channels * size[0] * size[1]
    basis = np.eye(count, dtype=layer.weight.dtype).reshape(count, layer.in_channels, *size)
    bias, layer.bias = layer.bias, None
    columns = layer(mg.tensor(basis)).detach().numpy().reshape(count, -1)
    layer.bias = bias
    return columns.T


@pytest.mark.parametrize("build", OPERATORS)
def test_operator_view_makes_the_operator_norm_one(build):
    layer = nn.spectral_norm(build(), view="operator", input_size=(5, 6), warmup=300)
    assert top(matrix_of(layer, (5, 6))) == pytest.approx(1.0, abs=2e-3)
    assert top(as_matrix(layer)) != pytest.approx(1.0, abs=0.05)  # another number than the matrix's
    assert layer.weight.dtype == np.float32


@pytest.mark.parametrize("build", OPERATORS)
def test_operator_gradient_by_differences(build):
    """u and v are the singular images, so the gradient of sigma is exact there."""
    layer = nn.spectral_norm(
        build().to(dtype="float64"), view="operator", input_size=(5, 6), warmup=3000
    )
    rng = np.random.default_rng(0)
    w, direction = layer.weight_orig.numpy().copy(), rng.standard_normal(layer.weight_orig.shape)
    (g,) = mg.grad(layer._derived["weight"].sigma(layer), [layer.weight_orig])
    remove_spectral_norm(layer)

    def norm(step):
        layer.weight.assign_(w + step * direction)
        return top(matrix_of(layer, (5, 6)))

    slope = (norm(1e-5) - norm(-1e-5)) / 2e-5
    assert (g.numpy() * direction).sum() == pytest.approx(slope, rel=1e-5)


def test_operator_vectors_follow_the_four_rules():
    """Once a change, frozen in evaluation, never in place, saved: as for the matrix."""
    layer = nn.spectral_norm(nn.Conv2d(2, 3, 3, padding=1), view="operator", input_size=5)
    keys = ["bias", "weight_orig", "weight_u", "weight_v"]
    assert list(layer.state_dict()) == keys
    assert layer.weight_u.shape == (1, 3, 5, 5)
    assert layer.weight_v.shape == (1, 2, 5, 5)
    u, x = layer.weight_u, mg.ones(1, 2, 5, 5)
    before = u.numpy().copy()
    layer(x)
    assert layer.weight_u is u
    bump(layer)
    layer.eval()(x)
    assert layer.weight_u is u
    layer.train()(x)
    moved = layer.weight_u
    assert moved is not u
    layer(x)
    assert layer.weight_u is moved
    np.testing.assert_array_equal(u.numpy(), before)
    twin = nn.spectral_norm(nn.Conv2d(2, 3, 3, padding=1), view="operator", input_size=5)
    twin.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(twin(x).numpy(), layer(x).numpy())


def test_a_linear_layer_is_its_own_operator():
    mg.manual_seed(0)
    a = nn.spectral_norm(nn.Linear(5, 4))
    mg.manual_seed(0)
    b = nn.spectral_norm(nn.Linear(5, 4), view="operator", input_size=8)
    np.testing.assert_array_equal(a.weight.numpy(), b.weight.numpy())


# -- for the log, and away with it ----------------------------------------------------------------


def test_sigmas_lists_every_layer_and_disturbs_nothing():
    mg.manual_seed(0)
    net = nn.Sequential(
        nn.spectral_norm(nn.Conv2d(1, 4, 3, padding=1), view="operator", input_size=6, warmup=300),
        nn.Sequential(nn.spectral_norm(nn.ConvTranspose2d(4, 2, 3), warmup=300), nn.ReLU()),
        nn.Flatten(),
        nn.spectral_norm(nn.Linear(128, 8), method="svd"),
        nn.Linear(8, 1),
    )
    twin = copy.deepcopy(net)
    stream, found = mg.default_generator().get_state(), sigmas(net)
    assert mg.default_generator().get_state() == stream
    assert list(found) == ["0", "1.0", "3", "4"]
    for name in ("0", "1.0", "3"):
        assert found[name].used == pytest.approx(1.0, abs=2e-3), name
    assert found["1.0"].trained == pytest.approx(
        top(net[1][0].weight_orig.numpy().transpose(1, 0, 2, 3).reshape(2, -1)), rel=1e-6
    )
    assert found["3"].trained == pytest.approx(top(net[3].weight_orig.numpy()), rel=1e-6)
    assert found["4"].trained == found["4"].used == pytest.approx(top(net[4].weight.numpy()))
    x = mg.ones(2, 1, 6, 6)
    for _ in range(2):  # looked at between steps, or not: the same weights
        for layer in (net[0], net[1][0], twin[0], twin[1][0]):
            bump(layer)
        sigmas(net)
        np.testing.assert_array_equal(net(x).numpy(), twin(x).numpy())


def test_sigmas_is_about_the_weight_as_it_is_now(layer):
    """The vectors advance first, as the next forward would have them do."""
    rng = np.random.default_rng(0)
    layer.weight_orig.assign_(rng.standard_normal((4, 5)).astype("f4"))
    found = sigmas(layer)[""]
    assert found.used == pytest.approx(top(layer.weight.numpy()), rel=1e-5)
    assert found.trained == pytest.approx(top(layer.weight_orig.numpy()), rel=1e-6)


def test_sigmas_shows_a_drift():
    """A weight that grows does not change what the layer computes, but the log shows it."""
    layer = nn.spectral_norm(nn.Linear(5, 4), warmup=200)
    y, before = layer(mg.ones(1, 5)).numpy(), sigmas(layer)[""]
    layer.weight_orig.assign_(layer.weight_orig.numpy() * 8)
    np.testing.assert_allclose(layer(mg.ones(1, 5)).numpy(), y, rtol=1e-5)
    after = sigmas(layer)[""]
    assert after.trained == pytest.approx(8 * before.trained, rel=1e-6)
    assert after.used == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("options", [
    {}, {"method": "svd"}, {"view": "operator", "input_size": 6}
])  # fmt: skip
def test_removal_bakes_the_weight_in(options):
    layer = nn.spectral_norm(nn.Conv2d(2, 3, 3, padding=1), **options)
    x = mg.ones(1, 2, 6, 6)
    y, norm = layer(x).numpy(), operator_norm(layer, 6)
    assert remove_spectral_norm(layer) is layer
    np.testing.assert_array_equal(layer(x).numpy(), y)
    assert operator_norm(layer, 6) == norm
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert {name for name, _ in layer.named_parameters()} == {"bias", "weight"}
    assert "spectral_norm" not in repr(layer)
    train_conv = mg.grad(layer(x).sum(), [layer.weight])  # it is trained again ...
    assert np.abs(train_conv[0].numpy()).max() > 0
    layer.weight.assign_(layer.weight.numpy() * 2)  # ... and free to grow
    assert operator_norm(layer, 6) == pytest.approx(2 * norm, rel=1e-5)
    nn.spectral_norm(layer, **options)  # and may be normalised again


def test_removal_keeps_a_frozen_weight_frozen():
    layer = nn.spectral_norm(nn.Linear(5, 4)).requires_grad_(False)
    assert not remove_spectral_norm(layer).weight.requires_grad
