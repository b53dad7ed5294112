"""Mode metrics on samples whose figures are known, and at their ceilings and floors."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import modes
from minigan.data import toy
from minigan.errors import ShapeError

MIXTURES = ["ring", "grid", "eight-gaussians", "twenty-five-gaussians"]
each_mixture = pytest.mark.parametrize("name", MIXTURES)


def draw(mixture, seed, n=modes.SAMPLES):
    return mixture.sample(n, generator=mg.Generator(seed))


@each_mixture
def test_the_true_distribution_scores_the_ceiling(name):
    """Over 20 draws: HQ = 1 - e^-4.5 = 98.89%, reverse KL = (K - 1) / (2 n), all modes."""
    mixture = toy.get(name)
    reports = [modes.mode_report(draw(mixture, seed), mixture) for seed in range(20)]
    k, n = len(mixture.centres), modes.SAMPLES
    share = 1 - math.exp(-4.5)
    assert {r.captured for r in reports} == {k}
    error = math.sqrt(share * (1 - share) / (20 * n))
    assert np.mean([r.high_quality for r in reports]) == pytest.approx(share, abs=4 * error)
    assert share == pytest.approx(0.9889, abs=5e-5)
    floor = (k - 1) / (2 * n)  # 2 n KL is chi-square with K - 1 degrees: a relative spread
    spread = math.sqrt(2 / (20 * (k - 1)))  # of sqrt(2 / (K - 1)), over 20 draws
    assert np.mean([r.reverse_kl for r in reports]) == pytest.approx(floor, rel=4 * spread)


@each_mixture
def test_collapse_onto_some_modes(name):
    """k modes of K in equal shares: k captured, reverse KL = log(K / k)."""
    mixture = toy.get(name)
    total = len(mixture.centres)
    for k in (1, 3, total):
        samples = np.repeat(mixture.centres[:k], 10, axis=0)
        report = modes.mode_report(samples, mixture)
        assert report.captured == k
        assert report.high_quality == 1.0
        assert report.reverse_kl == pytest.approx(math.log(total / k), abs=1e-12)


def test_reverse_kl_of_unequal_shares():
    ring = toy.ring()
    samples = np.repeat(ring.centres[:2], [3, 1], axis=0)
    expected = 0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8)
    assert modes.reverse_kl_of_modes(samples, ring) == pytest.approx(expected, rel=1e-12)


def test_three_sigma_decide():
    """A sample at 2.9 sigma captures its mode, one at 3.1 does nothing; `within` moves the line."""
    ring = toy.ring()
    near, far = (ring.centres[:1] + [[s * ring.sigma, 0]] for s in (2.9, 3.1))
    assert modes.modes_captured(near, ring) == 1
    assert modes.modes_captured(far, ring) == 0
    assert modes.high_quality(np.concatenate([near, far]), ring) == 0.5
    assert modes.high_quality(np.concatenate([near, far]), ring, within=4.0) == 1.0
    samples = draw(ring, 0, 20000)
    for within in (1.0, 2.0):
        expected = 1 - math.exp(-(within**2) / 2)
        assert modes.high_quality(samples, ring, within=within) == pytest.approx(expected, abs=0.01)


def test_no_good_sample_is_infinitely_far():
    ring = toy.ring()
    for bad in (np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), np.inf)):
        report = modes.mode_report(bad, ring)
        assert report == (0, 0.0, math.inf)


def test_bad_samples_leave_the_shares_alone():
    """The published code takes shares among high-quality samples only."""
    ring = toy.ring()
    good = np.repeat(ring.centres, 4, axis=0)
    report = modes.mode_report(np.concatenate([good, np.zeros((32, 2))]), ring)
    assert report.captured == 8
    assert report.high_quality == 0.5
    assert report.reverse_kl == pytest.approx(0, abs=1e-15)


def test_counts():
    ring = toy.ring()
    counts = modes.mode_counts(np.repeat(ring.centres, range(8), axis=0), ring)
    assert counts.tolist() == list(range(8))


def test_refusals():
    with pytest.raises(ShapeError, match=r"samples have shape \(3,\): give \(N, 2\)"):
        modes.modes_captured(np.zeros(3), toy.ring())
    with pytest.raises(ShapeError, match=r"shape \(0, 2\)"):
        modes.high_quality(np.zeros((0, 2)), toy.ring())
    with pytest.raises(ValueError, match="no modes: measure it by a distance"):
        modes.mode_report(np.zeros((3, 2)), toy.swiss_roll())
