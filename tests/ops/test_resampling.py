"""Pooling, upsampling and shuffling against naive loops and closed forms; derivatives; messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.ops.resampling import (
    avg_pool2d,
    max_pool2d,
    pixel_shuffle,
    pixel_unshuffle,
    sum_pool,
    upsample,
)
from minigan.testing.cupy_double import cupy_double

# -- independent references -----------------------------------------------------------------------


def naive_pool(x, reduce, kernel, stride, padding, fill):
    """Apply `reduce` to each window of the image framed by `fill`."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    rows, columns = (x.shape[2] - kh) // sh + 1, (x.shape[3] - kw) // sw + 1
    out = np.empty((*x.shape[:2], rows, columns), x.dtype)
    for p, q in np.ndindex(rows, columns):
        window = x[:, :, p * sh : p * sh + kh, q * sw : q * sw + kw]
        out[:, :, p, q] = reduce(window.reshape(*x.shape[:2], -1), axis=-1)
    return out


def naive_bilinear(x, factors):
    """Weigh the four pixels around each new pixel's place, clamped to the image."""
    (s, t), (h, w) = factors, x.shape[2:]
    out = np.empty((*x.shape[:2], h * s, w * t))
    for p, q in np.ndindex(h * s, w * t):
        row = min(max((p + 0.5) / s - 0.5, 0.0), h - 1.0)
        column = min(max((q + 0.5) / t - 0.5, 0.0), w - 1.0)
        i, j = int(row), int(column)
        below, right = min(i + 1, h - 1), min(j + 1, w - 1)
        a, b = row - i, column - j
        upper = (1 - b) * x[:, :, i, j] + b * x[:, :, i, right]
        lower = (1 - b) * x[:, :, below, j] + b * x[:, :, below, right]
        out[:, :, p, q] = (1 - a) * upper + a * lower
    return out


