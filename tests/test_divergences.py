"""Divergences against SciPy, quadrature and closed forms, and the identities that tie them.

Letters: K points of a distribution, D dimensions.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

import minigan as mg
from minigan import divergences as dv
from minigan.errors import ShapeError
from minigan.testing import gradcheck
from minigan.testing.cupy_double import cupy_double

LOG_2 = math.log(2)


def as_distribution(values):
    """Scale weights to sum 1; tiny ones stay as they are drawn, down to 5e-324."""
    return values / values.sum()


def weights(k, *, low=0.0):
    """Distributions on k points, zeros and denormals among them."""
    values = hnp.arrays(np.float64, k, elements=st.floats(low, 1))
    return values.filter(lambda v: v.sum() > 0.1).map(as_distribution)


pairs = st.integers(1, 6).flatmap(lambda k: st.tuples(weights(k), weights(k)))
coarse = st.just(0.0) | st.floats(0.01, 1)  # zeros, and numbers that 1 - D can tell from 0
coarse_pairs = st.integers(1, 6).flatmap(
    lambda k: st.tuples(
        *[hnp.arrays(np.float64, k, elements=coarse).filter(lambda v: v.any()).map(as_distribution)]
        * 2
    )
)
positive_pairs = st.integers(1, 6).flatmap(
    lambda k: st.tuples(weights(k, low=0.01), weights(k, low=0.01))
)


def normal_pair(n=4001, mean=1.5, std=0.7):
    """N(0, 1) and N(mean, std^2) as densities on a grid, and its spacing."""
    x = np.linspace(-10, 12, n)
    return stats.norm.pdf(x), stats.norm.pdf(x, mean, std), x[1] - x[0]


# -- discrete ------------------------------------------------------------------------------------


@given(pairs)
def test_kl_is_the_relative_entropy(pair):
    p, q = pair
    expected = special.rel_entr(p, q).sum()
    np.testing.assert_allclose(dv.kl(p, q).item(), expected, rtol=1e-12, atol=1e-14)


@given(pairs)
def test_kl_is_infinite_exactly_where_q_lacks_mass(pair):
    p, q = pair
    assert math.isinf(dv.kl(p, q).item()) == bool(((p > 0) & (q == 0)).any())


@given(pairs)
def test_js_is_a_bounded_symmetric_divergence(pair):
    p, q = pair
    there, back = dv.js(p, q).item(), dv.js(q, p).item()
    assert there == back
    assert -1e-15 <= there <= LOG_2 + 1e-15
    m = (p + q) / 2
    expected = 0.5 * (special.rel_entr(p, m) + special.rel_entr(q, m)).sum()
    if np.isfinite(expected):  # halving 5e-324 gives 0 here, but not in js()
        np.testing.assert_allclose(there, expected, rtol=1e-10, atol=1e-14)


@given(pairs)
def test_js_is_zero_for_equal_distributions_alone(pair):
    p, q = pair
    assert abs(dv.js(p, p).item()) < 1e-15
    apart = 0.5 * np.abs(p - q).sum()
    # Pinsker's inequality for both halves: KL(p || m) >= 2 TV(p, m)^2, and TV(p, m) = TV(p, q) / 2.
    assert dv.js(p, q).item() >= 0.5 * apart**2 - 1e-14
    np.testing.assert_allclose(dv.total_variation(p, q).item(), apart, rtol=1e-12, atol=1e-16)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_disjoint_supports(k, m, seed):
    """JS = log 2 = 1 bit, total variation 1, KL infinite, wherever the supports lie."""
    rng = np.random.default_rng(seed)
    p = np.concatenate([rng.dirichlet(np.ones(k)), np.zeros(m)])
    q = np.concatenate([np.zeros(k), rng.dirichlet(np.ones(m))])
    assert dv.js(p, q).item() == pytest.approx(LOG_2, rel=1e-14)
    assert dv.js(p, q, base=2).item() == pytest.approx(1.0, rel=1e-14)
    assert dv.total_variation(p, q).item() == pytest.approx(1.0, rel=1e-14)
    assert dv.kl(p, q).item() == math.inf
    assert dv.kl(p, q, base=2).item() == math.inf


@given(positive_pairs)
def test_bits_are_nats_over_log_2(pair):
    for divergence in (dv.kl, dv.js):
        bits, nats = divergence(*pair, base=2).item(), divergence(*pair).item()
        np.testing.assert_allclose(bits, nats / LOG_2, rtol=1e-14, atol=1e-300)


def test_numbers_and_float32():
    """Lists become float32, as everywhere; what is computed from float32 stays float32."""
    value = dv.kl([0.5, 0.5], [0.25, 0.75])
    assert value.dtype == np.float32
    assert value.item() == pytest.approx(0.5 * math.log(4 / 3), rel=1e-6)
    assert dv.js([1.0, 0.0], [0.0, 1.0], base=2).dtype == np.float32


# -- densities on a grid --------------------------------------------------------------------------


def test_densities_on_a_grid_meet_the_closed_form():
    p, q, spacing = normal_pair()
    exact = dv.kl_normal(np.float64(0), np.float64(1), np.float64(1.5), np.float64(0.7)).item()
    assert dv.kl(p, q, spacing=spacing).item() == pytest.approx(exact, rel=1e-9)
    assert 0 < dv.js(p, q, spacing=spacing).item() < LOG_2


def test_a_grid_in_the_plane():
    """Independent coordinates add up; spacing is the area of a cell."""
    p, q, dx = normal_pair(n=201)
    plane = dv.kl(np.outer(p, p), np.outer(q, q), spacing=dx * dx).item()
    assert plane == pytest.approx(2 * dv.kl(p, q, spacing=dx).item(), rel=1e-6)


def test_total_variation_of_shifted_normals():
    """TV(N(0, 1), N(d, 1)) = erf(d / sqrt 8)."""
    p, q, spacing = normal_pair(mean=0.8, std=1.0)
    ours = dv.total_variation(p, q, spacing=spacing).item()
    assert ours == pytest.approx(special.erf(0.8 / math.sqrt(8)), abs=1e-5)


# -- derivatives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("divergence", [dv.kl, dv.js, dv.total_variation])
def test_derivatives_through_softmax(divergence):
    logits = [np.array([0.3, -1.0, 0.5, 0.1]), np.array([-0.2, 0.4, 0.9, -1.5])]
    assert gradcheck(
        lambda a, b: divergence(mg.softmax(a), mg.softmax(b)), logits, order=2, zero_ok=True
    )


def test_kl_has_the_textbook_gradient_and_none_at_zeros():
    p = mg.tensor(np.array([0.5, 0.5, 0.0]), requires_grad=True)
    q = mg.tensor(np.array([0.2, 0.7, 0.1]), requires_grad=True)
    at_p, at_q = mg.grad(dv.kl(p, q), [p, q])
    with np.errstate(divide="ignore"):
        expected = np.where(p.numpy() > 0, np.log(p.numpy() / q.numpy()) + 1, 0)
    np.testing.assert_allclose(at_p.numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(at_q.numpy(), -p.numpy() / q.numpy(), rtol=1e-14)


def test_no_gradient_moves_disjoint_supports():
    """What the lecture shows: JS is flat there, and KL infinite without a direction."""
    p = mg.tensor(np.array([1.0, 0.0, 0.0]))
    q = mg.tensor(np.array([0.0, 0.5, 0.5]), requires_grad=True)
    (flat,) = mg.grad(dv.js(p, q), [q])
    assert np.ptp(flat.numpy()[1:]) == 0
    (none,) = mg.grad(dv.kl(p, q), [q])
    assert (none.numpy() == 0).all()


# -- the game -------------------------------------------------------------------------------------


@given(coarse_pairs)
def test_value_at_the_best_discriminator(pair):
    """V(D*) = 2 JS - log 4."""
    p, q = pair
    best = dv.optimal_discriminator(p, q)
    value = dv.game_value(best, p, q).item()
    np.testing.assert_allclose(value, 2 * dv.js(p, q).item() - math.log(4), rtol=1e-10, atol=1e-12)


@given(positive_pairs, st.integers(0, 99))
def test_no_other_discriminator_is_better(pair, seed):
    p, q = pair
    other = np.random.default_rng(seed).uniform(0.001, 0.999, len(p))
    best = dv.game_value(dv.optimal_discriminator(p, q), p, q).item()
    assert dv.game_value(other, p, q).item() <= best + 1e-12


@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_pointwise_maximum(a, b):
    """a log m + b log(1 - m) is largest at m = a / (a + b), and only there."""
    best = dv.optimal_discriminator(np.array([a]), np.array([b]))[0]
    assert best.item() == pytest.approx(a / (a + b), rel=1e-14)
    m = mg.tensor(best.numpy(), requires_grad=True)
    (slope,) = mg.grad(a * mg.log(m) + b * mg.log(1 - m), m, create_graph=True)
    (curvature,) = mg.grad(slope, m)
    assert abs(slope.item()) < 1e-9 * (a + b) / min(best.item(), 1 - best.item())
    assert curvature.item() < 0


def test_where_nothing_falls_d_is_a_half():
    d = dv.optimal_discriminator(np.array([0.3, 0.0, 0.7, 0.0]), np.array([0.1, 0.9, 0.0, 0.0]))
    np.testing.assert_allclose(d.numpy(), [0.75, 0.0, 1.0, 0.5], rtol=1e-15)


def test_best_discriminator_of_disjoint_supports_is_certain():
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert dv.game_value(dv.optimal_discriminator(p, q), p, q).item() == 0.0
    assert dv.game_value(np.array([0.0, 0.5]), p, q).item() == -math.inf
    assert dv.game_value(np.array([0.5, 1.0]), p, q).item() == -math.inf


def test_best_discriminator_has_derivatives():
    inputs = [np.array([0.3, 0.6]), np.array([0.5, 0.1])]
    assert gradcheck(dv.optimal_discriminator, inputs, order=2)


# -- closed forms ---------------------------------------------------------------------------------


@given(*[st.floats(-2, 2)] * 2, *[st.floats(0.3, 3)] * 2)
def test_kl_of_normals_against_quadrature(mean_p, mean_q, std_p, std_q):
    x = np.linspace(mean_p - 12 * std_p, mean_p + 12 * std_p, 4001)
    p = stats.norm.pdf(x, mean_p, std_p)
    ratio = stats.norm.logpdf(x, mean_p, std_p) - stats.norm.logpdf(x, mean_q, std_q)
    ours = dv.kl_normal(*(np.array([v]) for v in (mean_p, std_p, mean_q, std_q))).item()
    np.testing.assert_allclose(ours, (p * ratio).sum() * (x[1] - x[0]), rtol=1e-8, atol=1e-10)


def random_normal(rng, d):
    root = rng.normal(size=(d, d))
    return rng.normal(size=d), root @ root.T + 0.5 * np.eye(d)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_kl_of_multivariate_normals(rng, d):
    """Against the sum over coordinates in which both covariances are diagonal."""
    from scipy import linalg

    (mean_p, cov_p), (mean_q, cov_q) = random_normal(rng, d), random_normal(rng, d)
    values, vectors = linalg.eigh(cov_p, cov_q)  # V^T C_q V = I, V^T C_p V = diag(values)
    means = (vectors.T @ m for m in (mean_p, mean_q))
    expected = dv.kl_normal(next(means), np.sqrt(values), next(means), np.ones(d)).sum().item()
    ours = dv.kl_multivariate_normal(mean_p, cov_p, mean_q, cov_q)
    assert ours.item() == pytest.approx(expected, rel=1e-10)
    bits = dv.kl_multivariate_normal(mean_p, cov_p, mean_q, cov_q, base=2)
    assert bits.item() == pytest.approx(expected / LOG_2, rel=1e-10)
    assert dv.kl_multivariate_normal(mean_p, cov_p, mean_p, cov_p).item() == pytest.approx(
        0, abs=1e-12
    )


def test_normal_derivatives(rng):
    assert gradcheck(dv.kl_normal, [np.array([v]) for v in (0.3, 0.7, -0.2, 1.4)], order=2)
    (mean_p, root_p), (mean_q, root_q) = random_normal(rng, 3), random_normal(rng, 3)

    def of_roots(mean_p, root_p, mean_q, root_q):  # whatever the roots, C = R R^T is symmetric
        return dv.kl_multivariate_normal(mean_p, root_p @ root_p.T, mean_q, root_q @ root_q.T)

    assert gradcheck(of_roots, [mean_p, root_p, mean_q, root_q], order=2, properties=False)


# -- Monte Carlo ----------------------------------------------------------------------------------


def log_normal(mean, std):
    return lambda x: -0.5 * mg.square((x - mean) / std) - math.log(std * math.sqrt(2 * math.pi))


def test_monte_carlo_meets_the_closed_form(rng):
    """Within 4 standard errors, for an error that is right: that of 400 means of 400 samples."""
    log_p, log_q = log_normal(0.0, 1.0), log_normal(1.5, 0.7)
    exact = dv.kl_normal(np.zeros(1), np.ones(1), np.full(1, 1.5), np.full(1, 0.7)).item()
    draws = rng.normal(size=(400, 400))
    found = [dv.kl_monte_carlo(x, log_p, log_q) for x in draws]
    means = np.array([e.value.item() for e in found])
    assert abs(means.mean() - exact) < 4 * means.std() / math.sqrt(400)
    claimed = np.mean([e.standard_error.item() for e in found])
    assert claimed == pytest.approx(means.std(), rel=0.12)  # 400 means tell it to 3.5%


def test_js_monte_carlo_meets_quadrature(rng):
    log_p, log_q = log_normal(0.0, 1.0), log_normal(1.5, 0.7)
    p, q, spacing = normal_pair()
    exact = dv.js(p, q, spacing=spacing, base=2).item()
    found = [
        dv.js_monte_carlo(
            rng.normal(size=300), rng.normal(1.5, 0.7, size=200), log_p, log_q, base=2
        )
        for _ in range(400)
    ]
    means = np.array([e.value.item() for e in found])
    assert abs(means.mean() - exact) < 4 * means.std() / math.sqrt(400)
    assert np.mean([e.standard_error.item() for e in found]) == pytest.approx(means.std(), rel=0.12)


def uniform_log(low):
    return lambda x: mg.where((x >= low) & (x < low + 1), 0.0 * x, -math.inf)


def test_monte_carlo_on_disjoint_supports(rng):
    """KL infinite with an infinite error, JS exactly log 2 with none: no warning, no NaN."""
    x = rng.uniform(size=50)
    kl = dv.kl_monte_carlo(x, uniform_log(0.0), uniform_log(2.0))
    assert (kl.value.item(), kl.standard_error.item()) == (math.inf, math.inf)
    js = dv.js_monte_carlo(x, x + 2, uniform_log(0.0), uniform_log(2.0))
    assert js.value.item() == pytest.approx(LOG_2, rel=1e-15)
    assert js.standard_error.item() == pytest.approx(0, abs=1e-16)


def test_monte_carlo_is_differentiable(rng):
    """d KL / d mean of q = (mean_q - mean_p) / std_q^2, from the same samples."""
    x = rng.normal(size=4000)
    mean = mg.tensor(np.float64(1.5), requires_grad=True)
    estimate = dv.kl_monte_carlo(x, log_normal(0.0, 1.0), log_normal(mean, 0.7))
    (slope,) = mg.grad(estimate.value, mean)
    assert slope.item() == pytest.approx((1.5 - x.mean()) / 0.49, rel=1e-12)
    assert not estimate.standard_error.requires_grad


def test_js_lower_bound(rng):
    """At the logits of D* it is an estimate of JS; no discriminator gets above, but for noise."""
    p, q, spacing = normal_pair()
    exact = dv.js(p, q, spacing=spacing).item()
    x, y = rng.normal(size=20000), rng.normal(1.5, 0.7, size=20000)

    def best_logit(z):
        return log_normal(0.0, 1.0)(z) - log_normal(1.5, 0.7)(z)

    best = dv.js_lower_bound(best_logit(mg.tensor(x)), best_logit(mg.tensor(y))).item()
    assert best == pytest.approx(exact, abs=0.01)
    for scale in (0.0, 0.5, 2.0):
        worse = dv.js_lower_bound(*(scale * best_logit(mg.tensor(z)) for z in (x, y)))
        assert worse.item() < best
    certain = dv.js_lower_bound(mg.full((2,), 100.0), mg.full((3,), -100.0), base=2)
    assert certain.item() == pytest.approx(1.0, abs=1e-6)


# -- devices and refusals -------------------------------------------------------------------------


def test_on_the_double_of_cupy():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.7, 0.1])
    here = [dv.kl(p, q), dv.js(p, q), dv.game_value(dv.optimal_discriminator(p, q), p, q)]
    eye = np.eye(2)
    here.append(dv.kl_multivariate_normal(np.ones(2), 2 * eye, np.zeros(2), eye))
    with cupy_double():
        p, q = mg.tensor(p, device="cuda"), mg.tensor(q, device="cuda")
        there = [dv.kl(p, q), dv.js(p, q), dv.game_value(dv.optimal_discriminator(p, q), p, q)]
        arguments = [mg.tensor(v, device="cuda") for v in (np.ones(2), 2 * eye, np.zeros(2), eye)]
        there.append(dv.kl_multivariate_normal(*arguments))
        assert {t.device for t in there} == {"cuda"}
        np.testing.assert_allclose([t.item() for t in there], [t.item() for t in here], rtol=1e-14)


HALVES = np.array([0.5, 0.5])


@pytest.mark.parametrize(
    ("p", "line"),
    [
        ([0.5, 0.6], r"p sums to 1\.1, not to 1: divide it by its sum"),
        ([1.5, -0.5], r"p\[1\] is -0\.5: weights are finite numbers >= 0"),
        ([0.5, math.nan], r"p\[1\] is nan"),
        ([math.inf, 0.5], r"p\[0\] is inf"),
    ],
)
def test_weights_that_are_none(p, line):
    for divergence in (dv.kl, dv.js, dv.total_variation):
        with pytest.raises(ValueError, match=line):
            divergence(np.array(p), HALVES)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: dv.kl(HALVES, np.ones(3) / 3), ShapeError, r"p has shape \(2,\), q \(3,\)"),
        (lambda: dv.kl(np.array([1, 0]), HALVES), ValueError, "floating-point numbers.*int64"),
        (lambda: dv.kl(HALVES, HALVES, spacing=0.5), ValueError, r"p integrates to 0\.5 over"),
        (lambda: dv.kl(HALVES, HALVES, spacing=-1), ValueError, "spacing is -1"),
        (lambda: dv.kl(HALVES, HALVES, base=1), ValueError, "base is 1: use math.e"),
        (lambda: dv.game_value(2 * HALVES + 1, HALVES, HALVES), ValueError, r"d leaves \[0, 1\]"),
        (lambda: dv.game_value(np.ones(3), HALVES, HALVES), ShapeError, r"d has shape \(3,\)"),
        (lambda: dv.kl_normal(np.zeros(1), np.zeros(1)), ValueError, "std_p is not > 0"),
        (
            lambda: dv.kl_multivariate_normal(np.ones(2), np.eye(3), np.ones(2), np.eye(2)),
            ShapeError,
            r"got \[\(2,\), \(3, 3\)",
        ),
        (
            lambda: dv.kl_multivariate_normal(*[np.ones(2), np.diag([1.0, -1.0])] * 2),
            ValueError,
            "cov_p is no covariance",
        ),
        (
            lambda: dv.kl_monte_carlo(np.zeros((4, 2)), lambda x: x, lambda x: x),
            ShapeError,
            r"samples of p have shapes \(4, 2\)",
        ),
        (
            lambda: dv.kl_monte_carlo(np.full(3, 5.0), uniform_log(0.0), uniform_log(1.0)),
            ValueError,
            "log_p is not finite at a sample of p",
        ),
    ],
)
def test_refusals(call, error, line):
    with pytest.raises(error, match=line):
        call()


@given(pairs)
def test_a_common_shift_of_the_grid_changes_nothing(pair):
    """Divergences of densities know no distance: shuffling the points together leaves them."""
    p, q = pair
    assume(len(p) > 1)
    order = np.roll(np.arange(len(p)), 1)
    for divergence in (dv.kl, dv.js, dv.total_variation):
        np.testing.assert_allclose(
            divergence(p[order], q[order]).item(), divergence(p, q).item(), rtol=1e-12, atol=1e-15
        )
