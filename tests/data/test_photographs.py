"""Letters: N crops, C = 3 channels, S side of a crop, H, W picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from minigan.backend import Generator
from minigan.data.photographs import load_photographs, random_crops, tiles


def test_pixels_are_scaled_to_minus_one_to_one():
    for picture, name in zip(load_photographs(), ("china.jpg", "flower.jpg"), strict=True):
        raw = datasets.load_sample_image(name)
        assert picture.dtype == np.float32
        assert picture.shape == (3, 427, 640)
        assert picture.flags.c_contiguous
        np.testing.assert_allclose((picture.transpose(1, 2, 0) + 1) * 127.5, raw, atol=1e-4)


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 99))
def test_crops_lie_inside_the_picture(size, more_rows, more_columns, seed):
    height, width = size + more_rows, size + more_columns
    picture = np.arange(3 * height * width).reshape(3, height, width)
    crops = random_crops(picture, 4, size=size, generator=Generator(seed))
    assert crops.shape == (4, 3, size, size)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (size, size), axis=(1, 2))
    for crop in crops:  # the first pixel's value tells the place
        top, left = np.unravel_index(crop[0, 0, 0], (height, width))
        np.testing.assert_array_equal(crop, windows[:, top, left])


def test_crops_reach_every_place():
    picture = np.arange(12).reshape(1, 3, 4)
    crops = random_crops(picture, 200, size=2, generator=Generator(0))
    assert set(crops[:, 0, 0, 0].tolist()) == {0, 1, 2, 4, 5, 6}


@pytest.mark.parametrize("size", [0, 4])
def test_crops_of_another_size_are_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}: a picture 3x5 has crops of 1 to 3"):
        random_crops(np.zeros((3, 3, 5)), 1, size=size, generator=Generator(0))


def test_tiles_lie_side_by_side():
    picture = np.arange(3 * 5 * 7).reshape(3, 5, 7)
    cut = tiles(picture, size=2)
    places = [(i, j) for i in (0, 2) for j in (0, 2, 4)]
    expected = [picture[:, i : i + 2, j : j + 2] for i, j in places]
    np.testing.assert_array_equal(cut, expected)


def test_tiles_larger_than_the_picture_are_refused():
    with pytest.raises(ValueError, match="size is 4: a picture 3x9 has no such tile"):
        tiles(np.zeros((3, 3, 9)), size=4)
