"""Convolution layers: against naive loops, their shapes, their parameters."""

import re

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def naive_conv(x, w, b, stride, padding, groups):
    """Six loops over the definition. x (N, C, H, W), w (O, C/G, K, L)."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).astype(np.float64)
    n, _, height, width = x.shape
    o, per_group, k, l = w.shape  # noqa: E741
    rows, columns = (height - k) // stride + 1, (width - l) // stride + 1
    y = np.zeros((n, o, rows, columns))
    for out in range(o):
        first = out // (o // groups) * per_group
        for i in range(rows):
            for j in range(columns):
                window = x[:, first : first + per_group, i * stride : i * stride + k]
                window = window[..., j * stride : j * stride + l]
                y[:, out, i, j] = (window * w[out]).sum(axis=(1, 2, 3))
    return y if b is None else y + b[:, None, None]


@pytest.mark.parametrize(("stride", "padding", "groups", "bias"), [
    (1, 0, 1, True), (2, 1, 1, False), (1, 1, 2, True), (3, 2, 4, True),
])  # fmt: skip
def test_conv2d(rng, stride, padding, groups, bias):
    layer = nn.Conv2d(4, 8, (3, 2), stride, padding, groups=groups, bias=bias)
    x = rng.standard_normal((2, 4, 7, 6)).astype(np.float32)
    b = layer.bias.numpy() if bias else None
    expected = naive_conv(x, layer.weight.numpy(), b, stride, padding, groups)
    y = layer(mg.tensor(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [
    {"stride": 2, "padding": 1}, {"stride": (3, 1), "output_padding": (1, 0)},
    {"groups": 2}, {"dilation": 2, "padding": (0, 1)},
])  # fmt: skip
def test_conv_transpose2d_is_the_adjoint(rng, options):
    """<conv_transpose(x), y> = <x, conv(y)> with the same weight, and sizes go back."""
    up = nn.ConvTranspose2d(4, 6, 3, bias=False, **options).to(dtype="float64")
    options.pop("output_padding", None)
    down = nn.Conv2d(6, 4, 3, bias=False, **options).to(dtype="float64")
    assert up.weight.shape == down.weight.shape
    down.weight.assign_(up.weight)
    x = mg.tensor(rng.standard_normal((2, 4, 5, 4)))
    big = up(x)
    y = mg.tensor(rng.standard_normal(big.shape))
    assert down(y).shape == x.shape
    left, right = (big * y).sum().item(), (x * down(y)).sum().item()
    assert left == pytest.approx(right, rel=1e-10)


def test_conv_transpose2d_adds_its_bias():
    layer = nn.ConvTranspose2d(1, 2, 4, 2, 1)
    layer.weight.assign_(0.0)
    layer.bias.assign_(np.array([1.0, -2.0], np.float32))
    y = layer(mg.zeros(1, 1, 3, 3)).numpy()
    assert y.shape == (1, 2, 6, 6)
    np.testing.assert_array_equal(y, np.array([1.0, -2.0])[None, :, None, None] * np.ones((6, 6)))


def test_parameter_shapes_and_ranges():
    down, up = nn.Conv2d(16, 32, 5, groups=4), nn.ConvTranspose2d(16, 32, 5, groups=4)
    assert (down.weight.shape, up.weight.shape) == ((32, 4, 5, 5), (16, 8, 5, 5))
    for layer, fan_in in ((down, 100), (up, 200)):
        bound = 1 / np.sqrt(fan_in)
        assert 0.9 * bound < np.abs(layer.weight.numpy()).max() <= bound
        assert np.abs(layer.bias.numpy()).max() <= bound
        assert list(layer.state_dict()) == ["weight", "bias"]


def test_repr_shows_what_is_not_default():
    assert repr(nn.Conv2d(3, 8, 4, 2, 1, bias=False)) == (
        "Conv2d(3, 8, 4, stride=2, padding=1, bias=False)"
    )
    layer = nn.ConvTranspose2d(4, 8, (3, 5), output_padding=0, dilation=(1, 2), groups=2)
    assert repr(layer) == "ConvTranspose2d(4, 8, (3, 5), dilation=(1, 2), groups=2)"


def test_options_are_keyword_only_and_checked():
    with pytest.raises(TypeError):
        nn.Conv2d(3, 8, 3, 1, 1, 2)
    with pytest.raises(ValueError, match="groups=2 must divide in_channels=3 and out_channels=8"):
        nn.Conv2d(3, 8, 3, groups=2)
    with pytest.raises(ValueError, match=r"kernel_size=\(1, 2, 3\): give an int or a pair of ints"):
        nn.Conv2d(3, 8, (1, 2, 3))


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize(("name", "value", "least"), [
    ("kernel_size", 0, 1), ("stride", 0, 1), ("stride", (1, 0), 1), ("padding", -1, 0),
    ("dilation", 0, 1), ("groups", 0, 1), ("in_channels", 0, 1), ("out_channels", -2, 1),
])  # fmt: skip
def test_bad_geometry_is_refused_when_the_layer_is_built(layer, name, value, least):
    options = {"in_channels": 1, "out_channels": 1, "kernel_size": 3, name: value}
    with pytest.raises(ValueError, match=f"^{re.escape(f'{name}={value}')}: .*>= {least}$"):
        layer(**options)


def test_bad_output_padding_is_refused_when_the_layer_is_built():
    with pytest.raises(ValueError, match="^output_padding=-1: .*>= 0$"):
        nn.ConvTranspose2d(1, 1, 3, output_padding=-1)


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_numpys_whole_numbers_are_ints(layer):
    two, three = np.int64(2), np.int32(3)
    made = layer(two, np.int64(4), three, (two, two), padding=np.uint8(1), groups=two)
    assert repr(made) == f"{layer.__name__}(2, 4, 3, stride=2, padding=1, groups=2)"
    assert made(mg.ones(1, 2, 5, 5)).shape[:2] == (1, 4)
    with pytest.raises(TypeError, match=r"in_channels=2.0: give an int"):
        layer(2.0, 4, 3)
