"""The convolution kernels against naive loops, over random geometries, layouts and blocks.

First whatever the plan chooses, then every algorithm that fits, those for any array library and
those for the CPU.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from minigan.backend import blocked, columns, conv, generic, plan, thin, tiles, winograd
from minigan.backend.columns import Geometry
from minigan.backend.threads import get_num_threads, set_num_threads

# -- independent references: the defining sums, one output pixel or one tap at a time -------------


def _pad(x, padding):
    (ph, pw) = padding
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))


def _window(row, column, geo):
    """Rows and columns of the padded input under the output pixel (row, column)."""
    (sh, sw), (dh, dw), (kh, kw) = geo.stride, geo.dilation, geo.kernel
    rows = slice(row * sh, row * sh + (kh - 1) * dh + 1, dh)
    return rows, slice(column * sw, column * sw + (kw - 1) * dw + 1, dw)


def _pixels(geo):
    """Every (image, filter, row, column) of the output, and the channels its group reads."""
    width, filters = geo.channels // geo.groups, geo.filters // geo.groups
    for n, o, p, q in np.ndindex(geo.batch, geo.filters, *geo.out):
        first = o // filters * width
        yield (n, o, p, q), slice(first, first + width)


def naive_conv2d(x, weight, geo):
    padded = _pad(x, geo.padding)
    out = np.zeros((geo.batch, geo.filters, *geo.out), np.result_type(x, weight))
    for (n, o, p, q), channels in _pixels(geo):
        rows, columns = _window(p, q, geo)
        out[n, o, p, q] = (padded[n, channels, rows, columns] * weight[o]).sum()
    return out


def naive_conv_transpose2d(y, weight, geo):
    padded = np.zeros((geo.batch, geo.channels, *geo.padded), np.result_type(y, weight))
    for (n, o, p, q), channels in _pixels(geo):
        rows, columns = _window(p, q, geo)
        padded[n, channels, rows, columns] += y[n, o, p, q] * weight[o]
    (ph, pw), (h, w) = geo.padding, geo.size
    return padded[:, :, ph : ph + h, pw : pw + w]


def naive_conv2d_weight(x, y, geo):
    padded = _pad(x, geo.padding)
    shape = (geo.filters, geo.channels // geo.groups, *geo.kernel)
    weight = np.zeros(shape, np.result_type(x, y))
    for (n, o, p, q), channels in _pixels(geo):
        rows, columns = _window(p, q, geo)
        weight[o] += y[n, o, p, q] * padded[n, channels, rows, columns]
    return weight


# -- random geometries and layouts ----------------------------------------------------------------


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def geometries(draw, stride=None):
    """Any geometry: remainders, padding >= kernel, stride > kernel, outputs cut short, groups."""
    groups = draw(st.integers(1, 3))
    kernel, padding, dilation = draw(pairs(1, 3)), draw(pairs(0, 3)), draw(pairs(1, 2))
    stride = stride or draw(pairs(1, 4))
    out, extra = draw(pairs(1, 3)), draw(pairs(0, 4))
    sizes = zip(kernel, stride, padding, dilation, out, extra, strict=True)
    size = tuple(
        max(1, (p - 1) * s + (k - 1) * d + 1 - 2 * pad + more) for k, s, pad, d, p, more in sizes
    )
    channels, filters = (groups * draw(st.integers(1, 4)) for _ in range(2))
    batch = draw(st.integers(0, 3))
    return Geometry(batch, channels, filters, size, kernel, out, stride, padding, dilation, groups)


def layouts(array):
    """The same values in other memory: channels-last, reversed, Fortran, every other element."""
    last = np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    reverse = np.ascontiguousarray(array[::-1, ::-1, ::-1, ::-1])[::-1, ::-1, ::-1, ::-1]
    spread = np.repeat(array, 2, axis=3)[..., ::2]
    return {
        "contiguous": array,
        "channels-last": last,
        "reversed": reverse,
        "fortran": np.asfortranarray(array),
        "spread": spread,
    }


LAYOUTS = st.sampled_from(["contiguous", "channels-last", "reversed", "fortran", "spread"])
DTYPES = st.sampled_from([np.float32, np.float64, np.complex128])
BLOCKS = st.sampled_from([1, 500, 3000, 1 << 20])


def values(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    array = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        array = array + 1j * rng.standard_normal(shape)
    return array.astype(dtype)


def operands(geo, dtype, seed=0):
    x = values(seed, (geo.batch, geo.channels, *geo.size), dtype)
    weight = values(seed + 1, (geo.filters, geo.channels // geo.groups, *geo.kernel), dtype)
    y = values(seed + 2, (geo.batch, geo.filters, *geo.out), dtype)
    return x, weight, y


def options(geo):
    names = ("stride", "padding", "dilation", "groups")
    return {name: getattr(geo, name) for name in names}


def assert_near(actual, expected):
    """Equal to round-off: each value is a sum of at most a few hundred products of size one."""
    assert actual.dtype == expected.dtype
    tolerance = 500 * np.finfo(expected.dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


@contextmanager
def blocks_of(size):
    """Make every algorithm cut its work into blocks of about `size` bytes, or as it likes."""
    with ExitStack() as stack:
        if size is not None:
            stack.enter_context(patch.dict(columns.BLOCK_BYTES, cpu=size))
            for module, name, value in (
                (blocked, "BLOCK_BYTES", size),
                (blocked, "FEWEST_ROWS", 1),
                (blocked, "SMALL_KERNEL_BYTES", size),
                (thin, "BAND_ROWS", 1),
                (tiles, "CHUNK_BYTES", size),
                (tiles, "PIECE", size),
                (winograd, "FEWEST_VALUES", size),
                (winograd, "FEWEST_PRODUCTS", size),
                (blocked, "TASK_VALUES", size),
                (tiles, "FEWEST_TILES", 1),
                (winograd, "FEWEST_TILES", 1),
            ):
                stack.enter_context(patch.object(module, name, value))
        yield


@contextmanager
def threads(count):
    former = get_num_threads()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(former)


def run(kernel, a, b, size, geo, block=None):
    name = "kernel_size" if kernel is conv.conv2d_weight else "size"
    with blocks_of(block):
        return kernel(a, b, **{name: size}, **options(geo))


# -- values ---------------------------------------------------------------------------------------


@given(geometries(), DTYPES, LAYOUTS, LAYOUTS, BLOCKS)
def test_conv2d_is_the_naive_sum(geo, dtype, layout_x, layout_w, block):
    x, weight, _ = operands(geo, dtype)
    actual = run(conv.conv2d, layouts(x)[layout_x], layouts(weight)[layout_w], geo.out, geo, block)
    assert_near(actual, naive_conv2d(x, weight, geo))


@given(geometries(), DTYPES, LAYOUTS, LAYOUTS, BLOCKS)
def test_conv_transpose2d_is_the_naive_sum(geo, dtype, layout_y, layout_w, block):
    _, weight, y = operands(geo, dtype)
    y_, weight_ = layouts(y)[layout_y], layouts(weight)[layout_w]
    actual = run(conv.conv_transpose2d, y_, weight_, geo.size, geo, block)
    assert_near(actual, naive_conv_transpose2d(y, weight, geo))


@given(geometries(), DTYPES, LAYOUTS, LAYOUTS, BLOCKS)
def test_conv2d_weight_is_the_naive_sum(geo, dtype, layout_x, layout_y, block):
    x, _, y = operands(geo, dtype)
    actual = run(
        conv.conv2d_weight, layouts(x)[layout_x], layouts(y)[layout_y], geo.kernel, geo, block
    )
    assert_near(actual, naive_conv2d_weight(x, y, geo))


@given(geometries(stride=(1, 1)), BLOCKS)
def test_stride_one_takes_every_way(geo, block):
    x, weight, y = operands(geo, np.float64)
    conv2d = run(conv.conv2d, x, weight, geo.out, geo, block)
    transposed = run(conv.conv_transpose2d, y, weight, geo.size, geo, block)
    kernel = run(conv.conv2d_weight, x, y, geo.kernel, geo, block)
    assert_near(conv2d, naive_conv2d(x, weight, geo))
    assert_near(transposed, naive_conv_transpose2d(y, weight, geo))
    assert_near(kernel, naive_conv2d_weight(x, y, geo))


def test_conv2d_agrees_with_scipy():
    x, weight = values(0, (1, 1, 9, 7), np.float64), values(1, (1, 1, 3, 4), np.float64)
    geo = Geometry(1, 1, 1, (9, 7), (3, 4), (7, 4), (1, 1), (0, 0), (1, 1), 1)
    expected = signal.correlate2d(x[0, 0], weight[0, 0], mode="valid")
    assert_near(run(conv.conv2d, x, weight, geo.out, geo)[0, 0], expected)


def test_conv_transpose2d_agrees_with_scipy():
    y, weight = values(0, (1, 1, 7, 4), np.float64), values(1, (1, 1, 3, 4), np.float64)
    geo = Geometry(1, 1, 1, (9, 7), (3, 4), (7, 4), (1, 1), (0, 0), (1, 1), 1)
    expected = signal.convolve2d(y[0, 0], weight[0, 0], mode="full")
    assert_near(run(conv.conv_transpose2d, y, weight, geo.size, geo)[0, 0], expected)


# -- the algorithms and when they are chosen ------------------------------------------------------

ONE = (1, 1)
SAME = Geometry(2, 8, 8, (5, 6), (3, 3), (5, 6), ONE, ONE, ONE, 1)
POINTWISE = Geometry(2, 6, 4, (5, 6), ONE, (5, 6), ONE, (0, 0), ONE, 2)
PADDED_POINTWISE = Geometry(2, 6, 4, (3, 2), ONE, (5, 6), ONE, (1, 2), ONE, 2)
WHOLE = Geometry(3, 6, 4, (4, 4), (4, 4), ONE, ONE, (0, 0), ONE, 1)
WHOLE_GROUPED = Geometry(3, 6, 4, (4, 4), (4, 4), ONE, ONE, (0, 0), ONE, 2)
THIN_OUT = Geometry(2, 9, 3, (5, 6), (3, 3), (5, 6), ONE, ONE, ONE, 3)
THIN_IN = Geometry(2, 2, 9, (5, 6), (3, 3), (5, 6), ONE, ONE, ONE, 1)
STRIDED = Geometry(2, 4, 9, (8, 8), (4, 4), (4, 4), (2, 2), ONE, ONE, 1)
OVERPADDED = Geometry(2, 9, 2, (5, 5), (3, 3), (9, 9), ONE, (3, 3), ONE, 1)
EXAMPLES = (
    *(SAME, POINTWISE, PADDED_POINTWISE, WHOLE, WHOLE_GROUPED),
    *(THIN_OUT, THIN_IN, STRIDED, OVERPADDED),
)


@pytest.mark.parametrize(
    ("geo", "kernel", "name"),
    [
        (SAME, "conv2d", "_conv2d_im2col"),
        (SAME, "conv_transpose2d", "_transpose_turned"),
        (SAME, "conv2d_weight", "_weight_im2col"),
        (POINTWISE, "conv_transpose2d", "_transpose_product"),
        (PADDED_POINTWISE, "conv_transpose2d", "_transpose_product"),
        (WHOLE, "conv_transpose2d", "_transpose_product"),
        (WHOLE_GROUPED, "conv_transpose2d", "_transpose_turned"),
        (THIN_OUT, "conv2d", "_conv2d_turned"),
        (THIN_OUT, "conv_transpose2d", "_transpose_turned"),
        (THIN_OUT, "conv2d_weight", "_weight_turned"),
        (THIN_IN, "conv_transpose2d", "_transpose_col2im"),
        (STRIDED, "conv_transpose2d", "_transpose_col2im"),
        (OVERPADDED, "conv2d", "_conv2d_im2col"),
    ],
)
def test_choice_among_the_generic_algorithms(geo, kernel, name):
    assert generic.choose(kernel, geo).__name__ == name


@pytest.mark.parametrize("geo", EXAMPLES)
def test_chosen_algorithms_are_right(geo):
    x, weight, y = operands(geo, np.float64)
    assert_near(run(conv.conv2d, x, weight, geo.out, geo), naive_conv2d(x, weight, geo))
    transposed = run(conv.conv_transpose2d, y, weight, geo.size, geo)
    assert_near(transposed, naive_conv_transpose2d(y, weight, geo))
    kernel = run(conv.conv2d_weight, x, y, geo.kernel, geo)
    assert_near(kernel, naive_conv2d_weight(x, y, geo))


def every_algorithm(kernel, geo):
    """Every algorithm for the kernel and geometry in float32, by name."""
    found = {
        f"generic {run.__name__}": run for fits, run in generic._ALGORITHMS[kernel] if fits(geo)
    }
    return found | {c.name: c.run for c in plan.candidates(kernel, geo, True)}


def cases(geo, dtype):
    """Each kernel with its two operands and what the naive loop makes of them in float64."""
    x, weight, y = operands(geo, dtype)
    for kernel, naive, given_ in (
        ("conv2d", naive_conv2d, (x, weight)),
        ("conv_transpose2d", naive_conv_transpose2d, (y, weight)),
        ("conv2d_weight", naive_conv2d_weight, (x, y)),
    ):
        yield kernel, given_, naive(*(a.astype(np.float64) for a in given_), geo)


@st.composite
def winograd_geometries(draw):
    """3x3 with stride 1 or 4x4 with stride 2: tiles cut short, padding beyond the kernel."""
    kernel, stride = draw(st.sampled_from([((3, 3), (1, 1)), ((4, 4), (2, 2))]))
    padding, out, extra = draw(pairs(0, 4)), draw(pairs(1, 9)), draw(pairs(0, 2))
    sizes = zip(kernel, stride, padding, out, extra, strict=True)
    size = tuple(max(1, (p - 1) * s + k - 2 * pad + e) for k, s, pad, p, e in sizes)
    batch, channels, filters = (draw(st.integers(low, 3)) for low in (0, 1, 1))
    return Geometry(batch, channels, filters, size, kernel, out, stride, padding, (1, 1), 1)


@given(st.one_of(geometries(), geometries(stride=(1, 1)), winograd_geometries()), BLOCKS)
def test_every_algorithm_that_fits_is_right(geo, block):
    for kernel, given_, expected in cases(geo, np.float32):
        scale = np.abs(expected).max(initial=1.0)
        for name, algorithm in every_algorithm(kernel, geo).items():
            with blocks_of(block):
                actual = algorithm(*given_, geo)
            assert (actual.shape, actual.dtype) == (expected.shape, np.float32), name
            error = np.abs(actual - expected).max(initial=0) / scale
            assert error <= 1e-5, (kernel, name, error)


@given(st.one_of(geometries(), winograd_geometries()), LAYOUTS, LAYOUTS)
def test_every_algorithm_takes_any_layout(geo, layout_a, layout_b):
    for kernel, (a, b), expected in cases(geo, np.float32):
        scale = np.abs(expected).max(initial=1.0)
        for name, algorithm in every_algorithm(kernel, geo).items():
            actual = algorithm(layouts(a)[layout_a], layouts(b)[layout_b], geo)
            assert np.abs(actual - expected).max(initial=0) <= 1e-5 * scale, (kernel, name)


@given(st.one_of(geometries(), winograd_geometries()), st.sampled_from([500, 3000]))
def test_results_are_the_same_bits_for_any_number_of_threads(geo, block):
    for kernel, given_, _ in cases(geo, np.float32):
        for name, algorithm in every_algorithm(kernel, geo).items():
            results = []
            for count in (1, 2, 3):
                with threads(count), blocks_of(block):
                    results.append(algorithm(*given_, geo).tobytes())
            assert len(set(results)) == 1, (kernel, name)


# As large as a layer: products of these sizes take other ways through BLAS than tiny ones.
LAYERS = (
    Geometry(2, 64, 64, (17, 16), (3, 3), (17, 16), ONE, ONE, ONE, 1),
    Geometry(4, 24, 32, (30, 32), (3, 3), (30, 32), ONE, ONE, ONE, 1),
    Geometry(4, 32, 64, (16, 16), (4, 4), (8, 8), (2, 2), ONE, ONE, 1),
    Geometry(9, 32, 32, (16, 18), (4, 4), (8, 9), (2, 2), ONE, ONE, 1),
    Geometry(2, 3, 64, (32, 32), (4, 4), (16, 16), (2, 2), ONE, ONE, 1),
    Geometry(3, 128, 256, (4, 4), (4, 4), ONE, ONE, (0, 0), ONE, 1),
    Geometry(2, 160, 130, (9, 8), ONE, (9, 8), ONE, (0, 0), ONE, 1),
    Geometry(1, 48, 3, (32, 32), (7, 7), (32, 32), ONE, (3, 3), ONE, 1),
)


@pytest.mark.parametrize("geo", LAYERS)
def test_layers_agree_with_float64_and_between_numbers_of_threads(geo):
    x, weight, y = operands(geo, np.float32)
    for kernel, given_ in (
        ("conv2d", (x, weight)),
        ("conv_transpose2d", (y, weight)),
        ("conv2d_weight", (x, y)),
    ):
        wide = [a.astype(np.float64) for a in given_]
        expected = generic.choose(kernel, geo)(*wide, geo)
        for name, algorithm in every_algorithm(kernel, geo).items():
            with threads(1):
                one = algorithm(*given_, geo)
            with threads(2):
                two = algorithm(*given_, geo)
            assert one.tobytes() == two.tobytes(), (kernel, name)
            assert np.abs(one - expected).max() <= 1e-5 * np.abs(expected).max(), (kernel, name)


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("geo", EXAMPLES)
def test_inputs_are_untouched_and_not_aliased(geo):
    x, weight, y = operands(geo, np.float64)
    copies = [a.copy() for a in (x, weight, y)]
    results = [
        run(conv.conv2d, x, weight, geo.out, geo),
        run(conv.conv_transpose2d, y, weight, geo.size, geo),
        run(conv.conv2d_weight, x, y, geo.kernel, geo),
    ]
    for array, copy in zip((x, weight, y), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
        assert not any(np.shares_memory(array, result) for result in results)


def test_broadcast_inputs_are_read_and_never_written():
    x = np.broadcast_to(np.float64(2.0), (2, 8, 5, 6))
    weight = np.broadcast_to(np.float64(0.5), (8, 8, 3, 3))
    out = run(conv.conv2d, x, weight, SAME.out, SAME)
    assert_near(out, naive_conv2d(x, weight, SAME))
    assert_near(
        run(conv.conv_transpose2d, out, weight, SAME.size, SAME),
        naive_conv_transpose2d(out, weight, SAME),
    )


def test_outputs_are_channels_last_and_the_kernel_gradient_is_contiguous():
    x, weight, y = operands(SAME, np.float32)
    out = run(conv.conv2d, x, weight, SAME.out, SAME)
    assert out.transpose(0, 2, 3, 1).flags.c_contiguous
    assert run(conv.conv2d_weight, x, y, SAME.kernel, SAME).flags.c_contiguous


def test_mixed_real_and_complex_operands():
    x, weight, y = operands(STRIDED, np.float64)
    tilted = weight + 1j * values(9, weight.shape, np.float64)
    out = run(conv.conv2d, x, tilted, STRIDED.out, STRIDED)
    assert_near(out, naive_conv2d(x, tilted, STRIDED))
    transposed = run(conv.conv_transpose2d, y, tilted, STRIDED.size, STRIDED)
    assert_near(transposed, naive_conv_transpose2d(y, tilted, STRIDED))
