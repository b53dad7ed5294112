"""Spectral norm: sigma against NumPy's SVD, and when u and v move."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim


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
