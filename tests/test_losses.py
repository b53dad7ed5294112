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


# name -> (discriminator(real, fake), generator(fake)) as the papers write them; the relativistic
# loss, which needs pairs, has tests of its own below.
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
    assert set(losses.LOSSES) == {*FORMULAS, "relativistic"}


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


ALL = [losses.get(name) for name in losses.LOSSES]
ALL += [losses.get(name, label_smoothing=0.1) for name in ("minimax", "least-squares")]


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("on_real", [-100.0, -30.0, 0.0, 30.0, 100.0])
@pytest.mark.parametrize("on_fake", [-100.0, 0.0, 100.0])
def test_extreme_logits_in_float32(loss, on_real, on_fake):
    real = mg.full((2, 1, 3, 3), on_real, requires_grad=True)
    fake = mg.full((2, 1, 3, 3), on_fake, requires_grad=True)
    d, g = loss.discriminator(real, fake), loss.generator(fake, real)
    for value in (d, g, *mg.grad(d, [real, fake]), *mg.grad(g, [fake])):
        assert value.dtype == np.float32
        assert np.isfinite(value.numpy()).all()
    assert d.shape == g.shape == ()


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_gradients_by_complex_step(loss):
    """Of both parts, with respect to both arguments: Im L(x + i h e) / h, exact to round-off."""
    rng = np.random.default_rng(0)
    real, fake = 3 * rng.standard_normal((2, 5))
    for part in (loss.discriminator, lambda r, f: loss.generator(f, r)):
        leaves = [mg.tensor(x, requires_grad=True) for x in (real, fake)]
        ours = mg.grad(part(*leaves), leaves, allow_unused=True)
        for which, gradient in enumerate(ours):
            for i in range(5):
                moved = [real.astype(complex), fake.astype(complex)]
                moved[which][i] += 1e-30j
                expected = part(*map(mg.tensor, moved)).item().imag / 1e-30
                found = 0.0 if gradient is None else gradient.numpy()[i]
                assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_minimax_and_non_saturating_share_the_discriminator_alone():
    real, fake = mg.tensor([0.3, -1.0]), mg.tensor([2.0, -0.5], requires_grad=True)
    minimax, steady = losses.Minimax(), losses.NonSaturating()
    assert minimax.discriminator(real, fake).item() == steady.discriminator(real, fake).item()
    (a,) = mg.grad(minimax.generator(fake), [fake])
    (b,) = mg.grad(steady.generator(fake), [fake])
    s = sigmoid(fake.numpy().astype(np.float64))
    np.testing.assert_allclose(a.numpy(), -s / 2, rtol=1e-6)
    np.testing.assert_allclose(b.numpy(), -(1 - s) / 2, rtol=1e-6)


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


@given(a=st.floats(0.05, 1.0), b=st.floats(0.05, 1.0), smoothing=st.floats(0.0, 0.5))
def test_best_discriminator_of_smoothed_labels(a, b, smoothing):
    """With p = a, q = b at one point, D* = (1 - s) a / (a + b): there the derivative vanishes."""
    best = (1 - smoothing) * a / (a + b)
    logit = mg.tensor(np.log(best / (1 - best)), requires_grad=True)
    loss = losses.get("minimax", label_smoothing=smoothing)
    on_real = loss.discriminator(logit, mg.tensor(-np.inf))  # softplus(-inf) = 0: no fakes
    on_fake = losses.Minimax().discriminator(mg.tensor(np.inf), logit)
    (slope,) = mg.grad(a * on_real + b * on_fake, [logit])
    assert slope.item() == pytest.approx(0.0, abs=1e-12)


def test_smoothed_labels_are_a_cross_entropy_and_one_sided():
    rng = np.random.default_rng(0)
    r, f = rng.standard_normal((2, 6))
    real, fake = mg.tensor(r), mg.tensor(f)
    entropy = -(0.9 * np.log(sigmoid(r)) + 0.1 * np.log(1 - sigmoid(r))).mean()
    on_fake = -np.log(1 - sigmoid(f)).mean()
    for name in ("minimax", "non-saturating"):
        loss = losses.get(name, label_smoothing=0.1)
        assert loss.discriminator(real, fake).item() == pytest.approx(entropy + on_fake)
        assert loss.generator(fake).item() == losses.get(name).generator(fake).item()
    squares = losses.get("least-squares", label_smoothing=0.1).discriminator(real, fake)
    assert squares.item() == pytest.approx(((r - 0.9) ** 2).mean() / 2 + (f**2).mean() / 2)


def test_smoothing_is_refused_where_it_makes_no_sense():
    with pytest.raises(ValueError, match=r"'hinge' has no labels to smooth: use one of minimax, "):
        losses.get("hinge", label_smoothing=0.1)
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="label_smoothing is .*: must be at least 0, below 1"):
            losses.Minimax(label_smoothing=wrong)
    assert repr(losses.LeastSquares(label_smoothing=0.25)) == "LeastSquares(label_smoothing=0.25)"


@given(real=LOGITS, seed=st.integers(0, 100))
def test_relativistic_pairing(real, seed):
    """-E log sigmoid(real - fake) for D; G's is D's with the two exchanged."""
    fake = np.random.default_rng(seed).standard_normal(real.shape)
    loss, r, f = losses.get("relativistic"), mg.tensor(real), mg.tensor(fake)
    expected = -np.log(sigmoid(real - fake)).mean()
    np.testing.assert_allclose(loss.discriminator(r, f).item(), expected, rtol=1e-6, atol=1e-8)
    assert loss.generator(f, r).item() == loss.discriminator(f, r).item()
    shifted = loss.discriminator(r + 5.0, f + 5.0).item()  # no boundary: only differences count
    np.testing.assert_allclose(shifted, expected, rtol=1e-6, atol=1e-8)


def test_relativistic_needs_pairs():
    loss = losses.Relativistic()
    with pytest.raises(ValueError, match=r"compares pairs: give generator\(fake, real\)"):
        loss.generator(mg.zeros(4))
    for part in (loss.discriminator, loss.generator):
        with pytest.raises(mg.ShapeError, match=r"equal shapes, got real .* and fake "):
            part(mg.zeros(4, 1), mg.zeros(4))


def test_unknown_name():
    with pytest.raises(ValueError, match="no loss is called 'hinges'.*did you mean 'hinge'"):
        losses.get("hinges")
    with pytest.raises(ValueError, match=", ".join(losses.LOSSES)):
        losses.get("?")


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


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_outside_the_classes_are_refused(label):
    with pytest.raises(IndexError, match=rf"label {label} is outside 0 \.\. 2"):
        losses.cross_entropy(mg.zeros(2, 3), np.array([0, label]))
