"""Letters: N images, C channels, H, W rows and columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import load_digits, load_photographs
from minigan.data.domains import (
    Domains,
    Rerendering,
    area_mean,
    paired_digits,
    photograph_domains,
    rerendered_digits,
    two_collections,
)
from minigan.errors import ShapeError


@pytest.fixture(scope="module")
def digits():
    return rerendered_digits()


def parts(domains):
    return domains.a_train, domains.b_train, domains.a_test, domains.b_test


# -- the true map ---------------------------------------------------------------------------------


def rerendered_by_hand(images, matrix, offset, slope):
    """The formula of `Rerendering`, pixel by pixel."""
    out = np.empty_like(images)
    n, _, height, width = images.shape
    for k, i, j in np.ndindex(n, height, width):
        shift = round(slope * ((height - 1) / 2 - i))
        out[k, :, i, (j + shift) % width] = matrix @ images[k, :, i, j] + offset
    return out


@given(
    st.integers(1, 3), st.integers(1, 6), st.integers(1, 5), st.floats(-2, 2), st.integers(0, 99)
)
def test_rerendering_is_its_formula_and_its_inverse_undoes_it(c, height, width, slope, seed):
    rng = np.random.default_rng(seed)
    matrix, offset = np.eye(c) + 0.2 * rng.uniform(-1, 1, (c, c)), rng.normal(size=c)
    images = rng.normal(size=(2, c, height, width))
    rerender = Rerendering(matrix, offset, slope)
    expected = rerendered_by_hand(images, matrix, offset, slope)
    np.testing.assert_allclose(rerender(images), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(rerender.inverse(expected), images, rtol=0, atol=1e-12)


def test_the_true_map_is_undone_both_ways(digits):
    for there, back, images in (
        (digits.true_map, digits.true_inverse, digits.a_test),
        (digits.true_inverse, digits.true_map, digits.b_test),
    ):
        moved = there(images)
        assert moved.dtype == np.float32
        assert np.abs(moved - images).mean() > 0.5
        np.testing.assert_allclose(back(moved), images, rtol=0, atol=1e-6)


def test_the_true_map_stays_within_the_range_for_every_colour(digits):
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, 1, 1, 8).transpose(3, 0, 1, 2)
    assert np.abs(digits.true_map(corners)).max() < 0.95


def test_it_inverts_and_tints_and_slants(digits):
    black_to_white = np.linspace(-1, 1, 5).reshape(5, 1, 1, 1).repeat(3, axis=1)
    colours = digits.true_map(black_to_white)[..., 0, 0]  # (5, 3)
    assert (np.diff(colours, axis=0) < 0).all()
    np.testing.assert_allclose(colours[[0, -1]], [[0.9, 0.7, 0.4], [-0.8, -0.6, -0.2]], atol=1e-6)
    assert digits.true_map.shifts(16).tolist()[:6] == [4, 3, 3, 2, 2, 1]


# -- rerendered digits ----------------------------------------------------------------------------


def test_the_parts_are_images_of_one_kind(digits):
    for images, labels in zip(parts(digits), digits.labels, strict=True):
        assert images.shape == (len(labels), 3, 16, 16)
        assert images.dtype == np.float32
        assert np.abs(images).max() <= 1
        assert labels.dtype == np.int64
        assert set(labels) == set(range(10))


def test_the_mapped_test_images_have_the_statistics_of_the_target(digits):
    mapped = digits.true_map(digits.a_test)
    for statistic in (np.mean, np.std):
        got, want = (statistic(images, axis=(0, 2, 3)) for images in (mapped, digits.b_test))
        np.testing.assert_allclose(got, want, rtol=0, atol=0.01)
    gap = np.abs(mapped.mean(axis=0) - digits.b_test.mean(axis=0)).mean()  # of the average images
    unslanted = digits.true_map(digits.a_test[:, :, ::-1])  # a slant to the other side
    assert (
        gap < 0.2 * np.abs(unslanted[:, :, ::-1].mean(axis=0) - digits.b_test.mean(axis=0)).mean()
    )


def test_no_picture_is_in_two_parts(digits):
    upright = [digits.a_train, digits.true_inverse(digits.b_train), digits.a_test,
               digits.true_inverse(digits.b_test)]  # fmt: skip
    together = np.round(np.concatenate(upright), 4).reshape(1797, -1)
    original = load_digits("all").images.reshape(1797, -1)
    assert len(np.unique(together, axis=0)) == len(np.unique(original, axis=0))


def test_both_domains_have_every_class_in_the_same_share(digits):
    for a, b in (digits.labels[:2], digits.labels[2:]):
        assert np.abs(np.bincount(a) - np.bincount(b)).max() <= 1


# -- paired digits --------------------------------------------------------------------------------


def test_the_second_of_a_pair_is_the_true_map_of_the_first():
    pairs = paired_digits()
    assert pairs.paired
    assert [len(images) for images in parts(pairs)] == [1442, 1442, 355, 355]
    for a, b in ((pairs.a_train, pairs.b_train), (pairs.a_test, pairs.b_test)):
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_array_equal(b, pairs.true_map(a))
        np.testing.assert_allclose(pairs.true_inverse(b), a, rtol=0, atol=1e-6)


def test_paired_digits_are_those_of_the_unpaired_domains(digits):
    pairs = paired_digits()
    np.testing.assert_array_equal(pairs.true_map(digits.a_test), digits.true_map(digits.a_test))
    both = np.concatenate([digits.a_test, digits.true_inverse(digits.b_test)])
    found, expected = (  # each value is a whole number of 128ths
        np.unique(np.rint(128 * images).reshape(355, -1), axis=0) for images in (both, pairs.a_test)
    )
    np.testing.assert_array_equal(found, expected)
    assert pairs.labels.a_train is pairs.labels.b_train
    np.testing.assert_array_equal(pairs.labels.a_test, load_digits("test").labels)


def test_sides_of_two_lengths_are_no_pairs():
    one, two = (np.zeros((n, 3, 4, 4), np.float32) for n in (1, 2))
    assert not Domains("unpaired", one, two, one, one).paired
    for sides in ((one, two, one, one), (one, one, two, one)):
        with pytest.raises(ShapeError, match="are no pairs"):
            Domains("x", *sides, paired=True)


# -- two collections ------------------------------------------------------------------------------


def mnist_like(rng, n=11, dtype=np.float32):
    return rng.uniform(-1, 1, (n, 1, 28, 28)).astype(dtype)


def test_two_collections_hold_every_fifth_out(rng):
    images, labels = mnist_like(rng), np.arange(11) % 10
    domains = two_collections(images, labels)
    small = area_mean(images, 16)
    np.testing.assert_array_equal(domains.a_test, small[[4, 9]])
    np.testing.assert_array_equal(domains.labels.a_test, labels[[4, 9]])
    assert domains.a_train.shape == (9, 1, 16, 16)
    assert domains.b_train.shape == (1442, 1, 16, 16)
    assert domains.b_test.shape == (355, 1, 16, 16)
    assert domains.true_map is None
    assert {images.dtype for images in parts(domains)} == {np.dtype(np.float32)}


def test_labels_may_be_unknown_but_not_of_another_number(rng):
    assert two_collections(mnist_like(rng)).labels is None
    with pytest.raises(ShapeError, match=r"11 images need as many labels, got \(3,\)"):
        two_collections(mnist_like(rng), np.zeros(3))


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 99))
def test_area_mean_is_the_integral_over_the_new_pixels(side, more, seed):
    before = side + more
    rng = np.random.default_rng(seed)
    row = rng.normal(size=before)
    scale = before / side
    sums = np.concatenate([[0.0], np.cumsum(row)])  # the integral up to each old edge
    at_edges = np.interp(np.arange(side + 1) * scale, np.arange(before + 1), sums)
    expected = np.diff(at_edges) / scale
    image = np.broadcast_to(row, (1, 1, before, before))
    np.testing.assert_allclose(area_mean(image, side)[0, 0], [expected] * side, atol=1e-12)


def test_area_mean_treats_rows_and_columns_alike(rng):
    images = rng.normal(size=(2, 3, 7, 7))
    turned = area_mean(images.transpose(0, 1, 3, 2), 4).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(area_mean(images, 4), turned, rtol=0, atol=1e-14)
    np.testing.assert_allclose(area_mean(images, 7), images, rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 1, 28, 27), (2, 1, 15, 15)])
def test_area_mean_refuses_other_shapes(shape):
    with pytest.raises(ShapeError, match=r"must be \(N, C, H, H\) with H >= 16"):
        area_mean(np.zeros(shape), 16)


def test_area_mean_refuses_bytes():
    with pytest.raises(TypeError, match="images have dtype uint8: scale them to floats"):
        area_mean(np.zeros((1, 1, 28, 28), np.uint8), 16)


# -- photographs ----------------------------------------------------------------------------------


def test_photographs_give_crops_and_unseen_tiles():
    domains = photograph_domains(crops=5, size=64)
    for train, test in ((domains.a_train, domains.a_test), (domains.b_train, domains.b_test)):
        assert train.shape == (5, 3, 64, 64)
        assert test.shape == (20, 3, 64, 64)
        assert train.dtype == test.dtype == np.float32
    below = load_photographs().flower[:, 427 * 2 // 3 :]
    np.testing.assert_array_equal(
        domains.b_test[11], below[:, 64:128, 64:128]
    )  # second row, second
    again = photograph_domains(crops=5, size=64)
    np.testing.assert_array_equal(again.b_train, domains.b_train)
    assert not np.array_equal(photograph_domains(crops=5, seed=1).b_train, domains.b_train)
