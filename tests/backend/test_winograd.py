"""Winograd's kernels: accuracy at the size of real layers, blocks, folding. Values over random
geometries are compared with the naive loops in `test_conv.py`."""

import numpy as np
import pytest
from scipy import signal

from minigan.backend import blocked, winograd
from minigan.backend.columns import Geometry
from minigan.backend.toom_cook import F22, F34, F42, F43
from minigan.backend.winograd import fits

ONE = (1, 1)


def same(batch, channels, size, filters):
    return Geometry(batch, channels, filters, size, (3, 3), size, ONE, ONE, ONE, 1)


def halving(batch, channels, size, filters):
    half = tuple(h // 2 for h in size)
    return Geometry(batch, channels, filters, size, (4, 4), half, (2, 2), ONE, ONE, 1)


def four(batch, channels, size, filters):
    less = tuple(h - 1 for h in size)
    return Geometry(batch, channels, filters, size, (4, 4), less, ONE, ONE, ONE, 1)


# (geometry, relative error allowed): F(2x2, 2x2) loses next to nothing, the larger tiles a digit.
LAYERS = [
    (same(2, 64, (16, 16), 64), 1e-5),
    (same(1, 256, (9, 11), 128), 1e-5),
    (halving(4, 64, (16, 16), 128), 2e-6),  # few tiles: F(2x2, 2x2)
    (halving(3, 128, (10, 14), 64), 2e-6),
    (halving(16, 64, (16, 16), 128), 1e-5),  # many: F(4x4, 2x2)
    (halving(64, 64, (16, 16), 128), 1e-5),
    (halving(9, 128, (18, 14), 64), 1e-5),
    (four(1, 128, (16, 16), 256), 1e-5),
    (four(3, 64, (13, 10), 64), 1e-5),
]


def test_the_layers_above_take_every_transform():
    transforms = [winograd.transform_for(geo) for geo, _ in LAYERS]
    assert transforms == [F43, F43, F22, F22, F42, F42, F42, F34, F34]


def operands(geo, rng):
    shapes = (
        (geo.batch, geo.channels, *geo.size),
        (geo.filters, geo.channels, *geo.kernel),
        (geo.batch, geo.filters, *geo.out),
    )
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(("geo", "allowed"), LAYERS)
def test_accuracy_at_the_size_of_layers(rng, geo, allowed):
    x, weight, y = operands(geo, rng)
    for name, a, b in (
        ("conv2d", x, weight),
        ("conv_transpose2d", y, weight),
        ("conv2d_weight", x, y),
    ):
        expected = getattr(blocked, name)(a.astype(np.float64), b.astype(np.float64), geo)
        actual = getattr(winograd, name)(a, b, geo)
        assert actual.dtype == np.float32
        error = np.abs(actual - expected).max() / np.abs(expected).max()
        assert 0 < error <= allowed, (name, error)


def test_one_channel_agrees_with_scipy(rng):
    x, weight = rng.standard_normal((1, 1, 13, 9)), rng.standard_normal((1, 1, 3, 3))
    geo = Geometry(1, 1, 1, (13, 9), (3, 3), (11, 7), ONE, (0, 0), ONE, 1)
    actual = winograd.conv2d(x, weight, geo)
    expected = signal.correlate2d(x[0, 0], weight[0, 0], mode="valid")
    np.testing.assert_allclose(actual[0, 0], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "transform"),
    [
        ({}, F43),
        ({"kernel": (4, 4), "stride": (2, 2), "out": (3, 3)}, F22),
        ({"kernel": (4, 4), "stride": (2, 2), "out": (3, 3), "batch": 64}, F42),
        ({"kernel": (4, 4), "out": (5, 5)}, F34),
        ({"kernel": (4, 4), "out": (5, 3)}, None),
        ({"kernel": (5, 5), "out": (4, 4)}, None),
        ({"stride": (2, 2), "out": (3, 3)}, None),
        ({"dilation": (2, 2), "out": (4, 4)}, None),
        ({"groups": 2}, None),
        ({"kernel": (3, 1), "out": (6, 8)}, None),
    ],
)
def test_which_geometries_are_served(changes, transform):
    sizes = {"kernel": (3, 3), "out": (6, 6), "stride": ONE, "dilation": ONE, "groups": 1}
    sizes = {"batch": 1, "channels": 4, "filters": 4, "size": (6, 6), "padding": ONE, **sizes}
    geo = Geometry(**{**sizes, **changes})
    assert winograd.transform_for(geo) is transform
    assert fits(geo) == (transform is not None)


# -- kernels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "size"), [(F43, 3), (F34, 4), (F42, 4), (F22, 4)])
def test_kernels_are_folded_turned_and_transformed(rng, f, size):
    s = size // f.taps
    weight = rng.standard_normal((5, 3, size, size))
    shape = f.window, f.window, s, s
    kernel = winograd.transform_kernel(weight, f).reshape(*shape, 3, 5).copy()
    turned = winograd.transform_turned_kernel(weight, f).reshape(*shape, 5, 3)
    for a, b, o, c in np.ndindex(s, s, 5, 3):
        taps = weight[o, c, a::s, b::s]
        np.testing.assert_allclose(kernel[:, :, a, b, c, o], f.g @ taps @ f.g.T)
        np.testing.assert_allclose(turned[:, :, a, b, o, c], f.g @ taps[::-1, ::-1] @ f.g.T)


@pytest.mark.parametrize(("f", "size"), [(F43, 3), (F34, 4), (F42, 4), (F22, 4)])
def test_gathering_is_the_adjoint_of_transforming_a_kernel(rng, f, size):
    weight = rng.standard_normal((5, 3, size, size))
    kernel = winograd.transform_kernel(weight, f).copy()
    sums = rng.standard_normal(kernel.shape)
    gathered = winograd.gather_sums(sums.mT.copy(), f, size // f.taps)
    np.testing.assert_allclose((gathered * weight).sum(), (sums * kernel).sum())
