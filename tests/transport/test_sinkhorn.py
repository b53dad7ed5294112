"""Entropic transport against the linear programme, its own optimality conditions, and limits.

Letters: N points x with weights a, M points y with weights b; e is epsilon.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import ShapeError
from minigan.testing import gradcheck
from minigan.testing.cupy_double import cupy_double
from minigan.transport import (
    optimal_transport,
    pairwise_cost,
    sinkhorn,
    sinkhorn_divergence,
    wasserstein,
)

TIGHT = {"tolerance": 1e-11, "max_iterations": 20000}


def random_problem(seed, n=6, m=8):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 1
    return rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), x, y


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.3, 1, 10]))
def test_the_solution_is_one(seed, n, m, epsilon):
    """Marginals hold, P = a b exp((f + g - C) / e), and OT_e = <P, C> + e KL(P || a x b)."""
    a, b, x, y = random_problem(seed, n, m)
    cost = pairwise_cost(x, y).numpy()
    plan = sinkhorn(a, b, cost, epsilon=epsilon, **TIGHT)
    coupling, (f, g) = plan.coupling.numpy(), (v.numpy() for v in plan.potentials)
    assert plan.converged
    assert np.abs(coupling.sum(axis=1) - a).sum() <= 1e-10
    np.testing.assert_allclose(coupling.sum(axis=0), b, rtol=1e-12)
    gibbs = np.outer(a, b) * np.exp((f[:, None] + g - cost) / epsilon)
    np.testing.assert_allclose(coupling, gibbs, rtol=1e-12)
    entropy = (coupling * np.log(coupling / np.outer(a, b))).sum()
    primal = (coupling * cost).sum() + epsilon * entropy
    assert plan.value.item() == pytest.approx(primal, rel=1e-8, abs=1e-10)
    assert plan.transport_cost.item() == pytest.approx((coupling * cost).sum(), rel=1e-12)


def test_it_goes_to_the_exact_value_as_epsilon_falls():
    """From above, and within e log(min(N, M)): the entropy of a coupling is no more than that."""
    a, b, x, y = random_problem(0)
    cost = pairwise_cost(x, y)
    exact = optimal_transport(a, b, cost).value
    gaps = []
    for epsilon in (1.0, 0.3, 0.1, 0.03, 0.01):
        plan = sinkhorn(a, b, cost, epsilon=epsilon, scaling=0.7, **TIGHT)
        gaps.append(plan.value.item() - exact)
        assert -1e-10 <= plan.transport_cost.item() - exact <= gaps[-1] + 1e-10
        entropy = -min((a * np.log(a)).sum(), (b * np.log(b)).sum())
        assert gaps[-1] <= epsilon * max(entropy, -(b * np.log(b)).sum())
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.02 * exact


def test_a_large_epsilon_forgets_the_costs():
    a, b, x, y = random_problem(1)
    plan = sinkhorn(a, b, pairwise_cost(x, y), epsilon=1e5, **TIGHT)
    np.testing.assert_allclose(plan.coupling.numpy(), np.outer(a, b), rtol=1e-4)


def test_no_overflow_at_a_tiny_epsilon():
    """exp(-C / e) is 0 in any floating-point format here; in the log domain nothing is lost."""
    x = np.array([0.0, 1.0, 2.0])
    plan = sinkhorn(None, None, pairwise_cost(x, x + 0.1), epsilon=1e-4, scaling=0.5)
    np.testing.assert_allclose(plan.coupling.numpy(), np.eye(3) / 3, atol=1e-12)
    assert plan.transport_cost.item() == pytest.approx(0.1, rel=1e-9)


def test_zero_weights_change_nothing():
    a, b, x, y = random_problem(2)
    cost = pairwise_cost(x, y).numpy()
    less = sinkhorn(a, b, cost, epsilon=0.5, **TIGHT)
    more = sinkhorn(np.append(a, 0.0), b, np.vstack([cost, cost[:1]]), epsilon=0.5, **TIGHT)
    assert more.value.item() == pytest.approx(less.value.item(), rel=1e-10)
    assert (more.coupling.numpy()[-1] == 0).all()
    assert np.isfinite(more.potentials[0].numpy()).all()


# -- the iteration --------------------------------------------------------------------------------


def test_the_violation_reported_is_the_violation():
    a, b, x, y = random_problem(3)
    plan = sinkhorn(a, b, pairwise_cost(x, y), epsilon=0.2, tolerance=0.01)
    violation = np.abs(plan.coupling.numpy().sum(axis=1) - a).sum()
    assert plan.violation == pytest.approx(violation, rel=1e-9)
    assert 0 < plan.violation <= 0.01


def test_a_warm_start_takes_one_iteration():
    a, b, x, y = random_problem(4)
    cost = pairwise_cost(x, y)
    cold = sinkhorn(a, b, cost, epsilon=0.2, tolerance=1e-8)
    warm = sinkhorn(a, b, cost, epsilon=0.2, tolerance=1e-8, potentials=cold.potentials)
    assert cold.iterations > 5
    assert warm.iterations == 1
    assert warm.value.item() == pytest.approx(cold.value.item(), rel=1e-9)
    near = sinkhorn(
        a, b, pairwise_cost(x, y + 0.001), epsilon=0.2, tolerance=1e-4, potentials=cold.potentials
    )
    far = sinkhorn(a, b, pairwise_cost(x, y + 0.001), epsilon=0.2, tolerance=1e-4)
    assert near.iterations < far.iterations


def test_scaling_saves_iterations_and_changes_no_value():
    a, b, x, y = random_problem(5, 20, 20)
    cost = pairwise_cost(x, y)
    options = {"epsilon": 0.05, "tolerance": 1e-6, "max_iterations": 20000}
    plain, scaled = (sinkhorn(a, b, cost, scaling=s, **options) for s in (None, 0.5))
    assert scaled.iterations < plain.iterations
    assert scaled.value.item() == pytest.approx(plain.value.item(), abs=1e-8)


def test_too_few_iterations_warn():
    a, b, x, y = random_problem(6)
    line = r"sinkhorn stopped after 2 iterations with a marginal violation of .* > 1\.0e-06: raise"
    with pytest.warns(RuntimeWarning, match=line) as caught:
        plan = sinkhorn(a, b, pairwise_cost(x, y), epsilon=0.05, tolerance=1e-6, max_iterations=2)
    assert caught[0].filename == __file__
    assert not plan.converged
    assert plan.violation > 1e-6
    np.testing.assert_allclose(plan.coupling.numpy().sum(axis=0), b, rtol=1e-12)
    with pytest.warns(RuntimeWarning, match="sinkhorn stopped"):
        sinkhorn_divergence(x, x, epsilon=0.01, tolerance=1e-9, max_iterations=1)


# -- derivatives ----------------------------------------------------------------------------------


def test_gradient_of_the_value_is_the_solution():
    """Without a recorded iteration: P with respect to C; f and g to a and b."""
    a, b, x, y = random_problem(7)
    cost = mg.tensor(pairwise_cost(x, y).numpy(), requires_grad=True)
    a, b = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    plan = sinkhorn(a, b, cost, epsilon=0.3, **TIGHT)
    at_a, at_b, at_cost = mg.grad(plan.value, [a, b, cost])
    f, g = plan.potentials
    np.testing.assert_allclose(at_cost.numpy(), plan.coupling.numpy(), rtol=1e-12)
    np.testing.assert_allclose(at_a.numpy(), f.numpy(), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(at_b.numpy(), g.numpy(), rtol=1e-9, atol=1e-10)
    assert not plan.coupling.requires_grad
    assert not plan.transport_cost.requires_grad


def test_gradient_with_respect_to_points():
    a, b, x, y = random_problem(8, 3, 4)

    def value(x, y):
        return sinkhorn(a, b, pairwise_cost(x, y), epsilon=0.5, **TIGHT).value

    assert gradcheck(value, [x, y], method="five_point", properties=False)


def test_unrolled_iterations_differentiate_the_coupling_and_twice():
    a, b, x, y = random_problem(9, 2, 3)
    options = {"epsilon": 1.0, "unroll": 10, **TIGHT}
    logits = np.log(a), np.log(b)

    def solve(what):
        def function(la, lb, x, y):
            weights = mg.softmax(la), mg.softmax(lb)
            plan = sinkhorn(*weights, pairwise_cost(x, y), **options)
            return getattr(plan, what)

        return function

    arguments = [*logits, x, y]
    for what in ("coupling", "transport_cost"):
        assert gradcheck(solve(what), arguments, method="five_point", properties=False)
    assert gradcheck(solve("value"), arguments, order=2, method="five_point", properties=False)


def test_float32_stays():
    a, b, x, y = (v.astype(np.float32) for v in random_problem(10))
    x = mg.tensor(x, requires_grad=True)
    seen = set()
    with mg.trace(lambda name, out: seen.add(out.dtype)):
        value = sinkhorn(a, b, pairwise_cost(x, y), epsilon=np.float64(0.1), scaling=0.5).value
        mg.grad(value, [x])
    assert np.dtype(np.float64) not in seen


# -- the debiased divergence ----------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [1.0, 3.0])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_the_divergence_is_zero_for_equal_measures_and_positive_for_others(seed, epsilon, p):
    a, b, x, y = random_problem(seed)
    options = {"epsilon": epsilon, "p": p, "tolerance": 1e-4, "max_iterations": 5000}
    allowed = 2e-4 * np.ptp(pairwise_cost(x, x, p=p).numpy())  # violation times spread, and again
    order = np.random.default_rng(seed).permutation(len(x))
    same = sinkhorn_divergence(x, x[order], weights_x=a, weights_y=a[order], **options).item()
    assert same == pytest.approx(0, abs=allowed)
    other = sinkhorn_divergence(x, y, weights_x=a, weights_y=b, **options).item()
    assert other > 0.05
    back = sinkhorn_divergence(y, x, weights_x=b, weights_y=a, **options).item()
    assert back == pytest.approx(other, abs=2 * allowed)


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_a_translation_costs_its_length_squared(epsilon):
    """For p = 2 at every epsilon: the plan couples x_i with x_j + t as it does with x_j."""
    x = np.random.default_rng(11).normal(size=(12, 2))
    moved = x + [3.0, 4.0]
    value = sinkhorn_divergence(x, moved, epsilon=epsilon, p=2, tolerance=1e-6).item()
    assert value == pytest.approx(25.0, rel=1e-6)


def test_the_error_of_the_value_is_bounded_by_the_violation():
    """A lower bound, within violation x (max C - min C), however early the iteration stops."""
    a, b, x, y = random_problem(15)
    cost = pairwise_cost(x, y)
    exact = sinkhorn(a, b, cost, epsilon=0.2, **TIGHT).value.item()
    for tolerance in (0.3, 0.1, 0.01, 1e-3):
        plan = sinkhorn(a, b, cost, epsilon=0.2, tolerance=tolerance)
        gap = exact - plan.value.item()
        assert -1e-10 <= gap <= plan.violation * np.ptp(cost.numpy())


def test_the_divergence_goes_to_the_transport_cost_and_to_a_kernel_distance():
    a, b, x, y = random_problem(12)
    exact = optimal_transport(a, b, pairwise_cost(x, y)).value
    weights = {"weights_x": a, "weights_y": b}
    small = sinkhorn_divergence(x, y, epsilon=0.005, max_iterations=20000, **weights).item()
    assert small == pytest.approx(exact, rel=0.01)
    d = [pairwise_cost(*pair).numpy() for pair in ((x, y), (x, x), (y, y))]
    energy = a @ d[0] @ b - 0.5 * (a @ d[1] @ a) - 0.5 * (b @ d[2] @ b)
    large = sinkhorn_divergence(x, y, epsilon=1e5, tolerance=1e-9, **weights).item()
    assert large == pytest.approx(energy, rel=1e-3)


def test_descending_the_divergence_moves_points_onto_points():
    """A generator of eight free points: what training on transport looks like."""
    rng = np.random.default_rng(13)
    y = rng.normal(size=(8, 2))
    x = mg.tensor(rng.normal(size=(8, 2)) + 4, requires_grad=True)
    adam = mg.optim.Adam([x], lr=0.3)
    for step in range(80):
        adam.lr = 0.3 * (1 - step / 80)
        adam.zero_grad()
        sinkhorn_divergence(x, y, epsilon=0.1, p=2).backward()
        adam.step()
    assert wasserstein(x, y) < 0.15  # 5.5 at first


# -- devices and refusals -------------------------------------------------------------------------


def test_on_the_double_of_cupy():
    a, b, x, y = random_problem(14)
    here = sinkhorn(a, b, pairwise_cost(x, y), epsilon=0.3, scaling=0.5)
    with cupy_double():
        a, b, x, y = (mg.tensor(v, device="cuda") for v in (a, b, x, y))
        x.requires_grad_()
        there = sinkhorn(a, b, pairwise_cost(x, y), epsilon=0.3, scaling=0.5)
        assert there.value.device == there.coupling.device == "cuda"
        assert there.iterations == here.iterations
        np.testing.assert_allclose(there.value.item(), here.value.item(), rtol=1e-13)
        equal = sinkhorn_divergence(x, y, epsilon=0.3)
        assert mg.grad(equal, [x])[0].device == "cuda"


COST = np.ones((2, 3))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"epsilon": 0.0}, "epsilon is 0.0"),
        ({"epsilon": math.nan}, "epsilon is nan"),
        ({"epsilon": 1.0, "scaling": 1.0}, "scaling is 1.0"),
        ({"epsilon": 1.0, "tolerance": 0.0}, "tolerance is 0.0"),
        ({"epsilon": 1.0, "max_iterations": 0}, "max_iterations is 0"),
        ({"epsilon": 1.0, "unroll": -1}, "unroll -1"),
    ],
)
def test_options_out_of_range(options, line):
    with pytest.raises(ValueError, match=line):
        sinkhorn(None, None, COST, **options)


def test_other_refusals():
    with pytest.raises(ShapeError, match=r"potentials have shapes \(3,\) and \(2,\)"):
        sinkhorn(None, None, COST, epsilon=1.0, potentials=(np.zeros(3), np.zeros(2)))
    with pytest.raises(ValueError, match="p is 3"):
        sinkhorn_divergence(np.ones(2), np.ones(2), epsilon=1.0, p=3)
