"""Exact optimal transport: the linear programme of Kantorovich, and its dual.

    primal  min  sum_ij P_ij C_ij         over P >= 0 with row sums a and column sums b
    dual    max  sum_i a_i f_i + sum_j b_j g_j   over f_i + g_j <= C_ij

Both have the same value. The dual's f and g are what a Wasserstein critic is after: for C = |x - y|
on one set of points g = -f, and f is 1-Lipschitz. P_ij > 0 only where f_i + g_j = C_ij.

Everything here is solved by SciPy on the host in float64 and leaves the graph. The derivatives of
the value are known all the same: P with respect to C, f to a and g to b.

Letters: N points x with weights a, M points y with weights b.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from minigan.tensor import as_tensor
from minigan.transport.points import as_cost, as_points, as_weights, pairwise_cost, to_host

METHODS = ("linear_programme", "assignment")


@dataclass(frozen=True)
class TransportPlan:
    """A solution of both problems, as float64 NumPy arrays.

    `value`: the cost of the coupling; `coupling`: P, (N, M); `potentials`: f (N,) and g (M,), which
    may be shifted against each other: f + c, g - c are as good.
    """

    value: float
    coupling: np.ndarray
    potentials: tuple[np.ndarray, np.ndarray]

    @property
    def dual_value(self) -> float:
        """What the potentials prove: no coupling with these marginals costs less."""
        f, g = self.potentials
        return float(self.coupling.sum(axis=1) @ f + self.coupling.sum(axis=0) @ g)


def optimal_transport(a: Any, b: Any, cost: Any, *, method: str | None = None) -> TransportPlan:
    """Solve optimal transport between weights a (N,) and b (M,) at costs (N, M), exactly.

    Weights are >= 0 and sum to 1; None stands for equal weights. `method`: "linear_programme"
    (SciPy's HiGHS, about 2 s at N = M = 300) or "assignment" (equal weights and N = M only, about
    2 s at 1000); by default the second where it applies. Marginals hold to 1e-12 and the potentials
    satisfy every constraint of the dual to round-off. Needs SciPy (extra `train`).

    >>> plan = optimal_transport(np.array([0.5, 0.5]), np.array([0.25, 0.75]), 1.0 - np.eye(2))
    >>> plan.value, plan.coupling.tolist(), plan.dual_value
    (0.25, [[0.25, 0.25], [0.0, 0.5]], 0.25)
    """
    cost_tensor = as_cost(cost)
    n, m = cost_tensor.shape
    weights = (as_weights(name, w, k, cost_tensor) for name, w, k in (("a", a, n), ("b", b, m)))
    a, b = (to_host(w) for w in weights)
    a, b, cost = a / a.sum(), b / b.sum(), to_host(cost_tensor)  # equal to the last bit, if it can
    if _chosen(method, a, b) == "assignment":
        coupling, f = _assign(cost)
    else:
        coupling, f = _solve_programme(a, b, cost)
    return TransportPlan(float((coupling * cost).sum()), coupling, _tighten(cost, f))


def wasserstein(
    x: Any, y: Any, *, p: float = 1, weights_x: Any = None, weights_y: Any = None
) -> float:
    """Return the Wasserstein-p distance between two sets of points, exactly.

    `x`: (N, ...), `y`: (M, ...); weights default to 1 / N and 1 / M.

    >>> x = np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> wasserstein(x, x + [3.0, 4.0])
    5.0
    """
    x, y = (as_points(name, as_tensor(v).detach()) for name, v in (("x", x), ("y", y)))
    cost = pairwise_cost(x.astype(np.float64), y.astype(np.float64), p=p)
    return optimal_transport(weights_x, weights_y, cost).value ** (1.0 / p)


def _chosen(method: str | None, a: np.ndarray, b: np.ndarray) -> str:
    """Choose the method, or refuse one that does not apply."""
    if method not in (None, *METHODS):
        raise ValueError(f"method is {method!r}: use one of {', '.join(METHODS)}, or None")
    equal = len(a) == len(b) and np.ptp(np.concatenate([a, b])) <= 1e-14 / len(a)
    if method == "assignment" and not equal:
        raise ValueError("assignment needs as many points on both sides, all of equal weight")
    return method or ("assignment" if equal else "linear_programme")


# -- the linear programme -------------------------------------------------------------------------


def _solve_programme(
    a: np.ndarray, b: np.ndarray, cost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coupling (N, M) and the rows' potentials (N,) from HiGHS."""
    optimize, sparse = _scipy("optimize"), _scipy("sparse")
    n, m = cost.shape
    rows = sparse.kron(sparse.eye_array(n), np.ones((1, m)))  # (N, N M): the row sums of P
    columns = sparse.kron(np.ones((1, n)), sparse.eye_array(m))  # (M, N M): its column sums
    scale = np.abs(cost).max() or 1.0  # HiGHS's tolerances are absolute: solve at costs near 1
    done = optimize.linprog(
        cost.ravel() / scale,
        A_eq=sparse.vstack([rows, columns], format="csc"),
        b_eq=np.concatenate([a, b]),
        bounds=(0, None),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if done.status != 0:
        raise RuntimeError(f"HiGHS did not solve the transport problem: {done.message}")
    return done.x.reshape(n, m), done.eqlin.marginals[:n] * scale


def _tighten(cost: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Raise the potentials until every constraint f_i + g_j <= C_ij holds, and touches somewhere.

    Given f, the best g is min_i C_ij - f_i, and given that g the best f likewise: the dual value
    never falls, and what the solver's tolerance had left violated is mended.
    """
    g = (cost - f[:, None]).min(axis=0)
    return (cost - g).min(axis=1), g


# -- the assignment problem -----------------------------------------------------------------------


def _assign(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best permutation as a coupling (N, N), and the rows' potentials (N,).

    SciPy gives the permutation s alone. With g_s(i) = C_is(i) - f_i the dual's constraints read

        f_i <= f_k + C_is(k) - C_ks(k)    for all i, k,

    the inequalities of shortest paths: relaxing them from f = 0 ends after at most N rounds, for
    the best permutation leaves no negative cycle.
    """
    rows, match = _scipy("optimize").linear_sum_assignment(cost)
    n = len(rows)
    coupling = np.zeros((n, n))
    coupling[rows, match] = 1.0 / n
    detours = cost[:, match] - cost[rows, match]  # (N, N): what i pays for k's partner
    f = np.zeros(n)
    for _ in range(n):
        shorter = (detours + f).min(axis=1)
        if np.array_equal(shorter, f):
            break
        f = shorter
    return coupling, f


def _scipy(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError:
        raise ImportError("exact transport needs SciPy: pip install scipy") from None
