"""Convolution ops: values against loops, the triple's identities, derivatives, messages."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigan as mg
from minigan.ops.conv import conv2d, conv2d_weight, conv_transpose2d, pair
from minigan.testing.cupy_double import cupy_double

# Each is a way in which a geometry can be awkward: (size, kernel, options).
GEOMETRIES = {
    "plain": ((5, 4), (3, 2), {}),
    "pairs": ((6, 5), (3, 2), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}),
    "remainder": ((7, 6), (2, 3), {"stride": 3, "padding": 1}),
    "stride over kernel": ((8, 7), (2, 1), {"stride": (4, 3)}),
    "padding over kernel": ((3, 4), (2, 2), {"padding": 3}),
    "dilation": ((7, 8), (3, 2), {"dilation": (2, 3), "padding": (1, 2)}),
    "groups": ((5, 5), (3, 3), {"groups": 2, "padding": 1, "stride": 2}),
    "pointwise": ((3, 4), (1, 1), {}),
    "whole": ((4, 4), (4, 4), {}),
    "all": ((9, 8), (3, 2), {"stride": (2, 3), "padding": 2, "dilation": (2, 1), "groups": 2}),
}
geometries = pytest.mark.parametrize(
    ("size", "kernel", "options"), GEOMETRIES.values(), ids=list(GEOMETRIES)
)

# -- independent references -----------------------------------------------------------------------


def taps(size, kernel, stride=1, padding=0, dilation=1):
    """Every (p, q, h, w, k, l) where output pixel (p, q) reads input pixel (h, w) at tap (i, j)."""
    (s, t), (a, b), (d, e) = (pair(v, "v", least=0) for v in (stride, padding, dilation))
    rows = (size[0] + 2 * a - d * (kernel[0] - 1) - 1) // s + 1
    columns = (size[1] + 2 * b - e * (kernel[1] - 1) - 1) // t + 1
    for p, q, i, j in np.ndindex(rows, columns, *kernel):
        h, w = p * s + i * d - a, q * t + j * e - b
        if 0 <= h < size[0] and 0 <= w < size[1]:
            yield p, q, h, w, i, j


def output_size(size, kernel, stride=1, padding=0, dilation=1):
    options = zip(*(pair(v, "v", least=0) for v in (stride, padding, dilation)), strict=True)
    return tuple(
        (n + 2 * a - d * (k - 1) - 1) // s + 1
        for n, k, (s, a, d) in zip(size, kernel, options, strict=True)
    )


def blocks(weight, groups):
    """Expand a grouped kernel (O, C/G, K, L) to a full one (O, C, K, L), zero between groups."""
    o, c, *kernel = weight.shape
    full = np.zeros((o, c * groups, *kernel), weight.dtype)
    for i in range(o):
        g = i // (o // groups)
        full[i, g * c : (g + 1) * c] = weight[i]
    return full


def naive_conv2d(x, weight, groups=1, **options):
    weight = blocks(weight, groups)
    size = output_size(x.shape[2:], weight.shape[2:], **options)
    y = np.zeros((x.shape[0], weight.shape[0], *size))
    for p, q, h, w, i, j in taps(x.shape[2:], weight.shape[2:], **options):
        y[:, :, p, q] += x[:, :, h, w] @ weight[:, :, i, j].T
    return y


def naive_conv_transpose2d(y, weight, size, groups=1, **options):
    weight = blocks(weight, groups)
    x = np.zeros((y.shape[0], weight.shape[1], *size))
    for p, q, h, w, i, j in taps(size, weight.shape[2:], **options):
        if p < y.shape[2] and q < y.shape[3]:
            x[:, :, h, w] += y[:, :, p, q] @ weight[:, :, i, j]
    return x


def operands(rng, size, kernel, options, batch=2, channels=4, filters=6):
    groups = options.get("groups", 1)
    x = rng.standard_normal((batch, channels, *size))
    weight = rng.standard_normal((filters, channels // groups, *kernel))
    return x, weight, rng.standard_normal(filters)


# -- values ---------------------------------------------------------------------------------------


@geometries
def test_conv2d_value(rng, size, kernel, options):
    x, weight, bias = operands(rng, size, kernel, options)
    expected = naive_conv2d(x, weight, **options) + bias[:, None, None]
    np.testing.assert_allclose(conv2d(x, weight, bias, **options).numpy(), expected, atol=1e-12)


@geometries
@pytest.mark.parametrize("output_padding", [0, "largest"])
def test_conv_transpose2d_value(rng, size, kernel, options, output_padding):
    x, weight, _ = operands(rng, size, kernel, options)
    steps, dilation = (pair(options.get(k, 1), k, least=1) for k in ("stride", "dilation"))
    if output_padding == "largest":
        output_padding = tuple(max(s, d) - 1 for s, d in zip(steps, dilation, strict=True))
    y = naive_conv2d(x, weight, **options)
    bias = rng.standard_normal(x.shape[1])
    result = conv_transpose2d(y, weight, bias, output_padding=output_padding, **options)
    padding = pair(options.get("padding", 0), "padding", least=0)
    extra = pair(output_padding, "output_padding", least=0)
    axes = zip(y.shape[2:], kernel, steps, padding, dilation, extra, strict=True)
    expected_size = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in axes)
    expected = naive_conv_transpose2d(y, weight, expected_size, **options) + bias[:, None, None]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)


@geometries
def test_the_three_ops_are_one_trilinear_form(rng, size, kernel, options):
    x, weight, _ = operands(rng, size, kernel, options)
    y = rng.standard_normal(naive_conv2d(x, weight, **options).shape)
    form = (y * naive_conv2d(x, weight, **options)).sum()
    tensors = [mg.tensor(a, requires_grad=True) for a in (x, weight)]
    gx, gw = mg.grad(conv2d(*tensors, **options), tensors, mg.tensor(y))
    again = conv2d_weight(x, y, kernel_size=kernel, **options)
    assert gx.shape == x.shape
    assert (x * gx.numpy()).sum() == pytest.approx(form, rel=1e-11)
    assert (weight * again.numpy()).sum() == pytest.approx(form, rel=1e-11)
    np.testing.assert_array_equal(gw.numpy(), again.numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_by_values_and_gradients(rng, dtype):
    x, weight, bias = (a.astype(dtype) for a in operands(rng, *GEOMETRIES["remainder"]))
    tensors = [mg.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    y = conv2d(*tensors, stride=3, padding=1)
    gradients = mg.grad((y * y).sum(), tensors, create_graph=True)
    norm = sum((g * g).sum() for g in gradients)
    second = mg.grad(norm, tensors)
    assert {t.dtype for t in (y, *gradients, *second)} == {np.dtype(dtype)}


def test_float32_is_near_float64(rng):
    x, weight, bias = operands(rng, *GEOMETRIES["all"])
    options = GEOMETRIES["all"][2]
    exact = conv2d(x, weight, bias, **options).numpy()
    single = conv2d(*(a.astype(np.float32) for a in (x, weight, bias)), **options).numpy()
    np.testing.assert_allclose(single, exact, atol=2e-5)


def test_an_empty_batch_has_empty_results():
    x = mg.zeros(0, 4, 5, 5, requires_grad=True)
    weight = mg.zeros(6, 4, 3, 3, requires_grad=True)
    y = conv2d(x, weight)
    gx, gw = mg.grad(y.sum(), (x, weight))
    assert (y.shape, gx.shape) == ((0, 6, 3, 3), (0, 4, 5, 5))
    assert not gw.numpy().any()


def test_complex_bias_of_a_real_convolution(rng):
    x, weight, bias = operands(rng, *GEOMETRIES["plain"])
    y = conv2d(x, weight, bias * 1j).numpy()
    np.testing.assert_allclose(y.real, naive_conv2d(x, weight), atol=1e-12)
    np.testing.assert_allclose(y.imag, np.broadcast_to(bias[:, None, None], y.shape))


# -- derivatives ----------------------------------------------------------------------------------


@geometries
def test_derivatives_of_conv2d(rng, check_derivatives, size, kernel, options):
    arrays = operands(rng, size, kernel, options)
    check_derivatives(lambda x, weight, bias: conv2d(x, weight, bias, **options), *arrays)


@geometries
def test_derivatives_of_conv_transpose2d(rng, check_derivatives, size, kernel, options):
    x, weight, _ = operands(rng, size, kernel, options)
    y, bias = naive_conv2d(x, weight, **options), rng.standard_normal(x.shape[1])
    extra = tuple(min(1, s - 1) for s in pair(options.get("stride", 1), "stride", least=1))

    def transposed(y, weight, bias):
        return conv_transpose2d(y, weight, bias, output_padding=extra, **options)

    check_derivatives(transposed, y, weight, bias)


def test_derivatives_with_output_padding_beyond_the_stride(rng, check_derivatives):
    y, weight = rng.standard_normal((2, 3, 3, 4)), rng.standard_normal((3, 2, 2, 3))
    options = {"dilation": 3, "output_padding": (2, 1), "padding": 1}
    check_derivatives(lambda y, weight: conv_transpose2d(y, weight, **options), y, weight)


@geometries
def test_derivatives_of_conv2d_weight(rng, check_derivatives, size, kernel, options):
    x, weight, _ = operands(rng, size, kernel, options)
    y = rng.standard_normal(naive_conv2d(x, weight, **options).shape)
    check_derivatives(lambda x, y: conv2d_weight(x, y, kernel_size=kernel, **options), x, y)


@st.composite
def cases(draw):
    def two(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel, stride, padding, dilation = two(1, 3), two(1, 3), two(0, 3), two(1, 2)
    groups = draw(st.integers(1, 2))
    axes = zip(kernel, padding, dilation, two(0, 3), strict=True)
    size = tuple(max(1, d * (k - 1) + 1 - 2 * p) + more for k, p, d, more in axes)
    counts = [draw(st.integers(1, 2)) * groups for _ in range(2)]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return size, kernel, options, counts


@given(cases())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_derivatives_at_random_geometries(rng, check_derivatives, case):
    size, kernel, options, (channels, filters) = case
    x, weight, bias = operands(rng, size, kernel, options, 1, channels, filters)
    value = conv2d(x, weight, bias, **options).numpy()
    expected = naive_conv2d(x, weight, **options) + bias[:, None, None]
    np.testing.assert_allclose(value, expected, atol=1e-12)
    check_derivatives(lambda x, weight, bias: conv2d(x, weight, bias, **options), x, weight, bias)


def test_only_the_wanted_gradient_is_computed(rng):
    x, weight, bias = operands(rng, *GEOMETRIES["plain"])
    y = conv2d(mg.tensor(x), mg.tensor(weight, requires_grad=True), mg.tensor(bias))
    names = []
    with mg.trace(lambda name, out: names.append(name)):
        y.backward(mg.ones(*y.shape, dtype=y.dtype))
    assert names == ["conv2d_weight"]


@geometries
def test_under_cupys_rules(rng, size, kernel, options):
    arrays = operands(rng, size, kernel, options)

    def gradients(device):
        tensors = [mg.tensor(a, device=device, requires_grad=True) for a in arrays]
        y = conv2d(*tensors, **options)
        first = mg.grad((y * y).sum(), tensors, create_graph=True)
        return [*first, *mg.grad(sum((g * g).sum() for g in first), tensors)]

    expected = gradients("cpu")
    with cupy_double():
        for g, e in zip(gradients("cuda"), expected, strict=True):
            np.testing.assert_allclose(g.numpy(), e.numpy(), rtol=1e-9, atol=1e-9)


# -- messages -------------------------------------------------------------------------------------

X, W = np.zeros((2, 4, 5, 5)), np.zeros((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv2d(X[0], W), r"x has shape \(4, 5, 5\).* for a single image write x\[None\]"),
        (lambda: conv2d(X, W[0]), r"weight has shape \(4, 3, 3\), it must have 4"),
        (lambda: conv2d(X, W[:, :3]), r"has 4 channels but weight .* takes 3"),
        (lambda: conv2d(X, W, groups=2), r"has 4 channels but weight .* with groups=2 takes 8"),
        (lambda: conv2d(X, W, groups=4), r"groups=4 does not divide the 6 channels"),
        (lambda: conv2d(X, W, groups=0), "groups=0: give an int >= 1"),
        (lambda: conv2d(X, W, np.zeros(4)), r"bias has shape \(4,\), it must be \(6,\)"),
        (lambda: conv2d(X, W, dilation=3), r"covers \(7, 7\), more than the padded input \(5, 5\)"),
        (lambda: conv2d(X, W, stride=0), "stride=0: give an int or a pair of ints, each >= 1"),
        (lambda: conv2d(X, W, padding=(1, -1)), r"padding=\(1, -1\): give an int or a pair"),
        (lambda: conv2d(X, W, padding=(1, 1, 1)), r"padding=\(1, 1, 1\): give an int or a pair"),
        (lambda: conv_transpose2d(X, W), r"has 4 channels but weight .* takes 6"),
        (lambda: conv_transpose2d(X[0], W), r"conv_transpose2d: x has shape"),
        (
            lambda: conv_transpose2d(X, W[:4], stride=2, output_padding=2),
            r"output_padding=\(2, 2\) must be smaller than stride=\(2, 2\)",
        ),
        (lambda: conv_transpose2d(X, W[:4], padding=4), r"gives size \(-1, -1\): use less padding"),
        (lambda: conv_transpose2d(X, W[:4], X[0, 0, 0]), r"bias has shape \(5,\).* must be \(4,\)"),
        (
            lambda: conv2d_weight(X, X, kernel_size=3),
            r"g has shape \(2, 4, 5, 5\) but conv2d of x .* gives \(2, 4, 3, 3\)",
        ),
        (lambda: conv2d_weight(X, X[0], kernel_size=1), r"conv2d_weight: g has shape \(4, 5, 5\)"),
        (lambda: conv2d_weight(X, X, kernel_size=1, groups=3), "groups=3 must divide"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_option_that_is_no_int_is_named():
    with pytest.raises(TypeError, match=r"stride=1.5: give an int or a pair of ints"):
        conv2d(X, W, stride=1.5)
