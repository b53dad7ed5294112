"""Learning-rate schedules: after each training step, `schedule.step()` sets the optimiser's lr.

A schedule is a formula, `factor(t)`: the learning rate after t steps is the initial one times
that. So a schedule can be plotted, composed and resumed without being run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigan.optim.optimizers import Optimizer


class Schedule:
    """The base: keeps the optimiser, its initial learning rate and the number of steps taken.

    The learning rate of step 0 is set at once, so a schedule may begin below the initial rate.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.base_lr, self.steps = optimizer, optimizer.lr, 0
        self._apply()

    def factor(self, step: int) -> float:
        """Return the learning rate after `step` steps as a fraction of the initial one."""
        raise NotImplementedError(f"{type(self).__name__} has no factor(): define one")

    def step(self) -> None:
        """Count one step and set the learning rate."""
        self.steps += 1
        self._apply()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return what a resumed run needs, as arrays: "base_lr" and "steps"."""
        return {"base_lr": np.array(self.base_lr), "steps": np.array(self.steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned, the optimiser's rate included."""
        self.base_lr, self.steps = float(state["base_lr"]), int(state["steps"])
        self._apply()

    def _apply(self) -> None:
        self.optimizer.lr = self.base_lr * self.factor(self.steps)


class LinearDecay(Schedule):
    """Constant for `start` steps, then linear to `final` times the initial rate at `total` steps.

    >>> import minigan as mg
    >>> adam = mg.optim.Adam([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> decay = LinearDecay(adam, total=4, start=2)
    >>> [decay.factor(t) for t in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, total: int, *, start: int = 0, final: float = 0.0
    ) -> None:
        if not 0 <= start < total:
            raise ValueError(f"start={start} and total={total}: need 0 <= start < total")
        self.total, self.start, self.final = total, start, final
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        done = min(1.0, max(0.0, (step - self.start) / (self.total - self.start)))
        return 1.0 - done * (1.0 - self.final)


class CosineDecay(Schedule):
    """Half a cosine from the initial rate down to `final` times it at `total` steps.

    factor = final + (1 - final) (1 + cos(pi t / total)) / 2 (arXiv:1608.03983, eq. 5).
    """

    def __init__(self, optimizer: Optimizer, total: int, *, final: float = 0.0) -> None:
        if total < 1:
            raise ValueError(f"total is {total}: need at least one step")
        self.total, self.final = total, final
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        wave = 0.5 * (1.0 + math.cos(math.pi * min(step, self.total) / self.total))
        return self.final + (1.0 - self.final) * wave


class StepDecay(Schedule):
    """Multiply the rate by `gamma` every `every` steps."""

    def __init__(self, optimizer: Optimizer, every: int, *, gamma: float = 0.1) -> None:
        if every < 1:
            raise ValueError(f"every is {every}: need at least one step")
        self.every, self.gamma = every, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return self.gamma ** (step // self.every)


class WarmUp(Schedule):
    """Grow linearly from rate / steps to the full rate in `steps` steps, then follow `after`.

    `after`: a schedule of the same optimiser that counts from the end of the warm-up, or None to
    stay constant. Step this one only.

    >>> import minigan as mg
    >>> sgd = mg.optim.SGD([mg.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm = WarmUp(sgd, 2, after=LinearDecay(sgd, total=2))
    >>> [warm.factor(t) for t in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, steps: int, *, after: Schedule | None = None) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}: need at least one step of warm-up")
        if after is not None and after.optimizer is not optimizer:
            raise ValueError("the schedule after a warm-up must be of the same optimiser")
        self.warm, self.after = steps, after
        if after is not None:
            optimizer.lr = after.base_lr  # `after` may have lowered it at its own beginning
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        if step < self.warm:
            return (step + 1) / self.warm
        return 1.0 if self.after is None else self.after.factor(step - self.warm)
