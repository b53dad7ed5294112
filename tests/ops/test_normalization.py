"""Norms against loops, SciPy and closed forms; derivatives against complex steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import minigan as mg
from minigan.errors import ShapeError
from minigan.ops.normalization import (
    adain,
    adain_scale_shift,
    batch_norm,
    batch_norm_inference,
    batch_norm_with_statistics,
    batch_statistics,
    group_norm,
    instance_norm,
    layer_norm,
    pixel_norm,
)
from minigan.testing.cupy_double import cupy_double

EPS = 1e-3  # large enough to show in the values wherever it is forgotten or misplaced


def randn(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(0.5, 1.5, shape)


# -- independent references: one group of values at a time ----------------------------------------


def standardized(values, eps=EPS):
    """Normalise one group of values with Python's own arithmetic."""
    flat = [float(v) for v in values.ravel()]
    m = sum(flat) / len(flat)
    v = sum((z - m) ** 2 for z in flat) / len(flat)
    return (values - m) / (v + eps) ** 0.5


def naive_batch_norm(x, weight, bias):
    y = np.empty(x.shape)
    for c in range(x.shape[1]):
        y[:, c] = standardized(x[:, c]) * weight[c] + bias[c]
    return y


def naive_instance_norm(x, weight, bias):
    return naive_group_norm(x, x.shape[1], weight, bias)


def naive_group_norm(x, groups, weight, bias):
    y = np.empty(x.shape)
    size = x.shape[1] // groups
    for n in range(x.shape[0]):
        for first in range(0, x.shape[1], size):
            group = slice(first, first + size)
            y[n, group] = standardized(x[n, group])
    for c in range(x.shape[1]):
        y[:, c] = y[:, c] * weight[c] + bias[c]
    return y


def naive_layer_norm(x, weight, bias):
    y = np.empty(x.shape)
    for index in np.ndindex(x.shape[: x.ndim - weight.ndim]):
        y[index] = standardized(x[index]) * weight + bias
    return y


def naive_adain(content, style):
    y = np.empty(content.shape)
    for n, c in np.ndindex(content.shape[:2]):
        sigma = (np.var(style[n, c]) + EPS) ** 0.5
        y[n, c] = standardized(content[n, c]) * sigma + np.mean(style[n, c])
    return y


# -- every norm as a function of its inputs -------------------------------------------------------

X = randn(3, 4, 2, 3)
W, B = randn(4, seed=1), randn(4, seed=2)
LW, LB = randn(2, 3, seed=3), randn(2, 3, seed=4)
S, T = randn(3, 4, seed=5), randn(3, 4, seed=6)
STYLE = randn(3, 4, 4, 2, seed=7)

CASES = {
    "batch_norm": (lambda x, w, b: batch_norm(x, w, b, eps=EPS), (X, W, B)),
    "batch_norm_plain": (lambda x: batch_norm(x, eps=EPS), (X,)),
    "batch_norm_2d": (lambda x, w, b: batch_norm(x, w, b, eps=EPS), (randn(5, 4), W, B)),
    "batch_norm_bias": (lambda x, b: batch_norm(x, None, b, eps=EPS), (X, B)),
    "batch_norm_inference": (
        lambda x, m, v, w, b: batch_norm_inference(x, m, v * v, w, b, eps=EPS),
        (X, T[0], S[0], W, B),
    ),
    "instance_norm": (lambda x, w, b: instance_norm(x, w, b, eps=EPS), (X, W, B)),
    "instance_norm_plain": (lambda x: instance_norm(x, eps=EPS), (X,)),
    "layer_norm": (lambda x, w, b: layer_norm(x, (2, 3), w, b, eps=EPS), (X, LW, LB)),
    "layer_norm_weight": (lambda x, w: layer_norm(x, (2, 3), w, eps=EPS), (X, LW)),
    "group_norm": (lambda x, w, b: group_norm(x, 2, w, b, eps=EPS), (X, W, B)),
    "pixel_norm": (lambda x: pixel_norm(x, eps=EPS), (X,)),
    "adain": (lambda x, s: adain(x, s, eps=EPS), (X, STYLE)),
    "adain_scale_shift": (lambda x, s, t: adain_scale_shift(x, s, t, eps=EPS), (X, S, T)),
}
every_case = pytest.mark.parametrize("name", CASES)


def tensors(arrays):
    return [mg.tensor(a, requires_grad=True) for a in arrays]


