"""Mode metrics: how many modes of a known mixture a generator found, and how well it hits them.

The protocol of VEEGAN (arXiv:1705.07761) and PacGAN (arXiv:1712.04086), to be compared with their
tables: 2,500 samples; each belongs to its nearest mode; it is of *high quality* if it lies within 3
sigma of that; a mode is *captured* if one high-quality sample belongs to it; the *reverse KL* is
taken between the shares of the high-quality samples that the modes have, and equal shares.

Even perfect samples do not get perfect marks. In the plane a share 1 - e^(-9/2) = 98.89% of the
true distribution is of high quality: more means modes that are too narrow. And shares of n samples
in K modes fluctuate: their reverse KL is (K - 1) / (2 n) on average, 0.0014 for the ring and 0.0049
for the grid.

Letters: N samples, K modes, D dimensions.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from minigan.divergences import kl
from minigan.errors import ShapeError

SAMPLES = 2500  # of the papers' protocol
WITHIN = 3.0  # sigma


class Modes(Protocol):
    """What has modes: a mixture of equally likely Gaussians of one sigma."""

    centres: np.ndarray  # (K, D)
    sigma: float


class ModeReport(NamedTuple):
    """The three figures of the papers' tables; see `mode_report`."""

    captured: int
    high_quality: float
    reverse_kl: float


def mode_report(samples: np.ndarray, mixture: Modes, *, within: float = WITHIN) -> ModeReport:
    """Return modes captured, share of high quality and reverse KL of samples (N, D).

    For figures beside published ones N is 2,500.

    >>> from minigan.backend import Generator
    >>> from minigan.data import toy
    >>> report = mode_report(toy.ring().sample(SAMPLES, generator=Generator(0)), toy.ring())
    >>> report.captured, report.high_quality > 0.98, report.reverse_kl < 0.005
    (8, True, True)
    """
    counts = mode_counts(samples, mixture, within=within)
    return ModeReport(
        int(np.count_nonzero(counts)),
        float(counts.sum() / len(samples)),
        _kl_to_equal_shares(counts),
    )


def modes_captured(samples: np.ndarray, mixture: Modes, *, within: float = WITHIN) -> int:
    """Count the modes that are nearest to at least one high-quality sample: 0 to K."""
    return mode_report(samples, mixture, within=within).captured


def high_quality(samples: np.ndarray, mixture: Modes, *, within: float = WITHIN) -> float:
    """Return the share in [0, 1] of samples within `within` sigma of their nearest mode.

    In the plane the true distribution has 1 - exp(-within^2 / 2).
    """
    return mode_report(samples, mixture, within=within).high_quality


def reverse_kl_of_modes(samples: np.ndarray, mixture: Modes, *, within: float = WITHIN) -> float:
    """Return KL(shares || equal shares) of the high-quality samples, in nats: 0 to log K.

    Missing modes cost little: with equal shares of k modes out of K it is log(K / k). Infinity
    where no sample is of high quality, for then there are no shares.
    """
    return mode_report(samples, mixture, within=within).reverse_kl


def mode_counts(samples: np.ndarray, mixture: Modes, *, within: float = WITHIN) -> np.ndarray:
    """Count the high-quality samples of each mode: (N, D) -> (K,), int64."""
    samples, centres = np.asarray(samples, np.float64), np.asarray(mixture.centres, np.float64)
    if centres.ndim != 2:
        raise ValueError("the distribution has no modes: measure it by a distance instead")
    if samples.ndim != 2 or samples.shape[1] != centres.shape[1] or not len(samples):
        raise ShapeError(f"samples have shape {samples.shape}: give (N, {centres.shape[1]}), N > 0")
    offsets = samples[:, None] - centres  # (N, 1, D) - (K, D) -> (N, K, D)
    squares = np.square(offsets).sum(axis=2)  # (N, K)
    nearest = squares.argmin(axis=1)  # (N,)
    good = squares.min(axis=1) < (within * mixture.sigma) ** 2  # NaN is not good
    return np.bincount(nearest[good], minlength=len(centres))


def _kl_to_equal_shares(counts: np.ndarray) -> float:
    total = counts.sum()
    if not total:
        return float("inf")
    return kl(counts / total, np.full(len(counts), 1.0 / len(counts))).item()
