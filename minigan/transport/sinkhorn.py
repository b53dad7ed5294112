"""Entropic optimal transport by Sinkhorn's iteration in the log domain, written in ops.

    OT_e(a, b) = min over couplings P of  sum_ij P_ij C_ij + e KL(P || a x b)

Its solution is P_ij = a_i b_j exp((f_i + g_j - C_ij) / e), and the potentials f, g are found by
solving for one, then the other:

    f_i <- -e log sum_j b_j exp((g_j - C_ij) / e),      g_j likewise.

Logarithms of sums of exponentials never overflow, however small e is. As e falls to 0, OT_e falls
to the exact transport cost, and the number of iterations grows like 1 / e.

**Derivatives.** The value is the maximum of a concave function of f and g, so its gradient is that
of the function with f and g held fixed (Danskin): no iteration needs to be recorded. With
`unroll=k`, k further iterations are recorded, for derivatives of the coupling and the potentials,
and for second derivatives of the value; their error falls with k as the iteration converges.

Letters: N points x with weights a, M points y with weights b. Source: Cuturi 2013,
arXiv:1306.0895; Peyre and Cuturi 2019, arXiv:1803.00567, section 4.4.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

from minigan.errors import ShapeError
from minigan.ops import abs, exp, expand_dims, greater, log, logsumexp, minimum, sum, where
from minigan.recording import no_grad
from minigan.tensor import Tensor, as_tensor
from minigan.transport.points import as_cost, as_points, as_weights, pairwise_cost

Potentials = tuple[Any, Any]


@dataclass(frozen=True)
class SinkhornPlan:
    """A solution of the entropic problem.

    `value`: OT_e, a scalar; `transport_cost`: sum P C alone, a scalar; `coupling`: P, (N, M);
    `potentials`: f (N,) and g (M,), also the warm start of a similar problem. `violation`: the sum
    over rows of |a - sum_j P_ij| (the columns are exact); `converged`: whether that is within the
    tolerance, after `iterations`. Without `unroll` the value alone is differentiable.
    """

    value: Tensor
    transport_cost: Tensor
    coupling: Tensor
    potentials: tuple[Tensor, Tensor]
    violation: float
    converged: bool
    iterations: int


def sinkhorn(
    a: Any,
    b: Any,
    cost: Any,
    *,
    epsilon: float,
    potentials: Potentials | None = None,
    scaling: float | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 1000,
    unroll: int = 0,
) -> SinkhornPlan:
    """Solve entropic transport between weights a (N,) and b (M,) at costs (N, M).

    `epsilon` > 0, in the unit of the costs. Weights sum to 1; None stands for equal ones. The
    iteration stops when the rows' violation is at most `tolerance`, or after `max_iterations` with
    a RuntimeWarning; the value is then a lower bound, within the violation times max C - min C.
    float32 cannot bring the violation much below 1e-7 max C / epsilon. `potentials`: a warm start.
    `scaling`, in (0, 1): before the first iteration take one at each of max C, max C scaling,
    max C scaling^2, ... down to epsilon, which saves many where epsilon is small.

    >>> import numpy as np
    >>> plan = sinkhorn(None, None, 1.0 - np.eye(2), epsilon=0.1)
    >>> plan.coupling.numpy().round(4).tolist(), round(plan.transport_cost.item(), 6)
    ([[0.5, 0.0], [0.0, 0.5]], 4.5e-05)
    """
    cost = as_cost(cost)
    a = as_weights("a", a, cost.shape[0], cost)
    b = as_weights("b", b, cost.shape[1], cost)
    _check_options(epsilon, scaling, tolerance, max_iterations, unroll)
    log_a, log_b = _log_weights(a), _log_weights(b)
    with no_grad():
        g = _start(cost, log_a, log_b, epsilon, potentials, scaling)
        f, g, violation, iterations = _iterate(
            cost, a, log_a, log_b, g, epsilon, tolerance, max_iterations
        )
    for _ in range(unroll):
        f = _row_potential(cost, log_b, g, epsilon)
        g = _column_potential(cost, log_a, f, epsilon)
    value, coupling = _value(cost, a, b, f, g, epsilon)
    if not unroll:
        coupling, cost = coupling.detach(), cost.detach()
    return SinkhornPlan(
        value, sum(coupling * cost), coupling, (f, g), violation, violation <= tolerance, iterations
    )


def sinkhorn_divergence(
    x: Any,
    y: Any,
    *,
    epsilon: float,
    p: float = 1,
    weights_x: Any = None,
    weights_y: Any = None,
    scaling: float | None = 0.5,
    tolerance: float = 1e-3,
    max_iterations: int = 1000,
) -> Tensor:
    """Return the debiased divergence S_e = OT_e(x, y) - OT_e(x, x) / 2 - OT_e(y, y) / 2.

    OT_e of a distribution with itself is not 0; taking it off makes S_e >= 0, and 0 only for equal
    distributions. S_e goes to the transport cost as epsilon -> 0 and to a kernel distance as it
    grows. `x`: (N, ...), `y`: (M, ...), at costs |x - y|^p, p 1 or 2; the other options are those
    of `sinkhorn`. Differentiable in points and weights. Source: Feydy et al. 2018,
    arXiv:1810.08278.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(20, 2))
    >>> y = x + [3.0, 0.0]  # for p = 2 a translation costs its length squared, at every epsilon
    >>> round(sinkhorn_divergence(x, y, epsilon=1.0, p=2, tolerance=1e-6).item(), 6)
    9.0
    """
    if not 1 <= p <= 2:
        raise ValueError(f"p is {p}: the divergence is >= 0 for costs |x - y|^p with 1 <= p <= 2")
    x, y = as_points("x", x), as_points("y", y)
    options = {"scaling": scaling, "tolerance": tolerance, "max_iterations": max_iterations}
    cost = pairwise_cost(x, y, p=p)
    between = sinkhorn(weights_x, weights_y, cost, epsilon=epsilon, **options).value
    own = [
        _self_transport(pairwise_cost(points, points, p=p), weights, epsilon=epsilon, **options)
        for points, weights in ((x, weights_x), (y, weights_y))
    ]
    return between - 0.5 * (own[0] + own[1])


def _self_transport(
    cost: Tensor,
    weights: Any,
    *,
    epsilon: float,
    scaling: float | None,
    tolerance: float,
    max_iterations: int,
) -> Tensor:
    """Return OT_e of a distribution with itself, at symmetric costs (N, N).

    Both potentials are one, f. Alternating creeps here, for f and g take turns at being too large;
    the mean of the old f and the new one ends that, and takes a few dozen iterations.
    """
    a = as_weights("weights", weights, cost.shape[0], cost)
    log_a = _log_weights(a)
    with no_grad():
        f = 0.0 * a
        for larger in _schedule(cost, epsilon, scaling):
            f = 0.5 * (f + _row_potential(cost, log_a, f, larger))
        for _ in range(max_iterations):
            following = _row_potential(cost, log_a, f, epsilon)
            violation = _violation(a, f, following, epsilon)
            if violation <= tolerance:
                break
            f = 0.5 * (f + following)
        else:
            _warn(max_iterations, violation, tolerance)
    return _value(cost, a, a, f, f, epsilon)[0]


# -- the iteration --------------------------------------------------------------------------------


def _row_potential(cost: Tensor, log_b: Tensor, g: Tensor, epsilon: float) -> Tensor:
    """The f for which every row of the coupling sums to its weight: (N, M), (M,) -> (N,)."""
    return -epsilon * logsumexp((g - cost) * (1.0 / epsilon) + log_b, axis=1)


def _column_potential(cost: Tensor, log_a: Tensor, f: Tensor, epsilon: float) -> Tensor:
    """The g for which every column of the coupling sums to its weight: (N, M), (N,) -> (M,)."""
    exponents = (expand_dims(f, 1) - cost) * (1.0 / epsilon) + expand_dims(log_a, 1)
    return -epsilon * logsumexp(exponents, axis=0)


def _start(
    cost: Tensor,
    log_a: Tensor,
    log_b: Tensor,
    epsilon: float,
    potentials: Potentials | None,
    scaling: float | None,
) -> Tensor:
    """Return the g to begin with: the given one, or 0; then one iteration at each larger epsilon.

    The f of a warm start is not needed: the first thing an iteration does is to find it from g.
    """
    if potentials is None:
        g = 0.0 * exp(log_b)
    else:
        f, g = (as_tensor(v).detach().to(cost.device, cost.dtype) for v in potentials)
        if (f.shape, g.shape) != (log_a.shape, log_b.shape):
            raise ShapeError(
                f"potentials have shapes {f.shape} and {g.shape}, the cost {cost.shape}: "
                "give f (N,) and g (M,)"
            )
    for larger in _schedule(cost, epsilon, scaling):
        f = _row_potential(cost, log_b, g, larger)
        g = _column_potential(cost, log_a, f, larger)
    return g


def _schedule(cost: Tensor, epsilon: float, scaling: float | None) -> list[float]:
    """The larger epsilons to pass on the way down: max C, max C scaling, ... > epsilon."""
    largest = abs(cost).max().item()
    if scaling is None or largest <= epsilon:
        return []
    count = math.ceil(math.log(epsilon / largest) / math.log(scaling))
    return [largest * scaling**k for k in range(count)]


def _iterate(
    cost: Tensor,
    a: Tensor,
    log_a: Tensor,
    log_b: Tensor,
    g: Tensor,
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> tuple[Tensor, Tensor, float, int]:
    """Alternate until the rows are within tolerance; return f, g, the violation and the count."""
    following = _row_potential(cost, log_b, g, epsilon)
    for iteration in range(1, max_iterations + 1):
        f = following
        g = _column_potential(cost, log_a, f, epsilon)
        following = _row_potential(cost, log_b, g, epsilon)
        violation = _violation(a, f, following, epsilon)
        if violation <= tolerance:
            return f, g, violation, iteration
    _warn(max_iterations, violation, tolerance)
    return f, g, violation, max_iterations


def _violation(a: Tensor, f: Tensor, following: Tensor, epsilon: float) -> float:
    """Return sum_i |a_i - sum_j P_ij|, read off the next f at no extra price.

    With the present f the rows sum to a exp((f - next f) / e). Reading it makes a GPU wait, once an
    iteration.
    """
    ratios = exp(minimum((f - following) * (1.0 / epsilon), _BOUND))
    return sum(a * abs(ratios - 1.0)).item()


def _warn(iterations: int, violation: float, tolerance: float) -> None:
    warnings.warn(
        f"sinkhorn stopped after {iterations} iterations with a marginal violation of "
        f"{violation:.1e} > {tolerance:.1e}: raise epsilon, tolerance or max_iterations, "
        "or set scaling=0.5",
        RuntimeWarning,
        stacklevel=4,
    )


_BOUND = 80.0  # of exponents: e^80 fits float32, and is met only where weights vanish


def _value(
    cost: Tensor, a: Tensor, b: Tensor, f: Tensor, g: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return OT_e and its coupling a_i b_j exp((f_i + g_j - C_ij) / e): () and (N, M).

    OT_e = <a, f> + <b, g> at the solution; the third term is 0 there, and makes the whole
    stationary in f and g.
    """
    exponents = (expand_dims(f, 1) + g - cost) * (1.0 / epsilon)
    coupling = expand_dims(a, 1) * b * exp(minimum(exponents, _BOUND))
    excess = sum(coupling) - sum(a) * sum(b)
    return sum(a * f) + sum(b * g) - epsilon * excess, coupling


def _log_weights(weights: Tensor) -> Tensor:
    """log w, and -infinity where w = 0."""
    there = greater(weights, 0.0)
    return where(there, log(where(there, weights, 1.0)), -math.inf)


def _check_options(
    epsilon: float, scaling: float | None, tolerance: float, max_iterations: int, unroll: int
) -> None:
    if not 0.0 < epsilon < math.inf:
        raise ValueError(f"epsilon is {epsilon}: give a number > 0, in the unit of the costs")
    if scaling is not None and not 0.0 < scaling < 1.0:
        raise ValueError(f"scaling is {scaling}: give a factor between 0 and 1, or None")
    if not tolerance > 0.0:
        raise ValueError(f"tolerance is {tolerance}: give a number > 0")
    if max_iterations < 1 or unroll < 0:
        raise ValueError(
            f"max_iterations is {max_iterations} and unroll {unroll}: give >= 1 and >= 0"
        )
