"""Structural similarity of two images: SSIM, and MS-SSIM over several scales.

Under a Gaussian window, moved over both images, let m be the means, s^2 the variances and s_ab the
covariance. Then (Wang et al. 2004, equation 13)

    luminance  l = (2 m_a m_b + C1) / (m_a^2 + m_b^2 + C1)        C1 = (0.01 L)^2
    contrast and structure
               c = (2 s_ab + C2) / (s_a^2 + s_b^2 + C2)           C2 = (0.03 L)^2

with L = high - low, the pixels counted from `low`. SSIM is the mean of l c over the places of the
window. MS-SSIM (Wang et al. 2003, equation 7) also looks at the images halved, again and again:

    MS-SSIM = mean(l c)_last^w_last  product over the scales before of mean(c)_j^w_j

with the weights of the paper for five scales. **Small images have fewer scales**: halving goes on
while the shorter side keeps 4 pixels, so that 64 pixels have all five, 32 four, 16 three, 28 three
and 8 two; the weights of the scales there are, the finest first, are divided by their sum. The
window is 11 wide with a standard deviation of 1.5; where the shorter side is below 20 it is half of
that and one pixel wide, and narrower in proportion, so that it still has places to move to. Values
can thus be compared between sets of images of one size, not between sizes.

Letters: N image pairs, C channels, H, W image, h, w places of the window.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.inputs import as_images, random_pairs

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first
SMALLEST = 4  # pixels of the shorter side at the last scale

_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_AT_ONCE = 2**18  # pixels of each image stack in memory: some 30 MiB with all their moments


def ssim(a: np.ndarray, b: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Return the SSIM of image pairs (N, C, H, W), the mean over channels: (N,) in [-1, 1].

    1 for equal images alone. `low`, `high`: the range that pixels can take.

    >>> black, white = np.full((1, 1, 8, 8), -1.0), np.ones((1, 1, 8, 8))
    >>> ssim(black, black), ssim(black, white).round(6)  # C1 / (L^2 + C1) = 0.0001 / 1.0001
    (array([1.]), array([0.0001]))
    """
    a, b = _pairs(a, b)
    return np.concatenate([_means(x, y)[0] for x, y in _chunks(a, b, low, high)]).mean(axis=1)


