"""What gradcheck accepts, refuses, and says: methods, orders, parameters, kinks, vacuity."""

from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan.testing import (
    GradcheckError,
    InconclusiveError,
    NonDifferentiablePoint,
    gradcheck,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(2, 3))


# -- methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_complex_step_reaches_round_off_at_every_order(order):
    result = gradcheck(lambda x: mg.tanh(x) * mg.exp(x), [X], order=order, method="complex")
    assert len(result.levels) == order
    assert result.method == "complex"
    assert result.relative_error < 1e-12


@pytest.mark.parametrize("order", [1, 2, 3])
def test_five_points_come_close(order):
    result = gradcheck(lambda x: mg.tanh(x) * mg.exp(x), [X], order=order, method="five_point")
    assert result.method == "five_point"
    assert result.relative_error < 1e-9


@mg.op(elementwise=True)
def length(x):
    """|x| by a kernel that drops the imaginary part."""
    return np.abs(x)


length.vjp(x=lambda g, x: g * mg.sign(x))


@mg.op(elementwise=True)
def conjugating(x):
    """x^2 by a kernel that takes complex numbers, but is not analytic in them."""
    return x * np.conj(x) if np.iscomplexobj(x) else x * x


conjugating.vjp(x=lambda g, x: 2.0 * g * x)


@pytest.mark.parametrize("fn", [length, conjugating], ids=lambda op: op.name)
def test_auto_falls_back_where_a_kernel_is_not_analytic(fn):
    result = gradcheck(fn, [X], order=2)
    assert "five_point" in result.method
    assert result.relative_error < 1e-9


def test_complex_alone_says_why_it_is_impossible():
    with pytest.raises(GradcheckError, match="impossible, the imaginary part is lost"):
        gradcheck(length, [X], method="complex")


def test_unknown_method_and_order_are_refused():
    with pytest.raises(ValueError, match="'magic' is none of auto, complex, five_point"):
        gradcheck(mg.exp, [X], method="magic")
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        gradcheck(mg.exp, [X], order=0)


def test_no_variable_is_refused():
    with pytest.raises(TypeError, match="no input has floating-point elements: give"):
        gradcheck(mg.exp, [np.arange(3)])


@mg.op(elementwise=True)
def half_seen(x):
    """x^2 by a kernel that shows a complex step one of its factors."""
    return x * x.real


half_seen.vjp(x=lambda g, x: g * x)  # as wrong as the complex step


@pytest.mark.parametrize("full_limit", [4096, 0])
def test_complex_step_is_not_believed_against_real_steps(full_limit):
    with pytest.raises(GradcheckError, match=r"ratio +0\.5"):
        gradcheck(half_seen, [X], full_limit=full_limit, properties=False)


def test_real_steps_raise_no_false_alarm():
    for scale in (1.0, 1e3, 1e5):
        result = gradcheck(lambda x, s=scale: mg.sin(s * x), [X], order=2)
        assert result.method == "complex"


# -- projections ---------------------------------------------------------------------------------


def test_large_jacobians_are_projected():
    result = gradcheck(mg.softmax, [rng.normal(size=(20, 20))], order=2)
    assert not result.levels[0].full
    assert result.relative_error < 1e-12


def test_one_wrong_entry_of_many_is_found_and_named():
    def fn(x):
        wrong = np.ones((80, 90))
        wrong[33, 44] = 1.01
        return mg.sin(x) * mg.as_tensor(wrong) - (mg.sin(x) * mg.as_tensor(wrong - 1.0)).detach()

    with pytest.raises(GradcheckError, match=r"d x\[33, 44\]") as caught:
        gradcheck(fn, [rng.uniform(-1, 1, (80, 90))], properties=False, method="five_point",
                  kinks=False)  # fmt: skip
    assert "ratio     1.01" in str(caught.value)
    assert caught.value.mismatch.argument == "x"
    assert caught.value.mismatch.ratio == pytest.approx(1.01)


# -- dtypes --------------------------------------------------------------------------------------


def test_float32_is_checked_against_float64():
    result = gradcheck(mg.softmax, [X.astype(np.float32)], order=2)
    assert result.dtype == "float32"
    assert 1e-9 < result.relative_error < 1e-5


def test_integers_numbers_and_none_pass_through():
    index = np.array([0, 1, 1])
    result = gradcheck(lambda x, i, scale, bias: x[i] * scale, [X, index, 2.0, None])
    assert list(result.verdicts) == ["x"]


