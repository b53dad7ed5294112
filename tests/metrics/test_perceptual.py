"""Distances in a network's features against loops, and their extremes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import metrics
from minigan.models import Classifier

seeds = st.integers(0, 10**6)


def naive(a, b):
    """Pair by pair, layer by layer, place by place."""
    result = np.zeros(len(a[0]))
    for x, y in zip(a, b, strict=True):
        n, _, h, w = x.shape
        for i in range(n):
            for r in range(h):
                for s in range(w):
                    p, q = x[i, :, r, s], y[i, :, r, s]
                    gap = p / np.sqrt(np.sum(p * p)) - q / np.sqrt(np.sum(q * q))
                    result[i] += np.sum(gap * gap) / (h * w)
    return result


@given(st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=1, max_size=3), seeds)
def test_against_loops(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = ([rng.normal(size=(3, *shape)) for shape in shapes] for _ in range(2))
    np.testing.assert_allclose(metrics.feature_distance(a, b), naive(a, b), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1.0, 2.0], [10.0, 20.0], 0.0),  # length does not count
        ([1.0, 0.0], [0.0, 5.0], 2.0),
        ([1.0, 0.0], [-5.0, 0.0], 4.0),
        ([0.0, 0.0], [0.0, 5.0], 1.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
    ],
)
def test_the_extremes_of_a_place(x, y, expected):
    got = metrics.feature_distance(np.array([x]), np.array([y]))
    assert got == pytest.approx([expected], abs=1e-12)


def test_layers_add_up_and_features_are_maps_of_one_place(rng):
    maps, features = rng.normal(size=(2, 3, 4, 5, 5)), rng.normal(size=(2, 3, 6))
    apart = metrics.feature_distance(*maps) + metrics.feature_distance(*features)
    together = metrics.feature_distance(*zip(maps, features, strict=True))
    np.testing.assert_allclose(together, apart, rtol=1e-12)


def test_float32_stays_float32(rng):
    x = rng.normal(size=(3, 4)).astype(np.float32)
    assert metrics.feature_distance(x, x[::-1]).dtype == np.float32


def test_diversity_is_the_mean_over_pairs_of_different_images(rng, monkeypatch):
    x = rng.normal(size=(5, 3, 2, 2))
    i, j = np.triu_indices(5, 1)
    every = metrics.feature_distance(x[i], x[j])
    got = metrics.feature_diversity(x, pairs=4000)
    assert abs(got - every.mean()) < 4 * every.std() / np.sqrt(4000)
    monkeypatch.setattr("minigan.metrics.perceptual._AT_ONCE", 30)  # two pairs
    assert metrics.feature_diversity(x, pairs=4000) == pytest.approx(got, rel=1e-12)


def test_a_collapsed_generator_has_none(rng):
    x = rng.normal(size=(50, 8))
    assert metrics.feature_diversity(np.repeat(x[:1], 50, axis=0)) == 0
    # directions at random: |x - y|^2 = 2 - 2 cos, whose mean is 2
    assert metrics.feature_diversity(x) == pytest.approx(2, abs=0.1)


def test_in_the_maps_of_a_classifier(rng):
    images = rng.uniform(-1, 1, (10, 1, 8, 8)).astype(np.float32)
    network, maps = Classifier(width=4), []
    with mg.no_grad():
        x = mg.tensor(images)
        for layer in network.body:
            x = layer(x)
            maps.append(x.numpy())
    maps = [m for m in maps if m.ndim == 4]
    assert len(maps) == 4
    assert 0 < metrics.feature_diversity(maps) < 16
    assert metrics.feature_diversity([m[[0, 0, 0]] for m in maps]) == 0
