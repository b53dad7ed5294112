"""Special functions that NumPy does not have."""

from __future__ import annotations

import math
from typing import Any

from minigan.backend.device import xp_of

_EDGE = 6.0  # erf(6) = 1 - 2e-17: 1 in float64


def erf(x: Any) -> Any:
    """The error function of an array, to the precision of its dtype.

    Uses the series erf(x) = 2/sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (1 3 5 ... (2n+1)), whose
    terms all have one sign: nothing cancels. Abramowitz and Stegun, 7.1.6. The number of terms is
    that needed at |x| = 6 (float64) or 4 (float32), beyond which erf is 1. Analytic, so that it
    takes complex arguments near the real axis too.
    """
    xp = xp_of(x)
    single = x.dtype.itemsize == 4
    edge = 4.0 if single else _EDGE
    inside = xp.abs(x.real) < edge
    t = xp.where(inside, x, 0)
    square = 2 * t * t
    total = xp.ones_like(t)
    for n in range(60 if single else 130, 0, -1):  # Horner's scheme, from the smallest term
        total = 1 + total * square / (2 * n + 1)
    series = t * xp.exp(-t * t) * total * (2 / math.sqrt(math.pi))
    return xp.where(inside, series, xp.sign(x.real)).astype(x.dtype, copy=False)
