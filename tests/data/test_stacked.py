import numpy as np
import pytest

from minigan.data import Dataset, load_digits, load_stacked_digits, stack_digits


def test_each_channel_holds_a_digit_of_the_labels_class():
    digits = load_digits("train")
    known = {image.tobytes(): label for image, label in zip(*digits, strict=True)}
    stacked = stack_digits(digits, 3000, seed=1)
    assert (stacked.images.shape, stacked.images.dtype) == ((3000, 3, 8, 8), np.float32)
    for image, label in zip(*stacked, strict=True):
        red, green, blue = (known[channel.tobytes()] for channel in image)
        assert 100 * red + 10 * green + blue == label


@pytest.mark.parametrize(("count", "fewest", "most"), [(1000, 1, 1), (2500, 2, 3), (7, 0, 1)])
def test_the_thousand_modes_come_equally_often(count, fewest, most):
    labels = load_stacked_digits("test", count=count).labels
    assert labels.dtype == np.int64
    per_mode = np.bincount(labels, minlength=1000)
    assert (len(per_mode), per_mode.min(), per_mode.max()) == (1000, fewest, most)


def test_every_digit_of_a_class_is_drawn():
    images = np.arange(40, dtype=np.float32).reshape(40, 1, 1, 1)
    stacked = stack_digits(Dataset(images, np.arange(40) % 10), 2000)
    for channel in range(3):
        drawn = np.bincount(stacked.images[:, channel, 0, 0].astype(int), minlength=40)
        assert drawn.min() > 20  # 50 expected; four and a half standard deviations


def test_a_seed_names_the_dataset_and_the_parts_share_no_image():
    first, again, other = (load_stacked_digits(count=500, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)
    test = {c.tobytes() for image in load_stacked_digits("test").images for c in image}
    assert not test & {c.tobytes() for image in first.images for c in image}


def test_other_images_are_refused():
    with pytest.raises(ValueError, match=r"labels count \[2, 0, 0.*need digits 0 to 9"):
        stack_digits(Dataset(np.zeros((2, 1, 2, 2)), np.zeros(2, np.int64)), 10)
    with pytest.raises(ValueError, match=r"images are \(10, 3, 2, 2\): digits to stack have one"):
        stack_digits(Dataset(np.zeros((10, 3, 2, 2)), np.arange(10)), 10)
