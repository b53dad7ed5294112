"""Activations: the nonlinearities of networks, stable for arguments of any size.

relu and leaky_relu take the derivative of the negative side at 0, as PyTorch does. Formulas are
written with real comparisons, so that the complex step passes through them.
"""

from __future__ import annotations

import math

from minigan.backend import xp_of
from minigan.backend.elementwise import positive_part, rectify, rectify_gradient
from minigan.backend.special import erf as _erf_kernel
from minigan.op import op
from minigan.ops.elementwise import exp, square, tanh, where, zeros_of
from minigan.tensor import Tensor, as_tensor


@op(elementwise=True)
def relu(x, *, out=None):
    """max(x, 0); derivative 0 at 0."""
    return positive_part(x, out=out)


@op(elementwise=True)
def _leaky_relu(x, *, negative_slope, out=None):
    return rectify(x, negative_slope=negative_slope, out=out)


@op(elementwise=True)
def leaky_relu_gradient(u, y, *, negative_slope=0.0, out=None):
    """u where y > 0, else negative_slope * u: the gradient through y = leaky_relu(x), as one op."""
    return rectify_gradient(u, y, negative_slope=float(negative_slope), out=out)


@op(elementwise=True)
def elu(x, *, alpha=1.0):
    """x where x > 0, else alpha (e^x - 1). Clevert et al. 2016."""
    xp = xp_of(x)
    return xp.where(x.real > 0, x, float(alpha) * xp.expm1(xp.where(x.real > 0, 0, x)))


# The gradient does not depend on how large y is: y is handed over without its graph, so that no
# second derivative goes looking for zeros there.
relu.vjp(x=lambda g, out: leaky_relu_gradient(g, out.detach()))
_leaky_relu.vjp(
    x=lambda g, out, negative_slope: leaky_relu_gradient(
        g, out.detach(), negative_slope=negative_slope
    )
)
leaky_relu_gradient.vjp(
    u=lambda g, y, negative_slope: leaky_relu_gradient(g, y, negative_slope=negative_slope),
    y=lambda g, y: zeros_of(y),
)
elu.vjp(x=lambda g, x, out, alpha: where(x > 0, g, g * (out + float(alpha))))


def leaky_relu(x: Tensor, *, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope * x. Maas et al. 2013.

    Its derivative keeps the result, which has the sign of x, and lets x go; with a slope below 0
    signs are lost, and x is kept.
    """
    x, slope = as_tensor(x), float(negative_slope)
    return _leaky_relu(x, negative_slope=slope) if slope >= 0.0 else where(x > 0, x, x * slope)


@op(elementwise=True)
def sigmoid(x):
    """1 / (1 + e^-x), computed from e^-|x| so that nothing overflows."""
    xp = xp_of(x)
    small = xp.exp(_minus_abs(x))  # in (0, 1]
    return xp.where(x.real >= 0, 1, small) / (1 + small)


@op(elementwise=True)
def softplus(x):
    """log(1 + e^x) = max(x, 0) + log1p(e^-|x|): exact at both ends."""
    xp = xp_of(x)
    return positive_part(x) + xp.log1p(xp.exp(_minus_abs(x)))


@op(elementwise=True)
def log_sigmoid(x):
    """log(1 / (1 + e^-x)) = min(x, 0) - log1p(e^-|x|)."""
    xp = xp_of(x)
    return -(positive_part(-x) + xp.log1p(xp.exp(_minus_abs(x))))


@op(elementwise=True)
def sigmoid_gradient(u, y):
    """u y (1 - y): the gradient through y = sigmoid x, as one op and one node."""
    return u * (y * (1 - y))


def _minus_abs(x):
    xp = xp_of(x)
    return xp.where(x.real > 0, -x, x) if x.dtype.kind == "c" else -xp.abs(x)


sigmoid.vjp(x=lambda g, out: sigmoid_gradient(g, out))
sigmoid_gradient.vjp(
    u=lambda g, y: sigmoid_gradient(g, y),
    y=lambda g, u, y: g * (u * (1.0 - 2.0 * y)),
)
softplus.vjp(x=lambda g, x: g * sigmoid(x))
log_sigmoid.vjp(x=lambda g, x: g * sigmoid(-x))


@op(elementwise=True)
def silu(x):
    """x sigmoid(x), also called swish. Elfwing et al. 2018."""
    return x * sigmoid.kernel(x)


@op(elementwise=True)
def erf(x):
    """The error function, 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    return _erf_kernel(x)


silu.vjp(x=lambda g, x: g * _silu_slope(x, sigmoid(x)))
erf.vjp(x=lambda g, x: g * (exp(-square(x)) * (2.0 / math.sqrt(math.pi))))


def _silu_slope(x: Tensor, s: Tensor) -> Tensor:
    return s + sigmoid_gradient(x, s)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """x Phi(x), with Phi the normal distribution function. Hendrycks and Gimpel 2016.

    `approximate="tanh"` takes their 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), many times
    faster here.
    """
    if approximate == "none":
        return x * (0.5 * (1.0 + erf(x * math.sqrt(0.5))))
    if approximate == "tanh":
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * square(x)))
        return 0.5 * x * (1.0 + tanh(inner))
    raise ValueError(f"gelu: approximate is {approximate!r}: use 'none' or 'tanh'")
