import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import Batches, stream


@given(st.integers(1, 40), st.integers(1, 90), st.integers(0, 2**63 - 1))
def test_every_epoch_shows_every_image_once(count, batch_size, seed):
    batches = Batches(np.arange(count), batch_size=batch_size, seed=seed)
    steps = -(-3 * count // batch_size)
    seen = np.concatenate([batches.at(step) for step in range(steps)])
    for epoch in range(3):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_a_batch_depends_on_seed_and_step_alone():
    images = np.random.default_rng(0).normal(size=(30, 1, 2, 2))
    forward = Batches(images, batch_size=7, seed=3)
    backward = Batches(images, batch_size=7, seed=3)
    in_order = [forward.at(step) for step in range(10)]
    for step in reversed(range(10)):
        np.testing.assert_array_equal(backward.at(step), in_order[step])
    assert in_order[0].shape == (7, 1, 2, 2)
    assert not np.array_equal(in_order[0], Batches(images, batch_size=7, seed=4).at(0))


def test_the_order_changes_from_epoch_to_epoch():
    batches = Batches(np.arange(20), batch_size=20, seed=0)
    assert not np.array_equal(batches.at(0), batches.at(1))


def test_streams_of_different_purpose_seed_or_index_differ():
    streams = [stream(0, "a", 0), stream(1, "a", 0), stream(0, "b", 0), stream(0, "a", 1)]
    draws = {s.normal(4).tobytes() for s in streams}
    assert len(draws) == 4
    np.testing.assert_array_equal(stream(5, "a", 2).normal(4), stream(5, "a", 2).normal(4))


def test_neighbouring_streams_are_uncorrelated():
    draws = np.stack([stream(0, "latents", i).normal(2000) for i in range(8)])
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 0.1  # 4.5 standard deviations


def test_a_batch_needs_images_and_a_size():
    with pytest.raises(ValueError, match="no images"):
        Batches(np.zeros((0, 1)), batch_size=1, seed=0)
    with pytest.raises(ValueError, match="batch_size is 0: give an integer >= 1"):
        Batches(np.zeros((2, 1)), batch_size=0, seed=0)
