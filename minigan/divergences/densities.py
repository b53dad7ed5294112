"""Divergences of distributions that are given point by point, and the game they come from.

p and q are arrays of one shape. With `spacing=None` they are weights that sum to 1; with a number
they are values of densities on a grid whose cells have that volume (dx, or dx dy), and sums become
integrals by the midpoint rule.

Letters: K points; p, q any shape with K elements; m = (p + q) / 2.
"""

from __future__ import annotations

import math
from typing import Any

from minigan.divergences.checks import check_density, check_weights, in_base, same_shape
from minigan.errors import ShapeError
from minigan.ops import abs, greater, log, logical_and, logical_not, where
from minigan.tensor import Tensor, as_tensor

LOG_2 = math.log(2.0)


def kl(p: Any, q: Any, *, spacing: float | None = None, base: float = math.e) -> Tensor:
    """Return the Kullback-Leibler divergence KL(p || q) = sum p log(p / q), a scalar in [0, inf].

    0 log 0 = 0, and p > 0 = q gives infinity. Derivatives: log(p / q) + 1 with respect to p and
    -p / q with respect to q; elements where p or q is 0 are constants and get 0.

    >>> import numpy as np
    >>> p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    >>> round(kl(p, q).item(), 6), kl(p, np.array([1.0, 0.0])).item()
    (0.143841, inf)
    """
    p, q = _distributions(p, q, spacing)
    return in_base(_total(_relative_entropy(p, q), spacing), base)


def js(p: Any, q: Any, *, spacing: float | None = None, base: float = math.e) -> Tensor:
    """Return the Jensen-Shannon divergence 1/2 KL(p || m) + 1/2 KL(q || m), m = (p + q) / 2.

    Always finite: 0 <= JS <= log 2 (1 bit), symmetric, 0 only for p = q and log 2 only for
    disjoint supports, however near or far they are. Source: Lin 1991.

    >>> import numpy as np
    >>> js(np.array([1.0, 0.0]), np.array([0.0, 1.0]), base=2).item()
    1.0
    """
    p, q = _distributions(p, q, spacing)
    both = p + q
    # KL(p || m) = sum p log(p / (p + q)) + p log 2: nothing is halved, so nothing underflows.
    terms = _relative_entropy(p, both) + _relative_entropy(q, both) + LOG_2 * both
    return in_base(0.5 * _total(terms, spacing), base)


def total_variation(p: Any, q: Any, *, spacing: float | None = None) -> Tensor:
    """Return the total variation distance 1/2 sum |p - q|: in [0, 1], and 1 for disjoint supports.

    >>> import numpy as np
    >>> total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75])).item()
    0.25
    """
    p, q = _distributions(p, q, spacing)
    return 0.5 * _total(abs(p - q), spacing)


def optimal_discriminator(p: Any, q: Any) -> Tensor:
    """Return D* = p / (p + q), the discriminator that maximises the value of the game.

    It maximises p log D + q log(1 - D) at each point by itself. Where p = q = 0 no sample ever
    falls and every D is as good: 1/2 is returned. `p`, `q`: densities or weights >= 0 of one shape,
    of any common scale. Source: Goodfellow et al. 2014, arXiv:1406.2661, proposition 1.

    >>> import numpy as np
    >>> optimal_discriminator(np.array([0.3, 0.0, 0.0]), np.array([0.1, 0.2, 0.0])).numpy()
    array([0.75, 0.  , 0.5 ])
    """
    p, q = same_shape(p, q)
    both = p + q
    somewhere = greater(both, 0.0)
    return where(somewhere, p / where(somewhere, both, 1.0), 0.5)


def game_value(d: Any, p: Any, q: Any, *, spacing: float | None = None) -> Tensor:
    """Return V(D) = E_p log D + E_q log(1 - D), in nats: at most V(D*) = 2 JS(p, q) - log 4.

    `d`: the discriminator's probabilities in [0, 1] on the points of p and q. D = 0 where p > 0, or
    1 where q > 0 (also by rounding), gives -infinity. Source: Goodfellow et al. 2014,
    arXiv:1406.2661, eq. 1 and theorem 1.

    >>> import numpy as np
    >>> p = np.array([0.5, 0.5])
    >>> round(game_value(np.array([0.5, 0.5]), p, p).item(), 6)  # -log 4
    -1.386294
    """
    p, q = _distributions(p, q, spacing)
    d = as_tensor(d)
    if d.shape != p.shape:
        raise ShapeError(f"d has shape {d.shape}, p and q {p.shape}: give D on the same points")
    if not ((d >= 0.0) & (d <= 1.0)).all():
        raise ValueError("d leaves [0, 1]: give probabilities, the sigmoid of the logits")
    return _total(_times_log(p, d) + _times_log(q, 1.0 - d), spacing)


def _distributions(p: Any, q: Any, spacing: float | None) -> tuple[Tensor, Tensor]:
    p, q = same_shape(p, q)
    for name, values in (("p", p), ("q", q)):
        if spacing is None:
            check_weights(name, values)
        else:
            check_density(name, values, spacing)
    return p, q


def _total(terms: Tensor, spacing: float | None) -> Tensor:
    return terms.sum() if spacing is None else terms.sum() * float(spacing)


def _relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """p log(p / q) elementwise, with 0 log(0 / q) = 0 and p log(p / 0) = infinity."""
    there = greater(p, 0.0)
    own = log(where(there, p, 1.0))
    return where(there, p * own, 0.0) - _times_log(p, q)


def _times_log(p: Tensor, x: Tensor) -> Tensor:
    """p log x elementwise, with 0 log 0 = 0 and p log 0 = -infinity; no log of 0 is ever taken."""
    there, possible = greater(p, 0.0), greater(x, 0.0)
    both = logical_and(there, possible)
    finite = where(both, p, 0.0) * log(where(both, x, 1.0))
    return where(logical_and(there, logical_not(possible)), -math.inf, finite)