def gradients(function, arrays, cotangent, create_graph=False):
    """Return the output and the gradient of every input, as Tensors."""
    inputs = tensors(arrays)
    out = function(*inputs)
    found = mg.grad(out, inputs, mg.tensor(cotangent), create_graph=create_graph)
    return inputs, out, found


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("batch_norm", naive_batch_norm),
        ("batch_norm_2d", naive_batch_norm),
        ("instance_norm", naive_instance_norm),
        ("layer_norm", naive_layer_norm),
        ("group_norm", lambda x, w, b: naive_group_norm(x, 2, w, b)),
        ("adain", naive_adain),
    ],
)
def test_values_equal_naive_loops(name, reference):
    function, arrays = CASES[name]
    np.testing.assert_allclose(function(*arrays).data, reference(*arrays), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "axis"),
    [
        (batch_norm, (0, 2, 3)),
        (instance_norm, (2, 3)),
        (lambda x, eps: layer_norm(x, 3, eps=eps), (3,)),
    ],
)
def test_without_eps_to_speak_of_values_are_z_scores(function, axis):
    y = function(X, eps=1e-300).data
    np.testing.assert_allclose(y, _zscore(X, axis), rtol=1e-10, atol=1e-12)


def _zscore(x, axis):
    """Let SciPy standardise x over several axes: they are moved to the front and joined."""
    moved = np.moveaxis(x, axis, range(len(axis)))
    flat = stats.zscore(moved.reshape(-1, *moved.shape[len(axis) :]), axis=0)
    return np.moveaxis(flat.reshape(moved.shape), range(len(axis)), axis)


