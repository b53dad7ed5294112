"""The kernel distance against its definition, exact moments, and its own errors.

Letters: N samples x, M samples y, F features.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import polynomial_kernel as sklearn_kernel

from minigan import metrics

seeds = st.integers(0, 10**6)


def naive_mmd(x, y):
    """The mean of the kernel over ordered pairs of others in x, in y, less twice across."""

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    own = [np.mean([k(a, b) for a, b in itertools.permutations(v, 2)]) for v in (x, y)]
    return sum(own) - 2 * np.mean([k(a, b) for a in x for b in y])


@given(st.integers(2, 8), st.integers(2, 8), st.integers(1, 5), seeds)
def test_the_kernel_is_scikit_learns(n, m, f, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, f)), rng.normal(size=(m, f))
    expected = sklearn_kernel(x, y, degree=3, gamma=1 / f, coef0=1)
    np.testing.assert_allclose(metrics.polynomial_kernel(x, y), expected, rtol=1e-10, atol=1e-12)


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 4), seeds)
def test_squared_mmd_against_loops(n, m, f, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, f)), rng.normal(size=(m, f)) + 0.5
    assert metrics.squared_mmd(x, y) == pytest.approx(naive_mmd(x, y), rel=1e-9, abs=1e-9)


@given(st.integers(3, 30), st.integers(3, 30), st.integers(3, 40), seeds)
def test_the_value_takes_every_pair_once_whatever_the_subsets(n, m, subsets, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    got = metrics.kernel_distance(x, y, subsets=subsets, seed=seed)
    assert got.value == pytest.approx(metrics.squared_mmd(x, y), rel=1e-9, abs=1e-9)
    assert got.standard_error >= 0


def test_with_as_many_subsets_as_samples_it_is_the_ordinary_jackknife(rng):
    """The pairing of x and y is random, so x holds one point only: any pairing is then the same."""
    x, y = np.ones((6, 2)), rng.normal(size=(6, 2))
    without = [metrics.squared_mmd(x[1:], np.delete(y, i, axis=0)) for i in range(6)]
    expected = np.sqrt(5 / 6 * np.sum((without - np.mean(without)) ** 2))
    got = metrics.kernel_distance(x, y, subsets=6)
    assert got.standard_error == pytest.approx(expected, rel=1e-9)


def test_subsets_are_drawn_by_the_seed(rng):
    x, y = rng.normal(size=(2, 50, 3))
    one, again, other = (metrics.kernel_distance(x, y, subsets=5, seed=s) for s in (1, 1, 2))
    assert one == again
    assert one.standard_error != other.standard_error


def test_equal_distributions_have_distance_zero_on_average(rng):
    """With few samples, where a biased estimate would be far off."""
    values = [metrics.squared_mmd(*rng.normal(size=(2, 10, 3))) for _ in range(2000)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    biased = np.mean([v.diagonal().mean() / 5 for v in _kernels(rng, 50)])  # what x = x' adds
    assert biased > 20 * error


def _kernels(rng, count):
    for x in rng.normal(size=(count, 10, 3)):
        yield metrics.polynomial_kernel(x, x)


def test_the_distance_of_two_normals_on_the_line_has_a_closed_form(rng):
    """(x y + 1)^3 = sum of binom(3, j) x^j y^j: MMD^2 compares the first three moments.

    N(0, 1) has 0, 1, 0 and N(t, 1) has t, t^2 + 1, t^3 + 3 t.
    """
    t = 0.7
    expected = 3 * t**2 + 3 * t**4 + (t**3 + 3 * t) ** 2
    values = [
        metrics.squared_mmd(rng.normal(size=(40, 1)), rng.normal(size=(60, 1)) + t)
        for _ in range(500)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 3 * error < 0.2 * expected


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 1.2, 1.7), (1.0, 0.85, 1.2)])
def test_the_standard_error_is_that_of_the_value(rng, shift, low, high):
    """sqrt(2) too large between equal distributions, right between others."""
    draws = [
        metrics.kernel_distance(
            rng.normal(size=(60, 3)), rng.normal(size=(80, 3)) + shift, subsets=10
        )
        for _ in range(300)
    ]
    values, errors = np.array(draws).T
    assert low < np.sqrt(np.mean(errors**2)) / values.std() < high


# -- sets drawn by class --------------------------------------------------------------------------


def draw(rng, labels):
    """One sample of each label's class: classes far apart, so that shares matter."""
    centres = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]])
    return centres[labels] + rng.normal(size=(len(labels), 2))


def test_fixed_shares_bias_the_bare_estimate_and_labels_mend_it(rng):
    fixed = np.repeat([0, 1, 2], 5)
    bare, mended = [], []
    for _ in range(400):
        x, y = draw(rng, fixed), draw(rng, rng.integers(0, 3, 30))
        bare.append(metrics.kernel_distance(x, y, subsets=3).value)
        mended.append(metrics.kernel_distance(x, y, labels_a=fixed, subsets=3).value)
    error = np.std(bare) / 20
    assert np.mean(bare) < -4 * error
    assert abs(np.mean(mended)) < 3 * error


def test_with_labels_every_pair_of_classes_has_the_weight_of_its_shares(rng):
    """The definition: E k(x, x') = sum over c, d of p_c p_d (mean of k over others in c x d)."""
    labels = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
    x, y = draw(rng, labels), draw(rng, np.array([0, 1, 2]))
    k = metrics.polynomial_kernel(x, x)
    np.fill_diagonal(k, 0)
    own = 0.0
    for c, d in itertools.product(range(3), repeat=2):
        n, m = np.sum(labels == c), np.sum(labels == d)
        pairs = n * (n - 1) if c == d else n * m
        own += n * m / 81 * k[np.ix_(labels == c, labels == d)].sum() / pairs
    others = k.sum() / 72
    expected = metrics.squared_mmd(x, y) - others + own
    assert metrics.kernel_distance(x, y, labels_a=labels).value == pytest.approx(expected)
    assert metrics.kernel_distance(y, x, labels_b=labels).value == pytest.approx(expected)


def test_one_class_and_classes_of_one_change_nothing(rng):
    x, y = rng.normal(size=(2, 6, 2))
    expected = metrics.kernel_distance(x, y).value
    for labels in (np.zeros(6), np.arange(6)):
        got = metrics.kernel_distance(x, y, labels_a=labels).value
        assert got == pytest.approx(expected, rel=1e-12)


def test_large_kernels_are_made_in_parts(rng, monkeypatch):
    x, y, labels = rng.normal(size=(20, 2)), rng.normal(size=(9, 2)), np.arange(20) % 2
    expected = metrics.kernel_distance(x, y, labels_a=labels)
    monkeypatch.setattr("minigan.metrics.kernel._AT_ONCE", 3)
    assert metrics.kernel_distance(x, y, labels_a=labels) == pytest.approx(expected, rel=1e-9)
