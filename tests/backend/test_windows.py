"""Sums over windows and their adjoint against loops, in every layout, on any number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import parts
from minigan.backend.windows import spread_windows, sum_windows


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART", 4)  # share out even the smallest
    mg.set_num_threads(3)


@st.composite
def windows(draw):
    """Images (N, C, H, W) of any layout; windows that overlap, touch, or leave pixels out."""
    n, c = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stride = draw(st.sampled_from([kernel, kernel, (1, 2), (2, 1), (4, 3)]))
    pooled = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rest = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    axes = zip(pooled, stride, kernel, rest, strict=True)
    size = tuple((p - 1) * s + k + r for p, s, k, r in axes)
    layout = draw(st.sampled_from(["first", "last", "sliced"]))
    seed = draw(st.integers(0, 99))
    return (n, c), kernel, stride, pooled, size, layout, seed


def images(shape, layout, seed, dtype):
    values = np.random.default_rng(seed).integers(-9, 9, (2, *shape)).astype(dtype)[1]
    if layout == "last":
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return np.repeat(values, 2, axis=3)[..., ::-1, ::-2] if layout == "sliced" else values


def by_loops(shape, kernel, stride, pooled):
    """Yield ((p, q), (h, w)) for each pixel of each window."""
    for p, q in np.ndindex(*pooled):
        for i, j in np.ndindex(*kernel):
            yield (p, q), (p * stride[0] + i, q * stride[1] + j)


def check(case, dtype):
    batch, kernel, stride, pooled, size, layout, seed = case
    x = images((*batch, *size), layout, seed, dtype)
    y = images((*batch, *pooled), layout, seed + 1, dtype)
    sums, spread = np.zeros(y.shape, dtype), np.zeros(x.shape, dtype)
    for (p, q), (h, w) in by_loops(x.shape, kernel, stride, pooled):
        sums[:, :, p, q] += x[:, :, h, w]
        spread[:, :, h, w] += y[:, :, p, q]
    before = x.copy(), y.copy()
    np.testing.assert_array_equal(sum_windows(x, kernel, stride, pooled), sums, strict=True)
    np.testing.assert_array_equal(spread_windows(y, kernel, stride, size), spread, strict=True)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


dtypes = st.sampled_from([np.float32, np.float64, np.complex128])


@given(windows(), dtypes)
def test_both_are_the_loops(case, dtype):
    check(case, dtype)


@pytest.mark.usefixtures("_small_parts")
def test_both_in_small_parts():
    given(windows(), dtypes)(check)()


@pytest.mark.parametrize("shape", [(7, 30, 30, 16), (1, 60, 60, 35)])
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 3), (2, 1))])
def test_the_number_of_threads_changes_no_bit(rng, monkeypatch, shape, kernel, stride):
    """And channels-last memory stays so."""
    monkeypatch.setattr(parts, "PART", 1 << 14)
    x = rng.standard_normal(shape).astype(np.float32).transpose(0, 3, 1, 2)
    size = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True))
    found = []
    for count in (1, 2, 5):
        mg.set_num_threads(count)
        y = sum_windows(x, kernel, stride, size)
        results = y, spread_windows(y, kernel, stride, x.shape[2:])
        assert all(array.transpose(0, 2, 3, 1).flags.c_contiguous for array in results)
        found.append([array.tobytes() for array in results])
    assert found[0] == found[1] == found[2]
    assert not np.shares_memory(*results)
