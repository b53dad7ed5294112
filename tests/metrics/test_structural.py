"""SSIM and MS-SSIM against loops over windows, closed forms and their symmetries.

Letters: N image pairs, C channels, H, W image.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from minigan import metrics
from minigan.metrics.structural import WEIGHTS

C1, C2 = 0.01**2, 0.03**2  # of pixels from 0 to 1
sides = st.integers(4, 13)
seeds = st.integers(0, 10**6)


def window(side):
    width = min(11, side // 2 + 1)
    sigma = 1.5 * width / 11
    w = np.array([np.exp(-((i - (width - 1) / 2) ** 2) / (2 * sigma**2)) for i in range(width)])
    return np.outer(w, w) / w.sum() ** 2


def naive_terms(a, b):
    """The means of l c and c over all places of the window: one channel, values in [0, 1]."""
    w = window(min(a.shape))
    size, both, contrast = len(w), [], []
    for i in range(a.shape[0] - size + 1):
        for j in range(a.shape[1] - size + 1):
            p, q = a[i : i + size, j : j + size], b[i : i + size, j : j + size]
            m, n = (w * p).sum(), (w * q).sum()
            var_p, var_q = (w * (p - m) ** 2).sum(), (w * (q - n) ** 2).sum()
            c = (2 * (w * (p - m) * (q - n)).sum() + C2) / (var_p + var_q + C2)
            both.append((2 * m * n + C1) / (m * m + n * n + C1) * c)
            contrast.append(c)
    return np.mean(both), np.mean(contrast)


def naive_ms_ssim(a, b, count):
    weights = [w / sum(WEIGHTS[:count]) for w in WEIGHTS[:count]]
    result = 1.0
    for scale, weight in enumerate(weights):
        both, contrast = naive_terms(a, b)
        result *= max(both if scale == count - 1 else contrast, 0.0) ** weight
        a, b = (
            np.array(
                [
                    [v[i : i + 2, j : j + 2].mean() for j in range(0, v.shape[1] - 1, 2)]
                    for i in range(0, v.shape[0] - 1, 2)
                ]
            )
            for v in (a, b)
        )
    return result


def images(seed, n, c, h, w):
    """Pairs that are somewhat alike, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, n, c, h, w))
    return a, np.clip(0.6 * a + 0.4 * b, -1, 1)


# -- against loops --------------------------------------------------------------------------------


