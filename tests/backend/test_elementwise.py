"""Elementwise work in blocks equals one plain call, whatever the layout; and the rectifiers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import elementwise
from minigan.backend.elementwise import blockwise, rectify, rectify_gradient, where
from minigan.op import op


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut everything, into blocks of some ten values."""
    monkeypatch.setattr(elementwise, "LARGE", 1)
    monkeypatch.setattr(elementwise, "BLOCK", 10)


def layouts(array):
    """The same values in memory of several kinds."""
    yield array
    yield np.asfortranarray(array)
    yield np.ascontiguousarray(array[::-1])[::-1]
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    if array.ndim == 4:
        yield np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


SHAPES = [(40,), (7, 9), (2, 3, 5, 4), (1, 6, 3, 3), (64, 1, 1, 1), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", [np.s_[...], np.s_[:1], np.s_[..., :1], np.s_[0]])
@pytest.mark.parametrize("into", [None, np.multiply])
@pytest.mark.usefixtures("small_blocks")
def test_blocks_equal_one_call(shape, other, into):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(shape), rng.standard_normal(shape)[other]
    for x in layouts(a):
        for y in layouts(b) if np.ndim(b) else [b]:
            found = blockwise(np.multiply, [x, y], {}, into)
            np.testing.assert_array_equal(found, a * b)


@pytest.mark.usefixtures("small_blocks")
def test_the_result_is_laid_out_as_its_arguments():
    x = np.ones((2, 5, 4, 3), np.float32).transpose(0, 3, 1, 2)  # channels last
    found = blockwise(np.add, [x, np.ones((3, 1, 1), np.float32)], {})
    assert found.transpose(0, 2, 3, 1).flags.c_contiguous
    assert found.dtype == np.float32


@pytest.mark.usefixtures("small_blocks")
def test_the_kernel_sees_blocks_and_its_options():
    seen = []

    def kernel(a, number, *, power):
        seen.append(a.size)
        return (a + number) ** power

    x = np.arange(100.0)
    found = blockwise(kernel, [x, 1], {"power": 2})
    np.testing.assert_array_equal(found, (x + 1) ** 2)
    assert max(seen) <= 20
    assert sum(seen) == 100


def test_small_arrays_are_one_call():
    calls = []

    def kernel(a):
        calls.append(a.shape)
        return a

    blockwise(kernel, [np.zeros((3, 4))], {})
    assert calls == [(3, 4)]


@pytest.mark.usefixtures("small_blocks")
def test_a_kernel_that_makes_nothing_of_nothing_is_called_once():
    def kernel(a):
        return a - a.max()  # raises ValueError for an empty array

    x = np.arange(50.0)
    np.testing.assert_array_equal(blockwise(kernel, [x], {}), x - 49)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("slope", [0.0, 0.2, 2.0])
@pytest.mark.parametrize("kinds", ["ff", "dd", "df", "ee", "DD", "Dd"])
@pytest.mark.parametrize("rows", [1, 3])
def test_rectifiers_in_blocks_equal_one_call(slope, kinds, rows, rng):
    """Also where they have no use for the memory they are given."""
    u, y = (rng.standard_normal((3, 20)).astype(kind) for kind in kinds)
    for kernel, arrays in ((rectify, [y]), (rectify_gradient, [u[:rows], y])):
        options = {"negative_slope": slope}
        found = blockwise(kernel, arrays, options, kernel)
        np.testing.assert_array_equal(found, kernel(*arrays, **options))


@pytest.mark.usefixtures("small_blocks")
def test_results_of_another_dtype():
    x = np.arange(-20.0, 30.0, dtype=np.float32)
    assert blockwise(lambda a: a > 0, [x], {}).dtype == bool
    np.testing.assert_array_equal(blockwise(lambda a: a > 0, [x], {}), x > 0)


def test_large_ops_do_not_depend_on_threads():
    x = mg.tensor(np.random.default_rng(1).standard_normal((3, 1 << 17)).astype(np.float32))
    results = []
    for count in (1, 2, 3):
        mg.set_num_threads(count)
        results.append([f(x).numpy() for f in (mg.tanh, mg.softplus, mg.leaky_relu, mg.relu)])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_op_of_ones_own_is_cut_too():
    seen = []

    @op(elementwise=True)
    def halved(x):
        seen.append(x.size)
        return x * 0.5

    x = mg.ones(elementwise.LARGE)
    assert halved(x).numpy().sum() == elementwise.LARGE / 2
    assert len(seen) > 2


def test_an_error_in_a_block_names_the_op():
    @op(elementwise=True)
    def picky(x):
        if x.size:
            raise ValueError("no such thing")
        return x

    with pytest.raises(ValueError, match=r"picky of \(\d+,\): no such thing"):
        picky(mg.ones(elementwise.LARGE))


def test_out_is_no_option():
    with pytest.raises(TypeError, match="relu has no option 'out'; its options: none"):
        mg.relu(mg.ones(2), out=np.zeros(2))


# -- choosing -------------------------------------------------------------------------------------

FLOATS = st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=20).map(
    lambda values: np.array(values, np.float32)
)


