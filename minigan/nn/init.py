"""Initial values for weights, by the rules of Xavier, He and others, named as PyTorch names them.

Every function overwrites its tensor in place (through `assign_`) and returns it; numbers come from
`generator`, by default the thread's. For a weight of shape (O, I, ...) the fan-in is I times the
number of taps of the kernel and the fan-out is O times it.
"""

from __future__ import annotations

import math

import numpy as np

from minigan.backend import Generator, backend_of, default_generator
from minigan.tensor import Tensor

_GAINS = {"linear": 1.0, "conv": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0)}


def calculate_gain(nonlinearity: str, negative_slope: float = 0.01) -> float:
    """Return the factor by which a nonlinearity shrinks a unit-variance signal, inverted.

    `nonlinearity`: "linear", "conv", "sigmoid", "tanh", "relu" or "leaky_relu"; for the last the
    gain is sqrt(2 / (1 + negative_slope^2)).
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + negative_slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"no gain known for {nonlinearity!r}: use one of {names}")
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan-in, fan-out) of a weight of at least two axes.

    >>> import minigan as mg
    >>> fans(mg.zeros(8, 3, 5, 5))
    (75, 200)
    """
    if tensor.ndim < 2:
        raise ValueError(f"fan-in and fan-out need at least 2 axes, got shape {tensor.shape}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with draws from N(mean, std^2)."""
    return _fill(tensor, _source(generator).normal(tensor.shape, mean=mean, std=std))


def uniform_(
    tensor: Tensor, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with draws from the uniform distribution on [low, high)."""
    return _fill(tensor, _source(generator).uniform(tensor.shape, low=low, high=high))


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    return _fill(tensor, np.full(tensor.shape, value))


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill from N(0, s^2) with s = gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), generator=generator)


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill from U(-b, b) with b = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator=generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill from N(0, s^2) with s = gain / sqrt(fan) (He et al. 2015, eq. 10).

    `a`: the negative slope of the leaky ReLU that follows (0: a ReLU); `mode`: "fan_in" keeps the
    variance of activations, "fan_out" that of gradients.
    """
    std = _he_std(tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator=generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill from U(-b, b) with b = gain sqrt(3 / fan): the variance of `kaiming_normal_`."""
    bound = math.sqrt(3.0) * _he_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator=generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with gain times a random matrix of orthonormal rows or columns (Saxe et al. 2013).

    The weight is taken as a matrix (O, everything else). Its distribution is uniform (Haar): the
    Q of a Gaussian matrix's QR decomposition, with the signs of R's diagonal moved into Q.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs at least 2 axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    draw = _source(generator).normal((max(rows, columns), min(rows, columns)), dtype=np.float64)
    q, r = np.linalg.qr(draw)
    q = q * np.sign(np.diagonal(r))
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def _he_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}: use 'fan_in' or 'fan_out'")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _source(generator: Generator | None) -> Generator:
    return default_generator() if generator is None else generator


def _fill(tensor: Tensor, values: np.ndarray) -> Tensor:
    """Overwrite a tensor with host values, cast to its dtype and brought to its device."""
    tensor.assign_(backend_of(tensor.data).asarray(values.astype(tensor.dtype)))
    return tensor
