"""Penalties on the gradient of a discriminator with respect to its input.

They are what the engine differentiates twice for: the penalty is a function of a gradient, and
training differentiates it with respect to the weights. Letters: N batch, D all other axes.

The gradient of sample n is taken from the sum of all scores, which is right as long as the score
of one sample does not depend on another: keep batch normalisation out of a penalised network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minigan.autograd import grad
from minigan.backend import Generator, backend_of, default_generator
from minigan.errors import ShapeError
from minigan.ops import norm
from minigan.recording import no_grad
from minigan.tensor import Tensor

Critic = Callable[[Tensor], Tensor]


def gradient_penalty(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    target: float = 1.0,
    generator: Generator | None = None,
) -> Tensor:
    """Return E (||grad critic(x)||_2 - target)^2 at points x between real and fake samples.

    x_n = e_n real_n + (1 - e_n) fake_n with one e_n, uniform on [0, 1), for each sample; the norm
    is over all axes of a sample. The points are constants: nothing flows back into `fake`. The
    factor lambda (10 in the paper) is the caller's. Where a gradient is exactly zero the penalty
    is target^2 and its derivative finite: there the norm's derivative is taken as zero.

    `real`, `fake`: (N, ...) of one shape. Source: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, 4.0])
    >>> critic = lambda x: (x * w).sum(axis=1)
    >>> gradient_penalty(critic, mg.randn(8, 2), mg.randn(8, 2)).item()  # (5 - 1)^2
    16.0
    """
    slopes = norm(_sample_gradients(critic, _between(real, fake, generator)), axis=1)  # (N,)
    return ((slopes - target) ** 2).mean()


def r1(discriminator: Critic, real: Tensor, *, gamma: float = 10.0) -> Tensor:
    """Return gamma / 2 E ||grad discriminator(x)||_2^2 at the real samples.

    A sum over the axes of a sample and a mean over samples, with no square root anywhere.
    `real`: (N, ...). Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 9; the default is
    StyleGAN's.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, 4.0])
    >>> r1(lambda x: (x * w).sum(axis=1), mg.randn(8, 2), gamma=2.0).item()
    25.0
    """
    gradients = _sample_gradients(discriminator, real)  # (N, D)
    return (0.5 * gamma) * (gradients * gradients).sum(axis=1).mean()


def _sample_gradients(critic: Critic, points: Tensor) -> Tensor:
    """Return the gradient of each sample's score at `points`, on the graph: (N, ...) -> (N, D)."""
    points = points.detach().requires_grad_()
    (gradients,) = grad(critic(points).sum(), points, create_graph=True)
    return gradients.reshape(points.shape[0], math.prod(points.shape[1:]))


@no_grad()
def _between(real: Tensor, fake: Tensor, generator: Generator | None) -> Tensor:
    """Return one random point on the segment between each real sample and its fake one."""
    if real.shape != fake.shape:
        raise ShapeError(f"real has shape {real.shape}, fake {fake.shape}: they must be equal")
    each = (real.shape[0],) + (1,) * (real.ndim - 1)  # (N, 1, ...)
    drawn = (generator or default_generator()).uniform(each, dtype=real.dtype)
    weight = Tensor(backend_of(real.data).asarray(drawn))
    return fake + (real - fake) * weight
