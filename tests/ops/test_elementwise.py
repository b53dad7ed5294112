"""Forward values against NumPy and closed forms; conventions at kinks. Gradients of every op are
checked from the table in test_gradients.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan as mg

UNARY = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.abs,
    "sign": np.sign,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "negative": np.negative,
    "floor": np.floor,
    "round": np.round,
    "isnan": np.isnan,
    "isfinite": np.isfinite,
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "pow": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}


@pytest.mark.parametrize("name", UNARY)
@given(
    hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(0.1, 9)
    )
)
def test_unary_ops_are_numpys(name, x):
    y = getattr(mg, name)(mg.as_tensor(x))
    np.testing.assert_array_equal(y.numpy(), UNARY[name](x))
    assert type(y.data) is np.ndarray


@pytest.mark.parametrize("name", BINARY)
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0),
    seed=st.integers(0, 99),
)
def test_binary_ops_are_numpys_with_broadcasting(name, shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 2.0, shape).round(1) for shape in shapes.input_shapes)
    y = getattr(mg, name)(mg.as_tensor(a), mg.as_tensor(b))
    np.testing.assert_array_equal(y.numpy(), BINARY[name](a, b))


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3), seed=st.integers(0, 99))
def test_gradients_are_summed_to_the_arguments_shape(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (mg.tensor(rng.normal(size=s), requires_grad=True) for s in shapes.input_shapes)
    ga, gb = mg.grad((a * b).sum(), [a, b])
    wide = np.broadcast_to(b.numpy(), shapes.result_shape)
    ones = np.ones(shapes.result_shape)
    for g, x, other in ((ga, a, wide), (gb, b, np.broadcast_to(a.numpy(), shapes.result_shape))):
        extra = len(shapes.result_shape) - x.ndim
        expected = (other * ones).sum(axis=tuple(range(extra)))
        axes = tuple(i for i, n in enumerate(x.shape) if n == 1)
        np.testing.assert_allclose(g.numpy(), expected.sum(axis=axes, keepdims=True), atol=1e-12)


def test_where_takes_from_both_sides_and_blocks_infinities_of_the_other():
    x = mg.tensor(np.array([0.0, 2.0]), requires_grad=True)
    with np.errstate(divide="ignore"):
        y = mg.where(x > 0, mg.log(x), x)
    np.testing.assert_array_equal(y.numpy(), [0.0, np.log(2.0)])
    b = mg.tensor(np.array([1.0, np.inf]), requires_grad=True)
    np.testing.assert_array_equal(mg.grad(mg.where(x > 0, 0.0, b).sum(), b)[0].numpy(), [1.0, 0.0])


def test_clip_bounds_either_side():
    x = mg.tensor([-2.0, 0.5, 3.0])
    np.testing.assert_array_equal(mg.clip(x, min=0.0).numpy(), [0.0, 0.5, 3.0])
    np.testing.assert_array_equal(mg.clip(x, max=1.0).numpy(), [-2.0, 0.5, 1.0])
    np.testing.assert_array_equal(x.clip(-1, 1).numpy(), [-1.0, 0.5, 1.0])
    for bound in (mg.zeros(3), np.zeros(3)):
        with pytest.raises(TypeError, match="use maximum or minimum"):
            mg.clip(x, min=bound)


@pytest.mark.parametrize(
    ("f", "point", "expected"),
    [
        (mg.abs, 0.0, 0.0),
        (mg.sign, 2.0, 0.0),
        (lambda x: mg.maximum(x, x * 1.0), 1.0, 1.0),
        (lambda x: mg.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: mg.minimum(x, 1.0), 1.0, 0.5),
        (lambda x: mg.clip(x, min=0.0, max=1.0), 1.0, 1.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (mg.safe_sqrt, 0.0, 0.0),
        (mg.safe_reciprocal, 0.0, 0.0),
    ],
)
def test_conventions_at_kinks(f, point, expected):
    x = mg.tensor(np.array(point), requires_grad=True)
    assert mg.grad(f(x), x)[0].item() == expected


def test_safe_root_and_reciprocal_have_finite_second_derivatives_at_zero():
    for f in (mg.safe_sqrt, mg.safe_reciprocal):
        x = mg.tensor(np.array([0.0, 4.0]), requires_grad=True)
        (g,) = mg.grad(f(x).sum(), x, create_graph=True)
        (h,) = mg.grad(g.sum(), x)
        assert h.numpy()[0] == 0.0
        assert h.numpy()[1] != 0.0


def test_pow_with_a_tensor_exponent_at_base_zero_has_finite_gradients():
    a, b = (mg.tensor(np.array(v), requires_grad=True) for v in ([0.0, 0.0, 2.0], [2.0, 0.0, 3.0]))
    ga, gb = mg.grad((a**b).sum(), [a, b])
    np.testing.assert_allclose(ga.numpy(), [0.0, 0.0, 12.0])
    np.testing.assert_allclose(gb.numpy(), [0.0, 0.0, 8.0 * np.log(2.0)])


def test_astype_brings_the_gradient_back_and_keeps_imaginary_parts():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x.astype("float64")
    assert y.dtype == np.float64
    assert mg.grad(y.sum(), x)[0].dtype == np.float32
    with pytest.raises(TypeError, match="imaginary"):
        mg.as_tensor(np.array([1j])).astype("float64")


def test_shapes_that_do_not_broadcast_name_the_op():
    with pytest.raises(mg.ShapeError, match=r"multiply of \(2,\), \(3,\)"):
        mg.zeros(2) * mg.zeros(3)


def test_unknown_options_and_missing_data_are_refused():
    with pytest.raises(TypeError, match="missing its argument 'b'"):
        mg.add(mg.zeros(2))
    with pytest.raises(TypeError, match=r"exp takes its data \('x',\) by position, got 2"):
        mg.exp(mg.zeros(2), mg.zeros(2))
    with pytest.raises(TypeError, match="options go by keyword: alpha"):
        mg.elu(mg.zeros(2), 0.2)
