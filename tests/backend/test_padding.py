"""Padding and folding in every layout and in parts: NumPy's values, and the exact adjoint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import parts
from minigan.backend.padding import fold, pad

NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART", 4)  # share out even the smallest
    mg.set_num_threads(3)


@st.composite
def framed(draw, modes=tuple(NUMPY_MODES)):
    """An array in memory of any order, perhaps a part of it; widths that the mode allows."""
    mode = draw(st.sampled_from(modes))
    ndim = draw(st.integers(0, 4))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(ndim))
    widths = tuple(
        tuple(draw(st.integers(0, n - 1 if mode == "reflect" else 3)) for _ in range(2))
        for n in shape
    )
    order = draw(st.permutations(range(ndim)))
    steps = [draw(st.sampled_from([1, 1, 2, -1])) for _ in range(ndim)]
    lengths = [n * abs(step) for n, step in zip(shape, steps, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    memory = rng.integers(-9, 9, [lengths[i] for i in order]).astype(float)  # sums are exact
    x = memory.transpose(np.argsort(order).astype(int))
    return x[tuple(slice(None, None, step) for step in steps)], widths, mode


def gathered(g, shape, widths, mode):
    """The adjoint by brute force: add each value at the place that NumPy copies from."""
    places = np.pad(np.arange(np.prod(shape, dtype=int)).reshape(shape), widths, NUMPY_MODES[mode])
    out = np.zeros(shape, g.dtype)
    np.add.at(out.reshape(-1), places.reshape(-1), np.ravel(g))
    return out


def check_pad(case):
    x, widths, mode = case
    before = x.copy()
    expected = np.pad(x, widths, mode=NUMPY_MODES[mode]) if x.ndim else x
    found = pad(x, widths, mode=mode)
    np.testing.assert_array_equal(found, expected, strict=True)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(found, x)


def check_fold(case, dtype):
    inner, widths, mode = case
    dense = pad(inner.astype(dtype, order="K"), widths, mode="constant", value=3.0)
    dense += np.arange(dense.size).reshape(dense.shape) % 7
    sliced = np.repeat(dense, 2, axis=-1)[..., ::-2] if dense.ndim else dense
    for g in (dense, sliced):
        before = g.copy()
        found = fold(g, widths, mode=mode)
        expected = gathered(g, inner.shape, widths, mode) if g.ndim else g
        np.testing.assert_array_equal(found, expected, strict=True)
        np.testing.assert_array_equal(g, before)
        assert not np.shares_memory(found, g)


adjoint_cases = framed(("reflect", "replicate"))
dtypes = st.sampled_from([np.float32, np.float64, np.complex128])


@given(framed())
def test_pad_is_numpys(case):
    check_pad(case)


@given(adjoint_cases, dtypes)
def test_fold_adds_each_value_where_it_came_from(case, dtype):
    check_fold(case, dtype)


@pytest.mark.usefixtures("_small_parts")
def test_both_in_small_parts():
    given(framed())(check_pad)()
    given(adjoint_cases, dtypes)(check_fold)()


@pytest.mark.parametrize("mode", list(NUMPY_MODES))
def test_empty_arrays(mode):
    x = np.zeros((0, 3))
    assert pad(x, ((0, 0), (1, 2)), mode=mode).shape == (0, 6)
    if mode == "constant":
        np.testing.assert_array_equal(pad(x, ((1, 1), (0, 0)), mode=mode, value=2), [[2] * 3] * 2)
    else:
        assert fold(np.zeros((0, 6)), ((0, 0), (1, 2)), mode=mode).shape == (0, 3)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("shape", [(1, 60, 60, 35), (5, 32, 32, 32)])
def test_the_number_of_threads_changes_no_bit(rng, monkeypatch, mode, shape):
    """And channels-last memory stays so."""
    monkeypatch.setattr(parts, "PART", 1 << 14)
    g = rng.standard_normal(shape).astype(np.float32).transpose(0, 3, 1, 2)
    widths = ((0, 0), (0, 0), (3, 2), (1, 3))
    found = []
    for count in (1, 2, 5):
        mg.set_num_threads(count)
        results = pad(g, widths, mode=mode), fold(g, widths, mode=mode)
        assert all(y.transpose(0, 2, 3, 1).flags.c_contiguous for y in results)
        found.append([y.tobytes() for y in results])
    assert found[0] == found[1] == found[2]
    np.testing.assert_array_equal(results[0], np.pad(g, widths, mode=NUMPY_MODES[mode]))
    exact = gathered(g.astype(float), results[1].shape, widths, mode)
    np.testing.assert_allclose(results[1], exact, atol=1e-5)
