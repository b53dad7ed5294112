"""The linear programme and the assignment against one another, the line, and their own duals.

Letters: N points x with weights a, M points y with weights b.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import transport
from minigan.errors import ShapeError
from minigan.transport import optimal_transport, pairwise_cost, wasserstein, wasserstein_1d

sizes, seeds = st.integers(1, 12), st.integers(0, 10**6)


def random_problem(seed, n, m, *, zeros=False):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    if zeros and n > 1:
        a[0] = 0.0
        a /= a.sum()
    return a, b, rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 1


def check_plan(plan, a, b, cost):
    """A certificate: a coupling, feasible potentials, and one value for both."""
    f, g = plan.potentials
    assert plan.coupling.min() >= -1e-15
    np.testing.assert_allclose(plan.coupling.sum(axis=1), a, rtol=0, atol=1e-12)
    np.testing.assert_allclose(plan.coupling.sum(axis=0), b, rtol=0, atol=1e-12)
    assert (f[:, None] + g - cost).max() <= 1e-12 * max(1, np.abs(cost).max())
    assert plan.value == pytest.approx((plan.coupling * cost).sum(), rel=1e-12)
    assert plan.value == pytest.approx(a @ f + b @ g, rel=1e-9, abs=1e-9)
    assert plan.dual_value == pytest.approx(plan.value, rel=1e-9, abs=1e-9)


@given(seeds, sizes, sizes)
def test_the_programme_proves_its_value(seed, n, m):
    a, b, x, y = random_problem(seed, n, m, zeros=True)
    cost = pairwise_cost(x, y).numpy()
    plan = optimal_transport(a, b, cost, method="linear_programme")
    check_plan(plan, a, b, cost)
    f, g = plan.potentials
    slack = cost - f[:, None] - g  # mass moves only where the constraint touches
    assert (plan.coupling * slack).max() <= 1e-9


@given(seeds, sizes)
def test_the_assignment_proves_its_value(seed, n):
    _, _, x, y = random_problem(seed, n, n)
    cost = pairwise_cost(x, y, p=2).numpy()
    plan = optimal_transport(None, None, cost)
    equal = np.full(n, 1 / n)
    check_plan(plan, equal, equal, cost)
    programme = optimal_transport(None, None, cost, method="linear_programme")
    assert plan.value == pytest.approx(programme.value, rel=1e-9, abs=1e-12)
    assert set(np.unique(plan.coupling)) <= {0.0, 1 / n}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_assignment_is_the_best_permutation(rng, n):
    cost = rng.normal(size=(n, n))  # negative costs too
    best = min(cost[range(n), s].mean() for s in itertools.permutations(range(n)))
    plan = optimal_transport(None, None, cost)
    assert plan.value == pytest.approx(best, rel=1e-12)
    assert plan.dual_value == pytest.approx(best, rel=1e-12)


@given(seeds, sizes, sizes, st.sampled_from([1, 2]))
def test_sorting_agrees_on_the_line(seed, n, m, p):
    rng = np.random.default_rng(seed)
    a, b, x, y = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), *rng.normal(size=(2, 12))
    x, y = x[:n], y[:m]
    programme = wasserstein(x, y, p=p, weights_x=a, weights_y=b) ** p
    sorting = wasserstein_1d(x, y, p=p, weights_x=a, weights_y=b).item() ** p
    assert programme == pytest.approx(sorting, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_unit_of_costs_does_not_matter(scale):
    a, b, x, y = random_problem(3, 6, 8)
    cost = pairwise_cost(x, y).numpy()
    plan = optimal_transport(a, b, scale * cost)
    assert plan.value == pytest.approx(scale * optimal_transport(a, b, cost).value, rel=1e-12)
    assert plan.dual_value == pytest.approx(plan.value, rel=1e-9)


def test_duality_on_one_set_of_points(rng):
    """For costs |x - y| on common points g = -f, and f is 1-Lipschitz: the Wasserstein critic."""
    x = rng.normal(size=(9, 2))
    a, b = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(9))
    cost = pairwise_cost(x, x).numpy()
    plan = optimal_transport(a, b, cost)
    f, g = plan.potentials
    np.testing.assert_allclose(g, -f, atol=1e-12)
    assert (f[:, None] - f - cost).max() <= 1e-12
    assert (a - b) @ f == pytest.approx(plan.value, rel=1e-9)


def test_derivatives_of_the_value():
    """They are the solution itself: P with respect to C, and f, g to the weights."""
    a, b, x, y = random_problem(5, 6, 7)
    cost, h = pairwise_cost(x, y).numpy(), 1e-6
    plan = optimal_transport(a, b, cost)
    moved = cost.copy()
    i, j = np.unravel_index(plan.coupling.argmax(), cost.shape)
    moved[i, j] += h
    slope = (optimal_transport(a, b, moved).value - plan.value) / h
    assert slope == pytest.approx(plan.coupling[i, j], rel=1e-6)
    step = np.zeros(6)
    step[[0, 1]] = h, -h
    slope = (optimal_transport(a + step, b, cost).value - plan.value) / h
    f = plan.potentials[0]
    assert slope == pytest.approx(f[0] - f[1], rel=1e-6)


@pytest.mark.parametrize("theta", [-1.5, 0.0, 0.01, 0.5, 1.0])
def test_parallel_lines(rng, theta):
    """W_1 of (0, Z) and (theta, Z) is |theta|, exactly so on paired samples."""
    height = rng.uniform(size=60)
    p = np.stack([np.zeros(60), height], axis=1)
    q = np.stack([np.full(60, theta), height], axis=1)
    assert wasserstein(p, q) == pytest.approx(abs(theta), rel=1e-14, abs=1e-14)
    shuffled = rng.permutation(q)
    assert wasserstein(p, shuffled) == pytest.approx(abs(theta), rel=1e-14, abs=1e-14)


@given(seeds, st.integers(1, 8))
def test_wasserstein_is_a_metric(seed, n):
    rng = np.random.default_rng(seed)
    x, y, z = rng.normal(size=(3, n, 3))
    assert wasserstein(x, x) == 0.0
    assert wasserstein(x, y) == pytest.approx(wasserstein(y, x), rel=1e-12)
    assert wasserstein(x, z) <= wasserstein(x, y) + wasserstein(y, z) + 1e-12
    assert wasserstein(x, y, p=2) >= wasserstein(x, y) - 1e-12


def test_tensors_images_and_float32(rng):
    """Points are flattened, and computed in float64 outside the graph whatever they come in."""
    x = rng.normal(size=(5, 1, 3, 3)).astype(np.float32)
    moved = mg.tensor(x + np.float32(2.0), requires_grad=True)
    assert wasserstein(x, moved) == pytest.approx(6.0, rel=1e-6)  # 2 sqrt(9)
    weights = np.full(5, 0.2, np.float32)
    assert wasserstein(x, moved, weights_x=weights) == pytest.approx(6.0, rel=1e-6)


# -- costs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 1.5, 2])
def test_pairwise_cost(rng, p):
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    expected = [[sum(abs(u - v) ** 2 for u, v in zip(s, t, strict=True)) ** (p / 2) for t in y]
                for s in x]  # fmt: skip
    np.testing.assert_allclose(pairwise_cost(x, y, p=p).numpy(), expected, rtol=1e-13)


def test_the_default_cost_is_the_distance_and_not_its_square():
    assert pairwise_cost(np.zeros((1, 2)), np.array([[3.0, 4.0]])).item() == 5.0


def test_near_points_lose_no_digits_and_equal_ones_have_a_gradient():
    far = np.array([[1e6, 1e6]])
    assert pairwise_cost(far, far + [[3e-4, 4e-4]]).item() == pytest.approx(5e-4, rel=1e-6)
    x = mg.tensor(np.ones((2, 2)), requires_grad=True)
    (g,) = mg.grad(pairwise_cost(x, x).sum(), [x])
    assert (g.numpy() == 0).all()


# -- refusals -------------------------------------------------------------------------------------

COST = np.ones((2, 3))
THIRDS = np.full(3, 1 / 3)


@pytest.mark.parametrize(
    ("a", "b", "cost", "error", "line"),
    [
        ([0.5, 0.6], None, COST, ValueError, r"a sums to 1\.1, not to 1: divide it by its sum"),
        (None, [0.5, 0.7, -0.2], COST, ValueError, r"b\[2\] is -0\.2: weights are finite"),
        ([math.nan, 1.0], None, COST, ValueError, r"a\[0\] is nan"),
        (THIRDS, None, COST, ShapeError, r"a has shape \(3,\): give one weight a point, \(2,\)"),
        (None, [[0.5]], COST, ShapeError, r"b has shape \(1, 1\)"),
        (None, None, np.ones(3), ShapeError, r"cost has shape \(3,\)"),
        (None, None, np.ones((2, 2), int), ShapeError, "int64: give floats"),
        (None, None, np.full((2, 2), np.nan), ValueError, "cost holds NaN or infinity"),
        (None, None, np.full((2, 2), np.inf), ValueError, "cost holds NaN or infinity"),
    ],
)
def test_bad_input_is_refused_in_one_line(a, b, cost, error, line):
    a, b = (None if w is None else np.array(w, np.float64) for w in (a, b))
    for solve in (optimal_transport, lambda *args: transport.sinkhorn(*args, epsilon=1.0)):
        with pytest.raises(error, match=line) as caught:
            solve(a, b, cost)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: pairwise_cost(np.ones((2, 2)), np.ones((2, 3))), ShapeError, "2 coord.*of y 3"),
        (lambda: pairwise_cost(np.ones((0, 2)), np.ones((2, 2))), ShapeError, r"x.*\(0, 2\)"),
        (lambda: pairwise_cost(np.ones(2), np.ones(2), p=0.5), ValueError, "p is 0.5"),
        (lambda: pairwise_cost(np.array([np.nan]), np.ones(2)), ValueError, "x holds NaN"),
        (lambda: pairwise_cost(np.ones(2), np.ones(2, int)), TypeError, "y holds int64"),
        (lambda: optimal_transport(None, None, COST, method="lp"), ValueError, "method is 'lp'"),
        (
            lambda: optimal_transport(None, None, COST, method="assignment"),
            ValueError,
            "as many points on both sides",
        ),
    ],
)
def test_other_refusals(call, error, line):
    with pytest.raises(error, match=line):
        call()


def test_without_scipy_one_line_says_what_to_install(monkeypatch):
    from minigan.transport import exact

    def no_scipy(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="scipy")

    monkeypatch.setattr(exact.importlib, "import_module", no_scipy)
    with pytest.raises(ImportError, match="needs SciPy: pip install scipy"):
        optimal_transport(None, None, np.eye(2))


def test_importing_transport_imports_no_scipy(monkeypatch):
    import subprocess
    import sys

    code = "import sys, minigan.transport; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
