"""Precision, recall, density and coverage against loops, closed forms and scikit-learn.

Letters: N real points x, M generated points y.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from minigan import metrics

seeds = st.integers(0, 10**6)


def naive(real, generated, k):
    """Every ball and every point, one by one."""

    def squares(p, q):
        return sum((a - b) ** 2 for a, b in zip(p, q, strict=True))

    def balls(points):
        return [
            (p, sorted(squares(p, q) for j, q in enumerate(points) if j != i)[k - 1])
            for i, p in enumerate(points)
        ]

    def holding(point, of):
        return sum(squares(point, centre) <= reach for centre, reach in of)

    of_real, of_generated = balls(real), balls(generated)
    return (
        np.mean([holding(y, of_real) > 0 for y in generated]),
        np.mean([holding(x, of_generated) > 0 for x in real]),
        np.mean([holding(y, of_real) for y in generated]) / k,
        np.mean([any(holding(y, [ball]) for y in generated) for ball in of_real]),
    )


@given(st.integers(4, 12), st.integers(4, 12), st.integers(1, 3), st.integers(1, 3), seeds)
def test_against_loops_with_ties_and_equal_points(n, m, f, k, seed):
    """On small integers sums are exact, so ties are ties on both sides."""
    rng = np.random.default_rng(seed)
    real, generated = rng.integers(-2, 3, (n, f)), rng.integers(-2, 3, (m, f)) + rng.integers(0, 2)
    got = metrics.neighbour_report(real, generated, k=k)
    assert got == pytest.approx(naive(real.tolist(), generated.tolist(), k), rel=1e-12)


@given(st.integers(5, 40), st.integers(1, 6), st.integers(1, 4), seeds)
def test_radii_are_scikit_learns(n, f, k, seed):
    x = np.random.default_rng(seed).normal(size=(n, f))
    distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)  # the first is itself
    np.testing.assert_allclose(metrics.neighbour_radii(x, k=k), distances[:, k] ** 2, atol=1e-12)


def test_a_few_rows_at_a_time_are_as_good_as_all(rng, monkeypatch):
    x, y = rng.integers(-9, 9, (23, 2)), rng.integers(-9, 9, (17, 2))
    expected = metrics.neighbour_report(x, y)
    monkeypatch.setattr("minigan.metrics.neighbours._AT_ONCE", 50)  # two rows
    assert metrics.neighbour_report(x, y) == expected


def test_a_set_against_itself(rng):
    x = rng.normal(size=(40, 3))
    got = metrics.neighbour_report(x, x, k=3)
    assert got[:2] == (1, 1)
    assert got.coverage == 1
    assert got.density == pytest.approx(4 / 3, abs=0.02)  # itself and three, up to the last bit


def test_sets_far_apart_have_nothing_in_common(rng):
    x = rng.normal(size=(30, 4))
    assert metrics.neighbour_report(x, x + 100.0) == (0, 0, 0, 0)


def test_a_collapsed_generator_is_precise_and_recalls_little(rng):
    """Two modes, of which one is found."""
    x = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 50.0])
    found = metrics.neighbour_report(x, rng.normal(size=(400, 2)))
    assert found.precision > 0.9
    assert 0.4 < found.recall <= 0.5
    assert 0.4 < found.coverage <= 0.5
    one_point = metrics.neighbour_report(x, np.zeros((400, 2)))
    assert one_point.recall == 0
    assert one_point.coverage < 0.03


def test_equal_points_are_at_distance_zero_and_not_at_that_of_rounding(rng):
    x = np.repeat(100 * rng.normal(size=(50, 7)), 4, axis=0)
    assert (metrics.neighbour_radii(x, k=3) == 0).all()
    assert metrics.neighbour_report(x, x[::-1], k=3)[:2] == (1, 1)


def test_a_point_that_is_repeated_is_found_where_it_is():
    x = np.concatenate([np.full((4, 3), 1000.1), np.arange(12.0).reshape(4, 3)])
    got = metrics.neighbour_report(x, np.full((5, 3), 1000.1), k=3)
    assert got == (1.0, 0.5, 4 / 3, 0.5)
    assert (metrics.neighbour_radii(x, k=3)[:4] == 0).all()


@pytest.mark.parametrize(("n", "m", "k"), [(40, 40, 3), (30, 60, 5)])
@pytest.mark.parametrize("f", [1, 8])
def test_equal_distributions_have_the_density_and_coverage_of_the_closed_forms(rng, n, m, k, f):
    """Density 1, and coverage as in the docstring, in any number of dimensions."""
    reports = [
        metrics.neighbour_report(rng.normal(size=(n, f)), rng.normal(size=(m, f)), k=k)
        for _ in range(300)
    ]
    missed = math.prod((n - i) / (m + n - i) for i in range(1, k + 1))
    for name, expected in (("density", 1.0), ("coverage", 1 - missed)):
        values = [getattr(report, name) for report in reports]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 3 * error < 0.05


def test_one_outlier_among_the_real_raises_precision_but_not_density(rng):
    """Its ball reaches over everything."""
    x, y = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 12.0
    assert metrics.neighbour_report(x, y).precision == 0
    x[0] = 100.0
    fooled = metrics.neighbour_report(x, y)
    assert fooled.precision == 1
    assert fooled.density < 0.4
