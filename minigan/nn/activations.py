"""Nonlinearities as layers; the formulas are in `ops/activations.py`.

PyTorch's `inplace` is an argument only so that a ported `ReLU(True)` is refused in plain words.
"""

from __future__ import annotations

from minigan import ops
from minigan.nn.arguments import refuse_inplace, whole
from minigan.nn.module import Module
from minigan.tensor import Tensor


class Identity(Module):
    """Return the input as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace: bool = False) -> None:
        refuse_inplace("ReLU", inplace)

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Module):
    """x where x > 0, negative_slope x elsewhere."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        refuse_inplace("LeakyReLU", inplace)
        self.negative_slope = float(negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        return f"{self.negative_slope}"


class ELU(Module):
    """x where x > 0, alpha (exp(x) - 1) elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        refuse_inplace("ELU", inplace)
        self.alpha = float(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return ops.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"{self.alpha}"


class GELU(Module):
    """x Phi(x), with the standard normal distribution function Phi.

    `approximate`: "none", or "tanh" for a formula that is many times faster here.
    """

    def __init__(self, *, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU(approximate={approximate!r}): use 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return ops.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return "" if self.approximate == "none" else f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), also called swish."""

    def __init__(self, inplace: bool = False) -> None:
        refuse_inplace("SiLU", inplace)

    def forward(self, x: Tensor) -> Tensor:
        return ops.silu(x)


class Tanh(Module):
    """Hyperbolic tangent: onto (-1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)): onto (0, 1). Losses take logits, so a discriminator does not end in it."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class LogSigmoid(Module):
    """log sigmoid(x) = -log(1 + exp(-x)): onto the negative numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.log_sigmoid(x)


class Softplus(Module):
    """log(1 + exp(x)): onto the positive numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.softplus(x)


class Softmax(Module):
    """exp(x) / sum exp(x) along axis `dim`: probabilities."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = whole(dim, "dim", least=None)

    def forward(self, x: Tensor) -> Tensor:
        return ops.softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x - log sum exp(x) along axis `dim`: log-probabilities."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.log_softmax(x, axis=self.dim)
