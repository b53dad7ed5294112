import numpy as np
import pytest
from sklearn import datasets

from minigan.data import load_digits


def test_pixels_are_scaled_to_minus_one_to_one():
    images, labels = load_digits("all")
    raw = datasets.load_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1.0, 1.0)
    np.testing.assert_array_equal((images[:, 0] + 1) * 8, raw.images)
    np.testing.assert_array_equal(labels, raw.target)


def test_train_and_test_part_the_data():
    parts = [load_digits(part).images for part in ("train", "test")]
    assert [len(p) for p in parts] == [1442, 355]
    together = np.concatenate(parts).reshape(1797, -1)
    everything = load_digits("all").images.reshape(1797, -1)
    order = [np.lexsort(x.T) for x in (together, everything)]
    np.testing.assert_array_equal(together[order[0]], everything[order[1]])


def test_both_parts_have_every_class_in_the_same_share():
    train, test = (load_digits(part).labels for part in ("train", "test"))
    gap = np.bincount(train) / len(train) - np.bincount(test) / len(test)
    assert np.abs(gap).max() < 0.005


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="part is 'valid': use 'train', 'test' or 'all'"):
        load_digits("valid")
