"""Cases of extremes, spread, norms, the softmax family, singular values."""

from __future__ import annotations

from minigan import ops
from minigan.ops import linalg
from minigan.testing.cases.table import WELL_CONDITIONED, case
from minigan.testing.draw import grid, normal, spectrum

FIXED = {"properties": WELL_CONDITIONED}
FROZEN = {**FIXED, "method": "complex"}


def top_singular_triple(x):
    """The value alone: its vectors are constants by definition, and are so in a complex step."""
    return linalg.top_singular_triple(x)[1]


def power_iteration(x, *, steps):
    """The estimate alone, from a fixed start; its vectors are constants by definition."""
    return linalg.power_iteration(
        x, ops.linspace(0.2, 1.0, x.shape[0], device=x.device), steps=steps
    )[1]


REDUCTIONS = [
    case(ops.max, grid(2, 3)),
    case(ops.max, grid(2, 3, 2), axis=1),
    case(ops.max, grid(2, 3, 2), axis=(0, 2), keepdims=True),
    case(ops.max, grid(3, 1), axis=1),
    case(ops.min, grid(2, 3)),
    case(ops.min, grid(2, 3, 2), axis=-1),
    case(ops.var, normal(2, 3, 4)),
    case(ops.var, normal(2, 3, 4), axis=(0, 2), keepdims=True),
    case(ops.var, normal(2, 4), axis=1, ddof=1),
    case(ops.std, normal(2, 3, 4), axis=1),
    case(ops.std, normal(5), ddof=1),
    case(ops.norm, normal(2, 3)),
    case(ops.norm, normal(2, 3, 2), axis=(1, 2)),
    case(ops.norm, normal(2, 3), axis=1, keepdims=True),
    case(ops.logsumexp, normal(2, 3)),
    case(ops.logsumexp, normal(2, 3, 2), axis=1),
    case(ops.logsumexp, normal(2, 3, 2), axis=(0, 2), keepdims=True),
    case(ops.softmax, normal(2, 3)),
    case(ops.softmax, normal(2, 3, 2), axis=1),
    case(ops.log_softmax, normal(2, 3)),
    case(ops.log_softmax, normal(2, 3, 2), axis=0),
]

LINALG = [
    case(ops.inverse, spectrum(2.0, 1.2, 0.5), check=FIXED),
    case(ops.log_determinant, spectrum(2.0, 1.2, 0.5), check=FIXED),
    case(linalg.singular_values, spectrum(2.0, 1.2, 0.5), check=FIXED),
    case(linalg.singular_values, spectrum(1.7, 0.8, shape=(3, 2)), check=FIXED),
    case(linalg.singular_values, spectrum(1.7, 0.8, shape=(2, 4)), check=FIXED),
    case(linalg.spectral_matrix, spectrum(2.0, 1.2, 0.5), normal(3), check=FIXED),
    case(linalg.spectral_matrix, spectrum(1.7, 0.8, shape=(3, 2)), normal(2), check=FIXED),
    case(linalg.spectral_matrix, spectrum(1.7, 0.8, shape=(2, 3)), normal(2), check=FIXED),
    case(linalg.svd, spectrum(2.0, 1.2, 0.5), check=FIXED),
    case(linalg.svd, spectrum(1.7, 0.8, shape=(3, 2)), check=FIXED),
    case(linalg.svd, spectrum(1.7, 0.8, shape=(2, 3)), check=FIXED),
    case(linalg.svd_packed, spectrum(2.0, 1.2, 0.5), check=FIXED),
    case(top_singular_triple, spectrum(2.0, 1.2, shape=(3, 2)), check=FROZEN),
    case(power_iteration, spectrum(2.0, 1.2, shape=(3, 2)), steps=2, check=FROZEN),
]

CASES = [*REDUCTIONS, *LINALG]
