"""Divergences estimated from samples: means of log-ratios, each with its standard error.

Samples must come from the distribution an expectation is over. The estimates are unbiased and their
errors fall like 1 / sqrt(N). A trained discriminator gives a bound without any density.

Letters: N samples of p, M samples of q.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from minigan.divergences.checks import check_base, in_base
from minigan.errors import ShapeError
from minigan.ops import isfinite, logsumexp, softplus, sqrt, stack, where
from minigan.tensor import Tensor, as_tensor

LOG_2 = math.log(2.0)

LogDensity = Callable[[Tensor], Any]  # (N, ...) -> (N,)


class Estimate(NamedTuple):
    """An estimate and its standard error, the standard deviation of `value`: scalars both.

    The standard error is infinite where the value is, and carries no gradient.
    """

    value: Tensor
    standard_error: Tensor


def kl_monte_carlo(
    samples: Any, log_p: LogDensity, log_q: LogDensity, *, base: float = math.e
) -> Estimate:
    """Estimate KL(p || q) = E_p [log p(x) - log q(x)] from samples of p.

    `samples`: (N, ...), N >= 2; `log_p`, `log_q`: functions of them that return (N,). The value is
    differentiable through the log-densities and, for reparametrised samples, through the samples.

    >>> import minigan as mg
    >>> x = mg.randn(4000, generator=mg.Generator(0))
    >>> kl = kl_monte_carlo(x, lambda x: -0.5 * x * x, lambda x: -0.5 * (x - 1.0) ** 2)
    >>> abs(kl.value.item() - 0.5) < 3 * kl.standard_error.item() < 0.06
    True
    """
    own, other = _log_densities(samples, "p", log_p, log_q)
    return _estimate([own - other], base)


def js_monte_carlo(
    samples_p: Any, samples_q: Any, log_p: LogDensity, log_q: LogDensity, *, base: float = math.e
) -> Estimate:
    """Estimate JS(p, q) = 1/2 E_p log(p / m) + 1/2 E_q log(q / m), m = (p + q) / 2.

    `samples_p`: (N, ...), of p; `samples_q`: (M, ...), of q; N, M >= 2. A density may vanish: its
    logarithm is then -infinity.

    >>> import minigan as mg
    >>> inside = lambda low: lambda x: mg.where((x >= low) & (x < low + 1), 0.0, -math.inf)
    >>> x, y = mg.rand(10), mg.rand(10) + 3.0
    >>> js_monte_carlo(x, y, inside(0.0), inside(3.0), base=2).value.item()  # disjoint supports
    1.0
    """
    p_at_x, q_at_x = _log_densities(samples_p, "p", log_p, log_q)
    q_at_y, p_at_y = _log_densities(samples_q, "q", log_q, log_p)
    halves = [
        0.5 * (own - (logsumexp(stack([own, other]), axis=0) - LOG_2))  # (2, N) -> (N,)
        for own, other in ((p_at_x, q_at_x), (q_at_y, p_at_y))
    ]
    return _estimate(halves, base)


def js_lower_bound(real: Tensor, fake: Tensor, *, base: float = math.e) -> Tensor:
    """Return log 2 + V(D) / 2 for a discriminator's logits: in expectation at most JS(p, q).

    V = E_p log D + E_q log(1 - D); equality holds for D* = p / (p + q), so a discriminator that
    learns raises the bound towards the divergence. On samples it was trained on it can exceed it.
    `real`, `fake`: logits of any shape, at samples of p and q.

    >>> import minigan as mg
    >>> js_lower_bound(mg.zeros(3), mg.zeros(5)).item()  # D = 1/2 tells nothing
    0.0
    """
    value = -(softplus(-as_tensor(real)).mean() + softplus(as_tensor(fake)).mean())
    return in_base(LOG_2 + 0.5 * value, base)


def _log_densities(
    samples: Any, name: str, own: LogDensity, other: LogDensity
) -> tuple[Tensor, Tensor]:
    """Return both log-densities at the samples of one distribution, (N,) each."""
    samples = as_tensor(samples)
    logs = as_tensor(own(samples)), as_tensor(other(samples))
    if logs[0].shape != logs[1].shape or logs[0].ndim != 1 or logs[0].size < 2:
        raise ShapeError(
            f"log-densities at samples of {name} have shapes {logs[0].shape} and {logs[1].shape}: "
            "both must be (N,) with N >= 2"
        )
    if not isfinite(logs[0]).all():
        raise ValueError(f"log_{name} is not finite at a sample of {name}: one is not the other's")
    return logs


def _estimate(parts: list[Tensor], base: float) -> Estimate:
    """Add up the means of independent parts, and the squares of their standard errors."""
    unit = 1.0 / check_base(base)
    value, variance = 0.0, 0.0
    for part in parts:
        finite = isfinite(part).all()
        known = where(finite, part.detach(), 0.0)  # the variance of infinities is no number
        value = value + part.mean()
        variance = variance + where(finite, known.var(ddof=1) * (1.0 / part.size), math.inf)
    return Estimate(value * unit, sqrt(variance) * abs(unit))
