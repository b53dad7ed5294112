"""log p(x|z): how well a decoder's output a explains an image x.

A likelihood reads the decoder's output and has two faces: `log_prob(x, a)`, one number an image,
and `mean(a)`, the image that is expected. For images in [-1, 1] the mean is tanh(a) in both
classes: the very map a GAN's generator ends with.

Letters: N batch, ... the axes of one image, n trials.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan import nn
from minigan.backend import backend_of
from minigan.errors import ShapeError
from minigan.ops import exp, softplus, square, tanh
from minigan.tensor import Tensor, as_tensor


class Bernoulli(nn.Module):
    """Pixels as dots that are set or not: x in [-1, 1] says that k = n (x + 1) / 2 of n are.

        log p(x|z) = sum over pixels  log C(n, k) + k l - n softplus(l),   l = 2 a

    where l is the logit of a dot's probability; nothing overflows at any logit. The mean is
    2 sigmoid(2 a) - 1 = tanh(a). `trials` n = 1 is the Bernoulli distribution, n > 1 the binomial
    one. Only whole k have a probability: grey pixels with n = 1 give the customary cross-entropy,
    which is no log-probability, but 1/n of the binomial one up to a constant.

    >>> import minigan as mg
    >>> black = -mg.ones(1, 4)
    >>> round(Bernoulli().log_prob(black, mg.zeros(1, 4)).item() / math.log(2), 6)  # four coins
    -4.0
    """

    def __init__(self, *, trials: int = 1) -> None:
        if trials < 1:
            raise ValueError(f"trials is {trials}: give an integer >= 1")
        self.trials = trials

    def log_prob(self, x: Any, a: Tensor) -> Tensor:
        """Return log p(x|z) of images x (N, ...) in [-1, 1] and outputs a (N, ...): (N,)."""
        x, logits = _same_shape(x, a), 2.0 * a
        set_dots = (x + 1.0) * (self.trials / 2)
        terms = set_dots * logits - self.trials * softplus(logits)
        if self.trials > 1:
            terms = terms + self._log_choices(set_dots.detach())
        return _sum_each(terms)

    def mean(self, a: Tensor) -> Tensor:
        """Return the expected image: tanh(a), in (-1, 1)."""
        return tanh(a)

    def extra_repr(self) -> str:
        return f"trials={self.trials}" if self.trials > 1 else ""

    def _log_choices(self, k: Tensor) -> Tensor:
        """Return log C(n, k), a constant of the data, for k rounded to whole numbers."""
        table = np.log([math.comb(self.trials, i) for i in range(self.trials + 1)])
        backend = backend_of(k.data)
        xp = backend.xp
        whole = xp.clip(xp.rint(k.data), 0, self.trials).astype(xp.int64)
        return Tensor(backend.asarray(table.astype(k.dtype))[whole])


class Gaussian(nn.Module):
    """Pixels as normal, of one standard deviation that is learned: N(mean(a), std^2).

        log p(x|z) = -sum over pixels  (x - mean(a))^2 / (2 std^2) + log std + log(2 pi) / 2

    `image`: the mean is tanh(a), for pixels in [-1, 1]; otherwise it is a itself. `std`: the first
    one. A constant std would weigh the reconstruction against the KL divergence by decree; the
    learned one is the maximum of the likelihood, the root of the mean squared error.

    >>> import minigan as mg
    >>> round(Gaussian(std=1.0).log_prob(mg.zeros(1, 2), mg.zeros(1, 2)).item(), 4)  # -log 2 pi
    -1.8379
    """

    def __init__(self, *, std: float = 1.0, image: bool = False) -> None:
        if not std > 0:
            raise ValueError(f"std is {std}: must be above 0")
        self.image = image
        self.log_std = nn.Parameter(np.array([math.log(std)], np.float32))  # positive by exp

    def log_prob(self, x: Any, a: Tensor) -> Tensor:
        """Return log p(x|z) of data x (N, ...) and outputs a (N, ...): (N,)."""
        x = _same_shape(x, a)
        scaled = (x - self.mean(a)) * exp(-self.log_std)
        return _sum_each(-0.5 * square(scaled) - (self.log_std + 0.5 * math.log(2 * math.pi)))

    def mean(self, a: Tensor) -> Tensor:
        """Return the expected data: tanh(a) of an image, otherwise a."""
        return tanh(a) if self.image else a

    def extra_repr(self) -> str:
        return "image=True" if self.image else ""


def _same_shape(x: Any, a: Tensor) -> Tensor:
    """Refuse what would broadcast: a sum over pixels must count each one once."""
    x = as_tensor(x)
    if x.shape != a.shape:
        raise ShapeError(f"x is {x.shape} and the decoder's output {a.shape}: must be the same")
    return x


def _sum_each(terms: Tensor) -> Tensor:
    return terms.reshape(len(terms), -1).sum(axis=1)  # (N, ...) -> (N,)
