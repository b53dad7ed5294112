"""Penalties on the gradient of a discriminator with respect to its input, and clipping.

They are what the engine differentiates twice for: the penalty is a function of a gradient, and
training differentiates it with respect to the weights. With g(x) = grad_x D(x) for one sample x,
|g| its norm over all axes of the sample, and E a mean over samples:

    gradient_penalty   E (|g(x)| - 1)^2          between data and samples      WGAN-GP
      sides="one"      E max(0, |g(x)| - 1)^2    the same                      WGAN-LP
      power=1          E ||g(x)| - 1|            the same
    gradient_l1        E sum_i |g_i(x)|          wherever you like
    r1, r2             gamma / 2 E |g(x)|^2      data (r1), samples (r2)
    dragan             E (|g(x)| - 1)^2          around the data               DRAGAN

Each returns a scalar to be *added* to the discriminator's loss before one backward pass and one
step of the optimiser: with a step of its own, Adam would see two alternating gradients.

The gradient of every sample is taken from the sum of all scores, which is right as long as no
score depends on another sample. Batch normalisation breaks that, and is warned about.

Letters: N batch, D all other axes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable

from minigan import ops
from minigan.autograd import grad
from minigan.backend import Generator, backend_of, default_generator, xp_of
from minigan.errors import ShapeError
from minigan.ops.normalization import normalize
from minigan.recording import no_grad
from minigan.tensor import Tensor

Critic = Callable[[Tensor], Tensor]

_NORMS = {
    "l2": lambda g: ops.norm(g, axis=1),  # (N, D) -> (N,)
    "l1": lambda g: ops.abs(g).sum(axis=1),
}
_EXCESSES = {"two": ops.abs, "one": ops.relu}
_POWERS = {1: lambda excess: excess, 2: ops.square}


# -- a slope to aim at ----------------------------------------------------------------------------


def gradient_penalty(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    target: float = 1.0,
    sides: str = "two",
    power: int = 2,
    norm: str = "l2",
    generator: Generator | None = None,
) -> Tensor:
    """Return E (|grad critic(x)| - target)^2 at points x between real and fake samples.

    x_n = e_n real_n + (1 - e_n) fake_n with one e_n, uniform on [0, 1), for each sample; the norm
    is over all axes of a sample. The points are constants: nothing flows back into `fake`. The
    factor lambda (10 in the paper) is the caller's. Where a gradient is exactly zero the penalty
    is target^2 and its derivative finite: there the norm's derivative is taken as zero.

    `real`, `fake`: (N, ...) of one shape. `sides="one"` leaves slopes below the target alone,
    `power=1` takes | |g| - target | (derivative 0 at the target), `norm="l1"` the sum of absolute
    values. A finite lambda lets the slope exceed the target, so minus the critic's loss is no
    estimate of W1: between two parallel lines at distance d the best slope is 1 + d / (2 lambda).
    Sources: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3; one-sided, Petzka et al. 2017,
    arXiv:1709.08894.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, 4.0])
    >>> critic = lambda x: (x * w).sum(axis=1)
    >>> gradient_penalty(critic, mg.randn(8, 2), mg.randn(8, 2)).item()  # (5 - 1)^2
    16.0
    """
    excess = _choose("sides", sides, _EXCESSES)
    raised = _choose("power", power, _POWERS)
    length = _choose("norm", norm, _NORMS)
    gradients = _sample_gradients(critic, _between(real, fake, generator))  # (N, D)
    return raised(excess(length(gradients) - target)).mean()


def dragan(
    discriminator: Critic,
    real: Tensor,
    *,
    target: float = 1.0,
    spread: float = 0.5,
    generator: Generator | None = None,
) -> Tensor:
    """Return E (|grad discriminator(x + noise)|_2 - target)^2 around the real samples.

    The noise is normal, its standard deviation `spread` times that of the whole batch: the penalty
    looks at a neighbourhood of the data and needs no fakes. The factor lambda (10) is the caller's.
    `real`: (N, ...). Source: Kodali et al. 2017, arXiv:1705.07215.
    """
    gradients = _sample_gradients(discriminator, _around(real, spread, generator))  # (N, D)
    return ((ops.norm(gradients, axis=1) - target) ** 2).mean()


# -- as flat as possible --------------------------------------------------------------------------


def gradient_l1(critic: Critic, x: Tensor) -> Tensor:
    """Return E |grad critic(x)|_1, the sum of the gradient's absolute values, at the points x.

    A component that is exactly 0 counts as 0 in the derivative too: of the subgradients [-1, 1] of
    |t| at 0 the engine takes sign(0) = 0. `x`: (N, ...), taken as constants.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, -4.0])
    >>> gradient_l1(lambda x: (x * w).sum(axis=1), mg.randn(8, 2)).item()
    7.0
    """
    return ops.abs(_sample_gradients(critic, x)).sum(axis=1).mean()


def r1(discriminator: Critic, real: Tensor, *, gamma: float = 10.0) -> Tensor:
    """Return gamma / 2 E |grad discriminator(x)|_2^2 at the real samples.

    A sum over the axes of a sample and a mean over samples, with no square root anywhere.
    `real`: (N, ...). Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 9; the default is
    StyleGAN's. Code that leaves the half out (that paper's own) has half this gamma.

    >>> import minigan as mg
    >>> w = mg.tensor([3.0, 4.0])
    >>> r1(lambda x: (x * w).sum(axis=1), mg.randn(8, 2), gamma=2.0).item()
    25.0
    """
    gradients = _sample_gradients(discriminator, real)  # (N, D)
    return (0.5 * gamma) * ops.square(gradients).sum(axis=1).mean()


def r2(discriminator: Critic, fake: Tensor, *, gamma: float = 10.0) -> Tensor:
    """Return gamma / 2 E |grad discriminator(x)|_2^2 at the generator's samples.

    `r1` at another place; nothing flows back into the generator. `fake`: (N, ...). Source:
    Mescheder et al. 2018, arXiv:1801.04406, eq. 10; used with R1 by arXiv:2501.05441.
    """
    gradients = _sample_gradients(discriminator, fake)  # (N, D)
    return (0.5 * gamma) * ops.square(gradients).sum(axis=1).mean()


# -- lazily ---------------------------------------------------------------------------------------


class Lazy:
    """Apply a penalty on every k-th step only, k times as strong: nearly the same pull, cheaper.

    `lazy(step, penalty)` calls `penalty()` and returns k times its value when `step` is due, and
    returns None otherwise. In StyleGAN2 (Karras et al. 2019, arXiv:1912.04958, appendix B) the
    penalty has an optimiser step of its own, so that Adam makes k + 1 steps where it made k;
    `lazy.adam(...)` are its options for that, which keep its pace and its memory the same over k
    rounds: lr c and betas ** c with c = k / (k + 1). Added to the loss of the round instead, the
    penalty costs no further step and Adam keeps its options.

    >>> import minigan as mg
    >>> critic = mg.nn.Linear(2, 1)
    >>> lazy = Lazy(every=16)
    >>> options = lazy.adam(lr=0.0025, betas=(0.0, 0.99))
    >>> options["lr"] == 0.0025 * 16 / 17
    True
    >>> adam = mg.optim.Adam(critic.parameters(), **options)
    >>> found = [lazy(step, lambda: r1(critic, mg.randn(8, 2))) for step in range(20)]
    >>> [step for step, penalty in enumerate(found) if penalty is not None]
    [0, 16]
    """

    def __init__(self, every: int) -> None:
        if every < 1:
            raise ValueError(f"every is {every}: a lazy penalty is due every 1 or more steps")
        self.every = int(every)

    def due(self, step: int) -> bool:
        """Say whether the penalty is applied on this step; steps count from 0."""
        return step % self.every == 0

    def __call__(self, step: int, penalty: Callable[[], Tensor]) -> Tensor | None:
        return float(self.every) * penalty() if self.due(step) else None

    def adam(self, *, lr: float, betas: tuple[float, float]) -> dict[str, object]:
        """Return `lr` and `betas` for an Adam that makes k + 1 steps where it used to make k."""
        c = self.every / (self.every + 1)
        return {"lr": lr * c, "betas": (betas[0] ** c, betas[1] ** c)}


# -- by force -------------------------------------------------------------------------------------


@no_grad()
def clip_weights_(parameters: Iterable[Tensor], clip_value: float = 0.01) -> None:
    """Cut every weight to [-clip_value, clip_value], in place: after each step of the critic.

    The crude way to bound a critic's slope (Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1,
    with its default): the bound that results depends on the architecture.

    >>> import minigan as mg
    >>> critic = mg.nn.Linear(4, 1)
    >>> clip_weights_(critic.parameters(), 0.1)
    >>> bool(abs(critic.weight.numpy()).max() <= 0.1)
    True
    """
    if not clip_value > 0.0:
        raise ValueError(f"clip_value is {clip_value}: weights are clipped to a positive bound")
    for p in parameters:
        p.assign_(xp_of(p.data).clip(p.data, -clip_value, clip_value))


# -- where, and how steep -------------------------------------------------------------------------


def _sample_gradients(critic: Critic, points: Tensor) -> Tensor:
    """Return the gradient of each sample's score at `points`, on the graph: (N, ...) -> (N, D)."""
    points = points.detach().requires_grad_()
    scores = critic(points)
    if _couples_the_batch(scores, points):
        warnings.warn(
            "a gradient penalty on a network with batch normalisation: every score depends on the "
            "whole batch, so the gradient is no longer one of each sample; use LayerNorm or no "
            "normalisation in the discriminator",
            stacklevel=3,
        )
    (gradients,) = grad(scores.sum(), points, create_graph=True)
    return gradients.reshape(points.shape[0], math.prod(points.shape[1:]))


