"""Padding and cropping against NumPy, adjoints by dot products, derivatives, messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import minigan as mg
from minigan.ops.padding import crop, pad
from minigan.testing.cupy_double import cupy_double

NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
modes = pytest.mark.parametrize("mode", list(NUMPY_MODES))


@st.composite
def framed(draw, mode=None):
    """An array and widths that the mode allows: any for replicate, below the length to reflect."""
    shape = draw(arrays_of.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    mode = mode or draw(st.sampled_from(list(NUMPY_MODES)))
    widths = [
        tuple(draw(st.integers(0, n - 1 if mode == "reflect" else 5)) for _ in range(2))
        for n in shape
    ]
    values = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape)
    return values, tuple(widths), mode


@given(framed())
def test_pad_is_numpys(case):
    x, widths, mode = case
    expected = np.pad(x, widths, mode=NUMPY_MODES[mode])
    np.testing.assert_array_equal(pad(x, widths, mode=mode).numpy(), expected)


@given(framed())
def test_gradient_of_pad_is_its_adjoint(case):
    x, widths, mode = case
    tensor = mg.tensor(x, requires_grad=True)
    y = pad(tensor, widths, mode=mode)
    u = np.random.default_rng(1).standard_normal(y.shape)
    (g,) = mg.grad(y, tensor, mg.tensor(u))
    expected = (u * np.pad(x, widths, mode=NUMPY_MODES[mode])).sum()
    assert (g.numpy() * x).sum() == pytest.approx(expected, rel=1e-10, abs=1e-10)


@given(framed(mode="constant"))
def test_crop_undoes_pad(case):
    x, widths, _ = case
    np.testing.assert_array_equal(crop(pad(x, widths, value=7.0), widths).numpy(), x)


@pytest.mark.parametrize(
    "pad_width",
    [2, (1,), (1, 2), ((1, 2),), ((1, 0), (2, 1)), [[0, 0], [1, 1]], 0, np.array([[1, 0], [2, 1]])],
)
@modes
def test_ways_of_writing_pad_width(rng, pad_width, mode):
    x = rng.standard_normal((3, 4))
    expected = np.pad(x, pad_width, mode=NUMPY_MODES[mode])
    np.testing.assert_array_equal(pad(x, pad_width, mode=mode).numpy(), expected)
    inner = crop(expected, pad_width).numpy()
    np.testing.assert_array_equal(inner, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
@modes
def test_dtype_is_kept(rng, dtype, mode):
    x = (10 * rng.standard_normal((3, 4))).astype(dtype)
    assert pad(x, 2, mode=mode, value=3.0).dtype == dtype


def test_constant_value_fills_the_frame(rng):
    x = rng.standard_normal((3, 4))
    expected = np.pad(x, ((1, 0), (2, 3)), constant_values=-1.5)
    np.testing.assert_array_equal(pad(x, ((1, 0), (2, 3)), value=-1.5).numpy(), expected)


@modes
def test_memory_order_is_kept(rng, mode):
    x = rng.standard_normal((2, 4, 5, 3)).transpose(0, 3, 1, 2)
    result = pad(x, ((0, 0), (0, 0), (1, 2), (2, 1)), mode=mode).numpy()
    assert result.transpose(0, 2, 3, 1).flags.c_contiguous


@modes
def test_inputs_are_untouched(rng, mode):
    x = rng.standard_normal((4, 5))
    copy = x.copy()
    tensor = mg.tensor(x, requires_grad=True)
    y = pad(tensor, 2, mode=mode)
    u = mg.tensor(np.ones(y.shape))
    mg.grad(y, tensor, u)
    np.testing.assert_array_equal(tensor.numpy(), copy)
    assert (u.numpy() == 1).all()
    assert not np.shares_memory(y.numpy(), tensor.numpy())


@modes
def test_derivatives_of_pad(rng, check_derivatives, mode):
    widths = ((0, 2), (1, 0), (2, 2))
    check_derivatives(
        lambda x: pad(x, widths, mode=mode, value=0.5), rng.standard_normal((3, 2, 4))
    )


def test_derivatives_of_crop(rng, check_derivatives):
    check_derivatives(lambda x: crop(x, ((1, 0), (0, 2))), rng.standard_normal((3, 4)))


@modes
def test_third_derivative_of_a_padded_cube(rng, mode):
    """sum(c * pad(x)^3) has third derivative 6 adjoint(c) along ones, whatever x."""
    x = mg.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    c = rng.standard_normal((5, 6))
    y = (pad(x, 1, mode=mode) ** 3 * mg.tensor(c)).sum()
    g = y
    for _ in range(3):
        (g,) = mg.grad(g.sum(), x, create_graph=True)
    places = np.pad(np.arange(12).reshape(3, 4), 1, mode=NUMPY_MODES[mode], **_outside(mode))
    kept = places >= 0
    expected = np.bincount(places[kept], (6 * c)[kept], minlength=12).reshape(3, 4)
    np.testing.assert_allclose(g.numpy(), expected, rtol=1e-12)


def _outside(mode):
    return {"constant_values": -1} if mode == "constant" else {}


@modes
def test_under_cupys_rules(rng, mode):
    x, widths = rng.standard_normal((3, 4, 5)), ((0, 0), (1, 2), (2, 0))
    host = mg.tensor(x, requires_grad=True)
    (expected,) = mg.grad((pad(host, widths, mode=mode) ** 2).sum(), host)
    with cupy_double():
        device = mg.tensor(x, device="cuda", requires_grad=True)
        (g,) = mg.grad((pad(device, widths, mode=mode) ** 2).sum(), device)
        np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-14)


X = np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pad(X, -1), r"pad_width=-1 for 2 axes"),
        (lambda: pad(X, (1, 2, 3)), r"pad_width=\(1, 2, 3\) for 2 axes: give an int, a pair"),
        (lambda: pad(X, ((1, 1),) * 3), r"for 2 axes"),
        (lambda: pad(X, 1.5), r"pad_width=1.5 for 2 axes"),
        (lambda: pad(X, 1, mode="wrap"), "mode='wrap': use 'constant', 'reflect' or 'replicate'"),
        (
            lambda: pad(X, ((0, 2), (0, 0)), mode="reflect"),
            r"widths \(0, 2\) on axis 0 of length 2: a reflected frame must be narrower",
        ),
        (
            lambda: pad(X[:0], 1, mode="replicate"),
            "on axis 0 of length 0: there is nothing to repeat",
        ),
        (lambda: crop(X, ((1, 2), (0, 0))), r"takes more away than there is of \(2, 3\)"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_empty_axis_may_stay_unframed():
    assert pad(X[:0], ((0, 0), (1, 1)), mode="reflect").shape == (0, 5)
    assert pad(X[:0], 1).shape == (2, 5)
