"""What all trainers share: batches, the learning rate, the average, and the state as arrays.

A trainer is the networks, optimisers and data of one run; `step()` goes on by one step. What step t
draws depends on (seed, t) alone (see `data/batches.py`), so the state is `t` and the arrays that
`state()` returns; there is no generator to save.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan.data import Batches
from minigan.models import DCGANGenerator
from minigan.optim import EMA, Adam
from minigan.tensor import Tensor
from minigan.train.checkpoint import fitting, group, load_part, nest, step_of
from minigan.train.config import Config, flag
from minigan.train.errors import Diverged
from minigan.train.recipes import ema_decay, learning_rate, training_images


class Trainer:
    """The base of the trainers; a recipe adds its networks, and `_losses(t)`, one step of them.

    `generator`: the network z -> x whose average is sampled; `optimizers`: those whose rate follows
    the schedule; `remedy`: what to try when a loss is not finite.
    """

    remedy = "try a lower --lr"

    def __init__(self, config: Config, generator: DCGANGenerator, optimizers: list[Adam]) -> None:
        self.config, self.optimizers = config, optimizers
        self.step_count = 0
        self.ema = EMA(generator, decay=config.ema)
        self.batches = Batches(
            training_images(config), batch_size=config.batch_size, seed=config.seed
        )

    def step(self) -> dict[str, float]:
        """Go on by one step and return its losses by name; `Diverged` if one is not finite."""
        t = self.step_count
        for optimizer in self.optimizers:
            optimizer.lr = learning_rate(self.config, t)
        losses = self._losses(t)
        self.ema.decay = ema_decay(self.config, t)
        self.ema.update()
        self.step_count += 1
        return losses

    def _losses(self, t: int) -> dict[str, float]:
        """Move the networks by step number t and return the losses by name."""
        raise NotImplementedError(f"{type(self).__name__} has no _losses(): define one")

    def _tensor(self, array: np.ndarray) -> Tensor:
        return mg.tensor(array, device=self.config.device)

    def _check(self, losses: Mapping[str, float]) -> None:
        """Raise before the optimiser moves, so that no broken loss gets into a weight."""
        for name, value in losses.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} is {value} at step {self.step_count + 1}: {self.remedy}")

    # -- state ------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return (arrays, notes) for a checkpoint; `Diverged` if a weight is not finite.

        Losses are finite until the step after a weight has become infinite, so they are not
        enough to keep a good checkpoint from being overwritten.
        """
        arrays = nest({name: part.state_dict() for name, part in self._parts().items()})
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise Diverged(f"{name} is not finite at step {self.step_count}: {self.remedy}")
        notes = {"step": self.step_count, "version": mg.__version__}
        return arrays, {**notes, "config": self.config.decisive()}

    def load_state(
        self,
        arrays: Mapping[str, np.ndarray],
        notes: Mapping[str, Any],
        *,
        source: str | Path = "the checkpoint",
    ) -> None:
        """Go to a state that `state` returned for the same config.

        Raises `CheckpointError`, which names the `source`, for any other.
        """
        with fitting(source):
            step = step_of(notes, steps=self.config.steps)
            self._refuse_changes(notes["config"])
            for name, part in self._parts().items():
                load_part(part, group(arrays, name))
            self.step_count = step

    def _refuse_changes(self, saved: Mapping[str, Any]) -> None:
        for name, value in self.config.decisive().items():
            if saved[name] != value:
                raise ValueError(f"{flag(name)} was {saved[name]!r} and is {value!r}: put it back")

    def _parts(self) -> dict[str, Any]:
        """Return what a checkpoint holds, by name: everything with a `state_dict`."""
        return {"ema": self.ema}
