"""Climbing the evidence lower bound: one step of encoder and decoder together.

    minimise  E_x [ -log p(x|z) + kl_weight KL(q(z|x) || N(0, I)) ],   z ~ q(z|x) reparametrised

one z an image, in nats an image. The decoder is the GAN's generator (`models/vae.py`), so samples,
previews, checkpoints and figures are those of the GAN.
"""

from __future__ import annotations

from typing import Any

from minigan.data import stream
from minigan.train.config import VAEConfig
from minigan.train.norms import Norms, norms_of
from minigan.train.quality import check_measurable
from minigan.train.recipes import build_networks, build_optimizer, shape_of, training_images
from minigan.train.trainer import Trainer


class VAETrainer(Trainer):
    """A VAE and its optimiser; a step's losses are "loss", "reconstruction" and "kl".

    "reconstruction" is -log p(x|z), and "loss" that plus the weighted "kl"; a density's logarithm
    has no lower bound, so with the Gaussian likelihood they go below 0.
    """

    def __init__(self, config: VAEConfig) -> None:
        self.images = training_images(config)
        self.shape = shape_of(self.images)
        check_measurable(config)
        (self.vae,) = build_networks(config, self.shape)
        self.adam = build_optimizer(config, self.vae)
        super().__init__(config, self.vae.generator, [self.adam])

    def _losses(self, t: int) -> dict[str, float]:
        images = self._tensor(self.batches.at(t))  # (N, C, H, W)
        bound = self.vae.bound(images, stream(self.config.seed, "noise of the latents", t))
        reconstruction, kl = -bound.log_prob.mean(), bound.kl.mean()
        loss = reconstruction + self.config.kl_weight * kl
        self.adam.zero_grad()
        loss.backward()
        losses = {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}
        self._check(losses)
        self.adam.step()
        return losses

    def norms(self) -> Norms:
        return norms_of({"vae": self.vae}, discriminators=())

    def _parts(self) -> dict[str, Any]:
        return {"vae": self.vae, "adam": self.adam, **super()._parts()}
