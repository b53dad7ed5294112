"""Arithmetic and elementary functions, element by element, with NumPy's broadcasting.

Rules here return gradients of the broadcast shape; the engine sums them to the argument's.
Comparisons look at real parts, and `abs` never conjugates: every op in this file is analytic away
from its kinks, so that a complex step may be taken through it (`minigan.testing`).

Conventions at kinks: sign(0) = 0, so d|x|/dx = 0 at 0; where a = b, `maximum` and `minimum` give
each argument half; `clip` passes the gradient at its bounds.
"""

from __future__ import annotations

import math

from minigan.backend import is_array, xp_of
from minigan.backend.elementwise import where as choose
from minigan.op import op
from minigan.tensor import Tensor

# -- arithmetic -----------------------------------------------------------------------------------


@op(elementwise=True, ufunc="add")
def add(a, b):
    """a + b."""
    return a + b


@op(elementwise=True, ufunc="subtract")
def subtract(a, b):
    """a - b."""
    return a - b


@op(elementwise=True, linear=True, ufunc="multiply")
def multiply(a, b):
    """a * b."""
    return a * b


@op(elementwise=True, ufunc="divide")
def divide(a, b):
    """a / b."""
    return a / b


@op(elementwise=True, linear=True, ufunc="negative")
def negative(x):
    """-x."""
    return -x


@op(elementwise=True, ufunc="square")
def square(x):
    """x^2."""
    return x * x


@op(elementwise=True)
def pow(a, b):
    """a^b. At a = 0 (and b > 0) the derivative with respect to b is 0."""
    return a**b


add.vjp(a=lambda g: g, b=lambda g: g)
subtract.vjp(a=lambda g: g, b=lambda g: -g)
multiply.vjp(a=lambda g, b: g * b, b=lambda g, a: g * a)
divide.vjp(a=lambda g, b: g / b, b=lambda g, b, out: -(g * out) / b)
negative.vjp(x=lambda g: -g)
square.vjp(x=lambda g, x: g * (2.0 * x))
pow.vjp(
    a=lambda g, a, b: g * (b * pow(a, _one_less(b))),
    b=lambda g, a, out: g * out * _log_of_base(a),
)


def _one_less(b):
    """b - 1, but 0 where b = 0: the derivative of a^0 is 0 * a^0, finite at a = 0 too."""
    if isinstance(b, Tensor):
        return where(equal(b, 0.0), 0.0, b - 1.0)
    return b - 1 if b else 0


def _log_of_base(a):
    """log a, but 0 where a = 0: the derivative of 0^b is taken as 0."""
    if isinstance(a, Tensor):
        return log(where(equal(a, 0.0), 1.0, a))
    return math.log(a) if a > 0 else (0.0 if a == 0 else math.nan)


# -- exponentials and roots -----------------------------------------------------------------------


@op(elementwise=True, ufunc="exp")
def exp(x):
    """e^x."""
    return xp_of(x).exp(x)


@op(elementwise=True, ufunc="expm1")
def expm1(x):
    """e^x - 1, exact near 0."""
    return xp_of(x).expm1(x)


@op(elementwise=True, ufunc="log")
def log(x):
    """Natural logarithm."""
    return xp_of(x).log(x)


@op(elementwise=True, ufunc="log1p")
def log1p(x):
    """log(1 + x), exact near 0."""
    return xp_of(x).log1p(x)


@op(elementwise=True, ufunc="sqrt")
def sqrt(x):
    """Square root; its derivative at 0 is infinite (see `safe_sqrt`)."""
    return xp_of(x).sqrt(x)


@op(elementwise=True)
def safe_sqrt(x):
    """Square root whose derivatives of every order are taken as 0 at 0: the root inside norms."""
    return xp_of(x).sqrt(x)


@op(elementwise=True)
def safe_reciprocal(x):
    """1 / x, and 0 at 0."""
    xp = xp_of(x)
    zero = x == 0
    return xp.where(zero, xp.zeros_like(x), 1 / xp.where(zero, xp.ones_like(x), x))


exp.vjp(x=lambda g, out: g * out)
expm1.vjp(x=lambda g, out: g * (out + 1.0))
log.vjp(x=lambda g, x: g / x)
log1p.vjp(x=lambda g, x: g / (x + 1.0))
sqrt.vjp(x=lambda g, out: g * 0.5 / out)
safe_sqrt.vjp(x=lambda g, out: g * (0.5 * safe_reciprocal(out)))
safe_reciprocal.vjp(x=lambda g, out: -((g * out) * out))


# -- trigonometric and hyperbolic -----------------------------------------------------------------


@op(elementwise=True, ufunc="sin")
def sin(x):
    """Sine of x radians."""
    return xp_of(x).sin(x)


@op(elementwise=True, ufunc="cos")
def cos(x):
    """Cosine of x radians."""
    return xp_of(x).cos(x)


@op(elementwise=True, ufunc="tanh")
def tanh(x):
    """Hyperbolic tangent."""
    return xp_of(x).tanh(x)


@op(elementwise=True)
def tanh_gradient(u, y):
    """u (1 - y^2): the gradient through y = tanh x, as one op and one node."""
    return u * (1 - y * y)


sin.vjp(x=lambda g, x: g * cos(x))
cos.vjp(x=lambda g, x: -(g * sin(x)))
tanh.vjp(x=lambda g, out: tanh_gradient(g, out))
tanh_gradient.vjp(
    u=lambda g, y: tanh_gradient(g, y),
    y=lambda g, u, y: g * (u * (-2.0 * y)),
)


# -- piecewise ------------------------------------------------------------------------------------


@op(elementwise=True)
def sign(x):
    """-1, 0 or 1; its derivative is 0."""
    xp = xp_of(x)
    return xp.sign(x.real).astype(x.dtype)


