"""The game: one step of D, one step of G.

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

from typing import Any

import minigan as mg
from minigan.data import stream
from minigan.losses import NonSaturating
from minigan.penalties import r1
from minigan.tensor import Tensor
from minigan.train.config import GANConfig
from minigan.train.recipes import build_gan, build_optimizer
from minigan.train.trainer import Trainer


class GANTrainer(Trainer):
    """G, D and their optimisers; a step's losses are "loss_d" (without R1), "r1" and "loss_g"."""

    remedy = "try a lower --lr, a higher --gamma, or --spectral-norm"

    def __init__(self, config: GANConfig) -> None:
        self.loss = NonSaturating()
        self.g, self.d = build_gan(config)
        self.adam_g, self.adam_d = build_optimizer(config, self.g), build_optimizer(config, self.d)
        super().__init__(config, self.g, [self.adam_d, self.adam_g])

    def _losses(self, t: int) -> dict[str, float]:
        return {**self._step_d(t), **self._step_g(t)}

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

    def _parts(self) -> dict[str, Any]:
        return {
            "g": self.g,
            "d": self.d,
            "adam_g": self.adam_g,
            "adam_d": self.adam_d,
            **super()._parts(),
        }
