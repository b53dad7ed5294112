"""Normalisation in blocks against the general case: any layout, any number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.backend import maps
from minigan.backend.normalize import (
    generic_backward,
    generic_forward,
    moments,
    normalize_backward,
    normalize_forward,
)

LAYOUTS = ("channels first", "channels last", "every other row", "turned")


@pytest.fixture(autouse=True)
def small_arrays_in_small_blocks(monkeypatch):
    """Let the blocked functions serve the small arrays of tests, in several blocks each."""
    for name, value in {
        "FORWARD": 1,
        "BACKWARD": 1,
        "LEAST": 64,
        "READ": 256,
        "WRITTEN": 128,
    }.items():
        monkeypatch.setattr(maps, name, value)


def images(shape, layout, seed, dtype=np.float64):
    """Return random (N, C, ...) in memory of that layout."""
    n, c, *rest = shape
    rng = np.random.default_rng([seed, *shape])

    def draw(*lengths):
        return rng.normal(0.5, 1.5, lengths).astype(dtype)

    if layout == "channels first":
        return draw(*shape)
    if layout == "channels last":
        return np.moveaxis(draw(n, *rest, c), -1, 1)
    if layout == "every other row":
        return np.moveaxis(draw(n, 2 * rest[0], *rest[1:], c)[:, ::2], -1, 1)
    return np.moveaxis(draw(*rest, c, n)[::-1], [-1, -2], [0, 1])


@st.composite
def calls(draw, dtype=np.float64):
    """Draw x, scale and shift, g, and options, as batch norm, instance norm and AdaIN have them."""
    rest = draw(st.lists(st.integers(1, 7), min_size=1, max_size=2))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 9)), *rest)
    whole = draw(st.booleans())
    axis = (*((0,) if whole else ()), *range(2, len(shape)))
    affine = []
    for seed in (1, 2):
        lots = draw(st.sampled_from([None, 1] if whole else [None, 1, shape[0]]))
        each = lots and (lots, shape[1], *(1,) * len(rest))
        affine.append(each and images(each, "channels first", seed, dtype))
    x, g = (images(shape, draw(st.sampled_from(LAYOUTS)), seed, dtype) for seed in (0, 3))
    x = x + dtype(draw(st.sampled_from([0.0, 0.0, 100.0])))
    return (x, *affine), g, {"axis": axis, "eps": 1e-2, "centre": draw(st.booleans())}


def both_ways(arrays, g, options):
    """Run forward and backward: results in one list, None where there is no such argument."""
    needs = tuple(a is not None for a in arrays)
    y, stash = normalize_forward(*arrays, **options)
    return [y, *stash, *normalize_backward(g, needs, stash, *arrays, **options)]


def generic(arrays, g, options):
    needs = tuple(a is not None for a in arrays)
    y, stash = generic_forward(*arrays, **options)
    options = {"axis": options["axis"], "centre": options["centre"]}
    return [y, *stash, *generic_backward(g, needs, stash, *arrays, **options)]


def serves(arrays, options):
    return maps.serves(*arrays, options["axis"], least=1)


@given(calls())
def test_results_are_those_of_the_general_case(call):
    arrays, g, options = call
    assert serves(arrays, options) or arrays[0].flags.c_contiguous
    before = [None if a is None else a.copy() for a in (*arrays, g)]
    for a, b in zip(both_ways(*call), generic(*call), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape
            # Values near 100 have an error of 1e-14, their squares one of 1e-12.
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    for a, b in zip((*arrays, g), before, strict=True):
        assert a is None or (a == b).all()


@given(calls(dtype=np.float32))
def test_float32_makes_float32(call):
    for array in both_ways(*call):
        assert array is None or array.dtype == np.float32
    x, options = call[0][0], call[2]
    assert {a.dtype for a in moments(x, axis=options["axis"])} == {np.dtype(np.float32)}


@given(calls(), st.sampled_from(LAYOUTS))
def test_moments_are_numpys(call, layout):
    x, axis = call[0][0], call[2]["axis"]
    m, v = moments(x, axis=axis)
    np.testing.assert_allclose(m, x.mean(axis=axis, keepdims=True), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(v, x.var(axis=axis, keepdims=True), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [(0, 2, 3), (2, 3)])
def test_the_number_of_threads_changes_no_bit(layout, axis):
    x, g = (images((6, 10, 12, 7), layout, seed, np.float32) for seed in (0, 1))
    lots = 1 if 0 in axis else 6
    scale, shift = (images((lots, 10, 1, 1), "channels first", s, np.float32) for s in (2, 3))
    found = []
    for count in (1, 2, 3):
        mg.set_num_threads(count)
        options = {"axis": axis, "eps": 1e-5, "centre": True}
        found.append([a.tobytes() for a in both_ways((x, scale, shift), g, options)])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axis", [(0, 2, 3), (2, 3)])
def test_a_mean_of_ten_thousand_deviations_costs_no_more_than_in_the_general_case(layout, axis):
    x = (images((4, 5, 16, 16), layout, 0) + 1.5e4).astype(np.float32)
    g = images((4, 5, 16, 16), layout, 1, np.float32)
    options = {"axis": axis, "eps": 1e-5, "centre": True}
    exact = generic((x.astype(np.float64), None, None), g.astype(np.float64), options)
    blocked = both_ways((x, None, None), g, options)
    _, variance = moments(x, axis=axis)
    np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=axis, keepdims=True), 1e-5)
    # The mean itself is rounded to float32: 5e-4 of 15000, a third of a thousandth deviation.
    np.testing.assert_allclose(blocked[0], exact[0], atol=1e-3)
    np.testing.assert_allclose(blocked[3], exact[3], atol=1e-3)


def test_long_maps_of_few_channels_add_up_exactly(monkeypatch):
    monkeypatch.setattr(maps, "READ", 1 << 18)
    size = 181  # squared, it has no factor in common with anything
    x = images((1, 3, size, size), "channels last", 0, np.float32)
    x[...] = np.where(x > 0.5, 1.1, -1.1)
    variance = x.astype(np.float64).var(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(maps.moments(x, axis=(2, 3))[1], variance, rtol=3e-6)


def test_values_whose_squares_overflow_are_centred_without_a_warning():
    x = images((4, 5, 16, 16), "channels last", 0, np.float32) + np.float32(3e19)
    mean, variance = moments(x, axis=(0, 2, 3))
    np.testing.assert_allclose(mean, 3e19, rtol=1e-6)
    assert np.isfinite(variance).all()


def test_statistics_that_are_known_are_not_computed_again(monkeypatch):
    x = images((4, 5, 16, 16), "channels last", 0, np.float32)
    options = {"axis": (0, 2, 3), "eps": 1e-5, "centre": True}
    expected, _ = normalize_forward(x, None, None, **options)
    known = moments(x, axis=(0, 2, 3))
    monkeypatch.setattr(maps, "moments", None)
    y, _ = normalize_forward(x, None, None, **options, statistics=known)
    assert (y == expected).all()


@pytest.mark.parametrize(
    ("x", "axis"),
    [
        (np.ones((2, 3, 4, 4), np.complex128), (2, 3)),
        (np.ones((2, 3, 4, 4), np.float16), (2, 3)),
        (np.ones((2, 3, 4, 4)), (1, 2, 3)),
        (np.ones((2, 48)), (0,)),
    ],
)
def test_what_is_left_to_the_general_case(x, axis):
    assert not maps.serves(x, None, None, axis, least=1)


def test_scale_and_shift_that_vary_over_the_map_are_left_to_the_general_case():
    x, one = np.ones((2, 3, 4, 4)), np.ones((1, 3, 1, 1))
    assert maps.serves(x, one, one, (2, 3), least=1)
    for other in (np.ones((1, 3, 1, 4)), np.ones((1, 1, 1, 1)), one.astype(np.float32)):
        assert not maps.serves(x, other, one, (2, 3), least=1)
        assert not maps.serves(x, None, other, (2, 3), least=1)
    assert not maps.serves(x, np.ones((2, 3, 1, 1)), None, (0, 2, 3), least=1)