@given(FLOATS, st.sampled_from([np.float32, np.float64]))
def test_where_against_numpy(values, dtype):
    values, condition = values.astype(dtype), values > 0
    for a, b in [(values, 0.0), (0.0, values), (values, 0), (values, -values), (values, -0.0)]:
        found = where(condition, a, b)
        np.testing.assert_array_equal(found, np.where(condition, a, b))
        assert found.dtype == np.where(condition, a, b).dtype


def test_where_keeps_the_sign_of_zero():
    first = np.array([True, False])
    np.testing.assert_array_equal(np.signbit(where(first, np.ones(2), -0.0)), ~first)
    np.testing.assert_array_equal(np.signbit(where(first, -0.0, np.ones(2))), first)


@given(FLOATS, st.sampled_from([0.0, 0.2, 0.01, 1.0, 1.5, 1e-30, 0.7]))
def test_rectifiers_against_numpy(x, slope):
    x = x[~((x == -np.inf) & (slope == 0.0))]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        np.testing.assert_array_equal(
            rectify(x, negative_slope=slope), np.where(x > 0, x, x * np.float32(slope))
        )
        u = np.linspace(-3, 3, len(x), dtype=np.float32)
        np.testing.assert_array_equal(
            rectify_gradient(u, x, negative_slope=slope), np.where(x > 0, u, u * np.float32(slope))
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_factor_of_the_positive_side_is_exactly_one(dtype):
    u = np.array([1 / 3], dtype)
    for slope in np.random.default_rng(0).uniform(0, 1, 2000):
        assert rectify_gradient(u, np.ones(1, dtype), negative_slope=float(slope)) == u


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_gradient_of_relu_stops_what_is_not_finite(dtype):
    u = np.array([np.inf, np.nan, np.inf], dtype)
    found = rectify_gradient(u, np.array([-1, 0, 1], dtype), negative_slope=0.0)
    np.testing.assert_array_equal(found, [0, 0, np.inf])
    found = rectify_gradient(u[:1], np.array([-1, 0, 1], dtype), negative_slope=0.0)
    np.testing.assert_array_equal(found, [0, 0, np.inf])


@pytest.mark.parametrize("slope", [-1.5, -0.0, 0.0, 0.3, 1.0, 2.0])
def test_leaky_relu_with_any_slope(slope):
    x = mg.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    y = mg.leaky_relu(x, negative_slope=slope)
    np.testing.assert_array_equal(y.numpy(), np.float32([-2 * slope, 0, 3]))
    np.testing.assert_array_equal(mg.grad(y.sum(), x)[0].numpy(), np.float32([slope, slope, 1]))
