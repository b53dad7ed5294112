"""Optimisers: how parameters move along their gradients.

An optimiser is built from a list of parameters; `step()` moves those that have a gradient. The
formulas and defaults are PyTorch's. Letters: p parameter, g its gradient, t the number of the
step, counted from 1 for each parameter. Every product is taken with Python floats, so float32
stays float32 whatever the type of a hyper-parameter, and everything happens on the parameter's
device, with no wait for it.

A formula is written once, as `_update`, for flat arrays that it changes in place; `blocks.py` says
which arrays those are, which memory is kept, and why it is fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigan.backend import backend_of, xp_of
from minigan.nn.state import fit
from minigan.optim.blocks import Blocks, spare
from minigan.tensor import Tensor

Array = Any


class Optimizer:
    """The base: the list of parameters, the learning rate, and the state kept for each parameter.

    A subclass names its state arrays in `slots` and writes `_update`. `lr` may be set at any time.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        self.params = _checked(params)
        self.lr = _at_least_zero("lr", lr)
        self.weight_decay = _at_least_zero("weight_decay", weight_decay)
        self._steps = [0] * len(self.params)
        self._blocks = Blocks(len(self.slots))

    @property
    def lr(self) -> float:
        """The learning rate, a Python float."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = _at_least_zero("lr", value)

    def step(self) -> None:
        """Move every parameter that has a gradient; the others, and their state, stay."""
        grads = {i: g.data for i, g in enumerate([p.grad for p in self.params]) if g is not None}
        self._blocks.settle([param.data for param in self.params], grads)
        for i in grads:
            self._steps[i] += 1
        try:
            self._blocks.apply(self._update, grads, self._steps)
        finally:  # also after Ctrl-C in the middle: what was written is seen
            for i in grads:
                self.params[i].note_assigned()

    def zero_grad(self) -> None:
        """Drop the gradients, so that the next backward pass starts from nothing."""
        for param in self.params:
            param.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the learning rate, step counts and state as one flat dictionary of arrays.

        The keys are "lr", "step" (one count for each parameter) and, as "3.exp_avg", the state of
        the parameter at that place in the list.
        """
        state = {"lr": np.array(self.lr), "step": np.array(self._steps)}
        moved = (i for i, t in enumerate(self._steps) if t)
        for i in moved:
            for name, array in zip(self.slots, self._blocks.state[i], strict=True):
                state[f"{i}.{name}"] = np.array(backend_of(array).asnumpy(array))
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned.

        It must hold every state array of every parameter that has been moved, and nothing else:
        otherwise ValueError lists what is wrong in one line, and nothing is changed.
        """
        steps = self._checked_steps(state)
        places = {
            f"{i}.{name}": self.params[i] for i, t in enumerate(steps) if t for name in self.slots
        }
        found = fit({key: state[key] for key in state if key not in ("lr", "step")}, places)
        if faults := found.faults():
            raise ValueError(
                f"{type(self).__name__} cannot load a state of another kind of optimiser, of other "
                f"options or parameters; {faults}"
            )
        self.lr, self._steps = float(state["lr"]), steps
        self._blocks.replace(
            [
                tuple(found.arrays[f"{i}.{name}"] for name in self.slots) if t else ()
                for i, t in enumerate(steps)
            ]
        )

    def _checked_steps(self, state: Mapping[str, Any]) -> list[int]:
        """Return the step counts of a state, or raise if they do not fit the parameters."""
        steps = np.asarray(state.get("step", []))
        if "lr" not in state or steps.shape != (len(self.params),):
            raise ValueError(
                f"{type(self).__name__} of {len(self.params)} parameters cannot load a state of "
                f"{steps.size}: build it from the same parameters"
            )
        if steps.dtype.kind not in "iu" or steps.min() < 0:
            raise ValueError(f"step counts must be whole numbers >= 0, got {steps.tolist()}")
        return steps.tolist()

    def _decayed(self, p: Array, g: Array) -> Array:
        """Return g + weight_decay p, the gradient with an L2 penalty."""
        if self.weight_decay == 0.0:
            return g
        decayed = xp_of(p).multiply(p, self.weight_decay, out=spare(p, "decayed"))
        decayed += g
        return decayed

    def _update(self, t: int, p: Array, g: Array, *state: Array) -> None:
        """Take step t: change p and the state, flat arrays all of them, in place; g is not."""
        raise NotImplementedError(f"{type(self).__name__} has no _update(): define one")


class SGD(Optimizer):
    """Gradient descent, with momentum (heavy ball or Nesterov's) if asked for.

    b <- momentum b + g, starting at b = g; p <- p - lr b, or p - lr (g + momentum b) for Nesterov.
    """

    slots = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum, self.nesterov = _at_least_zero("momentum", momentum), nesterov
        if nesterov and self.momentum == 0.0:
            raise ValueError("nesterov=True needs a momentum > 0")
        if self.momentum == 0.0:
            self.slots = ()
        super().__init__(params, lr, weight_decay)

    def _update(self, t: int, p: Array, g: Array, *state: Array) -> None:
        xp, s, g = xp_of(p), spare(p), self._decayed(p, g)
        for b in state:  # one, or none without momentum
            b *= self.momentum
            b += g
            g = xp.add(g, xp.multiply(b, self.momentum, out=s), out=s) if self.nesterov else b
        p -= xp.multiply(g, self.lr, out=s)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980), or AdamW with `decoupled=True`.

    m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2;
    p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).

    `weight_decay` adds weight_decay p to g; decoupled, p is multiplied by 1 - lr weight_decay
    instead (Loshchilov and Hutter 2017, arXiv:1711.05101). GANs often use betas (0.5, 0.999) or
    (0, 0.9).
    """

    slots = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__(params, lr, weight_decay)
        self.betas = _betas(betas)
        self.eps, self.decoupled = _at_least_zero("eps", eps), decoupled

    def _decayed(self, p: Array, g: Array) -> Array:
        return g if self.decoupled else super()._decayed(p, g)

    def _update(self, t: int, p: Array, g: Array, m: Array, v: Array) -> None:
        xp, (b1, b2), s, g = xp_of(p), self.betas, spare(p), self._decayed(p, g)
        m *= b1
        m += xp.multiply(g, 1.0 - b1, out=s)
        v *= b2
        xp.square(g, out=s)
        s *= 1.0 - b2
        v += s
        xp.sqrt(v, out=s)
        s *= (1.0 - b2**t) ** -0.5
        s += self.eps  # sqrt(v / (1 - b2^t)) + eps
        xp.divide(m, s, out=s)
        s *= -self.lr / (1.0 - b1**t)
        if self._shrinks:
            p *= 1.0 - self.lr * self.weight_decay
        p += s

    @property
    def _shrinks(self) -> bool:
        return self.decoupled and self.weight_decay > 0.0


class RMSprop(Optimizer):
    """Gradient descent with each component divided by its running root mean square.

    v <- alpha v + (1 - alpha) g^2; d = g / (sqrt(v) + eps); p <- p - lr d. With momentum,
    b <- momentum b + d and p <- p - lr b (Tieleman and Hinton 2012, lecture 6.5).
    """

    slots = ("square_avg", "momentum_buffer")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.alpha, self.eps = _at_least_zero("alpha", alpha), _at_least_zero("eps", eps)
        self.momentum = _at_least_zero("momentum", momentum)
        if self.momentum == 0.0:
            self.slots = ("square_avg",)
        super().__init__(params, lr, weight_decay)

    def _update(self, t: int, p: Array, g: Array, v: Array, *momentum: Array) -> None:
        xp, s, g = xp_of(p), spare(p), self._decayed(p, g)
        v *= self.alpha
        xp.multiply(g, 1.0 - self.alpha, out=s)
        s *= g
        v += s
        xp.sqrt(v, out=s)
        s += self.eps
        step = xp.divide(g, s, out=s)
        for b in momentum:  # one, or none
            b *= self.momentum
            b += step
            step = b
        p -= xp.multiply(step, self.lr, out=s)


def _checked(params: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, or raise if it is not one of distinct leaf tensors."""
    if isinstance(params, Tensor):
        raise TypeError("an optimiser takes a list of parameters: write [parameter]")
    params = list(params)
    if not params:
        raise ValueError("an optimiser got no parameters: pass module.parameters() or a list")
    for i, param in enumerate(params):
        if not isinstance(param, Tensor) or not param.is_leaf:
            kind = "the result of an op" if isinstance(param, Tensor) else type(param).__name__
            raise TypeError(f"parameter {i} is {kind}: an optimiser moves leaf tensors")
    if len({id(param) for param in params}) != len(params):
        raise ValueError("a parameter is in the list twice: it would be moved twice a step")
    return params


def _at_least_zero(name: str, value: float) -> float:
    value = float(value)
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} is {value}: it must be a number >= 0")
    return value


def _betas(betas: tuple[float, float]) -> tuple[float, float]:
    b1, b2 = (float(b) for b in betas)
    if not (0.0 <= b1 < 1.0 and 0.0 <= b2 < 1.0):
        raise ValueError(f"betas are {betas}: each must be at least 0 and less than 1")
    return b1, b2
