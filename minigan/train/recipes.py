"""From a config to the things that play: networks with their first weights, optimisers, data.

Everything here is a function of the config alone, so the untrained generator of a run, or the one
of a checkpoint, can be built again at any time.
"""

from __future__ import annotations

import numpy as np

from minigan.data import Domains, drawing_from, load_digits, open_pair
from minigan.models import (
    ConvVAE,
    DCGANDiscriminator,
    DCGANGenerator,
    PatchDiscriminator,
    ResNetGenerator,
)
from minigan.nn import Module
from minigan.optim import Adam
from minigan.train.config import Config, CycleGANConfig, GANConfig, VAEConfig


def build_gan(config: GANConfig) -> tuple[DCGANGenerator, DCGANDiscriminator]:
    """Return (G, D) with the first weights of the config's seed, on the config's device."""
    with drawing_from(config.seed, "weights"):
        g = DCGANGenerator(latent=config.latent, width=config.width)
        d = DCGANDiscriminator(width=config.width, spectral_norm=config.spectral_norm)
    return g.to(config.device), d.to(config.device)


def build_vae(config: VAEConfig) -> ConvVAE:
    """Return a VAE with the first weights of the config's seed, on the config's device."""
    with drawing_from(config.seed, "weights"):
        vae = ConvVAE(latent=config.latent, width=config.width, likelihood=config.likelihood)
    return vae.to(config.device)


class Translators(Module):
    """Both ways of a translation: `ab` from domain A to B, `ba` back."""

    def __init__(self, ab: Module, ba: Module) -> None:
        self.ab, self.ba = ab, ba


def build_cyclegan(config: CycleGANConfig, channels: int) -> tuple[Module, ...]:
    """Return (both generators, D of domain A, D of domain B) for images of so many channels."""
    options = {name: getattr(config, name) for name in ("blocks", "width", "halvings", "padding")}

    def generator() -> ResNetGenerator:
        return ResNetGenerator(channels, channels, shortcut=config.shortcut, **options)

    def judge() -> PatchDiscriminator:
        # No norm: a map of 4 x 4 scores has too few values to be normalised by its own statistics.
        return PatchDiscriminator(channels, layers=config.layers, width=config.width, norm="none")

    with drawing_from(config.seed, "weights"):
        networks = Translators(generator(), generator()), judge(), judge()
    return tuple(network.to(config.device) for network in networks)


def open_domains(config: CycleGANConfig) -> Domains:
    """Return the two domains of a config."""
    return open_pair(config.data, size=config.size)


def build_networks(config: Config) -> tuple[Module, ...]:
    """Return the networks that a recipe trains: (G, D), or the VAE alone, ..."""
    if isinstance(config, CycleGANConfig):
        return build_cyclegan(config, open_domains(config).a_train.shape[1])
    return (build_vae(config),) if isinstance(config, VAEConfig) else build_gan(config)


def build_generator(config: Config) -> DCGANGenerator:
    """Return the untrained generator z -> x of any recipe; a VAE's is its decoder."""
    first = build_networks(config)[0]
    return first.generator if isinstance(first, ConvVAE) else first


def build_optimizer(config: Config, network: Module) -> Adam:
    """Return the Adam of one network; build it after the network has moved to its device."""
    return Adam(network.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))


def training_images(config: Config) -> np.ndarray:
    """Return the real images: (N, C, H, W), float32 in [-1, 1]."""
    return {"digits": load_digits}[config.data]("train").images


def learning_rate(config: Config, step: int) -> float:
    """Return the rate for step number `step`: constant, then falling linearly to 0.

    The schedule ends at `schedule_steps` and not at `steps`, so that a step is the same however far
    the run is to go: 10 steps and then 10 more are 20.
    """
    end = config.schedule_steps
    start = config.lr_decay_from * end
    return config.lr if step <= start else config.lr * (end - step) / (end - start)


def ema_decay(config: Config, step: int) -> float:
    """Return the averaging of step number `step`: (1 + t) / (10 + t), at most the config's.

    A short memory at first, so that the untrained weights are soon forgotten.
    """
    return min(config.ema, (1 + step) / (10 + step))