def ms_ssim(a: np.ndarray, b: np.ndarray, *, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Return the MS-SSIM of image pairs (N, C, H, W), the mean over channels: (N,) in [0, 1].

    The shorter side has at least 4 pixels. 1 for equal images alone; a scale at which the images
    are opposed rather than alike (a mean below 0, which has no power) counts as 0.

    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(2, 1, 8, 8))
    >>> ms_ssim(x, x), bool((ms_ssim(x, x[::-1]) < 0.5).all())
    (array([1., 1.]), True)
    """
    a, b = _pairs(a, b)
    count = scales(min(a.shape[2:]))
    return np.concatenate([_product(x, y, count) for x, y in _chunks(a, b, low, high)])


def scales(side: int) -> int:
    """Return at how many scales MS-SSIM compares images whose shorter side is `side` >= 4 pixels.

    >>> [scales(side) for side in (8, 16, 28, 32, 64, 256)]
    [2, 3, 3, 4, 5, 5]
    """
    if side < SMALLEST:
        raise ShapeError(f"images are {side} pixels high or wide: MS-SSIM needs {SMALLEST}")
    return min(len(WEIGHTS), (side // SMALLEST).bit_length())


def diversity(
    images: np.ndarray, *, pairs: int = 1000, seed: int = 0, low: float = -1.0, high: float = 1.0
) -> float:
    """Return 1 - the mean MS-SSIM of random pairs of images (N, C, H, W), N >= 2: in [0, 1].

    0 if all images are one; compare it with the data's own. Published tables print the mean
    MS-SSIM itself, 1 less this, and by class (Odena et al. 2017, arXiv:1610.09585). It sees a
    generator that draws one image again and again, but hardly one that draws ten.

    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(20, 1, 8, 8))
    >>> diversity(x) > 0.5, diversity(np.repeat(x[:1], 20, axis=0))
    (True, 0.0)
    """
    images = as_images("images", images)
    first, second = random_pairs(len(images), pairs, seed=seed)
    return 1.0 - float(ms_ssim(images[first], images[second], low=low, high=high).mean())


# -- the terms ------------------------------------------------------------------------------------


def _product(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """Return the MS-SSIM of images with values in [0, 1]: (N, C, H, W) -> (N,)."""
    weights = np.array(WEIGHTS[:count]) / sum(WEIGHTS[:count])
    result = np.ones(a.shape[:2])  # (N, C)
    for scale, weight in enumerate(weights):
        if scale:
            a, b = _halve(a), _halve(b)
        both, contrast = _means(a, b)
        term = both if scale == count - 1 else contrast
        result *= np.clip(term, 0.0, None) ** weight
    return result.mean(axis=1)  # (N, C) -> (N,)


def _means(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of l c and of c over the places of the window, for values in [0, 1] (L = 1).

    (N, C, H, W) twice -> (N, C) twice.
    """
    rows, columns = _window(a.shape)

    def blur(x: np.ndarray) -> np.ndarray:
        x = np.tensordot(x, rows, ([2], [1]))  # (N, C, H, W), (h, H) -> (N, C, W, h)
        return np.tensordot(x, columns, ([2], [1]))  # (N, C, W, h), (w, W) -> (N, C, h, w)

    mean_a, mean_b = blur(a), blur(b)
    squares, product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
    variances, covariance = blur(a * a) + blur(b * b) - squares, blur(a * b) - product
    contrast = (2.0 * covariance + _K2**2) / (variances + _K2**2)
    luminance = (2.0 * product + _K1**2) / (squares + _K1**2)
    return (luminance * contrast).mean(axis=(2, 3)), contrast.mean(axis=(2, 3))


def _window(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the Gaussian window as two matrices, (h, H) and (w, W), with h = H - width + 1.

    A row holds the weights at one place. The window is separable, and for images this small two
    products with such matrices are cheaper than a convolution.
    """
    width = min(_WINDOW, min(shape[2:]) // 2 + 1)
    offsets = np.arange(width) - (width - 1) / 2.0
    weights = np.exp(-0.5 * np.square(offsets * _WINDOW / (_SIGMA * width)))
    weights /= weights.sum()
    rows, columns = (
        np.stack([np.pad(weights, (i, side - width - i)) for i in range(side - width + 1)])
        for side in shape[2:]
    )
    return rows, columns


def _halve(x: np.ndarray) -> np.ndarray:
    """Average 2 x 2 pixels; an odd last row or column is left out: (N, C, H, W) -> half of each."""
    height, width = (side // 2 * 2 for side in x.shape[2:])
    even = x[:, :, :height, :width]
    return (
        even[:, :, ::2, ::2]
        + even[:, :, 1::2, ::2]
        + even[:, :, ::2, 1::2]
        + even[:, :, 1::2, 1::2]
    ) / 4.0


# -- what is given --------------------------------------------------------------------------------


def _pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = as_images("a", a), as_images("b", b)
    if a.shape != b.shape:
        raise ShapeError(f"a has shape {a.shape} and b {b.shape}: images are compared in pairs")
    return a, b


def _chunks(
    a: np.ndarray, b: np.ndarray, low: float, high: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pairs in parts that fit into little memory, as float64 with `low` 0 and `high` 1.

    Variances are differences of squares: float32 would lose half of its digits in even areas.
    """
    if not low < high:
        raise ValueError(f"pixels range from low = {low} to high = {high}: low must be below high")
    step = max(1, _AT_ONCE // a[0].size)
    for i in range(0, len(a), step):
        first, second = ((v[i : i + step].astype(np.float64) - low) / (high - low) for v in (a, b))
        yield first, second
