"""Pairs that are drawn, and what the measures refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import metrics
from minigan.errors import ShapeError
from minigan.metrics.inputs import as_features, random_pairs

X, IMAGES = np.zeros((5, 2)), np.zeros((3, 1, 8, 8))


@given(st.integers(2, 30), st.integers(1, 60), st.integers(0, 10**6))
def test_pairs_are_of_two_different_samples(count, pairs, seed):
    first, second = random_pairs(count, pairs, seed=seed)
    assert len(first) == len(second) == pairs
    assert (first != second).all()
    assert {*first, *second} <= set(range(count))


def test_all_pairs_are_equally_likely():
    first, second = random_pairs(4, 12_000, seed=1)
    counts = np.zeros((4, 4))
    np.add.at(counts, (first, second), 1)
    assert (counts.diagonal() == 0).all()
    off = counts[~np.eye(4, dtype=bool)]
    assert np.abs(off - 1000).max() < 5 * np.sqrt(1000)


def test_features_come_back_as_float64_and_are_not_changed():
    x = np.ones((3, 2), np.float32)
    assert as_features("x", x).dtype == np.float64
    assert as_features("x", [[1, 2]]).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: random_pairs(1, 3, seed=0), ShapeError, "there is 1 sample: a pair needs two"),
        (lambda: random_pairs(3, 0, seed=0), ValueError, "pairs is 0: give an integer >= 1"),
        (lambda: metrics.squared_mmd(X, X[:1]), ShapeError, r"y must be \(N, F\) with N >= 2"),
        (lambda: metrics.squared_mmd(X, X[:, :1]), ShapeError, "one set has 2 features and the"),
        (lambda: metrics.kernel_distance(X[:2], X), ShapeError, "a must be .* N >= 3, got"),
        (lambda: metrics.kernel_distance(X, X, subsets=2), ValueError, "subsets is 2: give an"),
        (
            lambda: metrics.kernel_distance(X, X, labels_a=np.zeros(4)),
            ShapeError,
            r"labels have shape \(4,\): give one a sample, \(5,\)",
        ),
        (lambda: metrics.kernel_distance(X * np.nan, X), ValueError, "NaN or infinity in a"),
        (lambda: metrics.moments(X * np.nan), ValueError, "NaN or infinity in features"),
        (lambda: metrics.neighbour_report(X, X, k=5), ValueError, "k is 5, of 5 points: give an"),
        (lambda: metrics.neighbour_report(X, X, k=0), ValueError, "k is 0, of 5 points"),
        (lambda: metrics.neighbour_report(X, X[:, :1]), ShapeError, "one set has 2 features"),
        (lambda: metrics.neighbour_radii(X[0]), ShapeError, r"x must be .*got \(2,\)"),
        (lambda: metrics.sliced_distance(X[:, 0], X), ShapeError, r"a has shape \(5,\)"),
        (lambda: metrics.sliced_distance(X, X, projections=0), ValueError, "projections is 0"),
        (lambda: metrics.ssim(IMAGES, IMAGES[:2]), ShapeError, "images are compared in pairs"),
        (lambda: metrics.ssim(X, X), ShapeError, r"a must be images \(N, C, H, W\)"),
        (lambda: metrics.ssim(IMAGES, IMAGES, low=1.0), ValueError, "low must be below high"),
        (lambda: metrics.ssim(IMAGES, IMAGES * np.inf), ValueError, "NaN or infinity in b"),
        (
            lambda: metrics.ms_ssim(IMAGES[..., :3], IMAGES[..., :3]),
            ShapeError,
            "images are 3 pixels high or wide: MS-SSIM needs 4",
        ),
        (lambda: metrics.diversity(IMAGES[:1]), ShapeError, "a pair needs two"),
        (lambda: metrics.feature_distance(X, X[:3]), ShapeError, "give the same layers of both"),
        (lambda: metrics.feature_distance([], []), ShapeError, "give one layer or more"),
        (lambda: metrics.feature_diversity([X, X[:3]]), ShapeError, "of the same images"),
        (lambda: metrics.feature_diversity(X[0]), ShapeError, r"each must be \(N, C, H, W\) or"),
        (lambda: metrics.feature_diversity(X + np.nan), ValueError, "NaN or infinity in maps"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of 0 * inf, made on purpose
def test_refusals(call, error, line):
    with pytest.raises(error, match=line):
        call()
