"""What generator and discriminator minimise, as functions of logits.

Each loss is an object with `.discriminator(real, fake)` and `.generator(fake, real=None)`. `real`
and `fake` are the discriminator's outputs before any sigmoid, of any shape: one score a sample or
a map of them; the two may differ in shape. Every loss is a mean, to be minimised.

With s = softplus, r and f the logits on real samples and on fakes, and E a mean:

    name             discriminator                        generator
    minimax          E s(-r) + E s(f)                     -E s(f)
    non-saturating   E s(-r) + E s(f)                     E s(-f)
    wasserstein      E f - E r                            -E f
    hinge            E max(0, 1 - r) + E max(0, 1 + f)    -E f
    least-squares    E (r - 1)^2 / 2 + E f^2 / 2          E (f - 1)^2 / 2
    relativistic     E s(-(r - f))                        E s(-(f - r))

**Why softplus.** With D = sigmoid(logit), log D = -s(-logit) and log(1 - D) = -s(logit). Written
so, nothing overflows and no gradient is lost at any logit; log(sigmoid(logit) + 1e-8), which is
often seen, has no gradient left below a logit of -20, just where the generator needs it.

**Label smoothing**, for the losses that have labels: `label_smoothing=a` aims at 1 - a on real
samples, so that D never becomes quite sure. One-sided: the fakes' label stays 0. A positive one
would put the generator's own density q into the numerator of the best D,
((1 - a) p + b q) / (p + q), and pull the generator towards what it does already (Salimans et al.
2016, arXiv:1606.03498, section 3.4).
"""

from __future__ import annotations

import difflib

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


class _Labelled(Loss):
    """The base of losses that aim at labels: 1 - `label_smoothing` for real samples, 0 for fakes.

    `label_smoothing`: at least 0 and less than 1; 0 is none. It changes the discriminator's part
    alone.
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing is {label_smoothing}: must be at least 0, below 1")
        self.label_smoothing = float(label_smoothing)

    def __repr__(self) -> str:
        option = f"label_smoothing={self.label_smoothing}" if self.label_smoothing else ""
        return f"{type(self).__name__}({option})"


class Minimax(_Labelled):
    """The game of the first GAN paper, saturating for the generator (arXiv:1406.2661, eq. 1).

    D: -E log D(real) - E log(1 - D(fake)); G: E log(1 - D(fake)), whose gradient vanishes where
    the discriminator is sure. With smoothing a the first term is the cross-entropy with label
    1 - a, namely -(1 - a) E log D(real) - a E log(1 - D(real)).
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        on_real = softplus(-real).mean()
        if self.label_smoothing:
            # (1 - a) softplus(-r) + a softplus(r) = softplus(-r) + a r
            on_real = on_real + self.label_smoothing * real.mean()
        return on_real + softplus(fake).mean()

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


class LeastSquares(_Labelled):
    """Least squares with targets 1 and 0, a half in front of each mean (arXiv:1611.04076, eq. 9).

    D: E (real - 1)^2 / 2 + E fake^2 / 2; G: E (fake - 1)^2 / 2. Conventions differ, and with them
    the numbers that are printed: CycleGAN's own code halves D's loss and not G's. With smoothing a
    real samples aim at 1 - a.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        target = 1.0 - self.label_smoothing
        return 0.5 * _mean_square(real - target) + 0.5 * _mean_square(fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return 0.5 * _mean_square(fake - 1.0)


class Relativistic(Loss):
    """Relativistic pairing: each real sample is compared with one fake (arXiv:1807.00734, RSGAN).

    D: E softplus(-(real - fake)); G: the mirror image, E softplus(-(fake - real)), so `real` must
    be given and match `fake` sample by sample. Where the other losses ask on which side of a
    boundary a sample lies, this one asks which of a pair is the more real: fakes cannot all gather
    on the real side of it and drop modes (arXiv:2501.05441, which adds R1 and R2).
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        _check_pairs(real, fake)
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        if real is None:
            raise ValueError("Relativistic.generator compares pairs: give generator(fake, real)")
        _check_pairs(real, fake)
        return softplus(real - fake).mean()


LOSSES: dict[str, type[Loss]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "least-squares": LeastSquares,
    "relativistic": Relativistic,
}


def get(name: str, *, label_smoothing: float = 0.0) -> Loss:
    """Return the loss of a name, one of those in `LOSSES`.

    Raises ValueError for an unknown name, and where there are no labels to be smoothed.

    >>> get("hinge")
    Hinge()
    >>> get("non-saturating", label_smoothing=0.1)
    NonSaturating(label_smoothing=0.1)
    """
    if name not in LOSSES:
        near = difflib.get_close_matches(name, LOSSES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no loss is called {name!r}: use one of {', '.join(LOSSES)}{hint}")
    kind = LOSSES[name]
    if issubclass(kind, _Labelled):
        return kind(label_smoothing=label_smoothing)
    if label_smoothing:
        labelled = ", ".join(n for n, other in LOSSES.items() if issubclass(other, _Labelled))
        raise ValueError(f"{name!r} has no labels to smooth: use one of {labelled}")
    return kind()


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
    if (
        isinstance(index, np.ndarray) and index.size
    ):  # labels on a GPU are not looked at: no waiting
        wrong = [i for i in (index.min(), index.max()) if not 0 <= i < logits.shape[1]]
        if wrong:
            raise IndexError(f"label {wrong[0]} is outside 0 .. {logits.shape[1] - 1}")
    rows = np.arange(len(index))
    rows, index = (backend_of(logits.data).asarray(i) for i in (rows, index))
    chosen = logits[rows, index]  # (N, K) -> (N,)
    return (logsumexp(logits, axis=1) - chosen).mean()


def _mean_square(x: Tensor) -> Tensor:
    return (x * x).mean()


def _check_pairs(real: Tensor, fake: Tensor) -> None:
    """Refuse to broadcast: (N, 1) against (N,) would compare everything with everything."""
    if real.shape != fake.shape:
        raise ShapeError(f"pairs need equal shapes, got real {real.shape} and fake {fake.shape}")
