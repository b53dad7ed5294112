"""Adversarial losses against the papers' formulas in plain NumPy, and at extreme logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan as mg
from minigan import losses

LOGITS = hnp.arrays(np.float64, st.integers(1, 8), elements=st.floats(-20, 20))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# name -> (discriminator(real, fake), generator(fake)) as the papers write them
FORMULAS = {
    "minimax": (
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
        lambda f: np.log(1 - sigmoid(f)).mean(),
    ),
    "non-saturating": (
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
        lambda f: -np.log(sigmoid(f)).mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda f: -f.mean(),
    ),
    "least-squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda f: ((f - 1) ** 2).mean() / 2,
    ),
}
each_loss = pytest.mark.parametrize("name", FORMULAS)


def test_every_loss_has_a_formula():
    assert set(losses.LOSSES) == set(FORMULAS)


@each_loss
@given(real=LOGITS, fake=LOGITS)
def test_values(name, real, fake):
    """Batches of different sizes are allowed: each is averaged by itself."""
    discriminator, generator = FORMULAS[name]
    loss = losses.get(name)
    d = loss.discriminator(mg.tensor(real), mg.tensor(fake))
    g = loss.generator(mg.tensor(fake))
    np.testing.assert_allclose(d.item(), discriminator(real, fake), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(g.item(), generator(fake), rtol=1e-6, atol=1e-7)
    assert loss.generator(mg.tensor(fake), mg.tensor(real)).item() == g.item()


@each_loss
@pytest.mark.parametrize("logit", [-100.0, -30.0, 0.0, 30.0, 100.0])
def test_extreme_logits_in_float32(name, logit):
    real, fake = (mg.full((2, 1, 3, 3), logit, requires_grad=True) for _ in range(2))
    loss = losses.get(name)
    d, g = loss.discriminator(real, fake), loss.generator(fake)
    for value in (d, g, *mg.grad(d, [real, fake]), *mg.grad(g, [fake])):
        assert value.dtype == np.float32
        assert np.isfinite(value.numpy()).all()
    assert d.shape == g.shape == ()


@pytest.mark.parametrize("logit", [-100.0, -30.0, -20.0])
def test_only_minimax_saturates(logit):
    """Where the discriminator is sure, non-saturating keeps its full gradient of -1."""
    fake = mg.full((1,), logit, requires_grad=True)
    (strong,) = mg.grad(losses.NonSaturating().generator(fake), [fake])
    (weak,) = mg.grad(losses.Minimax().generator(fake), [fake])
    assert strong.item() == pytest.approx(-1.0, abs=1e-6)
    assert -1e-8 < weak.item() <= 0.0
    assert weak.item() == pytest.approx(-sigmoid(logit), rel=1e-5)


def test_optimal_discriminator_value():
    """At D = 1/2 everywhere the discriminator's loss is log 4."""
    zeros = mg.zeros(4, 1)
    assert losses.Minimax().discriminator(zeros, zeros).item() == pytest.approx(np.log(4))


def test_unknown_name():
    with pytest.raises(ValueError, match="no loss is called 'hinges'.*did you mean 'hinge'"):
        losses.get("hinges")


@given(
    logits=hnp.arrays(np.float64, (4, 3), elements=st.floats(-50, 50)),
    labels=hnp.arrays(np.int64, 4, elements=st.integers(0, 2)),
)
def test_cross_entropy(logits, labels):
    x = mg.tensor(logits, requires_grad=True)
    loss = losses.cross_entropy(x, labels)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    lse = logits.max(axis=1) + np.log(shifted.sum(axis=1))
    expected = np.mean([lse[n] - logits[n, labels[n]] for n in range(4)])
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-10, atol=1e-10)
    (g,) = mg.grad(loss, [x])
    np.testing.assert_allclose(g.numpy(), (p - np.eye(3)[labels]) / 4, rtol=1e-9, atol=1e-12)


def test_cross_entropy_refuses():
    with pytest.raises(ValueError, match=r"logits \(N, K\).*got \(4, 3\) and \(4, 3\)"):
        losses.cross_entropy(mg.zeros(4, 3), np.eye(4, 3, dtype=int))
    with pytest.raises(ValueError, match="float64"):
        losses.cross_entropy(mg.zeros(4, 3), np.zeros(4))
