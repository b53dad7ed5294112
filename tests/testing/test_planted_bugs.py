"""Test the tester: every planted wrong derivative is caught and named, every correct twin passes.

A plant is a function of a flag: `plant(bug=True)` returns the wrong version of an op, the right
one otherwise. Both are checked at the same inputs; the right one at many. Bugs of another kind
than a wrong number at the point of the check are in test_planted_behaviour.py.
"""

from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan.testing import GradcheckError, gradcheck
from minigan.testing.identities import check_symmetry
from minigan.testing.levels import Problem

# -- wrong numbers -------------------------------------------------------------------------------


def scaled(bug):
    @mg.op(elementwise=True)
    def planted_tanh(x):
        return np.tanh(x)

    factor = 1.001 if bug else 1.0
    return planted_tanh.vjp(x=lambda g, out: g * (1.0 - out * out) * factor)


def negated(bug):
    @mg.op(elementwise=True)
    def planted_cos(x):
        return np.cos(x)

    return planted_cos.vjp(x=(lambda g, x: g * mg.sin(x)) if bug else lambda g, x: -g * mg.sin(x))


def transposed(bug):
    @mg.op
    def planted_matmul(a, b):
        return a @ b

    right = lambda g, b: g @ b.T  # noqa: E731
    return planted_matmul.vjp(a=(lambda g, b: g @ b) if bug else right, b=lambda g, a: a.T @ g)


def unsummed_shape(bug):
    @mg.op
    def planted_bias(x, bias):
        return x + bias

    right = lambda g, bias_shape: mg.sum_to(g, bias_shape)  # noqa: E731
    return planted_bias.vjp(x=lambda g: g, bias=(lambda g: g) if bug else right)


def unsummed_values(bug):
    @mg.op
    def planted_scale(x, gain):
        return x * gain

    wrong = lambda g, x: (g * x)[0]  # noqa: E731
    right = lambda g, x: (g * x).sum(axis=0)  # noqa: E731
    return planted_scale.vjp(x=lambda g, gain: g * gain, gain=wrong if bug else right)


def summed_for_mean(bug):
    @mg.op
    def planted_mean(x):
        return x.mean(axis=1)

    def rule(g, x_shape):
        share = g if bug else g * (1.0 / x_shape[1])
        return mg.broadcast_to(share.reshape(-1, 1), x_shape)

    return planted_mean.vjp(x=rule)


def silent_zero(bug):
    @mg.op(elementwise=True)
    def planted_exp(x):
        return np.exp(x)

    return planted_exp.vjp(x=lambda g, out: g * (0.0 if bug else out))


def badly_padded(bug):
    """y_i = x_{i-1} + x_i + x_{i+1}, zeros outside; the bug repeats the border instead."""

    @mg.op
    def planted_blur(x):
        wide = np.pad(x, 1)
        return wide[:-2] + 2 * wide[1:-1] + wide[2:]

    def rule(g):
        wide = mg.concatenate([g[:1], g, g[-1:]]) if bug else mg.pad(g, 1)
        return wide[:-2] + 2.0 * wide[1:-1] + wide[2:]

    return planted_blur.vjp(x=rule)


def unflipped(bug):
    """y_i = sum_k w_k x_{i+k}: the gradient of w runs over x forwards."""

    @mg.op
    def planted_correlate(x, w):
        return np.array([np.sum(x[i : i + 3] * w) for i in range(len(x) - 2)])

    def rule(g, x):
        parts = mg.stack([(g * x[k : k + g.shape[0]]).sum() for k in range(3)])
        return parts[::-1] if bug else parts

    def other(g, w):
        wide = mg.pad(g, 2)
        return mg.stack([(wide[i : i + 3] * w[::-1]).sum() for i in range(g.shape[0] + 2)])

    return planted_correlate.vjp(x=other, w=rule)


def one_wrong_sign(bug):
    @mg.op
    def planted_cross(a, b):
        return np.cross(a, b)

    def cross(p, q):
        first = p[1] * q[2] - p[2] * q[1]
        last = p[0] * q[1] - p[1] * q[0]
        middle = p[2] * q[0] - p[0] * q[2]
        return mg.stack([first, -middle if bug else middle, last])

    return planted_cross.vjp(a=lambda g, b: cross(b, g), b=lambda g, a: cross(g, a))


