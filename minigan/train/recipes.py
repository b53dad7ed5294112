"""From a config to the things that play: networks with their first weights, optimisers, data.

Everything here is a function of the config alone, so the untrained generator of a run, or the one
of a checkpoint, can be built again at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minigan.data import DataError, Dataset, Domains, drawing_from, open_dataset, open_pair, resize
from minigan.data.catalogue import DATASETS, PAIRS
from minigan.models import (
    ConvVAE,
    DCGANDiscriminator,
    DCGANGenerator,
    PatchDiscriminator,
    ResNetGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
    StyleDiscriminator,
    StyleGenerator,
    UNetGenerator,
)
from minigan.models.mlp import mlp
from minigan.nn import LeakyReLU, Module, ReLU
from minigan.optim import Adam
from minigan.train.config import (
    SIZES,
    Config,
    CycleGANConfig,
    DCGANConfig,
    GANConfig,
    ImagesConfig,
    Pix2PixConfig,
    SNGANConfig,
    StyleConfig,
    ToyConfig,
    TranslationConfig,
    VAEConfig,
    WGANGPConfig,
)
from minigan.train.errors import ConfigError

Shape = Mapping[str, int]  # "channels" and "size" of the images; nothing for points
Networks = tuple[Module, ...]


# -- data -----------------------------------------------------------------------------------------


def real_images(config: ImagesConfig, part: str = "train") -> Dataset:
    """Return one part of a config's dataset, resized to its `size`: (N, C, S, S) in [-1, 1].

    Size 0 is that of the data, or the next larger power of two: no network here makes 28 x 28.
    """
    data = open_dataset(config.data, part=part, size=config.size or None)
    height, width = data.images.shape[2:]
    if height != width:
        raise DataError(f"{config.data}: images of {height} x {width} are not square: give --size")
    if not config.size and height > SIZES[-1]:
        raise DataError(f"{config.data}: images of {height} x {width} are too large: give --size")
    size = config.size or next(size for size in SIZES if size >= height and size)
    return Dataset(resize(data.images, size), data.labels)


def training_images(config: ImagesConfig) -> np.ndarray:
    """Return the real images: (N, C, S, S), float32 in [-1, 1]."""
    return real_images(config).images


def settled(config: Config) -> Config:
    """Return a config whose data, if it is a file or a folder, is found from everywhere.

    So that a run can be resumed from another working directory.
    """
    path = Path(config.data)
    named = config.data in (*DATASETS, *PAIRS) or config.options()["data"].metadata["choices"]
    return config if named or not path.exists() else config.replace(data=str(path.resolve()))


def open_domains(config: TranslationConfig) -> Domains:
    """Return the two domains of a config."""
    return open_pair(config.data, paired=config.paired, size=config.size)


# -- networks -------------------------------------------------------------------------------------


def _dcgan(config: GANConfig, shape: Shape) -> Networks:
    options = {"width": config.width, **shape}
    g = DCGANGenerator(latent=config.latent, **options)
    return g, DCGANDiscriminator(spectral_norm=config.spectral_norm, **options)


def _sngan(config: SNGANConfig, shape: Shape) -> Networks:
    options = {"width": config.width, **shape}
    return SNGANGenerator(latent=config.latent, **options), SNGANDiscriminator(**options)


def _style(config: StyleConfig, shape: Shape) -> Networks:
    options = {"width": config.width, **shape}
    layers, blur = config.mapping_layers, config.blur
    g = StyleGenerator(latent=config.latent, mapping_layers=layers, blur=blur, **options)
    return g, StyleDiscriminator(minibatch_std=config.minibatch_std, **options)


def _vae(config: VAEConfig, shape: Shape) -> Networks:
    options = {"latent": config.latent, "width": config.width, "likelihood": config.likelihood}
    return (ConvVAE(**options, **shape),)


class Translator(Module):
    """One way of a translation: `ab` from domain A to B."""

    def __init__(self, ab: Module) -> None:
        self.ab = ab


class Translators(Translator):
    """Both ways: `ab` from domain A to B, `ba` back."""

    def __init__(self, ab: Module, ba: Module) -> None:
        super().__init__(ab)
        self.ba = ba


def _cyclegan(config: CycleGANConfig, shape: Shape) -> Networks:
    """Return (both generators, D of domain A, D of domain B)."""
    options = {name: getattr(config, name) for name in ("blocks", "width", "halvings", "padding")}
    channels = shape["channels"]

    def generator() -> ResNetGenerator:
        return ResNetGenerator(channels, channels, shortcut=config.shortcut, **options)

    def judge() -> PatchDiscriminator:
        return _judge(config, shape, channels=channels, norm="none")

    return Translators(generator(), generator()), judge(), judge()


def _pix2pix(config: Pix2PixConfig, shape: Shape) -> Networks:
    """Return (the generator, D of an image of A beside one of B)."""
    channels, depth = shape["channels"], _halvings(config, shape["size"])
    options = {name: getattr(config, name) for name in ("width", "norm", "dropout")}
    try:
        g = UNetGenerator(channels, channels, depth=depth, **options)
    except ValueError as error:  # dropout that the depth has no place for
        raise ConfigError(f"no such U-Net: {error}") from None
    return Translator(g), _judge(config, shape, channels=2 * channels, norm=config.norm_d)


def _halvings(config: Pix2PixConfig, size: int) -> int:
    """Return the U-Net's depth: the config's, or else how often the size can be halved, up to 8."""
    most = min((size & -size).bit_length() - 1, 8)
    depth = config.depth or most
    if not 2 <= depth <= most:
        raise ConfigError(
            f"images of {size} pixels can be halved {most} times, not {max(depth, 2)}: "
            "give another --size or --depth"
        )
    return depth


def _judge(
    config: TranslationConfig, shape: Shape, *, channels: int, norm: str
) -> PatchDiscriminator:
    """Return a discriminator of images with so many channels.

    A map of 4 x 4 scores has too few values to be normalised by its own statistics: `norm` "none".
    """
    if shape["size"] < 3 << config.layers:
        raise ConfigError(
            f"--layers is {config.layers}: images of {shape['size']} pixels are too small for that"
        )
    return PatchDiscriminator(channels, layers=config.layers, width=config.width, norm=norm)


def _toy(config: ToyConfig, shape: Shape) -> Networks:
    layers = [config.width] * config.hidden_layers
    g = mlp(config.latent, *layers, 2, activation=ReLU)
    return g, mlp(2, *layers, 1, activation=partial(LeakyReLU, 0.2))


# What each recipe trains; of those with a generator of latents it is the first, or in the first.
NETWORKS: dict[type[Config], Callable[[Any, Shape], Networks]] = {
    GANConfig: _dcgan,
    DCGANConfig: _dcgan,
    WGANGPConfig: _dcgan,
    SNGANConfig: _sngan,
    StyleConfig: _style,
    VAEConfig: _vae,
    CycleGANConfig: _cyclegan,
    Pix2PixConfig: _pix2pix,
    ToyConfig: _toy,
}


def build_networks(config: Config, shape: Shape | None = None) -> Networks:
    """Return the networks that a recipe trains: (G, D), or the VAE alone, ...

    They have the first weights of the config's seed and are on its device. `shape`: that of the
    images they are for; where it is None, the config's dataset is opened to see.
    """
    if shape is None:
        shape = _shape_of_data(config)
    with drawing_from(config.seed, "weights"):
        networks = NETWORKS[type(config)](config, shape)
    return tuple(network.to(config.device) for network in networks)


def shape_of(images: np.ndarray) -> Shape:
    """Return the shape of images (N, C, S, S) by name."""
    return {"channels": images.shape[1], "size": images.shape[-1]}


def _shape_of_data(config: Config) -> Shape:
    if isinstance(config, ToyConfig):
        return {}
    if isinstance(config, TranslationConfig):
        return shape_of(open_domains(config).a_train)
    return shape_of(training_images(config))


def build_generator(config: Config, shape: Shape | None = None) -> Module:
    """Return the untrained generator z -> x of any recipe; a VAE's is its decoder."""
    first = build_networks(config, shape)[0]
    return first.generator if isinstance(first, ConvVAE) else first


def build_optimizer(config: Config, network: Module) -> Adam:
    """Return the Adam of one network; build it after the network has moved to its device."""
    return Adam(network.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))


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
