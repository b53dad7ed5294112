"""Cases of arithmetic, functions of one number, and activations."""

from __future__ import annotations

from minigan import ops
from minigan.ops.activations import leaky_relu_gradient, sigmoid_gradient
from minigan.ops.elementwise import tanh_gradient
from minigan.testing.cases.table import ZERO, case, elementwise
from minigan.testing.draw import apart, booleans, grid, normal, positive

nonzero = apart(0.0)


def above(*shape: int):
    """Numbers that differ by 0.05 at least from those of `grid`: no ties between the two."""
    return grid(*shape, offset=0.25)


CASES = [
    # arithmetic
    *elementwise(ops.add, normal, normal),
    *elementwise(ops.subtract, normal, normal),
    *elementwise(ops.multiply, normal, normal, check={"linear": True}),
    *elementwise(ops.divide, normal, nonzero),
    *elementwise(ops.negative, normal, check={"linear": True}),
    *elementwise(ops.pow, positive, normal),
    case(ops.pow, normal(2, 3), 2),
    case(ops.pow, nonzero(2, 3), 3),
    case(ops.pow, nonzero(2, 3), -2),
    case(ops.pow, positive(2, 3), 0.5),
    case(ops.pow, 2.0, normal(2, 3)),
    case(ops.add, normal(2, 3), 1.5),
    case(ops.subtract, 1.5, normal(2, 3)),
    case(ops.multiply, normal(2, 3), -0.5),
    case(ops.divide, 1.5, nonzero(2, 3)),
    # functions of one number
    *elementwise(ops.exp, normal),
    *elementwise(ops.expm1, normal),
    *elementwise(ops.log, positive),
    *elementwise(ops.log1p, positive),
    *elementwise(ops.sqrt, positive),
    *elementwise(ops.safe_sqrt, positive),
    *elementwise(ops.safe_reciprocal, nonzero),
    *elementwise(ops.square, nonzero),
    *elementwise(ops.sin, normal),
    *elementwise(ops.cos, normal),
    *elementwise(ops.tanh, normal),
    *elementwise(tanh_gradient, normal, nonzero),
    *elementwise(ops.erf, normal),
    # pieces
    *elementwise(ops.abs, nonzero),
    *elementwise(ops.sign, nonzero, check=ZERO),
    *elementwise(ops.maximum, grid, above, check=ZERO),
    *elementwise(ops.minimum, grid, above, check=ZERO),
    case(ops.maximum, apart(0.2)(2, 3), 0.2),
    case(ops.minimum, 0.2, apart(0.2)(2, 3)),
    *elementwise(ops.clip, apart(-1.0, 1.0), min=-1.0, max=1.0, check=ZERO),
    case(ops.clip, apart(0.0)(2, 4), min=0.0),
    case(ops.clip, apart(0.5)(2, 4), max=0.5),
    *elementwise(ops.where, booleans, normal, normal, check=ZERO),
    case(ops.where, booleans(2, 3), normal(2, 3), 0.0),
    *elementwise(ops.copy, normal, check={"linear": True}),
    # dtypes
    case(ops.astype, normal(2, 3), dtype="float64", check={"properties": ("purity", "aliasing")}),
    # activations
    *elementwise(ops.sigmoid, normal),
    *elementwise(sigmoid_gradient, normal, nonzero),
    *elementwise(ops.softplus, nonzero),
    *elementwise(ops.log_sigmoid, nonzero),
    *elementwise(ops.relu, nonzero, check=ZERO),
    *elementwise(ops.leaky_relu, nonzero, negative_slope=0.2),
    *elementwise(leaky_relu_gradient, normal, nonzero, negative_slope=0.2, check=ZERO),
    *elementwise(leaky_relu_gradient, normal, nonzero, check=ZERO),
    *elementwise(ops.elu, nonzero, alpha=0.7),
    *elementwise(ops.silu, nonzero),
    *elementwise(ops.gelu, nonzero),
    case(ops.gelu, nonzero(2, 3), approximate="tanh"),
]