def test_a_function_in_float32_is_compared_with_float64():
    def fn(x):
        return mg.sin(x) + (0.01 if x.dtype == np.float32 else 0.0)

    with pytest.raises(GradcheckError, match="out is wrong in float32"):
        gradcheck(fn, [X.astype(np.float32)])
    assert gradcheck(fn, [X])


def test_what_float32_cannot_hold_is_not_compared():
    assert gradcheck(mg.exp, [np.array([100.0, 1.0, -120.0])])
    assert gradcheck(mg.square, [np.array([1e30, 1e-30])])


# -- several inputs and outputs, parameters -----------------------------------------------------


def test_every_output_is_checked():
    result = gradcheck(lambda x: (mg.exp(x), mg.sin(x).sum()), [X], order=2)
    assert result.relative_error < 1e-13
    with pytest.raises(GradcheckError, match=r"out\[1\]"):
        gradcheck(lambda x: (x, x * 2.0 - x.detach()), [X], method="five_point")


def test_parameters_are_checked_and_left_as_they_were():
    weight = mg.tensor(rng.normal(size=(3, 2)), requires_grad=True)
    kept, leaf, version = weight.numpy().copy(), weight.node, weight.version
    result = gradcheck(lambda x: mg.tanh(x @ weight), [X], params=[weight], order=2)
    assert result.verdicts == {"x": "pass", "params[0]": "pass"}
    assert "params[0]" in result.levels[1].verdicts
    np.testing.assert_array_equal(weight.numpy(), kept)
    assert (weight.node, weight.version, weight.grad) == (leaf, version, None)
    assert weight.requires_grad


def test_a_gradient_penalty_is_a_function_like_any_other():
    weight = mg.tensor(rng.normal(size=(3, 4)), requires_grad=True)

    def penalty(x):
        (g,) = mg.grad((mg.tanh(x @ weight) ** 2).sum(), x, create_graph=True)
        return mg.square(mg.norm(g, axis=1) - 1.0).mean()

    result = gradcheck(penalty, [X], params={"weight": weight}, order=2)
    assert result.method == "complex"
    assert result.relative_error < 1e-11


def test_parameters_may_be_named():
    layer = mg.nn.Linear(3, 2)
    names = dict(layer.named_parameters())
    result = gradcheck(lambda x: mg.tanh(layer(x)), [X], params=names, order=2)
    assert result.verdicts == {"x": "pass", "weight": "pass", "bias": "pass"}
    assert layer.weight.dtype == np.float32


def test_parameters_are_restored_when_the_check_fails():
    weight = mg.tensor(rng.normal(size=(3, 2)), requires_grad=True)
    kept = weight.data
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x @ weight.detach(), [X], params=[weight], method="five_point")
    assert weight.data is kept


def test_float32_parameters_may_be_checked_in_float64():
    weight = mg.tensor([[0.5], [-1.0], [2.0]], requires_grad=True)
    assert gradcheck(lambda x: mg.tanh(x @ weight), [X], params=[weight]).dtype == "float64"
    assert weight.dtype == np.float32


# -- nothing to check is not a pass --------------------------------------------------------------


@pytest.mark.parametrize(
    "fn",
    [mg.sign, lambda x: mg.softmax(x).sum(), lambda x: mg.ones_like(x), lambda x: (x - x) * 2.0],
    ids=["sign", "cancelling", "unrelated", "difference"],
)
def test_zero_gradient_is_inconclusive(fn):
    with pytest.raises(InconclusiveError, match="inconclusive"):
        gradcheck(fn, [X])
    assert gradcheck(fn, [X], zero_ok=True).verdicts == {"x": "zero"}


def test_zero_is_accepted_by_name_only():
    fn = lambda x, y: x * 2.0 + 0.0 * y  # noqa: E731
    assert gradcheck(fn, [X, X], zero_ok=["y"])
    with pytest.raises(InconclusiveError, match="'y'"):
        gradcheck(fn, [X, X], zero_ok=["x"])


def test_small_is_not_zero():
    assert gradcheck(lambda x: mg.exp(x - 200.0), [X], order=2).verdicts == {"x": "pass"}
    assert gradcheck(lambda x: mg.log(x + 1e5), [X], method="five_point").verdicts == {"x": "pass"}


def test_wrong_small_gradients_fail():
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: 2.0 * mg.exp(x - 200.0) - mg.exp(x - 200.0).detach(), [X],
                  method="five_point")  # fmt: skip