@given(sides, sides, seeds)
def test_ssim_against_loops(h, w, seed):
    a, b = images(seed, 2, 2, h, w)
    expected = [
        np.mean([naive_terms((p + 1) / 2, (q + 1) / 2)[0] for p, q in zip(x, y, strict=True)])
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(metrics.ssim(a, b), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("h", "w", "count"), [(4, 9, 1), (8, 8, 2), (13, 9, 2), (17, 16, 3)])
def test_ms_ssim_against_loops(h, w, count):
    a, b = images(3, 2, 2, h, w)
    expected = [
        np.mean([naive_ms_ssim((p + 1) / 2, (q + 1) / 2, count) for p, q in zip(x, y, strict=True)])
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(metrics.ms_ssim(a, b), expected, rtol=1e-9)


def test_ssim_of_larger_images_is_that_of_scipys_gaussian_filter():
    """Its window is cut off at 5 pixels too, so it is 11 wide; borders are left out."""
    a, b = images(0, 1, 1, 32, 40)
    p, q = (a[0, 0] + 1) / 2, (b[0, 0] + 1) / 2

    def blur(x):
        return ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    m, n = blur(p), blur(q)
    variances, covariance = blur(p * p) + blur(q * q) - m * m - n * n, blur(p * q) - m * n
    c = (2 * covariance + C2) / (variances + C2)
    expected = np.mean((2 * m * n + C1) / (m * m + n * n + C1) * c)
    assert metrics.ssim(a, b)[0] == pytest.approx(expected, rel=1e-9)


# -- known answers --------------------------------------------------------------------------------


@given(sides, seeds)
def test_equal_images_have_one_and_others_less(side, seed):
    a, b = images(seed, 2, 1, side, side)
    for measure in (metrics.ssim, metrics.ms_ssim):
        np.testing.assert_allclose(measure(a, a), 1.0, rtol=1e-12)
        assert (measure(a, b) < 1).all()
        np.testing.assert_allclose(measure(a, b), measure(b, a), rtol=1e-12)
    assert (np.abs(metrics.ssim(a, -a)) <= 1).all()


def test_even_images_are_compared_by_their_luminance_alone():
    a, b = np.full((1, 1, 8, 8), -0.5), np.full((1, 1, 8, 8), 0.5)
    expected = (2 * 0.25 * 0.75 + C1) / (0.25**2 + 0.75**2 + C1)
    assert metrics.ssim(a, b)[0] == pytest.approx(expected, rel=1e-9)
    last = WEIGHTS[1] / (WEIGHTS[0] + WEIGHTS[1])  # luminance counts at the last scale only
    assert metrics.ms_ssim(a, b)[0] == pytest.approx(expected**last, rel=1e-9)


def test_opposed_images_have_negative_ssim_and_no_ms_ssim(rng):
    a = np.sign(rng.normal(size=(3, 1, 8, 8)))
    assert (metrics.ssim(a, -a) < -0.5).all()
    assert (metrics.ms_ssim(a, -a) == 0).all()


def test_the_range_of_pixels_is_a_matter_of_units(rng):
    a, b = images(1, 3, 1, 8, 8)
    for measure in (metrics.ssim, metrics.ms_ssim):
        in_bytes = measure((a + 1) * 127.5, (b + 1) * 127.5, low=0.0, high=255.0)
        np.testing.assert_allclose(in_bytes, measure(a, b), rtol=1e-9)


def test_noise_lowers_the_similarity_step_by_step(rng):
    a = ndimage.gaussian_filter(rng.normal(size=(1, 1, 64, 64)), (0, 0, 3, 3)) * 3
    noisy = [np.clip(a + s * rng.normal(size=a.shape), -1, 1) for s in (0.0, 0.1, 0.3, 1.0)]
    for measure in (metrics.ssim, metrics.ms_ssim):
        values = [measure(a, b)[0] for b in noisy]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.7


def test_many_images_are_compared_in_parts(monkeypatch):
    a, b = images(5, 7, 2, 8, 8)
    expected = metrics.ms_ssim(a, b), metrics.ssim(a, b)
    monkeypatch.setattr("minigan.metrics.structural._AT_ONCE", 300)  # two images of 128 pixels
    np.testing.assert_allclose((metrics.ms_ssim(a, b), metrics.ssim(a, b)), expected, rtol=1e-12)


# -- diversity ------------------------------------------------------------------------------------


def test_diversity_is_the_mean_over_pairs():
    """Of two images there is one pair, in two orders."""
    a, b = images(2, 1, 1, 8, 8)
    expected = 1 - metrics.ms_ssim(a, b)[0]
    assert metrics.diversity(np.concatenate([a, b]), pairs=5) == pytest.approx(expected, rel=1e-12)


def test_diversity_over_many_pairs_nears_the_mean_over_all(rng):
    x = rng.uniform(-1, 1, (6, 1, 8, 8))
    i, j = np.triu_indices(6, 1)
    every = 1 - metrics.ms_ssim(x[i], x[j])
    error = every.std() / np.sqrt(4000)
    assert abs(metrics.diversity(x, pairs=4000) - every.mean()) < 4 * error


def test_fewer_images_are_less_diverse(rng):
    x = rng.uniform(-1, 1, (100, 1, 8, 8))
    half = np.concatenate([x[:50], np.repeat(x[:1], 50, axis=0)])  # a quarter of all pairs is equal
    whole = metrics.diversity(x)
    assert metrics.diversity(half) == pytest.approx(0.75 * whole, rel=0.1)
    assert metrics.diversity(np.repeat(x[:1], 100, axis=0)) == 0


def test_pairs_come_from_the_seed_alone(rng):
    x = rng.uniform(-1, 1, (20, 1, 8, 8))
    one, again, other = (metrics.diversity(x, pairs=50, seed=s) for s in (0, 0, 1))
    assert one == again != other
