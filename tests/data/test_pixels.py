import numpy as np
import pytest
from PIL import Image

from minigan.data import Dataset, from_bytes, part_of, with_channels


def test_every_byte_has_its_place_between_minus_one_and_one():
    values = from_bytes(np.arange(256, dtype=np.uint8))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, np.linspace(-1, 1, 256), atol=1e-7)
    assert (values[0], values[-1]) == (-1.0, 1.0)
    np.testing.assert_array_equal(np.rint((values + 1) * 127.5), np.arange(256))


def test_grey_is_weighed_as_pillow_does(rng):
    pixels = rng.integers(0, 256, (1, 9, 7, 3), np.uint8)
    expected = np.asarray(Image.fromarray(pixels[0]).convert("L"), np.float64) / 127.5 - 1
    grey = with_channels(from_bytes(pixels).transpose(0, 3, 1, 2), 1)
    assert (grey.shape, grey.dtype) == ((1, 1, 9, 7), np.float32)
    np.testing.assert_allclose(grey[0, 0], expected, atol=1.01 / 127.5)  # Pillow rounds to a byte


@pytest.mark.parametrize("value", [-1.0, 0.25, 1.0])
def test_grey_to_colour_and_back(value):
    images = np.full((2, 1, 3, 3), value, np.float32)
    colour = with_channels(images, 3)
    np.testing.assert_array_equal(colour, np.full((2, 3, 3, 3), value))
    back = with_channels(colour, 1)
    assert np.abs(back).max() <= 1.0
    np.testing.assert_allclose(back, images, atol=1e-6)
    assert with_channels(images, 1) is images


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match="channels is 4: use 1"):
        with_channels(np.zeros((1, 3, 2, 2)), 4)
    with pytest.raises(ValueError, match="images have 2 channels"):
        with_channels(np.zeros((1, 2, 2, 2)), 3)


def test_parts_are_apart_and_make_the_whole():
    labels = np.repeat(np.arange(3), [5, 11, 2])
    whole = Dataset(np.arange(18, dtype=np.float32).reshape(18, 1, 1, 1), labels)
    train, test = part_of(whole, "train"), part_of(whole, "test")
    assert test.labels.tolist() == [0, 1, 1]
    assert sorted([*train.images.ravel(), *test.images.ravel()]) == list(range(18))
    assert part_of(whole, "all") is whole
    with pytest.raises(ValueError, match="part is 'half'"):
        part_of(whole, "half")
