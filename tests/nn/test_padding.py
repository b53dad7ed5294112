"""Padding layers against numpy.pad, with PyTorch's order of sides."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

MODES = [(nn.ZeroPad2d, "constant"), (nn.ReflectionPad2d, "reflect"), (nn.ReplicationPad2d, "edge")]


@pytest.mark.parametrize(("layer", "mode"), MODES)
@pytest.mark.parametrize("padding", [2, (1, 2, 0, 3)])
def test_against_numpy(rng, layer, mode, padding):
    x = rng.standard_normal((2, 3, 5, 4)).astype(np.float32)
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=mode)
    np.testing.assert_array_equal(layer(padding)(mg.tensor(x)).numpy(), expected)


def test_bad_padding_and_repr():
    with pytest.raises(ValueError, match=r"padding is \(1, 2\): give an int or \(left, right"):
        nn.ZeroPad2d((1, 2))
    with pytest.raises(ValueError, match="padding=-1: give an int >= 0"):
        nn.ZeroPad2d((0, 0, -1, 0))
    assert repr(nn.ZeroPad2d(np.int64(2))) == "ZeroPad2d(2)"
    assert repr(nn.ReflectionPad2d(3)) == "ReflectionPad2d(3)"
    assert repr(nn.ReflectionPad2d((1, 2, 3, 4))) == "ReflectionPad2d((1, 2, 3, 4))"
