"""The game in the plane: fresh points at every step, and a picture of where they fall.

What a generator has missed is seen at a glance here, and counted. The networks see the target
divided by the standard deviation of its centres, so that one recipe serves ring and grid; pictures
and figures are in the target's own units.

Letters: N batch.
"""

from __future__ import annotations

import numpy as np

from minigan.data import stream, toy
from minigan.nn import Module
from minigan.train.config import ToyConfig
from minigan.train.errors import ConfigError
from minigan.train.gan import GANTrainer
from minigan.train.pictures import points_png
from minigan.train.sample import images_of, latents
from minigan.train.toy_figures import ToyReport, measure_toy

_BEHIND = 2000  # points of the target, drawn behind the samples
_CHUNK = 250  # samples a forward pass


class ToyTrainer(GANTrainer):
    """G and D of points (N, 2); a step's losses are those of `GANTrainer`."""

    remedy = "try a lower --lr or a higher --gamma"
    key_figure = ("generator", "distance")

    def _open(self, config: ToyConfig) -> None:
        self.shape = {}

    def make_batches(self) -> FreshPoints:
        config = self.config
        return FreshPoints(config.data, batch_size=config.batch_size, seed=config.seed)

    def reals(self, count: int) -> np.ndarray:
        return target(self.config, count)

    def preview(self) -> np.ndarray:
        """Return the points of seeds 0 to 999: (1000, 2), as the networks see them."""
        z = latents(range(self.config.shown), self.config.latent)
        return images_of(self.sampler(), z, chunk=_CHUNK, device=self.config.device)

    @classmethod
    def draw(
        cls,
        samples: np.ndarray,
        config: ToyConfig,
        *,
        columns: int | None = None,
        scale: int | None = None,
    ) -> bytes:
        """Return points (N, 2) as a PNG file's bytes, over points of the target."""
        if columns is not None or scale is not None:
            raise ConfigError("--columns and --scale are for images, not points: leave them out")
        unit = unit_of(config.data)
        return points_png(samples * unit, behind=target(config, _BEHIND) * unit)

    @classmethod
    def measure(cls, sampler: Module, config: ToyConfig) -> ToyReport:
        z = stream(config.seed, "latents of the figures").normal(
            (config.eval_samples, config.latent)
        )
        untrained = cls.build_sampler(config, {})

        def drawn_by(network: Module) -> np.ndarray:
            points = images_of(network, z, chunk=_CHUNK, device=config.device)
            return points * unit_of(config.data)

        return measure_toy(toy.get(config.data), drawn_by(sampler), drawn_by(untrained))


class FreshPoints:
    """Batches of a distribution in the plane by their number: `at(step)` -> (B, 2), never twice."""

    def __init__(self, name: str, *, batch_size: int, seed: int) -> None:
        self.toy, self.unit = toy.get(name), unit_of(name)
        self.batch_size, self.seed = batch_size, seed

    def at(self, step: int) -> np.ndarray:
        drawn = self.toy.sample(self.batch_size, generator=stream(self.seed, "points", step))
        return drawn / self.unit


def unit_of(name: str) -> np.float32:
    """Return what the networks' points are multiplied by: the deviation of the target's centres."""
    centres = toy.get(name).centres
    return np.float32(1.0 if centres is None else centres.std())


def target(config: ToyConfig, count: int) -> np.ndarray:
    """Return points of the target, always the same, as the networks see them: (N, 2)."""
    generator = stream(0, "points to set beside")
    return toy.get(config.data).sample(count, generator=generator) / unit_of(config.data)
