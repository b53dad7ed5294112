"""Are all classes there, in the right shares? Answers from the labels a classifier gives.

Letters: N samples, K classes.
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
