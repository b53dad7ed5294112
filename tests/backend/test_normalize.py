"""The kernels of normalisation alone: any axes, any broadcasting, with and without centring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend.normalize import moments, normalize_backward, normalize_forward
from minigan.ops.normalization import normalize
from minigan.testing.cupy_double import cupy_double

STEP = 1e-30


def randn(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(0.5, 1.5, shape)


@st.composite
def calls(draw):
    """Draw arguments and options: 1 to 4 axes, some of them reduced, scale and shift broadcast."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    subsets = st.sets(st.integers(0, len(shape) - 1), min_size=1)
    axis = tuple(sorted(draw(subsets)))
    affine = []
    for seed in (1, 2):
        flags = draw(st.none() | st.tuples(*[st.booleans()] * len(shape)))
        own = None if flags is None else [n if f else 1 for n, f in zip(shape, flags, strict=True)]
        affine.append(None if own is None else randn(*own, seed=seed))
    options = {
        "axis": axis,
        "eps": draw(st.sampled_from([1e-3, 1.0])),
        "centre": draw(st.booleans()),
    }
    return (randn(*shape), *affine), options


def reference(x, scale, shift, *, axis, eps, centre):
    """Normalise by NumPy's mean and variance."""
    m = x.mean(axis=axis, keepdims=True) if centre else 0
    v = x.var(axis=axis, keepdims=True) if centre else (x**2).mean(axis=axis, keepdims=True)
    y = (x - m) / np.sqrt(v + eps)
    y = y if scale is None else y * scale
    return y if shift is None else y + shift


@given(calls())
def test_forward_equals_the_formula(call):
    arrays, options = call
    before = [None if a is None else a.copy() for a in arrays]
    y, (_, rate) = normalize_forward(*arrays, **options)
    np.testing.assert_allclose(y, reference(*arrays, **options), rtol=1e-12, atol=1e-13)
    assert rate.shape == tuple(
        1 if i in options["axis"] else n for i, n in enumerate(arrays[0].shape)
    )
    for a, b in zip(arrays, before, strict=True):
        assert a is None or (a == b).all()


@given(calls(), st.integers(0, 100))
def test_backward_equals_a_complex_step_through_forward(call, seed):
    arrays, options = call
    g = randn(*arrays[0].shape, seed=seed)
    needs = tuple(a is not None for a in arrays)
    _, stash = normalize_forward(*arrays, **options)
    found = normalize_backward(g.copy(), needs, stash, *arrays, **options)
    for i, (array, gradient) in enumerate(zip(arrays, found, strict=True)):
        if array is None:
            assert gradient is None
            continue
        assert gradient.shape == array.shape
        direction = randn(*array.shape, seed=seed + 1)
        moved = [a if j != i else a + 1j * STEP * direction for j, a in enumerate(arrays)]
        slope = normalize_forward(*moved, **options)[0].imag / STEP
        # Both sums may cancel to nothing: what they are made of sets the size of rounding errors.
        size = np.abs(slope * g).sum() + stash[1].max() * np.abs(g).sum() * np.abs(direction).sum()
        assert abs((slope * g).sum() - (gradient * direction).sum()) <= 1e-12 * size


@given(calls())
def test_definition_equals_kernels(call):
    arrays, options = call
    inputs = [None if a is None else mg.tensor(a, requires_grad=True) for a in arrays]
    tracked = [t for t in inputs if t is not None]
    y, again = normalize(*inputs, **options), normalize.definition(*inputs, **options)
    np.testing.assert_allclose(y.data, again.data, rtol=1e-12, atol=1e-13)
    g = mg.tensor(randn(*y.shape, seed=9))
    by_kernel, by_definition = mg.grad(y, tracked, g), mg.grad(again, tracked, g)
    for a, b in zip(by_kernel, by_definition, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-12)


def test_only_what_is_needed_is_computed():
    arrays = (randn(2, 3, 4), randn(1, 3, 1), randn(1, 3, 1))
    options = {"axis": (0, 2), "eps": 1e-3, "centre": True}
    y, stash = normalize_forward(*arrays, **options)
    for i in range(3):
        needs = tuple(i == j for j in range(3))
        found = normalize_backward(y, needs, stash, *arrays, **options)
        assert [f is not None for f in found] == list(needs)


def test_moments_are_numpys():
    x = randn(3, 4, 5)
    m, v = moments(x, axis=(0, 2))
    np.testing.assert_allclose(m, x.mean(axis=(0, 2), keepdims=True), rtol=1e-13)
    np.testing.assert_allclose(v, x.var(axis=(0, 2), keepdims=True), rtol=1e-13)


@pytest.mark.parametrize("channels_last", [False, True])
def test_float32_survives_a_mean_of_ten_thousand_deviations(channels_last):
    x = (1e4 + randn(2, 3, 16, 16)).astype(np.float32)
    if channels_last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    options = {"axis": (2, 3), "eps": 1e-5, "centre": True}
    y, stash = normalize_forward(x, None, None, **options)
    assert {y.dtype, *(s.dtype for s in stash)} == {np.dtype(np.float32)}
    expected = reference(x.astype(np.float64), None, None, **options)
    # E[x^2] - E[x]^2 has an error of about 6 here, with a variance of 2.
    np.testing.assert_allclose(y, expected, atol=5e-3)


def test_a_mean_is_wrong_by_a_few_roundings_whatever_the_layout():
    last = (1.5e4 + randn(2, 64, 64, 3)).astype(np.float32)
    x = np.moveaxis(last, -1, 1)  # channels last in memory
    mean, _ = moments(x, axis=(2, 3))
    expected = x.astype(np.float64).mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(mean, expected, atol=3 * np.spacing(np.float32(1.5e4)))


def test_an_imaginary_part_is_never_dropped():
    x, scale = randn(2, 3), randn(2, 3) + 1j * randn(2, 3, seed=1)
    options = {"axis": (1,), "eps": 1e-3, "centre": True}
    y, stash = normalize_forward(x, scale, None, **options)
    gradient, _, _ = normalize_backward(y, (True, False, False), stash, x, scale, None, **options)
    assert np.abs(gradient.imag).max() > 0.01


def test_kernels_run_by_cupys_rules_without_a_wait():
    arrays, options = (randn(2, 3, 4), randn(1, 3, 1), None), {"axis": (0, 2), "eps": 1e-3}
    with cupy_double() as double:
        on_device = [mg.tensor(a, device="cuda").data if a is not None else None for a in arrays]
        with double.capturing():
            y, stash = normalize_forward(*on_device, **options, centre=True)
            found = normalize_backward(
                y, (True, True, False), stash, *on_device, **options, centre=True
            )
        y, g = double.asnumpy(y), double.asnumpy(found[0])
    np.testing.assert_allclose(y, reference(*arrays, **options, centre=True), atol=1e-13)
    np.testing.assert_allclose(g.sum(axis=(0, 2)), np.zeros(3), atol=1e-13)
