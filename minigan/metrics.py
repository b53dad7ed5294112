"""Measures of a generator's quality, on plain NumPy arrays.

Two questions are asked of a classifier's view of the samples. *Are all classes there, in the right
shares?* `class_shares`, `class_coverage` and `reverse_kl` answer that one. *Do the features look
alike?* `frechet_distance` answers it, as the FID does with an Inception network. None of these has
an absolute scale: print each beside its floor, the same measure between two sets of real images.

Letters: N samples, F features, K classes.
"""

from __future__ import annotations

import numpy as np

from minigan.errors import ShapeError


def class_shares(labels: np.ndarray, *, classes: int = 10) -> np.ndarray:
    """Return the share of each class among labels (N,), as float64 (K,) that sums to 1.

    >>> class_shares(np.array([0, 0, 2, 1]), classes=4)
    array([0.5 , 0.25, 0.25, 0.  ])
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size:
        raise ShapeError(f"labels must be (N,) with N >= 1, got {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, not 0 to {classes - 1}"
        )
    return np.bincount(labels, minlength=classes) / labels.size  # (N,) -> (K,)


def class_coverage(shares: np.ndarray, *, at_least: float = 0.0) -> int:
    """Count the classes whose share is more than zero and not less than `at_least`.

    >>> class_coverage(np.array([0.5, 0.47, 0.03, 0.0]), at_least=0.03)
    3
    """
    shares = np.asarray(shares)
    return int(np.count_nonzero((shares > 0) & (shares >= at_least)))


def reverse_kl(shares: np.ndarray, reference: np.ndarray) -> float:
    """Return KL(q || p) = sum over k of q_k log(q_k / p_k), in nats; >= 0, and 0 where q = p.

    `shares` q are the generator's, `reference` p the data's, both (K,). The direction is the
    reverse of maximum likelihood's: mass where the data has none (p_k = 0 < q_k) costs infinity,
    and a missing class k at most -log(1 - p_k). All the mass on one of ten equal classes is log 10.

    >>> round(reverse_kl(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    q, p = np.asarray(shares, np.float64), np.asarray(reference, np.float64)
    if q.shape != p.shape or q.ndim != 1:
        raise ShapeError(f"shares {q.shape} and reference {p.shape} must both be (K,)")
    there = q > 0  # lim q log q = 0: a class without samples adds nothing
    if (p[there] == 0).any():
        return float("inf")
    return float(np.sum(q[there] * np.log(q[there] / p[there])))


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (F,) and unbiased covariance (F, F) of features (N, F), N >= 2, in float64."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise ShapeError(f"features must be (N, F) with N >= 2, got {features.shape}")
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