@st.composite
def pools(draw):
    """An image and windows over it: overlapping or apart, framed, with rows left over."""

    def two(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    kernel, stride = two(1, 4), two(1, 5)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    extra = two(0, 4)
    axes = zip(kernel, padding, extra, strict=True)
    size = tuple(max(1, k - 2 * p) + more for k, p, more in axes)
    values = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((2, 3, *size))
    last = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return draw(st.sampled_from([values, last])), kernel, stride, padding


# -- pooling --------------------------------------------------------------------------------------


@given(pools())
def test_pools_are_the_naive_ones(case):
    x, kernel, stride, padding = case
    options = {"stride": stride, "padding": padding}
    for op, reduce, fill in ((sum_pool, np.sum, 0), (avg_pool2d, np.mean, 0)):
        expected = naive_pool(x, reduce, kernel, stride, padding, fill)
        np.testing.assert_allclose(op(x, kernel, **options).numpy(), expected, atol=1e-12)
    expected = naive_pool(x, np.max, kernel, stride, padding, -np.inf)
    np.testing.assert_array_equal(max_pool2d(x, kernel, **options).numpy(), expected)


@given(pools())
def test_gradient_of_a_sum_pool_is_its_adjoint(case):
    x, kernel, stride, padding = case
    tensor = mg.tensor(x, requires_grad=True)
    y = sum_pool(tensor, kernel, stride=stride, padding=padding)
    u = np.random.default_rng(1).standard_normal(y.shape)
    (g,) = mg.grad(y, tensor, mg.tensor(u))
    expected = (u * naive_pool(x, np.sum, kernel, stride, padding, 0)).sum()
    assert (g.numpy() * x).sum() == pytest.approx(expected, rel=1e-10, abs=1e-10)


@given(pools())
def test_gradient_of_a_max_pool_goes_to_the_first_maximum(case):
    x, kernel, stride, padding = case
    x = np.round(x)  # ties in plenty
    tensor = mg.tensor(x, requires_grad=True)
    y = max_pool2d(tensor, kernel, stride=stride, padding=padding)
    u = np.random.default_rng(1).standard_normal(y.shape)
    (g,) = mg.grad(y, tensor, mg.tensor(u))
    np.testing.assert_allclose(g.numpy(), _routed(x, u, kernel, stride, padding), atol=1e-12)


def _routed(x, u, kernel, stride, padding):
    """Send each cotangent to the first place, row by row, where its window has its maximum."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    framed = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=-np.inf)
    out = np.zeros_like(framed)
    for n, c, p, q in np.ndindex(u.shape):
        window = framed[n, c, p * sh : p * sh + kh, q * sw : q * sw + kw]
        i, j = np.unravel_index(window.argmax(), window.shape)
        out[n, c, p * sh + i, q * sw + j] += u[n, c, p, q]
    return out[:, :, ph : ph + x.shape[2], pw : pw + x.shape[3]]


def test_max_pool_of_nan_and_infinity():
    nan, low = np.nan, -np.inf
    x = np.array([[[[nan, 1.0, 5.0, nan], [2.0, 3.0, 4.0, 0.0], [low] * 4, [low] * 4]]])
    np.testing.assert_array_equal(max_pool2d(x, 2).numpy(), [[[[nan, nan], [low, low]]]])
    tensor = mg.tensor(np.full((1, 1, 2, 2), low), requires_grad=True)
    (g,) = mg.grad(max_pool2d(tensor, 2, padding=1).sum(), tensor)
    np.testing.assert_array_equal(g.numpy(), np.ones((1, 1, 2, 2)))  # padding never is the maximum


def test_max_pool_passes_infinite_cotangents_to_the_maximum_alone():
    tensor = mg.tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True)
    (g,) = mg.grad(max_pool2d(tensor, 2), tensor, mg.tensor(np.full((1, 1, 1, 1), np.inf)))
    np.testing.assert_array_equal(g.numpy(), [[[[0.0, 0.0], [0.0, np.inf]]]])


# -- upsampling and shuffling ---------------------------------------------------------------------

factors = pytest.mark.parametrize("factor", [1, 2, 3, (2, 1), (1, 4), (3, 2)])


@factors
def test_nearest_repeats_pixels(rng, factor):
    x = rng.standard_normal((2, 3, 3, 2))
    s, t = factor if isinstance(factor, tuple) else (factor, factor)
    expected = np.kron(x, np.ones((1, 1, s, t)))
    np.testing.assert_array_equal(upsample(x, scale_factor=factor).numpy(), expected)


@factors
@pytest.mark.parametrize("size", [(3, 4), (1, 2), (1, 1)])
def test_bilinear_is_the_naive_one(rng, factor, size):
    x = rng.standard_normal((2, 3, *size))
    pair = factor if isinstance(factor, tuple) else (factor, factor)
    result = upsample(x, scale_factor=factor, mode="bilinear").numpy()
    np.testing.assert_allclose(result, naive_bilinear(x, pair), atol=1e-13)


@factors
def test_sum_pool_is_the_adjoint_of_nearest(rng, factor):
    x = rng.standard_normal((2, 3, 3, 2))
    y = upsample(x, scale_factor=factor).numpy()
    u = rng.standard_normal(y.shape)
    pooled = sum_pool(u, factor).numpy()
    assert (pooled * x).sum() == pytest.approx((u * y).sum(), rel=1e-11)


def test_pixel_shuffle_places_channels(rng):
    x = rng.standard_normal((2, 18, 4, 5))
    result = pixel_shuffle(x, upscale_factor=3).numpy()
    assert result.shape == (2, 2, 12, 15)
    for c, i, j in np.ndindex(2, 3, 3):
        np.testing.assert_array_equal(result[:, c, i::3, j::3], x[:, 9 * c + 3 * i + j])


def test_pixel_unshuffle_is_the_inverse(rng):
    x = rng.standard_normal((2, 12, 4, 5))
    there = pixel_shuffle(x, upscale_factor=2)
    np.testing.assert_array_equal(pixel_unshuffle(there, downscale_factor=2).numpy(), x)


# -- all of them ----------------------------------------------------------------------------------

OPS = {
    "sum_pool": lambda x: sum_pool(x, (3, 2), stride=(2, 1), padding=(2, 1)),
    "avg_pool2d": lambda x: avg_pool2d(x, 2),
    "avg_pool2d, overlapping": lambda x: avg_pool2d(x, 3, stride=2, padding=1),
    "max_pool2d": lambda x: max_pool2d(x, 2),
    "max_pool2d, overlapping": lambda x: max_pool2d(x, (3, 2), stride=1, padding=1),
    "nearest": lambda x: upsample(x, scale_factor=(2, 3)),
    "bilinear": lambda x: upsample(x, scale_factor=(2, 3), mode="bilinear"),
    "pixel_shuffle": lambda x: pixel_shuffle(x, upscale_factor=2),
    "pixel_unshuffle": lambda x: pixel_unshuffle(x, downscale_factor=2),
}
every_op = pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))


@every_op
def test_derivatives(rng, check_derivatives, op):
    check_derivatives(op, rng.standard_normal((2, 4, 4, 6)))


@every_op
def test_third_derivative_of_a_cube(rng, op):
    """The third derivative of sum(op(x)^3) along x itself, three times, is 6 times its value."""
    x = mg.tensor(rng.standard_normal((1, 4, 4, 6)), requires_grad=True)
    value = y = (op(x) ** 3).sum()
    for _ in range(3):
        (g,) = mg.grad(y, x, create_graph=True)
        y = (g * x.detach()).sum()
    assert y.item() == pytest.approx(6 * value.item(), rel=1e-10)


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_layout_and_purity(rng, op, dtype):
    x = rng.standard_normal((2, 4, 4, 6)).astype(dtype)
    spread = np.ascontiguousarray(x[..., ::-1].transpose(3, 1, 0, 2)).transpose(2, 1, 3, 0)[
        ..., ::-1
    ]
    results = []
    for array in (x, spread):
        tensor = mg.Tensor(array, requires_grad=True)
        y = op(tensor)
        (g,) = mg.grad((y * y).sum(), tensor)
        assert {y.dtype, g.dtype} == {np.dtype(dtype)}
        assert not np.shares_memory(g.numpy(), array)
        results.append((y.numpy(), g.numpy()))
        np.testing.assert_array_equal(array, x)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-13)


@every_op
def test_an_empty_batch(op):
    x = mg.zeros(0, 4, 4, 6, requires_grad=True)
    y = op(x)
    (g,) = mg.grad(y.sum(), x)
    assert (y.shape[0], g.shape) == (0, (0, 4, 4, 6))


@every_op
def test_under_cupys_rules(rng, op):
    x = rng.standard_normal((2, 4, 4, 6))
    host = mg.tensor(x, requires_grad=True)
    (expected,) = mg.grad((op(host) ** 2).sum(), host)
    with cupy_double() as double:
        device = mg.tensor(x, device="cuda", requires_grad=True)
        double.reset()
        (g,) = mg.grad((op(device) ** 2).sum(), device)
        assert double.synchronisations == 0
        np.testing.assert_allclose(g.numpy(), expected.numpy(), atol=1e-12)


# -- messages -------------------------------------------------------------------------------------

X = np.zeros((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: avg_pool2d(X[0], 2), r"avg_pool2d: x has shape \(3, 4, 5\), it must have 4 axes"),
        (lambda: max_pool2d(X, (2, 6)), r"kernel_size=\(2, 6\) is more than the padded input"),
        (lambda: max_pool2d(X, 2, padding=2), r"padding=\(2, 2\) is more than half of kernel_size"),
        (lambda: avg_pool2d(X, 3, padding=2), r"padding=\(2, 2\) is more than half of kernel_size"),
        (lambda: sum_pool(X, 0), "kernel_size=0: give an int or a pair of ints, each >= 1"),
        (lambda: sum_pool(X, 1, stride=0), "stride=0: give an int"),
        (lambda: upsample(X, scale_factor=0), "scale_factor=0: give an int"),
        (lambda: upsample(X, scale_factor=2, mode="cubic"), "mode='cubic': use 'nearest' or"),
        (lambda: upsample(X[0], scale_factor=2), "upsample: x has shape"),
        (lambda: pixel_shuffle(X, upscale_factor=2), r"3 channels of x .* are no multiple of 2\^2"),
        (lambda: pixel_unshuffle(X, downscale_factor=2), r"x \(2, 3, 4, 5\) are no multiples of 2"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_broken_factor_is_named():
    with pytest.raises(TypeError, match="scale_factor=1.5: give an int or a pair of ints"):
        upsample(X, scale_factor=1.5)
