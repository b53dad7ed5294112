"""The game: some steps of D, one step of G.

A step draws latents of its own for each:

    D   minimises  L_D(D(x), D(G(z))) + penalty      `critic_steps` times, on new batches
    G   minimises  L_G(D(G(z')), D(x'))

with the losses of `minigan.losses` by name, and as penalty R1 (`gamma`), the gradient penalty of
WGAN-GP (`gp`), both or none. The digits' recipe is the non-saturating loss with R1,

    L_D = E softplus(-D(x)) + E softplus(D(G(z)))
    L_G = E softplus(-D(G(z')))

The weights of G do not move in D's step (its fakes are drawn without recording), nor those of D in
G's (they require no gradient meanwhile, so theirs is not even computed). All passes of G are in
training mode and move its batch statistics; samples are drawn from the averaged G, in evaluation
mode, with those statistics copied.

Letters: N batch, Z latent size, C, H, W image.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import minigan as mg
from minigan import losses
from minigan.data import stream
from minigan.penalties import gradient_penalty, r1
from minigan.tensor import Tensor
from minigan.train.config import AdversarialConfig
from minigan.train.norms import Norms, norms_of
from minigan.train.quality import check_measurable
from minigan.train.recipes import build_networks, build_optimizer, shape_of, training_images
from minigan.train.trainer import Trainer


class GANTrainer(Trainer):
    """G, D and their optimisers; a step's losses: "loss_d", the penalties by name, "loss_g"."""

    remedy = "try a lower --lr, a higher --gamma, or --spectral-norm"

    def __init__(self, config: AdversarialConfig) -> None:
        self.loss = losses.get(config.loss)
        self._open(config)
        self.g, self.d = build_networks(config, self.shape)
        self.adam_g, self.adam_d = build_optimizer(config, self.g), build_optimizer(config, self.d)
        super().__init__(config, self.g, [self.adam_d, self.adam_g])

    def _open(self, config: AdversarialConfig) -> None:
        """Open the data: what `make_batches` divides, and its shape."""
        self.images = training_images(config)
        self.shape = shape_of(self.images)
        check_measurable(config)

    def _losses(self, t: int) -> dict[str, float]:
        """Step number t: the last of D's losses, and G's."""
        count = self.config.critic_steps
        for i in range(t * count, (t + 1) * count):
            of_d = self._step_d(i)
        return {**of_d, **self._step_g(t)}

    def _step_d(self, i: int) -> dict[str, float]:
        """Step number i of D, counted through the whole run."""
        real = self._tensor(self.batches.at(i))  # (N, C, H, W)
        with mg.no_grad():
            fake = self._fakes("latents of D", i)  # (N, C, H, W)
        parts = {"loss_d": self.loss.discriminator(self.d(real), self.d(fake))}
        parts |= self._penalties(i, real, fake)
        self.adam_d.zero_grad()
        functools.reduce(operator.add, parts.values()).backward()
        values = {name: part.item() for name, part in parts.items()}
        self._check(values)
        self.adam_d.step()
        return values

    def _penalties(self, i: int, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        config, found = self.config, {}
        if config.gamma:
            found["r1"] = r1(self.d, real, gamma=config.gamma)
        if config.gp:
            points = stream(config.seed, "points of the penalty", i)
            found["gp"] = config.gp * gradient_penalty(self.d, real, fake, generator=points)
        return found

    def _step_g(self, t: int) -> dict[str, float]:
        self.d.requires_grad_(False)
        try:
            fake = self._fakes("latents of G", t)  # (N, C, H, W)
            loss = self.loss.generator(self.d(fake), self._scores_to_compare(t))
            self.adam_g.zero_grad()
            loss.backward()
        finally:
            self.d.requires_grad_(True)
        values = {"loss_g": loss.item()}
        self._check(values)
        self.adam_g.step()
        return values

    def _scores_to_compare(self, t: int) -> Tensor | None:
        """Return D(x) where G's loss compares with real images: those of D's last batch."""
        if not isinstance(self.loss, losses.Relativistic):
            return None
        with mg.no_grad():
            return self.d(self._tensor(self.batches.at((t + 1) * self.config.critic_steps - 1)))

    def _fakes(self, purpose: str, t: int) -> Tensor:
        return self.g(self._latents(purpose, t))  # (N, Z) -> (N, C, H, W)

    def _latents(self, purpose: str, t: int) -> Tensor:
        """Draw latents on the host, so that every device sees the same: (N, Z)."""
        shape = (self.config.batch_size, self.config.latent)
        return self._tensor(stream(self.config.seed, purpose, t).normal(shape))

    def norms(self) -> Norms:
        return norms_of({"g": self.g, "d": self.d})

    def _parts(self) -> dict[str, Any]:
        return {
            "g": self.g,
            "d": self.d,
            "adam_g": self.adam_g,
            "adam_d": self.adam_d,
            **super()._parts(),
        }