def test_an_uncertain_numerical_derivative_is_inconclusive():
    noisy = mg.op(elementwise=True)(lambda x: x + 1e-3 * np.sin(12345678.9 * x))
    noisy.vjp(x=lambda g: g)
    with pytest.raises(InconclusiveError, match="numerical derivative is known to"):
        gradcheck(noisy, [X], method="five_point", kinks=False)


def test_empty_inputs_pass_as_empty():
    assert gradcheck(mg.exp, [np.zeros((0, 3))], order=2).verdicts == {"x": "empty"}


# -- kinks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fn", [mg.relu, mg.abs, mg.leaky_relu], ids=lambda fn: fn.__name__)
def test_kink_is_named(fn):
    x = X.copy()
    x[1, 2] = 0.0
    with pytest.raises(NonDifferentiablePoint, match=r"x\[1, 2\] = 0.0") as caught:
        gradcheck(fn, [x])
    assert (caught.value.name, caught.value.index, caught.value.value) == ("x", (1, 2), 0.0)


def test_ties_of_two_inputs_are_kinks():
    with pytest.raises(NonDifferentiablePoint):
        gradcheck(mg.maximum, [X, X])


@pytest.mark.parametrize(
    ("fn", "x"),
    [(mg.log, [1e-7]), (mg.sqrt, [1e-8, 1.0]), (mg.log, [1e8, 1e-2]), (lambda x: x**3, [0.0, 1.0])],
    ids=["log", "sqrt", "mixed", "cube"],
)
def test_a_point_near_a_pole_or_flat_is_no_kink_and_no_mistake(fn, x):
    for seed in range(5):
        assert gradcheck(fn, [np.array(x)], order=2, seed=seed).relative_error < 1e-9


def test_a_wrong_rule_is_found_where_the_cube_is_flat():
    cube = mg.op(elementwise=True)(lambda x: x * x * x)
    cube.vjp(x=lambda g, x: g * (3.0 * mg.square(x) + 1e-12))
    with pytest.raises(GradcheckError, match="the first derivative"):
        gradcheck(cube, [np.array([0.0, 1.0])])
    with pytest.raises(InconclusiveError):
        gradcheck(lambda x: x**3, [np.zeros(2)])


def test_a_kink_that_differences_run_into_is_named():
    with pytest.raises(NonDifferentiablePoint, match=r"x\[0\] = 1e-09"):
        gradcheck(mg.relu, [np.array([1e-9, 1.0])], method="five_point")
    assert gradcheck(mg.relu, [np.array([1e-9, 1.0])]).method == "complex"


def test_convention_at_a_kink_may_be_checked():
    assert gradcheck(lambda x: mg.norm(x), [np.array([3.0, 4.0])], kinks=False)


# -- the result ----------------------------------------------------------------------------------


def test_result_is_true_and_reads_well():
    result = gradcheck(mg.matmul, [X, X.T.copy()], order=2)
    assert result
    text = repr(result)
    for part in ("gradcheck of matmul in float64: passed", "order 1", "order 2", "complex",
                 "every entry", "a pass", "b pass", "purity", "layouts", "symmetry"):  # fmt: skip
        assert part in text


def test_ops_declared_linear_are_tested_for_adjoints():
    assert "adjoint" in gradcheck(mg.negative, [X]).properties
    assert "adjoint" not in gradcheck(mg.exp, [X]).properties
    assert "adjoint" in gradcheck(lambda x: x * 2.0, [X], linear=True).properties


def test_adjoint_test_refuses_what_is_not_linear():
    with pytest.raises(GradcheckError, match="not the adjoint"):
        gradcheck(mg.exp, [X], linear=True)


def test_arguments_are_named_after_the_signature_or_by_the_caller():
    assert list(gradcheck(lambda image, kernel: image * kernel, [X, X]).verdicts) == [
        "image",
        "kernel",
    ]
    assert list(gradcheck(lambda *xs: xs[0] * xs[1], [X, X]).verdicts) == ["xs[0]", "xs[1]"]
    assert list(gradcheck(mg.exp, [X], names=["logits"]).verdicts) == ["logits"]
    with pytest.raises(ValueError, match="exp: 2 names for 1 inputs"):
        gradcheck(mg.exp, [X], names=["logits", "labels"])


def test_same_seed_same_result():
    a, b = (gradcheck(mg.softmax, [rng.normal(size=(20, 20)) * 0 + X[0, 0]], seed=3) for _ in "ab")
    assert a.relative_error == b.relative_error
