"""Gradient clipping: between `backward()` and `step()`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minigan import ops
from minigan.recording import no_grad
from minigan.tensor import Tensor


@no_grad()
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> Tensor:
    """Shrink all gradients by one factor so that their joint L2 norm is at most `max_norm`.

    `parameters`: several, or one. Every gradient is multiplied by min(1, max_norm / (norm + 1e-6)).
    Returns the norm before, a scalar Tensor on the device: reading it is the caller's choice. A
    norm that is not finite makes the gradients NaN, which the caller can see in it.

    >>> import minigan as mg
    >>> x = mg.tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> clip_grad_norm_([x], 1.0).item(), [round(v, 4) for v in x.grad.numpy().tolist()]
    (10.0, [0.6, 0.8])
    """
    held = _with_grad(parameters)
    if not held:
        return Tensor(np.zeros((), np.float32))
    squares = [(p.grad * p.grad).sum() for p in held]
    norm = ops.sqrt(ops.stack(squares).sum())
    factor = ops.minimum(max_norm / (norm + 1e-6), 1.0)
    for p in held:
        p.grad = p.grad * factor
    return norm


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every component of the gradients of parameters, or one, to [-clip_value, clip_value]."""
    bound = float(clip_value)
    for p in _with_grad(parameters):
        p.grad = ops.clip(p.grad, min=-bound, max=bound)


def _with_grad(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return those that have a gradient; a Tensor alone is one parameter and not its rows."""
    several = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p for p in several if p.grad is not None]
