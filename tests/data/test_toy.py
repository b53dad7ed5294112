"""Toy distributions against the papers' own numbers, scikit-learn, and their densities."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_swiss_roll

import minigan as mg
from minigan.data import toy

MIXTURES = {
    # name: (modes, sigma, largest coordinate, nearest distance between modes)
    "ring": (8, 0.01, 1.0, 2 * math.sin(math.pi / 8)),
    "grid": (25, 0.05, 4.0, 2.0),
    "eight-gaussians": (8, 0.02 / 1.414, 2 / 1.414, 4 / 1.414 * math.sin(math.pi / 8)),
    "twenty-five-gaussians": (25, 0.05 / 2.828, 4 / 2.828, 2 / 2.828),
}


@pytest.mark.parametrize("name", MIXTURES)
class TestMixture:
    def test_modes_are_where_the_papers_have_them(self, name):
        mixture, (modes, sigma, largest, apart) = toy.get(name), MIXTURES[name]
        assert mixture.centres.shape == (modes, 2)
        assert mixture.sigma == pytest.approx(sigma, rel=1e-12)
        assert np.abs(mixture.centres).max() == pytest.approx(largest, rel=1e-12)
        assert np.abs(mixture.centres.mean(axis=0)).max() < 1e-12
        distances = np.linalg.norm(mixture.centres[:, None] - mixture.centres, axis=2)
        nearest = (distances + 9 * np.eye(modes)).min(axis=1)
        np.testing.assert_allclose(nearest, apart, rtol=1e-12)

    def test_samples_are_the_mixture(self, name):
        """Equal shares, and offsets that are normal with the right sigma in both directions."""
        mixture = toy.get(name)
        x = mixture.sample(20000, generator=mg.Generator(0)).astype(np.float64)
        offsets = x[:, None] - mixture.centres
        nearest = np.square(offsets).sum(axis=2).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(mixture.centres))
        assert stats.chisquare(counts).pvalue > 0.001
        scaled = offsets[np.arange(len(x)), nearest] / mixture.sigma
        for axis in (0, 1):
            assert stats.kstest(scaled[:, axis], "norm").pvalue > 0.001
        assert abs(np.corrcoef(scaled.T)[0, 1]) < 0.03

    def test_log_density(self, name):
        mixture = toy.get(name)
        x = mixture.sample(50, generator=mg.Generator(1))
        covariance = mixture.sigma**2 * np.eye(2)
        parts = [stats.multivariate_normal.pdf(x, c, covariance) for c in mixture.centres]
        expected = np.log(np.mean(parts, axis=0))
        np.testing.assert_allclose(mixture.log_density(x), expected, rtol=1e-6)
        assert np.isfinite(mixture.log_density(np.array([[9.0, 9.0]]))).all()


def test_the_scaled_mixtures_have_about_unit_variance():
    for name in ("eight-gaussians", "twenty-five-gaussians"):
        x = toy.get(name).sample(20000, generator=mg.Generator(0))
        np.testing.assert_allclose(x.std(axis=0), 1.0, atol=0.02)


def test_ring_starts_on_the_axis_and_takes_other_numbers():
    np.testing.assert_allclose(toy.ring().centres[[0, 2]], [[1, 0], [0, 1]], atol=1e-15)
    assert toy.ring(modes=3, radius=2.0).centres.shape == (3, 2)
    assert np.abs(toy.grid(side=2, step=1.0).centres).max() == 0.5


def test_swiss_roll_is_that_of_scikit_learn():
    """Same distribution of radius, of angle, and of both coordinates (Kolmogorov-Smirnov)."""
    ours = toy.swiss_roll().sample(8000, generator=mg.Generator(0))
    theirs = make_swiss_roll(8000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    for view in (
        lambda x: x[:, 0],
        lambda x: x[:, 1],
        lambda x: np.hypot(x[:, 0], x[:, 1]),
        lambda x: np.arctan2(x[:, 1], x[:, 0]),
    ):
        assert stats.ks_2samp(view(ours), view(theirs)).pvalue > 0.001
    assert toy.swiss_roll().centres is None


def test_swiss_roll_without_noise_is_a_spiral():
    x = toy.SwissRoll(noise=0.0, scale=1.0).sample(500, generator=mg.Generator(0))
    t = np.hypot(*x.T)
    assert t.min() >= 1.5 * math.pi - 1e-5
    assert t.max() <= 4.5 * math.pi + 1e-5
    np.testing.assert_allclose(x, t[:, None] * np.stack([np.cos(t), np.sin(t)], 1), atol=1e-4)


def test_parallel_lines():
    p, q = toy.parallel_lines(0.75)
    x, y = (line.sample(2000, generator=mg.Generator(0)) for line in (p, q))
    assert set(x[:, 0]) == {0.0}
    assert set(y[:, 0]) == {0.75}
    assert stats.kstest(x[:, 1], "uniform").pvalue > 0.001
    np.testing.assert_array_equal(x[:, 1], y[:, 1])  # one state, one height: paired samples


@pytest.mark.parametrize("distribution", [*toy.TOYS, "line"])
def test_samples_are_float32_and_named_by_the_generator(distribution):
    source = toy.Line(1.0) if distribution == "line" else toy.get(distribution)
    x = source.sample(7, generator=mg.Generator(5))
    assert (x.shape, x.dtype) == ((7, 2), np.float32)
    np.testing.assert_array_equal(x, source.sample(7, generator=mg.Generator(5)))
    assert not np.array_equal(x, source.sample(7, generator=mg.Generator(6)))
    mg.manual_seed(5)
    np.testing.assert_array_equal(x, source.sample(7))  # the default generator


def test_unknown_name():
    with pytest.raises(ValueError, match="no toy is called 'rings'.*did you mean 'ring'"):
        toy.get("rings")
