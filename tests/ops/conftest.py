"""Derivatives of an op by complex step: an arithmetic of its own, exact to round-off.

For analytic f and a small h, Im f(x + i h v) / h is the derivative of f along v with no
subtraction to cancel. It is taken through the forward pass for the first derivative and through
forward and backward pass for the second.
"""

import numpy as np
import pytest

import minigan as mg

H = 1e-30


def _along(function, arrays, index, direction):
    """The derivative of a real scalar function of arrays along a direction of one of them."""
    shifted = [a.astype(complex) for a in arrays]
    shifted[index] = shifted[index] + 1j * H * direction
    return function(*shifted).imag / H


def _near(actual, expected, scale):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11 * (1 + scale))


@pytest.fixture
def check_derivatives(rng):
    """Return a check of the first and second derivatives of `op`, a function of Tensors."""

    def inner(op, u, *arrays):
        return (u * op(*map(mg.tensor, arrays)).data).sum()

    def sloped(op, weights, u, *arrays):
        """A nonlinear function of the gradients of <u, op>: its derivatives are second ones."""
        tensors = [mg.tensor(a, requires_grad=True) for a in arrays]
        cotangent = mg.tensor(u, requires_grad=True)
        gradients = mg.grad(op(*tensors), tensors, cotangent, create_graph=True)
        terms = [
            (mg.tensor(w) * (g + g * g)).sum() for w, g in zip(weights, gradients, strict=True)
        ]
        return sum(terms[1:], terms[0]), [cotangent, *tensors]

    def check(op, *arrays):
        u = rng.standard_normal(op(*map(mg.tensor, arrays)).shape)
        weights = [rng.standard_normal(a.shape) for a in arrays]
        tensors = [mg.tensor(a, requires_grad=True) for a in arrays]
        first = mg.grad(op(*tensors), tensors, mg.tensor(u))
        for i, g in enumerate(first):
            assert g.dtype == arrays[i].dtype
            v = rng.standard_normal(g.shape)
            terms = g.numpy() * v
            expected = _along(lambda *a: inner(op, u, *a), arrays, i, v)
            _near(terms.sum(), expected, np.abs(terms).sum())
        value, variables = sloped(op, weights, u, *arrays)
        second = mg.grad(value, variables, allow_unused=True)
        for i, (g, x) in enumerate(zip(second, variables, strict=True)):
            v = rng.standard_normal(x.shape)
            terms = np.zeros(x.shape) if g is None else g.numpy() * v
            expected = _along(lambda *a: sloped(op, weights, *a)[0].data, [u, *arrays], i, v)
            _near(terms.sum(), expected, np.abs(terms).sum())

    return check
