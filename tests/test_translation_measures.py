"""Letters: N images, C channels, O channels of the result, H, W rows and columns, K classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import translation_measures as measures
from minigan.data import rerendered_digits
from minigan.errors import ShapeError
from minigan.testing.cupy_double import cupy_double


@pytest.fixture(scope="module")
def digits():
    return rerendered_digits()


# -- the affine colour map ------------------------------------------------------------------------


def by_lstsq(images, targets):
    """The same fit with a column of ones: (O, C + 1)."""
    x, y = (a.transpose(0, 2, 3, 1).reshape(-1, a.shape[1]) for a in (images, targets))
    return np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0].T


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_the_affine_fit_is_that_of_lstsq(c, o, seed):
    rng = np.random.default_rng(seed)
    images, targets = rng.normal(size=(3, c, 4, 5)), rng.normal(size=(3, o, 4, 5))
    fitted = measures.fit_affine_colours(images, targets)
    expected = by_lstsq(images, targets)
    np.testing.assert_allclose(fitted.matrix, expected[:, :c], rtol=0, atol=1e-10)
    np.testing.assert_allclose(fitted.offset, expected[:, c], rtol=0, atol=1e-10)


def test_the_fit_of_grey_images_is_that_of_lstsq_too(digits):
    images, targets = digits.a_train, digits.true_map(digits.a_train)
    fitted = measures.fit_affine_colours(images, targets)
    matrix, offset = np.split(by_lstsq(images.astype(float), targets), [3], axis=1)
    expected = np.einsum("oc,nchw->nohw", matrix, images) + offset[:, :, None]
    np.testing.assert_allclose(fitted(images), expected, rtol=0, atol=1e-5)
    assert fitted(images).dtype == np.float32


def test_an_affine_map_is_found_exactly(rng):
    images = rng.normal(size=(2, 3, 4, 4))
    there = measures.AffineColours(rng.normal(size=(2, 3)), rng.normal(size=2))
    fitted = measures.fit_affine_colours(images, there(images))
    np.testing.assert_allclose(fitted.matrix, there.matrix, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.offset, there.offset, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 4), (2, 3, 4)])
def test_images_that_do_not_match_are_refused(shape):
    with pytest.raises(ShapeError, match="must be"):
        measures.fit_affine_colours(np.zeros((2, 3, 4, 4)), np.zeros(shape))


# -- errors ---------------------------------------------------------------------------------------


def test_the_mean_absolute_error_of_other_shapes_is_refused():
    with pytest.raises(ShapeError, match=r"\(2,\) and targets \(2, 1\) differ"):
        measures.mean_absolute_error(np.zeros(2), np.zeros((2, 1)))


def test_the_task_is_neither_trivial_nor_hopeless(digits):
    """The identity is far off, the best colours are much better, and still far from right."""
    train, test = digits.a_train, digits.a_test
    errors = measures.map_errors(digits.true_map, digits.true_map, train=train, test=test)
    assert errors.learned == 0
    assert 0.9 < errors.identity < 1.1
    assert 0.2 < errors.affine < errors.identity / 3
    colours_alone = measures.map_errors(lambda x: x, digits.true_map, train=train, test=test)
    assert colours_alone.of_identity == 1.0
    assert colours_alone.of_affine > 3


def test_map_errors_are_means_over_the_test_images(rng):
    train, test = rng.normal(size=(2, 5, 2, 3, 3))

    def double(x):
        return 2 * x

    errors = measures.map_errors(lambda x: x + 0.5, double, train=train, test=test)
    assert errors.learned == pytest.approx(np.abs(test - 0.5).mean(), rel=1e-12)
    assert errors.identity == pytest.approx(np.abs(test).mean(), rel=1e-12)
    assert errors.affine < 1e-12


def test_the_cycle_error_of_a_map_and_its_inverse_is_zero(digits):
    there, back = digits.true_map, digits.true_inverse
    assert measures.cycle_error(there, back, digits.a_test) < 1e-6
    assert measures.cycle_error(lambda x: x, lambda x: x, digits.a_test) == 0
    half = measures.cycle_error(lambda x: 0.5 * x, lambda x: x, digits.a_test)
    assert half == pytest.approx(0.5 * np.abs(digits.a_test).mean(), rel=1e-5)


# -- labels ---------------------------------------------------------------------------------------


def test_label_preservation_counts():
    def first_pixel(images):
        return images[:, 0, 0, 0].astype(int)

    images = np.array([3.0, 1.0, 2.0, 0.0]).reshape(4, 1, 1, 1)
    assert measures.label_preservation(first_pixel, images, np.array([3, 1, 0, 1])) == 0.5
    with pytest.raises(ShapeError, match=r"\(4,\) classes were seen, the labels have \(3,\)"):
        measures.label_preservation(first_pixel, images, np.zeros(3))


def test_a_classifier_of_the_target_sees_the_true_map_and_not_the_identity(digits):
    labels = digits.labels
    classify = measures.train_classifier(digits.b_train, labels.b_train, steps=150)

    def kept(images):
        return measures.label_preservation(classify, images, labels.a_test)

    accuracy = measures.label_preservation(classify, digits.b_test, labels.b_test)
    assert accuracy > 0.85
    assert kept(digits.true_map(digits.a_test)) > 0.85
    assert kept(digits.a_test) < 0.5


def test_training_the_classifier_leaves_no_trace(digits):
    state = mg.default_generator().get_state()
    some = slice(0, 32)
    first, second = (
        measures.train_classifier(digits.b_train[some], digits.labels.b_train[some], steps=3)
        for _ in range(2)
    )
    assert mg.default_generator().get_state() == state
    np.testing.assert_array_equal(first(digits.b_test), second(digits.b_test))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_as_a_map_is_evaluated_and_left_as_it_was(rng, training):
    network = mg.nn.BatchNorm2d(2).train(training)
    images = rng.normal(size=(205, 2, 3, 3)).astype(np.float32)
    out = measures.as_map(network)(images)
    np.testing.assert_allclose(out, images / np.sqrt(1 + network.eps), rtol=1e-6)
    assert network.training is training
    np.testing.assert_array_equal(network.running_mean.numpy(), [0, 0])


def test_a_network_on_another_device_is_a_function_of_host_arrays_too():
    network = mg.nn.Conv2d(3, 3, 1)
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    expected = measures.as_map(network)(images)
    with cupy_double():
        found = measures.as_map(network.to("cuda"))(images)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, expected, atol=1e-6)
