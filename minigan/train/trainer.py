"""The game: one step of D, one step of G; and the whole state of the training as arrays.

A step of D and then one of G, each with latents of its own:

    D   minimises  E softplus(-D(x)) + E softplus(D(G(z))) + gamma/2 E |grad_x D(x)|^2
    G   minimises  E softplus(-D(G(z')))                      (non-saturating)

The weights of G do not move in D's step (its fakes are drawn without recording), nor those of D in
G's (they require no gradient meanwhile, so theirs is not even computed). Both passes of G are in
training mode and move its batch statistics; samples are drawn from the averaged G, in evaluation
mode, with those statistics copied.

Letters: N batch, Z latent size, C, H, W image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan.data import Batches, stream
from minigan.losses import NonSaturating
from minigan.optim import EMA
from minigan.penalties import r1
from minigan.tensor import Tensor
from minigan.train.checkpoint import fitting, group, load_part, nest, step_of
from minigan.train.config import Config, flag
from minigan.train.errors import Diverged
from minigan.train.recipes import (
    build_networks,
    build_optimizer,
    ema_decay,
    learning_rate,
    training_images,
)

_REMEDY = "try a lower --lr, a higher --gamma, or --spectral-norm"


class Trainer:
    """Networks, optimisers and data of one run; `step()` plays one round.

    What step t draws depends on (seed, t) alone (see `data/batches.py`), so the state is `t` and
    the arrays that `state()` returns; there is no generator to save.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.step_count = 0
        self.loss = NonSaturating()
        self.g, self.d = build_networks(config)
        self.ema = EMA(self.g, decay=config.ema)
        self.adam_g, self.adam_d = build_optimizer(config, self.g), build_optimizer(config, self.d)
        self.batches = Batches(
            training_images(config), batch_size=config.batch_size, seed=config.seed
        )

    def step(self) -> dict[str, float]:
        """Play one round and return its losses: "loss_d", "r1" and "loss_g".

        "loss_d" is without the penalty. Raises `Diverged` if one is not finite.
        """
        t = self.step_count
        self.adam_d.lr = self.adam_g.lr = learning_rate(self.config, t)
        losses = {**self._step_d(t), **self._step_g(t)}
        self.ema.decay = ema_decay(self.config, t)
        self.ema.update()
        self.step_count += 1
        return losses

    def _step_d(self, t: int) -> dict[str, float]:
        real = self._tensor(self.batches.at(t))  # (N, C, H, W)
        with mg.no_grad():
            fake = self.g(self._latents("latents of D", t))  # (N, Z) -> (N, C, H, W)
        loss = self.loss.discriminator(self.d(real), self.d(fake))
        penalty = r1(self.d, real, gamma=self.config.gamma) if self.config.gamma else None
        self.adam_d.zero_grad()
        (loss if penalty is None else loss + penalty).backward()
        losses = {"loss_d": loss.item(), "r1": 0.0 if penalty is None else penalty.item()}
        self._check(losses)
        self.adam_d.step()
        return losses

    def _step_g(self, t: int) -> dict[str, float]:
        self.d.requires_grad_(False)
        try:
            fake = self.g(self._latents("latents of G", t))  # (N, Z) -> (N, C, H, W)
            loss = self.loss.generator(self.d(fake))
            self.adam_g.zero_grad()
            loss.backward()
        finally:
            self.d.requires_grad_(True)
        losses = {"loss_g": loss.item()}
        self._check(losses)
        self.adam_g.step()
        return losses

    def _latents(self, purpose: str, t: int) -> Tensor:
        """Draw latents on the host, so that every device sees the same: (N, Z)."""
        shape = (self.config.batch_size, self.config.latent)
        return self._tensor(stream(self.config.seed, purpose, t).normal(shape))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return mg.tensor(array, device=self.config.device)

    def _check(self, losses: Mapping[str, float]) -> None:
        """Raise before the optimiser moves, so that no broken loss gets into a weight."""
        for name, value in losses.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} is {value} at step {self.step_count + 1}: {_REMEDY}")

    # -- state ------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return (arrays, notes) for a checkpoint; `Diverged` if a weight is not finite.

        Losses are finite until the step after a weight has become infinite, so they are not
        enough to keep a good checkpoint from being overwritten.
        """
        arrays = nest({name: part.state_dict() for name, part in self._parts().items()})
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise Diverged(f"{name} is not finite at step {self.step_count}: {_REMEDY}")
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
        return {
            "g": self.g,
            "d": self.d,
            "ema": self.ema,
            "adam_g": self.adam_g,
            "adam_d": self.adam_d,
        }
