"""What all trainers share: batches, the learning rate, the average, and the state as arrays.

A trainer is the networks, optimisers and data of one run; `step()` goes on by one step. What step t
draws depends on (seed, t) alone (see `data/batches.py`), in layers with noise or dropout too, so
the state is `t` and the arrays that `state()` returns; there is no generator to save.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan.data import Batches, Prefetch, drawing_from
from minigan.errors import AnomalyError
from minigan.nn import Module
from minigan.optim import EMA, Optimizer
from minigan.tensor import Tensor
from minigan.train.checkpoint import fitting, group, load_part, nest, step_of
from minigan.train.config import Config
from minigan.train.errors import Diverged
from minigan.train.norms import Norms
from minigan.train.pictures import grid_png
from minigan.train.quality import Report, evaluate
from minigan.train.recipes import (
    Shape,
    build_generator,
    ema_decay,
    learning_rate,
)
from minigan.train.sample import images_of, latents


class Trainer:
    """The base of the trainers; a recipe adds its networks, and `_losses(t)`, one step of them.

    `averaged`: the network whose running average is sampled; `optimizers`: those whose rate follows
    the schedule. A recipe that does not draw images of latents says otherwise in `reals`,
    `preview`, `build_sampler` and `measure`.
    """

    shape: Shape  # of the images, noted in checkpoints
    remedy = "try a lower --lr"  # what to do about a loss that is not finite
    key_figure = ("generator", "frechet")  # where in a report it stands; the smaller, the better

    def __init__(self, config: Config, averaged: Module, optimizers: Sequence[Optimizer]) -> None:
        self.config, self.optimizers = config, optimizers
        self.step_count = 0
        self.ema = EMA(averaged, decay=config.ema)
        self.batches = self.make_batches()

    def step(self) -> dict[str, float]:
        """Go on by one step and return its losses by name; `Diverged` if one is not finite."""
        t = self.step_count
        for optimizer in self.optimizers:
            optimizer.lr = learning_rate(self.config, t)
        # NumPy need not warn: what is not finite shows in the losses.
        with drawing_from(self.config.seed, "layers in training", t), np.errstate(all="ignore"):
            try:
                losses = self._losses(t)
            except Diverged as error:
                raise Diverged(f"{error}{self._culprit(t)}") from None
        self.ema.decay = ema_decay(self.config, t)
        self.ema.update()
        self.step_count += 1
        return losses

    @contextmanager
    def prefetching(self) -> Iterator[None]:
        """Let a thread prepare the next batches within the block; they are the same as without."""
        own = self.batches
        with Prefetch(own) as self.batches:
            try:
                yield
            finally:
                self.batches = own

    # -- what a recipe may do otherwise -----------------------------------------------------------

    def make_batches(self) -> Any:
        """Return the data by position, by default of `self.images`: `at(t)` is what step t sees."""
        config = self.config
        return Batches(self.images, batch_size=config.batch_size, seed=config.seed)

    def reals(self, count: int) -> np.ndarray:
        """Return real images to set beside a preview: (N, C, H, W) in [-1, 1], N <= count."""
        return self.images[:count]

    def sampler(self) -> Module:
        """Return the network that samples are drawn from, in evaluation mode."""
        return self.ema.module

    def preview(self) -> np.ndarray:
        """Return the images that show how far the training is: (N, C, H, W) in [-1, 1].

        Always of the same seeds, those that `minigan sample --seeds 0-63` draws.
        """
        z = latents(range(self.config.shown), self.config.latent)
        return images_of(self.sampler(), z, device=self.config.device)

    def pictures(self) -> dict[str, bytes]:
        """Return what is drawn of a step as PNG files: {name of the film: its next picture}.

        The first one is the preview; it is also what `samples/latest.png` shows.
        """
        return {"step": self.draw(self.preview(), self.config)}

    def norms(self) -> Norms:
        """Return the norms of the networks and of their last gradients; by default none."""
        return {}

    @classmethod
    def draw(
        cls,
        samples: np.ndarray,
        config: Config,
        *,
        columns: int | None = None,
        scale: int | None = None,
    ) -> bytes:
        """Return samples as a PNG file's bytes: images (N, C, H, W) as a grid; see `grid_png`."""
        return grid_png(samples, columns=columns, scale=scale)

    @classmethod
    def build_sampler(cls, config: Config, shape: Shape | None = None) -> Module:
        """Return the network that `sampler` returns, untrained; its state is the group "ema"."""
        return build_generator(config, shape)

    @classmethod
    def measure(cls, sampler: Module, config: Config) -> Report:
        """Return the figures of a sampler; what is kept of them is `as_dict()`."""
        return evaluate(sampler, config)

    # -- one step ---------------------------------------------------------------------------------

    def _losses(self, t: int) -> dict[str, float]:
        """Move the networks by step number t and return the losses by name."""
        raise NotImplementedError(f"{type(self).__name__} has no _losses(): define one")

    def _culprit(self, t: int) -> str:
        """Take the failed step once more, and say in which op it stops being finite."""
        try:
            with mg.detect_anomaly():
                self._losses(t)
        except AnomalyError as error:
            return f"; {error}"
        except Diverged:
            pass  # not in an op
        return ""

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
        notes = {"step": self.step_count, "version": mg.__version__, "shape": dict(self.shape)}
        return arrays, {**notes, "config": self.config.decisive()}

    def load_state(
        self,
        arrays: Mapping[str, np.ndarray],
        notes: Mapping[str, Any],
        *,
        source: str | Path = "the checkpoint",
        force: bool = False,
    ) -> None:
        """Go to a state that `state` returned for the same config.

        For another config it raises a `ConfigError` that lists every change, unless `force`; for
        other networks a `CheckpointError`. Both name the `source`.
        """
        with fitting(source):
            step = step_of(notes, steps=self.config.steps)
            if not force:
                self.config.refuse_changes(notes["config"], source=source)
            for name, part in self._parts().items():
                load_part(part, group(arrays, name))
            self.step_count = step

    def _parts(self) -> dict[str, Any]:
        """Return what a checkpoint holds, by name: everything with a `state_dict`."""
        return {"ema": self.ema}
