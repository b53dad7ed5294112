"""Square matrices: inverse and determinant, closed under differentiation with transposes.

d(X^-1) = -X^-1 dX X^-1, and d log|det X| = tr(X^-1 dX): the gradients are X^-T g X^-T, negated, and
g X^-T. Nothing is conjugated, so a complex step passes through.
"""

from __future__ import annotations

from minigan.backend import xp_of
from minigan.op import op
from minigan.ops.linear import transpose


@op
def inverse(x):  # (D, D) -> (D, D)
    """Return the inverse of a square matrix; a singular one raises `ValueError`.

    >>> import minigan as mg
    >>> mg.inverse(mg.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return xp_of(x).linalg.inv(x)


@op
def log_determinant(x):  # (D, D) -> ()
    """Return log|det x| of a square matrix, without overflow; analytic where det x > 0.

    >>> import minigan as mg
    >>> mg.log_determinant(mg.tensor([[1.0, 0.0], [0.0, 1.0]])).item()
    0.0
    """
    sign, magnitude = xp_of(x).linalg.slogdet(x)
    return magnitude if x.dtype.kind != "c" else magnitude + xp_of(x).log(sign)


inverse.vjp(x=lambda g, out: -(transpose(out) @ g @ transpose(out)))
log_determinant.vjp(x=lambda g, x: g * transpose(inverse(x)))
