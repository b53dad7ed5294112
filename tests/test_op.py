"""Declaring ops: flags, optional and keyword data, variadic rules, and the fused mechanism."""

import numpy as np
import pytest

import minigan as mg
from minigan.op import OPS, fused, op


@pytest.fixture(autouse=True)
def _forget_the_ops_of_a_test():
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def leaf(*values):
    return mg.tensor(np.array(values), requires_grad=True)


# -- plain ops ------------------------------------------------------------------------------------


def test_optional_data_may_be_left_out_or_given_by_keyword():
    @op(elementwise=True)
    def affine(x, scale, shift=None):
        return x * scale if shift is None else x * scale + shift

    affine.vjp(x=lambda g, scale: g * scale, scale=lambda g, x: g * x, shift=lambda g: g)
    x, scale, shift = leaf(1.0, 2.0), leaf(3.0), leaf(4.0)
    np.testing.assert_array_equal(affine(x, scale).numpy(), [3.0, 6.0])
    y = affine(x, scale=scale, shift=shift)
    np.testing.assert_array_equal(y.numpy(), [7.0, 10.0])
    assert [g.numpy().tolist() for g in mg.grad(y.sum(), [x, scale, shift])] == [
        [3.0, 3.0],
        [3.0],
        [2.0],
    ]


def test_a_users_op_of_a_known_name_does_not_replace_it():
    built_in = OPS["tanh"]

    @op(elementwise=True)
    def tanh(x):
        return x

    assert OPS["tanh"] is built_in
    assert OPS[f"{tanh.__module__}.tanh"] is tanh


def test_options_reach_the_rule_with_their_defaults():
    @op(elementwise=True)
    def scaled(x, *, by=2.0):
        return x * by

    scaled.vjp(x=lambda g, by: g * by)
    x = leaf(1.0)
    assert mg.grad(scaled(x), x)[0].item() == 2.0
    assert mg.grad(scaled(x, by=5.0), x)[0].item() == 5.0

    @op(elementwise=True)
    def affine(x, *, by=2.0, plus=1.0):
        return x * by + plus

    affine.vjp(x=lambda g, by: g * by)
    assert mg.grad(affine(x, plus=3.0), x)[0].item() == 2.0  # `by` was not given at all


def test_a_variadic_rule_is_called_once_per_argument():
    @op
    def product(*xs):
        out = 1.0
        for x in xs:
            out = out * x
        return out

    def rule(g, index, xs):
        for i, x in enumerate(xs):
            g = g if i == index else g * x
        return g

    product.vjp(xs=rule)
    xs = [leaf(2.0), leaf(3.0), leaf(5.0)]
    gradients = mg.grad(product(*xs), xs, create_graph=True)
    assert [g.item() for g in gradients] == [15.0, 10.0, 6.0]
    assert mg.grad(gradients[0], xs[1])[0].item() == 5.0


def test_arguments_without_a_gradient_may_be_integers_or_booleans():
    x = leaf(1.0, 2.0)
    y = mg.where(mg.tensor([True, False]), x, 0.0) * mg.tensor([3, 3])
    np.testing.assert_array_equal(mg.grad(y.sum(), x)[0].numpy(), [3.0, 0.0])


def test_an_op_that_is_not_differentiable_records_nothing():
    assert not (leaf(1.0) > 0.0).requires_grad


def test_unknown_flags_and_arguments_are_refused_at_once():
    with pytest.raises(TypeError, match="unknown flag 'elementwize'"):
        op(lambda x: x, elementwize=True)

    @op
    def known(x):
        return x

    with pytest.raises(TypeError, match="has no argument 'y'"):
        known.vjp(y=lambda g: g)


def test_the_name_and_document_are_the_kernels():
    assert OPS["tanh"].__doc__ == "Hyperbolic tangent."
    assert repr(OPS["multiply"]) == "<op multiply(a, b)>"


# -- fused ops ------------------------------------------------------------------------------------


@pytest.fixture
def calls():
    return []


@pytest.fixture
def weighted_cube(calls):
    """w x^3, with a kernel for the first derivative that says when it runs."""

    def definition(x, w, *, scale):
        calls.append("definition")
        return x * x * x * w * scale

    @fused(definition)
    def weighted_cube(x, w, *, scale=1.0):
        square = x * x
        return square * x * w * scale, square

    @weighted_cube.backward
    def kernel(g, needs, square, x, w, *, scale):
        calls.append(needs)
        return (
            g * 3 * square * w * scale if needs[0] else None,
            g * square * x * scale if needs[1] else None,
        )

    return weighted_cube


def test_the_first_derivative_comes_from_the_kernel(weighted_cube, calls):
    x, w = leaf(2.0), leaf(5.0)
    gx, gw = mg.grad(weighted_cube(x, w, scale=2.0), [x, w])
    assert (gx.item(), gw.item()) == (120.0, 16.0)
    assert calls == [(True, True)]


def test_only_the_wanted_gradients_are_computed(weighted_cube, calls):
    x, w = leaf(2.0), leaf(5.0)
    mg.grad(weighted_cube(x, w), w)
    mg.grad(weighted_cube(x, w.detach()), x)
    assert calls == [(False, True), (True, False)]


def test_higher_derivatives_come_from_the_definition(weighted_cube, calls):
    x, w = leaf(2.0), leaf(5.0)
    (g,) = mg.grad(weighted_cube(x, w, scale=2.0), x, create_graph=True)
    gx, gw = mg.grad(g, [x, w], create_graph=True)
    (third,) = mg.grad(gx, x)
    assert calls == ["definition"]
    assert (g.item(), gx.item(), gw.item(), third.item()) == (120.0, 120.0, 24.0, 60.0)


def test_derivatives_stay_partial_where_one_argument_depends_on_the_other(weighted_cube):
    """With w = x^2 the op is x^5: the definition's graph must not leak into its own arguments."""
    x = leaf(2.0)
    (g,) = mg.grad(weighted_cube(x, x * x), x, create_graph=True)
    (h,) = mg.grad(g, x)
    assert (g.item(), h.item()) == (5 * 2.0**4, 20 * 2.0**3)
    (same,) = mg.grad(weighted_cube(x, x), x, create_graph=True)
    assert same.item() == 4 * 2.0**3


def test_a_fused_op_without_a_kernel_uses_its_definition_for_every_order():
    def definition(x):
        return x * x

    @fused(definition)
    def squared(x):
        return x * x, None

    x = leaf(3.0)
    assert mg.grad(squared(x), x)[0].item() == 6.0
    (g,) = mg.grad(squared(x), x, create_graph=True)
    assert mg.grad(g, x)[0].item() == 2.0


def test_explain_names_the_definition(weighted_cube):
    assert "fused: keeps every argument; defined by definition" in mg.explain(weighted_cube)


def test_a_kernel_that_forgets_a_gradient_is_refused(weighted_cube):
    weighted_cube.backward(lambda g, needs, stash, x, w, *, scale: (None, None))
    x = leaf(2.0)
    with pytest.raises(mg.GraphError, match="weighted_cube for 'x' returned NoneType"):
        mg.grad(weighted_cube(x, 1.0), x)