@op(elementwise=True)
def abs(x):
    """|x|; a complex number's sign is that of its real part, as the complex step needs it."""
    xp = xp_of(x)
    return xp.where(x.real < 0, -x, x) if x.dtype.kind == "c" else xp.abs(x)


@op(elementwise=True)
def maximum(a, b):
    """The larger of a and b; where they are equal each gets half of the gradient."""
    return _choose(a, b, lambda x, y: x >= y, xp_of(a, b).maximum)


@op(elementwise=True)
def minimum(a, b):
    """The smaller of a and b; where they are equal each gets half of the gradient."""
    return _choose(a, b, lambda x, y: x <= y, xp_of(a, b).minimum)


def _choose(a, b, prefer, ufunc):
    """The ufunc on real numbers; complex ones are ordered by their real parts."""
    if any(is_array(x) and x.dtype.kind == "c" for x in (a, b)):
        return xp_of(a, b).where(prefer(a.real, b.real), a, b)
    return ufunc(a, b)


@op(elementwise=True, differentiable=False)
def _share_of_first(a, b):
    """1 where a > b, 1/2 where a = b, 0 where a < b, in the dtype of a + b."""
    xp = xp_of(a, b)
    share = (a.real > b.real) + 0.5 * (a.real == b.real)
    return share.astype(xp.result_type(a, b))


@op(elementwise=True)
def clip(x, *, min=None, max=None):
    """min(max(x, min), max) with numbers as bounds, either of them None for none."""
    xp, min, max = xp_of(x), _bound(min, "min"), _bound(max, "max")
    if x.dtype.kind != "c":
        return xp.clip(x, min, max)
    x = x if min is None else xp.where(x.real < min, min, x)
    return x if max is None else xp.where(x.real > max, max, x)


def _bound(value, name):
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(
        f"clip: {name} is a {type(value).__name__}, not a number: use maximum or minimum"
    )


@op(elementwise=True)
def where(condition, a, b):
    """a where the condition holds, b elsewhere."""
    return choose(condition, a, b)


sign.vjp(x=lambda g: zeros_of(g))
abs.vjp(x=lambda g, x: g * sign(x))
maximum.vjp(
    a=lambda g, a, b: g * _share_of_first(a, b),
    b=lambda g, a, b: g * _share_of_first(b, a),
)
minimum.vjp(
    a=lambda g, a, b: g * _share_of_first(b, a),
    b=lambda g, a, b: g * _share_of_first(a, b),
)
clip.vjp(x=lambda g, x, min, max: where(_within(x, min=min, max=max), g, 0.0))
where.vjp(
    a=lambda g, condition: where(condition, g, 0.0),
    b=lambda g, condition: where(condition, 0.0, g),
)


# -- dtype ----------------------------------------------------------------------------------------


@op(elementwise=True, linear=True, view=True)
def astype(x, *, dtype):
    """x in another dtype; the gradient comes back in x's own."""
    if x.dtype.kind == "c" and xp_of(x).dtype(dtype).kind != "c":
        raise TypeError(f"astype: {x.dtype} to {dtype} would drop the imaginary part")
    return x.astype(dtype, copy=False)


astype.vjp(x=lambda g: g)  # the engine casts, as for every elementwise op


@op(elementwise=True, linear=True)
def copy(x):
    """x in memory of its own."""
    return x.copy()


copy.vjp(x=lambda g: g)


# -- without a derivative -------------------------------------------------------------------------


@op(elementwise=True, differentiable=False)
def zeros_of(x):
    """Zeros in the shape and dtype of x."""
    return xp_of(x).zeros_like(x)


@op(elementwise=True, differentiable=False)
def _within(x, *, min, max):
    inside = xp_of(x).ones(x.shape, dtype=bool)
    inside = inside if min is None else inside & (x.real >= min)
    return inside if max is None else inside & (x.real <= max)


def _comparison(name: str, compare) -> object:
    """Make a comparison: booleans without a graph; complex numbers compare by their real parts."""

    def kernel(a, b):
        return compare(a.real, b.real)

    kernel.__name__, kernel.__module__ = name, __name__
    kernel.__doc__ = f"{name.replace('_', ' ').capitalize()}, elementwise: booleans, no derivative."
    return op(elementwise=True, differentiable=False)(kernel)


equal = _comparison("equal", lambda a, b: a == b)
not_equal = _comparison("not_equal", lambda a, b: a != b)
less = _comparison("less", lambda a, b: a < b)
less_equal = _comparison("less_equal", lambda a, b: a <= b)
greater = _comparison("greater", lambda a, b: a > b)
greater_equal = _comparison("greater_equal", lambda a, b: a >= b)


@op(elementwise=True, differentiable=False)
def isfinite(x):
    """True where x is neither infinite nor NaN."""
    return xp_of(x).isfinite(x)


@op(elementwise=True, differentiable=False)
def isnan(x):
    """True where x is NaN."""
    return xp_of(x).isnan(x)


@op(elementwise=True, differentiable=False)
def floor(x):
    """The largest integer not above x; without a derivative."""
    return xp_of(x).floor(x)


@op(elementwise=True, differentiable=False)
def round(x):
    """The nearest integer, ties to even; without a derivative."""
    return xp_of(x).round(x)


@op(elementwise=True, differentiable=False)
def logical_not(x):
    """not x."""
    return xp_of(x).logical_not(x)


@op(elementwise=True, differentiable=False)
def logical_and(a, b):
    """a and b."""
    return xp_of(a, b).logical_and(a, b)


@op(elementwise=True, differentiable=False)
def logical_or(a, b):
    """a or b."""
    return xp_of(a, b).logical_or(a, b)
