"""The Frechet distance: two sets of features compared as two Gaussians, by mean and covariance.

In the features of an Inception network it is the FID (Heusel et al. 2017, arXiv:1706.08500); here
the features are whatever is given.

Letters: N, M samples, F features.
"""

from __future__ import annotations

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.inputs import as_features


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (F,) and unbiased covariance (F, F) of features (N, F), N >= 2, in float64."""
    features = as_features("features", features, at_least=2)
    mean = features.mean(axis=0)  # (N, F) -> (F,)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)  # (F, N) @ (N, F) -> (F, F)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Frechet distance of features (N, F) and (M, F), each set taken as Gaussian.

        d = |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) >= 0

    This is the *squared* Wasserstein-2 distance of the Gaussians (Dowson and Landau 1982), in
    squared units of the features; with few samples it is biased upwards, so compare at equal N.

    >>> x = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    >>> round(frechet_distance(x, x + [3.0, 4.0]), 6)
    25.0
    """
    return frechet_of_moments(*moments(a), *moments(b))


def frechet_of_moments(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Return the Frechet distance of N(mean_a, cov_a) and N(mean_b, cov_b); see `frechet_distance`.

    C_a C_b is not symmetric, but has the eigenvalues of S C_b S with S = C_a^(1/2), which is: two
    symmetric decompositions give the trace, without the complex numbers that a general matrix root
    returns for singular covariances.
    """
    shapes = [np.shape(v) for v in (mean_a, cov_a, mean_b, cov_b)]
    if shapes[0] != shapes[2] or not shapes[1] == shapes[3] == shapes[0] * 2:
        raise ShapeError(f"moments must be (F,), (F, F), (F,), (F, F), got {shapes}")
    root = sqrt_psd(cov_a)
    inner = np.linalg.eigvalsh(root @ cov_b @ root)
    cross = np.sqrt(np.clip(inner, 0.0, None)).sum()
    gap = np.sum((mean_a - mean_b) ** 2)
    # Rounding can leave -1e-15 where the distance is 0.
    return max(0.0, float(gap + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross))


def sqrt_psd(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric root S of a positive semi-definite matrix (F, F): S S = matrix.

    S = V diag(sqrt(w)) V^T from the eigenvalues w (those below 0 by rounding count as 0) and
    eigenvectors V.
    """
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
