"""Test the tester: ops right at the point of a check and wrong elsewhere, or wrong in behaviour.

A plant is a function of a flag: `plant(bug=True)` returns the wrong version of an op, the right
one otherwise. Wrong numbers at the point of the check are in test_planted_bugs.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigan as mg
from minigan.recording import mode
from minigan.testing import GradcheckError, gradcheck
from minigan.testing.identities import check_adjoint
from minigan.testing.levels import Problem

# -- right at the point of the check, wrong elsewhere --------------------------------------------


def not_analytic(bug):
    """x^2 by a kernel of which a complex step sees one factor only, and so does the wrong rule."""

    @mg.op(elementwise=True)
    def planted_power(x):
        return x * np.conj(x).real

    return planted_power.vjp(x=lambda g, x: g * x * (1.0 if bug else 2.0))


def statistic_of_real_parts(bug):
    """x / rms(x): kernel and rule both take the rms for a constant."""

    @mg.op
    def planted_norm(x):
        return x / np.sqrt((x.real * x.real).mean())

    def rule(g, x):
        inverse = 1.0 / mg.sqrt((x * x).mean())
        y = x * inverse
        return g * inverse.detach() if bug else inverse * (g - y * (g * y).mean())

    return planted_norm.vjp(x=rule)


def wrong_rule_in_float32(bug):
    @mg.op(elementwise=True)
    def planted_sine(x):
        return np.sin(x)

    def rule(g, x):
        return g * mg.cos(x) * (7.0 if bug and x.dtype == np.float32 else 1.0)

    return planted_sine.vjp(x=rule)


def wrong_kernel_in_float32(bug):
    @mg.op(elementwise=True)
    def planted_sine(x):
        return x.copy() if bug and x.dtype == np.float32 else np.sin(x)

    return planted_sine.vjp(x=lambda g, x: g * mg.cos(x))


def wrong_by_needs(bug):
    def definition(a, b):
        return a * b

    @mg.fused(definition)
    def planted_product(a, b):
        return a * b, None

    def kernel(g, needs, stash, a, b):
        return g * b * (3 if bug and not needs[1] else 1), g * a

    planted_product.backward(kernel)
    return planted_product


def wrong_beside_a_constant(bug):
    """Right in every first derivative; wrong where it is recorded and b wants no gradient."""

    @mg.op(elementwise=True)
    def planted_product(a, b):
        return a * b

    def rule(g, b):
        lost = bug and mg.is_grad_enabled() and b.node is None
        return g * b * (2.0 if lost else 1.0)

    return planted_product.vjp(a=rule, b=lambda g, a: g * a)


def wrong_at_size_one(bug):
    @mg.op(elementwise=True)
    def planted_sine(x):
        return np.sin(x)

    return planted_sine.vjp(x=lambda g, x: g * mg.cos(x) * (2.0 if bug and x.size == 1 else 1.0))


def fails_at_size_zero(bug):
    @mg.op(elementwise=True)
    def planted_scaled(x):
        return x * (x.real.max() / x.real.max() if bug else 1.0)

    return planted_scaled.vjp(x=lambda g: g)


def fails_at_size_zero_backward(bug):
    @mg.op(elementwise=True)
    def planted_square(x):
        return x * x

    def rule(g, x):
        if bug:
            x = mg.stack([x.reshape(-1)[i] for i in range(x.size)]).reshape(x.shape)
        return g * 2.0 * x

    return planted_square.vjp(x=rule)


# -- wrong behaviour -----------------------------------------------------------------------------


def wrong_dtype_forward(bug):
    @mg.op(elementwise=True)
    def planted_shift(x):
        return (x + 0.5).astype(np.float32) if bug else x + 0.5

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


def undeclared_view(bug):
    @mg.op(elementwise=True)
    def planted_identity(x):
        return x if bug else x.copy()

    return planted_identity.vjp(x=lambda g: g)


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

CATALOGUE = [
    (wrong_dtype_forward, ((3,),), ("planted_shift", "wrong dtype", "float32 for float64")),
    (wrong_dtype_rule, ((3,),), ("planted_double", "wrong dtype", "'x'")),
    (aliased, ((3,),), ("planted_sum", "alias", "earlier call")),
    (input_mutated, ((3,),), ("planted_halve", "mutation", "forward pass writes into x[0]")),
    (cotangent_mutated, ((3,),), ("mutation", "backward pass writes into the cotangent")),
    (layout_dependent, ((2, 3),), ("planted_weighted", "memory layout")),
    (nondeterministic, ((3,),), ("planted_noise", "nondeterministic", "out")),
    (affine_in_cotangent, ((3,),), ("planted_identity", "not zero for a zero cotangent")),
    (not_the_adjoint, ((4,),), ("planted_roll", "'x'", "hint")),
    (missing_rule, ((3,), (3,)), ("planted_product", "'b'", "missing rule")),
    (not_analytic, ((3,),), ("planted_power", "constant factor", "0.5", "five_point")),
    (statistic_of_real_parts, ((2, 3),), ("planted_norm", "first", "'x'", "five_point")),
    (wrong_rule_in_float32, ((3,),), ("planted_sine", "gradient of x", "in float32")),
    (wrong_kernel_in_float32, ((3,),), ("planted_sine", "out is wrong in float32")),
    (wrong_by_needs, ((3,), (3,)), ("planted_product", "'a'", "no other input wants one")),
    (wrong_beside_a_constant, ((3,), (3,)), ("'a'", "no other input", "create_graph=True")),
    (wrong_at_size_one, ((2, 3),), ("planted_sine at size 1", "'x'", "constant factor", "2")),
    (fails_at_size_zero, ((2, 3),), ("planted_scaled at size 0", "zero-size")),
    (fails_at_size_zero_backward, ((3,),), ("planted_square at size 0", "Error")),
    (undeclared_view, ((3,),), ("planted_identity", "alias", "'x'", "view=True")),
]


def test_bug_is_caught_and_named(plant):
    plant.caught_and_named()


def test_bug_is_caught_at_every_seed(plant):
    plant.caught_at_every_seed()


def test_correct_twin_passes_at_every_seed(plant):
    plant.twin_passes(seeds=20)


def test_correct_twin_passes_in_float32(plant):
    plant.twin_passes(seeds=5, dtype="float32")


def test_adjoint_alone_sees_a_wrong_adjoint():
    with pytest.raises(GradcheckError, match=r"not the adjoint with respect to 'x'"):
        check_adjoint(Problem(not_the_adjoint(bug=True), [np.arange(1.0, 5.0)]))


def test_sizes_of_any_function_are_checked_by_name():
    @mg.op
    def planted_rows(x):
        return x * x

    def rule(g, x):
        if not x.size:
            raise RuntimeError("no rows")
        return g * 2.0 * x * (3.0 if len(x.data) == 1 else 1.0)

    planted_rows.vjp(x=rule)
    x = np.arange(6.0).reshape(3, 2) + 1.0
    assert gradcheck(planted_rows, [x])
    with pytest.raises(GradcheckError, match="planted_rows at size 1: the first derivative"):
        gradcheck(planted_rows, [x], properties=["sizes"])


def test_a_view_may_share_its_first_argument_alone():
    @mg.op(view=True)
    def planted_first(x, y):
        return x[:]

    planted_first.vjp(x=lambda g: g, y=lambda g: g * 0.0)
    assert gradcheck(planted_first, [np.ones(2), np.ones(2)], zero_ok=["y"])
    assert gradcheck(planted_first, [np.ones(2), np.ones(2)], names=["a", "b"], zero_ok=["b"])
    swapped = mg.op(view=True)(lambda x, y: y)
    swapped.vjp(x=lambda g: g * 0.0, y=lambda g: g)
    with pytest.raises(GradcheckError, match="the result shares memory with 'y'"):
        gradcheck(swapped, [np.ones(2), np.ones(2)], zero_ok=["x"])


def test_recording_left_off_is_a_bug():
    def leaky(x):
        mode.recording = False
        return x * 2.0

    try:
        with pytest.raises(GradcheckError):
            gradcheck(leaky, [np.ones(2)])
    finally:
        mode.recording = True
