"""Test the tester: every planted bug is caught and named, every correct twin passes.

A plant is a function of a flag: `plant(bug=True)` returns the wrong version of an op, the right
one otherwise. Both are checked at the same inputs; the right one at many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigan as mg
from minigan.op import OPS
from minigan.recording import mode
from minigan.testing import GradcheckError, gradcheck
from minigan.testing.levels import Problem
from minigan.testing.properties import check_adjoint, check_symmetry


@pytest.fixture(autouse=True)
def _leave_no_ops():
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


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


# -- wrong behaviour -----------------------------------------------------------------------------


def wrong_dtype_forward(bug):
    @mg.op(elementwise=True)
    def planted_shift(x):
        return x + (np.full(1, 0.5) if bug else 0.5)

    return planted_shift.vjp(x=lambda g: g)


def wrong_dtype_rule(bug):
    @mg.op
    def planted_double(x):
        return x * 2

    constant = mg.tensor(np.full(1, 2.0)) if bug else 2.0
    return planted_double.vjp(x=lambda g: g * constant)


def aliased(bug):
    held: dict[str, Any] = {}

    def definition(x):
        return x.sum()

    @mg.fused(definition)
    def planted_sum(x):
        return x.sum(), None

    def kernel(g, needs, stash, x):
        buffer = held.setdefault("buffer", np.empty_like(x))
        if buffer.shape != x.shape or buffer.dtype != x.dtype:
            buffer = held["buffer"] = np.empty_like(x)
        buffer[...] = g
        return (buffer if bug else buffer.copy(),)

    planted_sum.backward(kernel)
    return planted_sum


def input_mutated(bug):
    @mg.op(elementwise=True)
    def planted_halve(x):
        x = x if bug else x.copy()
        x *= 0.5
        return x.copy()

    return planted_halve.vjp(x=lambda g: g * 0.5)


def cotangent_mutated(bug):
    def definition(x):
        return x * 3.0

    @mg.fused(definition)
    def planted_triple(x):
        return x * 3, None

    def kernel(g, needs, stash, x):
        g = g if bug else g.copy()
        g *= 3
        return (g.copy(),)

    planted_triple.backward(kernel)
    return planted_triple


def layout_dependent(bug):
    @mg.op
    def planted_weighted(x):
        flat = x.ravel(order="K" if bug else "C")
        return flat * np.arange(1, flat.size + 1).astype(x.dtype)

    def rule(g, x_shape):
        weights = np.arange(1.0, g.size + 1).astype(g.dtype)
        return (g * mg.as_tensor(weights)).reshape(x_shape)

    return planted_weighted.vjp(x=rule)


def nondeterministic(bug):
    rng = np.random.default_rng(0)

    @mg.op(elementwise=True)
    def planted_noise(x):
        return x + (rng.normal() * 1e-3 if bug else 0.0)

    return planted_noise.vjp(x=lambda g: g)


def affine_in_cotangent(bug):
    @mg.op(elementwise=True)
    def planted_identity(x):
        return x + 0.0

    return planted_identity.vjp(x=lambda g: g + 1e-6 if bug else g)


def not_the_adjoint(bug):
    @mg.op(linear=True)
    def planted_roll(x):
        return np.roll(x, 1)

    return planted_roll.vjp(x=lambda g: mg.roll(g, 1 if bug else -1, 0))


def missing_rule(bug):
    @mg.op(elementwise=True)
    def planted_product(a, b):
        return a * b

    planted_product.vjp(a=lambda g, b: g * b)
    return planted_product if bug else planted_product.vjp(b=lambda g, a: g * a)


# -- the catalogue -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plant:
    """A bug, the shapes of its inputs, and words that its report must hold."""

    make: Callable
    shapes: tuple[tuple[int, ...], ...]
    words: tuple[str, ...]
    order: int = 1


CATALOGUE = [
    Plant(scaled, ((2, 3),), ("planted_tanh", "'x'", "constant factor", "1.001")),
    Plant(negated, ((2, 3),), ("planted_cos", "'x'", "hint      sign")),
    Plant(transposed, ((3, 3), (3, 3)), ("planted_matmul", "'a'", "transposed")),
    Plant(unsummed_shape, ((4, 3), (3,)), ("planted_bias", "'bias'", "missing sum over broadcast")),
    Plant(unsummed_values, ((4, 3), (3,)), ("'gain'", "missing sum over broadcast")),
    Plant(summed_for_mean, ((2, 5),), ("planted_mean", "mean against sum", "ratio is 5")),
    Plant(silent_zero, ((2, 3),), ("planted_exp", "hint      zero")),
    Plant(badly_padded, ((6,),), ("planted_blur", "padding", "border")),
    Plant(unflipped, ((6,), (3,)), ("planted_correlate", "'w'", "flipped")),
    Plant(one_wrong_sign, ((3,), (3,)), ("planted_cross", "sign", "some entries")),
    Plant(missing_term, ((4,),), ("planted_softmax", "a term of the rule is wrong or missing")),
    Plant(constant_statistics, ((2, 3),), ("second derivative", "'x'", "as a constant"), 2),
    Plant(definition_of_another, ((5,),), ("planted_swish", "second derivative"), 2),
    Plant(wrong_dtype_forward, ((3,),), ("planted_shift", "wrong dtype", "float64 for float32")),
    Plant(wrong_dtype_rule, ((3,),), ("planted_double", "wrong dtype", "'x'")),
    Plant(aliased, ((3,),), ("planted_sum", "alias", "earlier call")),
    Plant(input_mutated, ((3,),), ("planted_halve", "mutation", "forward pass writes into x[0]")),
    Plant(cotangent_mutated, ((3,),), ("mutation", "backward pass writes into the cotangent")),
    Plant(layout_dependent, ((2, 3),), ("planted_weighted", "memory layout")),
    Plant(nondeterministic, ((3,),), ("planted_noise", "nondeterministic", "out")),
    Plant(affine_in_cotangent, ((3,),), ("planted_identity", "not zero for a zero cotangent")),
    Plant(not_the_adjoint, ((4,),), ("planted_roll", "'x'", "hint")),
    Plant(missing_rule, ((3,), (3,)), ("planted_product", "'b'", "missing rule")),
]
each = pytest.mark.parametrize("plant", CATALOGUE, ids=lambda plant: plant.make.__name__)


def drawn(plant: Plant, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in plant.shapes]


@each
def test_bug_is_caught_and_named(plant):
    with pytest.raises(GradcheckError) as caught:
        gradcheck(plant.make(bug=True), drawn(plant, 0), order=plant.order)
    message = str(caught.value)
    missing = [word for word in plant.words if word not in message]
    assert not missing, f"{missing} not in:\n{message}"
    assert "gradcheck(fn, [input_0" in message  # the reproducer


@each
def test_bug_is_caught_at_every_seed(plant):
    fn = plant.make(bug=True)
    for seed in range(5):
        with pytest.raises(GradcheckError):
            gradcheck(fn, drawn(plant, seed), order=plant.order, seed=seed)


@each
def test_correct_twin_passes_at_every_seed(plant):
    fn = plant.make(bug=False)
    for seed in range(20):
        assert gradcheck(fn, drawn(plant, seed), order=2, seed=seed)


@each
def test_correct_twin_passes_in_float32(plant):
    fn = plant.make(bug=False)
    for seed in range(5):
        assert gradcheck(fn, drawn(plant, seed), order=2, seed=seed, dtype="float32")


NUMBERS = [p for p in CATALOGUE if p.make not in (aliased, input_mutated, cotangent_mutated)][:13]


@pytest.mark.parametrize("plant", NUMBERS, ids=lambda plant: plant.make.__name__)
@pytest.mark.parametrize("method", ["five_point", "auto"])
def test_wrong_numbers_are_caught_by_projections_too(plant, method):
    with pytest.raises(GradcheckError):
        gradcheck(
            plant.make(bug=True), drawn(plant, 1), order=2, method=method, full_limit=0,
            properties=False,
        )  # fmt: skip


def test_scale_of_a_tenth_of_a_percent_is_caught_in_float32():
    with pytest.raises(GradcheckError, match="constant factor"):
        gradcheck(scaled(bug=True), [np.linspace(-1, 1, 6)], dtype="float32")


def test_second_order_bug_passes_in_first_order():
    plant = next(p for p in CATALOGUE if p.make is constant_statistics)
    assert gradcheck(plant.make(bug=True), drawn(plant, 0), order=1)


def test_symmetry_alone_sees_a_constant_statistic():
    plant = next(p for p in CATALOGUE if p.make is constant_statistics)
    with pytest.raises(GradcheckError, match="not symmetric"):
        check_symmetry(Problem(plant.make(bug=True), drawn(plant, 0)))


def test_adjoint_alone_sees_a_wrong_adjoint():
    with pytest.raises(GradcheckError, match=r"not the adjoint with respect to 'x'"):
        check_adjoint(Problem(not_the_adjoint(bug=True), [np.arange(1.0, 5.0)]))


def test_recording_left_off_is_a_bug():
    def leaky(x):
        mode.recording = False
        return x * 2.0

    try:
        with pytest.raises(GradcheckError):
            gradcheck(leaky, [np.ones(2)])
    finally:
        mode.recording = True


def test_wrong_parameter_gradient_is_named():
    gain = mg.tensor(np.array([1.5, -0.5]), requires_grad=True)
    fn = unsummed_values(bug=True)
    with pytest.raises(GradcheckError, match=r"params\[0\]"):
        gradcheck(
            lambda x: fn(x, gain), [np.random.default_rng(0).normal(size=(3, 2))], params=[gain]
        )
    np.testing.assert_array_equal(gain.numpy(), [1.5, -0.5])