def _couples_the_batch(scores: Tensor, points: Tensor) -> bool:
    """Say whether something between points and scores normalises over the batch, axis 0.

    It looks at the graph that was recorded, so it finds batch normalisation in a function as well
    as in a module, and none in a module in evaluation mode. Ids rise along the graph: what is
    older than the points does not depend on them.
    """
    pending, seen = [scores.node], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen or node.id <= points.node.id:
            continue
        if node.op is normalize and 0 in node.attrs["axis"]:
            return True
        seen.add(node)
        pending.extend(node.parents)
    return False


@no_grad()
def _between(real: Tensor, fake: Tensor, generator: Generator | None) -> Tensor:
    """Return one random point on the segment between each real sample and its fake one."""
    if real.shape != fake.shape:
        raise ShapeError(f"real has shape {real.shape}, fake {fake.shape}: they must be equal")
    each = (real.shape[0],) + (1,) * (real.ndim - 1)  # (N, 1, ...)
    drawn = (generator or default_generator()).uniform(each, dtype=real.dtype)
    weight = Tensor(backend_of(real.data).asarray(drawn))
    return fake + (real - fake) * weight


@no_grad()
def _around(real: Tensor, spread: float, generator: Generator | None) -> Tensor:
    """Return the real samples with normal noise, scaled by the batch's standard deviation."""
    drawn = (generator or default_generator()).normal(real.shape, dtype=real.dtype)
    noise = Tensor(backend_of(real.data).asarray(drawn))
    return real + noise * (ops.std(real) * spread)


def _choose(option: str, value: object, among: dict) -> Callable[[Tensor], Tensor]:
    """Return the function of an option's value, or raise with the values there are."""
    if value not in among:
        raise ValueError(f"{option} is {value!r}: use one of {', '.join(map(repr, among))}")
    return among[value]
