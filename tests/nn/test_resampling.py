"""Resolution- and shape-changing layers against NumPy."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 4, 6, 6)).astype(np.float32)


def tiles(x, size):
    """(N, C, H, W) -> (N, C, H/size, W/size, size * size)"""
    n, c, h, w = x.shape
    cut = x.reshape(n, c, h // size, size, w // size, size).transpose(0, 1, 2, 4, 3, 5)
    return cut.reshape(n, c, h // size, w // size, size * size)


def test_upsample_nearest(x):
    y = nn.Upsample(scale_factor=3)(mg.tensor(x)).numpy()
    np.testing.assert_array_equal(y, x.repeat(3, axis=2).repeat(3, axis=3))


def test_upsample_bilinear_keeps_constants_and_range(x):
    up = nn.Upsample(scale_factor=2, mode="bilinear")
    y = up(mg.tensor(x)).numpy()
    assert y.shape == (2, 4, 12, 12)
    assert x.min() <= y.min()
    assert y.max() <= x.max()
    np.testing.assert_allclose(up(mg.full((1, 1, 3, 3), 2.5)).numpy(), 2.5, rtol=1e-6)


def test_pooling(x):
    np.testing.assert_allclose(
        nn.AvgPool2d(2)(mg.tensor(x)).numpy(), tiles(x, 2).mean(axis=-1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(nn.MaxPool2d(3)(mg.tensor(x)).numpy(), tiles(x, 3).max(axis=-1))
    overlapping = nn.MaxPool2d(2, stride=1)(mg.tensor(x)).numpy()
    parts = [x[:, :, i : i + 5, j : j + 5] for i in (0, 1) for j in (0, 1)]
    np.testing.assert_array_equal(overlapping, np.max(parts, axis=0))


@pytest.mark.parametrize(("size", "pair"), [(1, (1, 1)), (3, (3, 3)), ((2, 6), (2, 6))])
def test_adaptive_average(x, size, pair):
    y = nn.AdaptiveAvgPool2d(size)(mg.tensor(x)).numpy()
    rows, columns = pair
    cut = x.reshape(2, 4, rows, 6 // rows, columns, 6 // columns)
    np.testing.assert_allclose(y, cut.mean(axis=(3, 5)), rtol=1e-5, atol=1e-6)


def test_adaptive_average_needs_equal_tiles(x):
    with pytest.raises(mg.errors.ShapeError, match="cannot cut a map 6x6 into equal tiles"):
        nn.AdaptiveAvgPool2d(4)(mg.tensor(x))


def test_pixel_shuffle(x):
    y = nn.PixelShuffle(2)(mg.tensor(x)).numpy()
    assert y.shape == (2, 1, 12, 12)
    for i in (0, 1):
        for j in (0, 1):
            np.testing.assert_array_equal(y[:, 0, i::2, j::2], x[:, 2 * i + j])


def test_flatten_and_unflatten(x):
    flat = nn.Flatten()(mg.tensor(x))
    np.testing.assert_array_equal(flat.numpy(), x.reshape(2, 144))
    np.testing.assert_array_equal(nn.Unflatten(1, (4, 6, 6))(flat).numpy(), x)
    assert nn.Flatten(0, 1)(mg.tensor(x)).shape == (8, 6, 6)
    assert nn.Unflatten(-1, (2, 3))(mg.tensor(x)).shape == (2, 4, 6, 2, 3)
    assert nn.Flatten()(mg.zeros(0, 4, 6)).shape == (0, 24)
    with pytest.raises(mg.errors.ShapeError, match="cannot split 144 elements"):
        nn.Unflatten(1, (4, 6))(flat)


@pytest.mark.parametrize("sizes", [(4, -1, 6), (-1, 6, 6), (4, 6, 6, -1)])
def test_unflatten_finds_one_size_itself(x, sizes):
    y = nn.Unflatten(1, sizes)(mg.tensor(x.reshape(2, 144)))
    np.testing.assert_array_equal(y.numpy(), x.reshape(2, *sizes))
    assert nn.Unflatten(1, (2, -1))(mg.zeros(0, 6)).shape == (0, 2, 3)


def test_unflatten_refuses_what_does_not_divide():
    for sizes in ((5, -1), (0, -1)):
        with pytest.raises(mg.errors.ShapeError, match="cannot split 4 elements"):
            nn.Unflatten(1, sizes)(mg.zeros(1, 4))
    with pytest.raises(ValueError, match="only one size may be -1"):
        nn.Unflatten(1, (-1, -1))
    with pytest.raises(mg.errors.ShapeError, match=r"got shape \(4,\), which has no axis 1"):
        nn.Unflatten(1, (2, 2))(mg.zeros(4))


def test_flatten_needs_its_axes():
    with pytest.raises(mg.errors.ShapeError, match=r"Flatten\(\) got shape \(3,\), .* no axis 1"):
        nn.Flatten()(mg.ones(3))
    with pytest.raises(mg.errors.ShapeError, match=r"Flatten\(2, 1\) got .*start_dim comes after"):
        nn.Flatten(2, 1)(mg.ones(2, 3, 4))


def test_pixel_unshuffle_undoes_pixel_shuffle(x):
    back = nn.PixelUnshuffle(3)
    y = back(mg.tensor(x))
    assert y.shape == (2, 36, 2, 2)
    np.testing.assert_array_equal(y[:, 1].numpy(), x[:, 0, 0::3, 1::3])
    np.testing.assert_array_equal(nn.PixelShuffle(3)(y).numpy(), x)
    assert repr(back) == "PixelUnshuffle(3)"


def test_sizes_are_whole_numbers_and_checked_when_the_layer_is_built(x):
    two = np.int64(2)
    assert nn.Upsample(scale_factor=two)(mg.tensor(x)).shape == (2, 4, 12, 12)
    assert nn.AvgPool2d(two, two)(mg.tensor(x)).shape == (2, 4, 3, 3)
    assert nn.AdaptiveAvgPool2d(two)(mg.tensor(x)).shape == (2, 4, 2, 2)
    assert nn.PixelShuffle(two)(mg.tensor(x)).shape == (2, 1, 12, 12)
    assert nn.Flatten(two)(mg.tensor(x)).shape == (2, 4, 36)
    for make, name in (
        (nn.MaxPool2d, "kernel_size"), (lambda n: nn.AvgPool2d(2, n), "stride"),
        (lambda n: nn.Upsample(scale_factor=n), "scale_factor"),
        (nn.AdaptiveAvgPool2d, "output_size"), (nn.PixelShuffle, "upscale_factor"),
        (nn.PixelUnshuffle, "downscale_factor"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name}=0: .*>= 1"):
            make(0)


def test_repr():
    assert repr(nn.AvgPool2d((2, 3), 2, 1)) == "AvgPool2d((2, 3), stride=2, padding=1)"
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(2, stride=2)"
    assert repr(nn.Upsample(scale_factor=(2, 2))) == "Upsample(scale_factor=2, mode='nearest')"
