"""The Kullback-Leibler divergence between normal distributions, in closed form.

The Jensen-Shannon divergence has no such form, for the mixture of two normals is not normal: use
`js` on a grid or `js_monte_carlo`.

Letters: D dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend import backend_of
from minigan.divergences.checks import in_base
from minigan.errors import ShapeError
from minigan.ops import inverse, log, log_determinant, square, sum, transpose
from minigan.tensor import Tensor, as_tensor


def kl_normal(
    mean_p: Any, std_p: Any, mean_q: Any = 0.0, std_q: Any = 1.0, *, base: float = math.e
) -> Tensor:
    """Return KL(N(mean_p, std_p^2) || N(mean_q, std_q^2)), elementwise and broadcast.

        log(std_q / std_p) + (std_p^2 + (mean_p - mean_q)^2) / (2 std_q^2) - 1/2

    Independent coordinates add up: for diagonal covariances sum over their axis. By default q is
    standard normal: the regulariser of a VAE (Kingma and Welling 2013, arXiv:1312.6114, appendix
    B). `std_p`, `std_q` > 0.

    >>> import minigan as mg
    >>> kl_normal(mg.tensor([0.0, 1.0]), mg.tensor([1.0, 1.0])).numpy()
    array([0. , 0.5], dtype=float32)
    """
    mean_p, std_p, mean_q, std_q = (as_tensor(x) for x in (mean_p, std_p, mean_q, std_q))
    for name, std in (("std_p", std_p), ("std_q", std_q)):
        if not (std > 0.0).all():
            raise ValueError(f"{name} is not > 0 everywhere: give standard deviations")
    moments = square(std_p) + square(mean_p - mean_q)
    return in_base(log(std_q / std_p) + moments / (2.0 * square(std_q)) - 0.5, base)


def kl_multivariate_normal(
    mean_p: Any, cov_p: Any, mean_q: Any, cov_q: Any, *, base: float = math.e
) -> Tensor:
    """Return KL(N(mean_p, cov_p) || N(mean_q, cov_q)), a scalar.

        1/2 (tr(C_q^-1 C_p) + (m_q - m_p)^T C_q^-1 (m_q - m_p) - D + log(det C_q / det C_p))

    `mean_p`, `mean_q`: (D,); `cov_p`, `cov_q`: (D, D), symmetric and positive definite.

    >>> import numpy as np
    >>> kl_multivariate_normal(np.ones(2), np.eye(2), np.zeros(2), np.eye(2)).item()
    1.0
    """
    mean_p, cov_p, mean_q, cov_q = (as_tensor(x) for x in (mean_p, cov_p, mean_q, cov_q))
    (d,) = _dimensions(mean_p, cov_p, mean_q, cov_q)
    precision = inverse(cov_q)  # (D, D)
    gap = mean_q - mean_p
    spread = sum(precision * transpose(cov_p))  # tr(C_q^-1 C_p)
    distance = sum(gap * (precision @ gap))  # (D,) . (D, D) @ (D,) -> ()
    volumes = log_determinant(cov_q) - log_determinant(cov_p)
    return in_base(0.5 * (spread + distance - float(d) + volumes), base)


def _dimensions(mean_p: Tensor, cov_p: Tensor, mean_q: Tensor, cov_q: Tensor) -> tuple[int]:
    """Return (D,), or raise for shapes that do not fit and matrices that are no covariances."""
    shapes = [tuple(x.shape) for x in (mean_p, cov_p, mean_q, cov_q)]
    if len(shapes[0]) != 1 or shapes != [shapes[0], shapes[0] * 2] * 2:
        raise ShapeError(f"means and covariances must be (D,), (D, D), (D,), (D, D), got {shapes}")
    for name, cov in (("cov_p", cov_p), ("cov_q", cov_q)):
        host = backend_of(cov.data).asnumpy(cov.data)
        if not np.allclose(host, host.T, rtol=1e-5, atol=0) or np.linalg.eigvalsh(host)[0] <= 0:
            raise ValueError(f"{name} is no covariance: it must be symmetric, positive definite")
    return shapes[0]