def test_pixel_norm_has_unit_root_mean_square():
    y = pixel_norm(X, eps=1e-300).data
    np.testing.assert_allclose((y * y).mean(axis=1), np.ones((3, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(y / X, np.broadcast_to(y[:, :1] / X[:, :1], X.shape), rtol=1e-12)
    np.testing.assert_array_equal(pixel_norm(X, axis=-3).data, pixel_norm(X).data)


def test_inference_with_the_batch_statistics_is_batch_norm():
    mean, var = X.mean(axis=(0, 2, 3)), X.var(axis=(0, 2, 3))
    for weight, bias in ((W, B), (None, None), (W, None), (None, B)):
        y = batch_norm_inference(X, mean, var, weight, bias, eps=EPS)
        np.testing.assert_allclose(y.data, batch_norm(X, weight, bias, eps=EPS).data, atol=1e-13)


def test_batch_norm_with_statistics_is_both():
    inputs = tensors((X, W, B))
    y, mean, var = batch_norm_with_statistics(*inputs, eps=EPS)
    assert (y.data == batch_norm(*inputs, eps=EPS).data).all()
    for found, expected in zip((mean, var), batch_statistics(X), strict=True):
        assert (found.data == expected.data).all()
        assert not found.requires_grad


def test_batch_norm_with_statistics_is_differentiated_through_them():
    """First and second derivatives are those of `batch_norm`, no statistic being a constant."""
    inputs, g = tensors((X, W, B)), mg.tensor(randn(*X.shape, seed=8))
    found = []
    for y in (batch_norm(*inputs, eps=EPS), batch_norm_with_statistics(*inputs, eps=EPS)[0]):
        first = mg.grad((y * y * g).sum(), inputs, create_graph=True)
        second = mg.grad((first[0] * first[0]).sum(), inputs[:2])
        found.append([*first, *second])
    for a, b in zip(*found, strict=True):
        assert np.abs(b.data).max() > 1e-3
        np.testing.assert_allclose(a.data, b.data, rtol=1e-9, atol=1e-12)


def test_batch_statistics_are_mean_and_unbiased_variance():
    mean, var = batch_statistics(mg.tensor(X, requires_grad=True))
    np.testing.assert_allclose(mean.data, X.mean(axis=(0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(var.data, X.var(axis=(0, 2, 3), ddof=1), rtol=1e-13)
    assert not mean.requires_grad
    assert not var.requires_grad


def test_group_norm_spans_layer_norm_and_instance_norm():
    np.testing.assert_allclose(group_norm(X, 4).data, instance_norm(X).data, atol=1e-14)
    np.testing.assert_allclose(group_norm(X, 1).data, layer_norm(X, (4, 2, 3)).data, atol=1e-14)


def test_adain_takes_over_the_statistics_of_the_style():
    y = adain(X, STYLE, eps=1e-300).data
    np.testing.assert_allclose(y.mean(axis=(2, 3)), STYLE.mean(axis=(2, 3)), atol=1e-13)
    np.testing.assert_allclose(y.std(axis=(2, 3)), STYLE.std(axis=(2, 3)), rtol=1e-12)
    np.testing.assert_allclose(adain(X, X, eps=0.7).data, X, atol=1e-13)


def test_adain_takes_maps_of_another_rank():
    flat = STYLE.reshape(3, 4, 8)
    np.testing.assert_allclose(adain(X, flat).data, adain(X, STYLE).data, atol=1e-13)


def test_scale_shift_form_is_adain_with_given_statistics():
    sigma = np.sqrt(STYLE.var(axis=(2, 3)) + EPS)
    y = adain_scale_shift(X, sigma, STYLE.mean(axis=(2, 3)), eps=EPS)
    np.testing.assert_allclose(y.data, adain(X, STYLE, eps=EPS).data, atol=1e-13)


# -- layouts and shapes ---------------------------------------------------------------------------


def channels_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "channels last": channels_last,
    "fortran": np.asfortranarray,
    "reversed": lambda x: x[::-1, :, ::-1].copy()[::-1, :, ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
}


@given(
    shape=st.tuples(*[st.integers(1, 4)] * 4),
    layout=st.sampled_from(sorted(LAYOUTS)),
    name=st.sampled_from(["batch_norm", "instance_norm", "group_norm"]),
)
def test_any_shape_in_any_layout(shape, layout, name):
    n, c, h, w = shape
    x, weight, bias = randn(n, c, h, w), randn(c, seed=1), randn(c, seed=2)
    before = LAYOUTS[layout](x)
    function, reference, least = {
        "batch_norm": (batch_norm, naive_batch_norm, n * h * w),
        "instance_norm": (instance_norm, naive_instance_norm, h * w),
        "group_norm": (
            lambda x, *affine, eps: group_norm(x, 1, *affine, eps=eps),
            lambda x, *affine: naive_group_norm(x, 1, *affine),
            c * h * w,
        ),
    }[name]
    if least == 1:
        with pytest.raises(ShapeError, match="one value per"):
            function(before, weight, bias, eps=EPS)
        return
    y = function(before, weight, bias, eps=EPS).data
    np.testing.assert_allclose(y, reference(x, weight, bias), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(before, x)


@pytest.mark.parametrize("layout", LAYOUTS)
@every_case
def test_gradients_do_not_depend_on_the_layout(name, layout):
    function, arrays = CASES[name]
    cotangent = randn(*arrays[0].shape, seed=9)
    laid = [LAYOUTS[layout](a) if a.ndim == 4 else a for a in arrays]
    g = LAYOUTS[layout](cotangent) if cotangent.ndim == 4 else cotangent
    inputs = [mg.as_tensor(a).requires_grad_() for a in laid]
    found = mg.grad(function(*inputs), inputs, mg.as_tensor(g))
    _, _, expected = gradients(function, arrays, cotangent)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(g, cotangent)


def test_an_empty_batch_stays_empty():
    for function, arrays in (CASES["instance_norm"], CASES["layer_norm"], CASES["pixel_norm"]):
        assert function(X[:0], *arrays[1:]).shape == (0, 4, 2, 3)
    with pytest.raises(ShapeError, match="no value per channel"):
        batch_norm(X[:0])


# -- derivatives ----------------------------------------------------------------------------------

STEP = 1e-30


def complex_step(function, arrays, directions):
    """Return the derivative of `function` along `directions`, exact to rounding."""
    moved = [a + 1j * STEP * d for a, d in zip(arrays, directions, strict=True)]
    return function(*moved).imag / STEP


def directions_like(arrays):
    return [randn(*a.shape, seed=20 + i) for i, a in enumerate(arrays)]


@every_case
def test_first_derivative_equals_complex_step(name):
    function, arrays = CASES[name]
    directions, cotangent = directions_like(arrays), randn(*arrays[0].shape, seed=9)
    slope = complex_step(lambda *z: function(*z).data, arrays, directions)
    _, _, found = gradients(function, arrays, cotangent)
    got = sum((g.data * d).sum() for g, d in zip(found, directions, strict=True))
    np.testing.assert_allclose(got, (slope * cotangent).sum(), rtol=1e-11)


@every_case
def test_each_argument_alone_gets_the_same_gradient(name):
    function, arrays = CASES[name]
    cotangent = randn(*arrays[0].shape, seed=9)
    _, _, together = gradients(function, arrays, cotangent)
    for i, expected in enumerate(together):
        inputs = [mg.tensor(a, requires_grad=i == j) for j, a in enumerate(arrays)]
        (alone,) = mg.grad(function(*inputs), [inputs[i]], mg.tensor(cotangent))
        np.testing.assert_allclose(alone.data, expected.data, rtol=1e-12, atol=1e-13)


@every_case
def test_second_derivative_equals_complex_step_through_backward(name):
    function, arrays = CASES[name]
    cotangent = randn(*arrays[0].shape, seed=9)
    weights, directions = directions_like(arrays), directions_like([*arrays, cotangent])

    def slope_sum(*moved):  # the first derivative along `weights`, by the fused kernel
        *moved, g = moved
        inputs = [mg.tensor(m, requires_grad=True) for m in moved]
        found = mg.grad(function(*inputs), inputs, mg.tensor(g))
        return sum((f.data * w).sum() for f, w in zip(found, weights, strict=True))

    expected = complex_step(slope_sum, [*arrays, cotangent], directions)
    inputs, g = tensors(arrays), mg.tensor(cotangent, requires_grad=True)
    first = mg.grad(function(*inputs), inputs, g, create_graph=True)
    total = sum((f * w).sum() for f, w in zip(first, map(mg.tensor, weights), strict=True))
    second = mg.grad(total, [*inputs, g], allow_unused=True)  # a bias does not come back
    pairs = zip(second, directions, strict=True)
    got = sum((s.data * d).sum() for s, d in pairs if s is not None)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_third_derivative_of_instance_norm_equals_complex_step():
    x, directions = X[:1, :1], [randn(1, 1, 2, 3, seed=s) for s in (30, 31, 32)]

    def nth(z, order, create_graph):
        z = z.requires_grad_()
        y = (instance_norm(z, eps=EPS) * mg.tensor(directions[0])).sum()
        for d in directions[1 : order + 1]:
            (g,) = mg.grad(y, [z], create_graph=True)
            y = (g * mg.tensor(d)).sum()
        return y if create_graph else y.data

    expected = complex_step(lambda z: nth(mg.as_tensor(z), 2, False), [x], [directions[0]])
    z = mg.tensor(x)
    (third,) = mg.grad(nth(z, 2, True), [z])
    np.testing.assert_allclose((third.data * directions[0]).sum(), expected, rtol=1e-9)


@every_case
def test_fused_kernel_and_definition_give_the_same_gradients(name):
    function, arrays = CASES[name]
    cotangent = randn(*arrays[0].shape, seed=9)
    _, _, by_kernel = gradients(function, arrays, cotangent)
    _, _, by_definition = gradients(function, arrays, cotangent, create_graph=True)
    for a, b in zip(by_kernel, by_definition, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)


# -- where it could go wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm", "group_norm", "adain_scale_shift"])
def test_zero_scale_has_finite_second_derivatives(name):
    function, (x, scale, shift) = CASES[name]
    inputs = tensors((x, np.zeros_like(scale), shift))
    y = function(*inputs)
    assert np.ptp(y.data, axis=(2, 3)).max() == 0
    first = mg.grad((y * y * y).sum(), inputs, create_graph=True)
    np.testing.assert_array_equal(first[0].data, np.zeros_like(x))
    second = mg.grad(sum((f * f).sum() for f in first), inputs)
    assert all(np.isfinite(s.data).all() for s in second)
    assert np.abs(second[1].data).max() > 0


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_constant_map_has_finite_derivatives(name):
    function, (x, *rest) = CASES[name]
    rest = [np.ones_like(r) if r.ndim == x.ndim else r for r in rest]
    inputs = tensors((np.ones_like(x), *rest))
    y = function(*inputs)
    first = mg.grad((y * mg.tensor(x)).sum(), inputs, create_graph=True)
    second = mg.grad(sum((f * f).sum() for f in first), inputs, allow_unused=True)
    for value in (y, *first, *second):
        assert value is None or np.isfinite(value.data).all()


def test_a_constant_map_becomes_the_bias():
    for function in (batch_norm, instance_norm):
        y = function(np.full((2, 4, 3, 3), 7.0), W, B).data
        np.testing.assert_allclose(y, np.broadcast_to(B.reshape(1, 4, 1, 1), y.shape), atol=1e-14)


def test_statistics_are_not_constants():
    """The gradient of a normalised map has no mean and, eps apart, no component along the map."""
    x = mg.tensor(X, requires_grad=True)
    y = instance_norm(x, eps=1e-12)
    (g,) = mg.grad(y, [x], mg.tensor(randn(*X.shape, seed=9)))
    np.testing.assert_allclose(g.data.mean(axis=(2, 3)), np.zeros((3, 4)), atol=1e-13)
    np.testing.assert_allclose((g.data * y.data).sum(axis=(2, 3)), np.zeros((3, 4)), atol=1e-9)


@every_case
def test_cupys_rules_are_kept_without_a_wait(name):
    function, arrays = CASES[name]
    expected = function(*arrays).data
    with cupy_double() as double:
        inputs = [mg.tensor(a, device="cuda", requires_grad=True) for a in arrays]
        with double.capturing():
            out = function(*inputs)
            first = mg.grad((out * out * out).sum(), inputs, create_graph=True)
            mg.grad(sum((f * f).sum() for f in first), inputs)
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-12)


@every_case
def test_float32_stays_float32(name):
    function, arrays = CASES[name]
    arrays = [a.astype(np.float32) for a in arrays]
    cotangent = randn(*arrays[0].shape, seed=9).astype(np.float32)
    for create_graph in (False, True):
        _, out, found = gradients(function, arrays, cotangent, create_graph)
        assert {t.dtype for t in (out, *found)} == {np.dtype(np.float32)}


def test_a_numpy_eps_does_not_widen():
    assert instance_norm(X.astype(np.float32), eps=np.float64(1e-5)).dtype == np.float32


def test_mixed_precision_is_refused():
    with pytest.raises(TypeError, match=r"normalize: arguments of mixed dtypes .* use .astype\(\)"):
        batch_norm(X.astype(np.float32), *tensors((W, B)), eps=EPS)


def test_one_value_per_map_raises_and_says_why():
    with pytest.raises(ShapeError, match=r"instance_norm: x of shape \(2, 4, 1, 1\) has one value"):
        instance_norm(randn(2, 4, 1, 1))
    for call in (
        lambda: batch_norm(randn(1, 4, 1, 1)),
        lambda: batch_norm(randn(1, 4)),
        lambda: batch_statistics(randn(1, 4)),
        lambda: adain(randn(3, 4, 1, 1), STYLE),
        lambda: adain(X, randn(3, 4, 1, 1)),
        lambda: adain_scale_shift(randn(3, 4, 1, 1), S, T),
        lambda: group_norm(randn(2, 4, 1, 1), 4),
    ):
        with pytest.raises(ShapeError, match="a value minus its own mean is 0 whatever it is"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batch_norm(X, W[:3]), r"batch_norm: weight has shape \(3,\), expected \(4,\)"),
        (lambda: instance_norm(X, W, B[:1]), r"instance_norm: bias has shape \(1,\)"),
        (lambda: adain_scale_shift(X, S[:1], T), r"scale has shape \(1, 4\), expected \(3, 4\)"),
        (lambda: instance_norm(randn(3, 4)), r"expected \(N, C, H, W\)"),
        (lambda: batch_norm(randn(3)), r"expected \(N, C, ...\)"),
        (lambda: group_norm(X, 3), "4 channels cannot be split into 3 groups"),
        (lambda: group_norm(X, 0), "into 0 groups"),
        (lambda: layer_norm(X, (4, 3)), r"\(3, 4, 2, 3\), which does not end in \(4, 3\)"),
        (lambda: layer_norm(X, ()), "does not end in"),
        (lambda: pixel_norm(X, axis=4), "has no axis 4"),
        (lambda: adain(X, STYLE[:2]), "need equal batch and channels"),
        (lambda: batch_norm_inference(X, W, B[:2]), r"var has shape \(2,\)"),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_eps_and_dtype_are_checked():
    with pytest.raises(ValueError, match="eps is 0: it must be positive"):
        instance_norm(X, eps=0)
    with pytest.raises(TypeError, match="batch_norm: x has dtype int64, use x.astype"):
        batch_norm(np.ones((2, 2), dtype=np.int64))
