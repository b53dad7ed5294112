import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.data import Augmented, Batches, Prefetch, random_crop, random_flip, resize, stream

SIDE = st.integers(1, 23)


@given(SIDE, SIDE, SIDE, SIDE, st.integers(0, 2**32 - 1))
def test_resize_is_pillows_bilinear(height, width, h, w, seed):
    images = np.random.default_rng(seed).normal(size=(2, 3, height, width)).astype(np.float32)
    expected = [
        [np.asarray(Image.fromarray(c).resize((w, h), Image.Resampling.BILINEAR)) for c in image]
        for image in images
    ]
    got = resize(images, (h, w))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_shrinking_by_a_whole_number_keeps_the_mean_of_a_periodic_image(rng):
    tile = rng.normal(size=(4, 4))
    images = np.tile(tile, (6, 6))[None, None]
    inner = resize(images, 6)[0, 0, 1:-1, 1:-1]  # at the edges the triangle is cut
    np.testing.assert_allclose(inner, tile.mean(), atol=1e-12)


@given(SIDE, SIDE, st.integers(0, 2**32 - 1))
def test_resize_stays_in_the_range_and_keeps_constants(before, after, seed):
    images = np.random.default_rng(seed).choice([-1.0, 1.0], (1, 1, before, before))
    images = images.astype(np.float32)
    resized = resize(images, after)
    assert images.min() <= resized.min() <= resized.max() <= images.max()
    np.testing.assert_allclose(resize(np.ones_like(images), after), 1.0, atol=1e-6)


def test_crops_are_windows_and_every_one_comes_up(rng):
    images = rng.normal(size=(400, 2, 6, 5)).astype(np.float32)
    crops = random_crop(images, (4, 4), stream(0, "crop"))
    seen = set()
    for image, crop in zip(images, crops, strict=True):
        places = [(i, j) for i in range(3) for j in range(2)]
        (place,) = [(i, j) for i, j in places if (image[:, i : i + 4, j : j + 4] == crop).all()]
        seen.add(place)
    assert crops.shape == (400, 2, 4, 4)
    assert len(seen) == 6


def test_flips_mirror_about_half_of_the_images(rng):
    images = rng.normal(size=(1000, 1, 3, 4))
    flipped = random_flip(images, stream(0, "flip"))
    same = (flipped == images).all(axis=(1, 2, 3))
    mirrored = (flipped == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 450 < mirrored.sum() < 550  # 3 standard deviations
    np.testing.assert_array_equal(random_flip(images, stream(0, "f"), probability=0.0), images)
    np.testing.assert_array_equal(
        random_flip(images, stream(0, "f"), probability=1.0), images[..., ::-1]
    )


def test_augmented_batches_depend_on_seed_and_step_alone(rng):
    images = rng.normal(size=(30, 3, 9, 9)).astype(np.float32)
    batches = Batches(images, batch_size=8, seed=1)
    first = Augmented(batches, seed=1, crop=7, flip=True)
    in_order = [first.at(step) for step in range(6)]
    second = Augmented(batches, seed=1, crop=7, flip=True)
    with Prefetch(second) as ready:
        for step in (5, 3, 4, 0, 1, 2):
            np.testing.assert_array_equal(second.at(step), in_order[step])
            np.testing.assert_array_equal(ready.at(step), in_order[step])
    assert in_order[0].shape == (8, 3, 7, 7)
    assert not np.array_equal(Augmented(batches, seed=2, crop=7).at(0), in_order[0])


def test_two_sides_of_a_pair_are_cut_and_mirrored_alike(rng):
    a = rng.normal(size=(20, 1, 8, 8))
    sides = [Batches(x, batch_size=6, seed=0) for x in (a, -a)]
    left, right = (Augmented(side, seed=0, crop=5, flip=True) for side in sides)
    for step in range(4):
        np.testing.assert_array_equal(left.at(step), -right.at(step))
    other = Augmented(sides[1], seed=0, crop=5, flip=True, purpose="augment b")
    assert not np.array_equal(left.at(0), -other.at(0))


def test_impossible_sizes_are_refused():
    images = np.zeros((1, 1, 4, 6))
    with pytest.raises(ValueError, match="cannot crop 5 x 5 from images of 4 x 6: resize first"):
        random_crop(images, 5, stream(0, "crop"))
    with pytest.raises(ValueError, match="size is 0: give one integer >= 1, or two"):
        resize(images, 0)
