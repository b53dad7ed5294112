"""Sums by products with ones: NumPy's values in every layout, closer to the truth, on any cores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import sums
from minigan.backend.sums import mean_along, sum_along
from minigan.testing.cupy_double import cupy_double

DTYPES = [np.float32, np.float64, np.complex128, np.float16, np.int64, bool]


@pytest.fixture
def tiny(monkeypatch):
    """Let the smallest arrays go all the ways of the largest: pieces, pieces left over, threads."""
    for name, value in {
        "SMALL": 1, "SHORT": 0, "ALONE": 8, "SHARED": 32, "LONGEST": 4, "FEW": 2, "MANY": 3,
        "WIDE": 3,
    }.items():  # fmt: skip
        monkeypatch.setattr(sums, name, value)
    sums._way.cache_clear()
    yield
    sums._way.cache_clear()


@st.composite
def arrays(draw):
    """An array of any number of axes in memory of any order, perhaps a part of it, and axes."""
    ndim = draw(st.integers(0, 4))
    shape = tuple(draw(st.integers(0, 9)) for _ in range(ndim))
    order = draw(st.permutations(range(ndim)))
    steps = [draw(st.sampled_from([1, 1, 1, 2, -1])) for _ in range(ndim)]
    lengths = [n * abs(step) for n, step in zip(shape, steps, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    memory = rng.integers(-50, 50, [lengths[i] for i in order]) / 4  # sums are exact
    x = memory.transpose(np.argsort(order).astype(int) if ndim else [])
    x = x[tuple(slice(None, None, step) for step in steps)]
    axis = tuple(draw(st.sets(st.sampled_from(range(ndim))))) if ndim else ()
    return x, axis, draw(st.booleans())


def same(actual, expected):
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(actual, expected)


@given(arrays(), st.sampled_from(DTYPES))
def test_sums_and_means_are_numpys(case, dtype):
    x, axis, keepdims = case
    x = x.astype(dtype, order="K")
    before = x.copy()
    same(sum_along(x, axis, keepdims=keepdims), x.sum(axis=axis, keepdims=keepdims))
    if all(x.shape[i] for i in axis):
        found = mean_along(x, axis, keepdims=keepdims)
        expected = x.mean(axis=axis, keepdims=keepdims)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-3 if dtype == np.float16 else 1e-6)
    np.testing.assert_array_equal(x, before)


@pytest.mark.usefixtures("tiny")
def test_every_way_gives_numpys_values():
    @given(arrays(), st.sampled_from([np.float32, np.float64]))
    def check(case, dtype):
        x, axis, keepdims = case
        x = x.astype(dtype, order="K")
        same(sum_along(x, axis, keepdims=keepdims), x.sum(axis=axis, keepdims=keepdims))

    check()


@pytest.mark.parametrize("axis", [(0,), (1,), (0, 2, 3), (2, 3), (1, 2, 3), (0, 1), (0, 1, 2, 3)])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (1, 0, 2, 3)])
@pytest.mark.parametrize("shape", [(4, 33, 17, 31), (3, 5, 64, 64), (1, 2, 3, 1500)])
def test_large_arrays_in_every_order(rng, shape, order, axis):
    memory = rng.integers(-99, 99, [shape[i] for i in order]).astype(np.float32)
    x = memory.transpose(np.argsort(order))
    same(sum_along(x, axis), x.sum(axis=axis, dtype=np.float64).astype(np.float32))


def test_the_result_is_new_memory_even_where_nothing_is_added(rng):
    for shape, axis in (((300, 1), (1,)), ((300, 2), ()), ((1, 600), (0,))):
        x = rng.standard_normal(shape).astype(np.float32)
        found = sum_along(x, axis)
        same(found, x.sum(axis=axis))
        assert not np.shares_memory(found, x)


def test_what_is_kept_keeps_its_order_in_memory(rng):
    last = rng.standard_normal((8, 16, 16, 12)).astype(np.float32).transpose(0, 3, 1, 2)
    assert sum_along(last, (0,)).transpose(1, 2, 0).flags.c_contiguous
    assert sum_along(last, (2, 3)).flags.c_contiguous


# -- exactness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((256, 16, 16, 64), (0, 1, 2)), ((16, 64, 64, 64), (2, 3)), ((1 << 22,), (0,)),
     ((16385, 3), (0,)), ((255, 2050), (0,))],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_is_wrong_by_a_few_roundings_at_most(rng, shape, axis, dtype):
    """In units of the last place of the sum: half the logarithm of the number of terms."""
    x = rng.random(shape).astype(dtype)
    exact = x.astype(np.longdouble)
    error = np.abs(sum_along(x, axis) - exact.sum(axis=axis))
    size = exact.sum(axis=axis) * np.finfo(dtype).eps / 2
    terms = x.size // max(error.size, 1)
    assert (error / size).max() <= np.log2(terms) / 2


def test_lines_are_added_as_exactly_as_by_numpy(rng):
    x = (rng.standard_normal((2000, 1024)) + 1.5e4).astype(np.float32)
    truth = x.astype(np.float64).sum(axis=1)
    ours, numpys = (np.std(found - truth) for found in (sum_along(x, (1,)), x.sum(axis=1)))
    assert ours < 1.2 * numpys


def test_a_sum_is_never_as_wrong_as_one_term_after_the_other(rng):
    x = rng.random((1 << 16, 8)).astype(np.float32)
    exact = x.sum(axis=0, dtype=np.float64)
    ours, numpys = (np.abs(s - exact).max() for s in (sum_along(x, (0,)), x.sum(axis=0)))
    assert 10 * ours < numpys


@pytest.mark.parametrize("shape", [(512, 64), (64, 512), (3, 5000), (5000, 3)])
@pytest.mark.parametrize("axis", [(0,), (1,)])
def test_nan_and_infinity_stay_in_their_own_sums(rng, shape, axis):
    x = rng.standard_normal(shape).astype(np.float32)
    x[1, 1], x[2, 2], x[0, 0] = np.nan, np.inf, -np.inf
    found, expected = sum_along(x, axis), x.sum(axis=axis)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    np.testing.assert_array_equal(found[:3], [-np.inf, np.nan, np.inf])


# -- threads, and other libraries -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((64, 24, 24, 64), (0, 1, 2)), ((2, 1025, 1025), (1,)), ((2, 1025, 1025), (2,)),
     ((1 << 22,), (0,)), ((33, 1 << 16), (0,)), ((1 << 16, 33), (1,))],
)  # fmt: skip
def test_the_number_of_threads_changes_no_bit(rng, shape, axis):
    x = rng.standard_normal(shape).astype(np.float32)
    assert x.size >= sums.SHARED
    found = []
    for count in (1, 2, 5):
        mg.set_num_threads(count)
        found.append(sum_along(x, axis).tobytes())
    assert found[0] == found[1] == found[2]


def test_under_cupys_rules(rng):
    x = rng.standard_normal((64, 32)).astype(np.float32)
    with cupy_double() as double:
        device = mg.tensor(x, device="cuda").data
        total, mean = sum_along(device, (0,)), mean_along(device, (1,), keepdims=True)
        np.testing.assert_allclose(double.asnumpy(total), x.sum(axis=0), rtol=1e-5)
        np.testing.assert_allclose(double.asnumpy(mean), x.mean(axis=1, keepdims=True), atol=1e-6)
