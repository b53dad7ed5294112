"""Letters: N batch, Z latent size, C channels, S size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import ShapeError
from minigan.models.checks import doublings, images, labels, latents


@given(st.integers(1, 12), st.sampled_from([2, 4, 8]))
def test_doublings_counts_back_from_a_power_of_two(count, base):
    assert doublings(base << count, base=base) == count


@given(st.integers(-10, 2000))
def test_every_other_size_is_refused_with_one_that_fits(size):
    if size in {8 << i for i in range(9)}:
        assert 4 << doublings(size) == size
        return
    with pytest.raises(ValueError, match=f"size is {size}: use 8, 16, 32") as caught:
        doublings(size)
    advised = int(str(caught.value).rstrip(")").split()[-1])
    assert doublings(advised) >= 1
    assert advised >= size


def test_images_of_28_pixels_are_sent_to_32():
    with pytest.raises(ValueError, match=r"images of 28 pixels can be padded or resized to 32"):
        doublings(28)


def test_a_size_must_be_whole():
    with pytest.raises(TypeError, match=r"size=8\.0: give an int"):
        doublings(8.0)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3)])
def test_latents_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"z has shape .* give \(N, 3\)"):
        latents(mg.zeros(*shape), 3)
    assert latents(np.zeros((2, 3), np.float32), 3).shape == (2, 3)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 3, 8, 8), (2, 1, 8, 4), (2, 1, 16, 16)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"images have shape .* give \(N, 1, 8, 8\)"):
        images(mg.zeros(*shape), 1, 8)


@pytest.mark.parametrize(("y", "error", "text"), [
    ([0, 10], ValueError, "a label is 10: give integers from 0 to 9"),
    ([-1, 3], ValueError, "a label is -1: give integers from 0 to 9"),
    ([0, 1, 2], ShapeError, r"labels have shape \(3,\): give \(2,\)"),
    ([[0], [1]], ShapeError, r"labels have shape \(2, 1\): give \(2,\)"),
    ([0.0, 1.0], TypeError, "labels are float64: give integers from 0 to 9"),
])  # fmt: skip
def test_impossible_labels_are_refused(y, error, text):
    with pytest.raises(error, match=text):
        labels(np.array(y), 2, 10)


def test_labels_may_be_an_array_or_a_tensor_and_none_at_all():
    assert labels(np.array([9, 0]), 2, 10).numpy().tolist() == [9, 0]
    assert labels(mg.tensor(np.array([3], np.uint8)), 1, 10).numpy().tolist() == [3]
    assert labels(np.zeros(0, np.int64), 0, 10).shape == (0,)
