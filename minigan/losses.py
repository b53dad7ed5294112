"""What generator and discriminator minimise, as functions of logits.

Each loss is an object with `.discriminator(real, fake)` and `.generator(fake, real=None)`. `real`
and `fake` are the discriminator's outputs before any sigmoid, of any shape: one score a sample or
a map of them; the two may differ in shape. Every loss is a mean, to be minimised.

With D = sigmoid(logit), log D = -softplus(-logit) and log(1 - D) = -softplus(logit): written so,
nothing overflows and no gradient is lost at any logit.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import numpy as np

from minigan.backend import backend_of
from minigan.errors import ShapeError
from minigan.ops import logsumexp, relu, softplus
from minigan.tensor import Tensor, as_tensor


class Loss:
    """The base of the adversarial losses."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return what the discriminator minimises, a scalar."""
        raise NotImplementedError(f"{type(self).__name__} has no discriminator(): define one")

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Return what the generator minimises, a scalar; `real` is for losses that compare."""
        raise NotImplementedError(f"{type(self).__name__} has no generator(): define one")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Minimax(Loss):
    """The game of the first GAN paper, saturating for the generator (arXiv:1406.2661, eq. 1).

    D: -E log D(real) - E log(1 - D(fake)); G: E log(1 - D(fake)), whose gradient vanishes where
    the discriminator is sure.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()


class NonSaturating(Minimax):
    """Minimax for D; G: -E log D(fake), strongest where the discriminator is sure (section 3)."""

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()


class Wasserstein(Loss):
    """The dual of the Wasserstein-1 distance, for a 1-Lipschitz critic (arXiv:1701.07875).

    D: E fake - E real; G: -E fake. Minus the critic's loss bounds W1 from below.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Hinge(Wasserstein):
    """The margin loss (arXiv:1705.02894): no force on samples beyond the margin.

    D: E max(0, 1 - real) + E max(0, 1 + fake); G: -E fake.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1.0 - real).mean() + relu(1.0 + fake).mean()


class LeastSquares(Loss):
    """Least squares with targets 1 and 0, a half in front of each mean (arXiv:1611.04076, eq. 9).

    D: E (real - 1)^2 / 2 + E fake^2 / 2; G: E (fake - 1)^2 / 2.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * _mean_square(real - 1.0) + 0.5 * _mean_square(fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return 0.5 * _mean_square(fake - 1.0)


LOSSES: dict[str, Callable[[], Loss]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "least-squares": LeastSquares,
}


def get(name: str) -> Loss:
    """Return the loss of a name, one of those in `LOSSES`.

    >>> get("hinge")
    Hinge()
    """
    if name not in LOSSES:
        near = difflib.get_close_matches(name, LOSSES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no loss is called {name!r}: use one of {', '.join(LOSSES)}{hint}")
    return LOSSES[name]()


def cross_entropy(logits: Tensor, labels: Tensor | np.ndarray) -> Tensor:
    """Return the mean of -log softmax(logits)[label]: the loss of a classifier.

    `logits`: (N, K); `labels`: (N,) integers from 0 to K - 1.

    >>> import minigan as mg
    >>> round(cross_entropy(mg.zeros(4, 10), np.arange(4)).item(), 4)  # log 10
    2.3026
    """
    index = as_tensor(labels).data
    if logits.ndim != 2 or index.shape != logits.shape[:1] or index.dtype.kind not in "iu":
        raise ShapeError(
            f"cross_entropy needs logits (N, K) and integer labels (N,), got {logits.shape} and "
            f"{index.shape} of {index.dtype}"
        )
    rows = np.arange(len(index))
    rows, index = (backend_of(logits.data).asarray(i) for i in (rows, index))
    chosen = logits[rows, index]  # (N, K) -> (N,)
    return (logsumexp(logits, axis=1) - chosen).mean()


def _mean_square(x: Tensor) -> Tensor:
    return (x * x).mean()