def missing_term(bug):
    @mg.op
    def planted_softmax(x):
        e = np.exp(x - x.real.max())
        return e / e.sum()

    wrong = lambda g, out: out * g  # noqa: E731
    return planted_softmax.vjp(x=wrong if bug else lambda g, out: out * (g - (g * out).sum()))


# -- wrong in second order only ------------------------------------------------------------------


def constant_statistics(bug):
    """x / rms(x): right in first order; the bug lets the rule take 1 / rms as a constant."""

    @mg.op
    def planted_rms_norm(x):
        return x / np.sqrt((x * x).mean())

    def rule(g, x):
        inverse = 1.0 / mg.sqrt((x * x).mean())
        if bug:
            inverse = inverse.detach()
        y = x * inverse
        return inverse * (g - y * (g * y).mean())

    return planted_rms_norm.vjp(x=rule)


def definition_of_another(bug):
    def definition(x):
        return x * mg.sigmoid(x if not bug else 1.01 * x)

    @mg.fused(definition)
    def planted_swish(x):
        s = 1 / (1 + np.exp(-x))
        return x * s, s

    planted_swish.backward(lambda g, needs, s, x: (g * (s + x * s * (1 - s)),))
    return planted_swish


# -- the catalogue -------------------------------------------------------------------------------

CATALOGUE = [
    (scaled, ((2, 3),), ("planted_tanh", "'x'", "constant factor", "1.001")),
    (negated, ((2, 3),), ("planted_cos", "'x'", "hint      sign")),
    (transposed, ((3, 3), (3, 3)), ("planted_matmul", "'a'", "transposed")),
    (unsummed_shape, ((4, 3), (3,)), ("planted_bias", "'bias'", "missing sum over broadcast")),
    (unsummed_values, ((4, 3), (3,)), ("'gain'", "missing sum over broadcast")),
    (summed_for_mean, ((2, 5),), ("planted_mean", "mean against sum", "ratio is 5")),
    (silent_zero, ((2, 3),), ("planted_exp", "hint      zero")),
    (badly_padded, ((6,),), ("planted_blur", "padding", "border")),
    (unflipped, ((6,), (3,)), ("planted_correlate", "'w'", "flipped")),
    (one_wrong_sign, ((3,), (3,)), ("planted_cross", "sign", "some entries")),
    (missing_term, ((4,),), ("planted_softmax", "a term of the rule is wrong or missing")),
    (constant_statistics, ((2, 3),), ("second derivative", "'x'", "as a constant"), 2),
    (definition_of_another, ((5,),), ("planted_swish", "second derivative"), 2),
]


def test_bug_is_caught_and_named(plant):
    plant.caught_and_named()


def test_bug_is_caught_at_every_seed(plant):
    plant.caught_at_every_seed()


def test_correct_twin_passes_at_every_seed(plant):
    plant.twin_passes(seeds=20)


def test_correct_twin_passes_in_float32(plant):
    plant.twin_passes(seeds=5, dtype="float32")


@pytest.mark.parametrize("method", ["five_point", "auto"])
def test_wrong_numbers_are_caught_by_projections_too(plant, method):
    with pytest.raises(GradcheckError):
        gradcheck(
            plant.make(bug=True), plant.inputs(1), order=2, method=method, full_limit=0,
            properties=False,
        )  # fmt: skip


def test_scale_of_a_tenth_of_a_percent_is_caught_in_float32():
    with pytest.raises(GradcheckError, match="constant factor"):
        gradcheck(scaled(bug=True), [np.linspace(-1, 1, 6)], dtype="float32")


def test_second_order_bug_passes_in_first_order(rng):
    assert gradcheck(constant_statistics(bug=True), [rng.normal(size=(2, 3))], order=1)


def test_symmetry_alone_sees_a_constant_statistic(rng):
    with pytest.raises(GradcheckError, match="not symmetric"):
        check_symmetry(Problem(constant_statistics(bug=True), [rng.normal(size=(2, 3))]))


def test_wrong_parameter_gradient_is_named():
    gain = mg.tensor(np.array([1.5, -0.5]), requires_grad=True)
    fn = unsummed_values(bug=True)
    with pytest.raises(GradcheckError, match=r"params\[0\]"):
        gradcheck(
            lambda x: fn(x, gain), [np.random.default_rng(0).normal(size=(3, 2))], params=[gain]
        )
    np.testing.assert_array_equal(gain.numpy(), [1.5, -0.5])
