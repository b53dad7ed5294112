"""What a run is: one frozen dataclass a recipe, checked when it is made, written as TOML.

    base.py          the options that every recipe has
    gans.py          the recipes that make images of latents
    translations.py  the recipes that translate images

An option exists in one place, there, with its default, its range and its help; the command line
reads them from the classes in `CONFIGS`, one for each recipe.
"""

from __future__ import annotations

import dataclasses

from minigan.train.config.base import SIZES, Config, ImagesConfig, SampledConfig
from minigan.train.config.gans import (
    AdversarialConfig,
    DCGANConfig,
    GANConfig,
    SNGANConfig,
    StyleConfig,
    ToyConfig,
    VAEConfig,
    WGANGPConfig,
)
from minigan.train.config.translations import CycleGANConfig, Pix2PixConfig, TranslationConfig

__all__ = [
    "CONFIGS",
    "DEFAULT",
    "SIZES",
    "AdversarialConfig",
    "Config",
    "CycleGANConfig",
    "DCGANConfig",
    "GANConfig",
    "ImagesConfig",
    "Pix2PixConfig",
    "SNGANConfig",
    "SampledConfig",
    "StyleConfig",
    "ToyConfig",
    "TranslationConfig",
    "VAEConfig",
    "WGANGPConfig",
    "options_by_recipe",
]

CONFIGS: dict[str, type[Config]] = {
    cls.options()["recipe"].default: cls
    for cls in (
        GANConfig,
        DCGANConfig,
        WGANGPConfig,
        SNGANConfig,
        StyleConfig,
        VAEConfig,
        CycleGANConfig,
        Pix2PixConfig,
        ToyConfig,
    )
}
DEFAULT = "digits"  # the recipe of `minigan train` alone


def options_by_recipe() -> dict[str, dict[str, dataclasses.Field]]:
    """Return every option of any recipe: {option: {recipe that has it: its field there}}."""
    found: dict[str, dict[str, dataclasses.Field]] = {}
    for recipe, cls in CONFIGS.items():
        for name, field in cls.options().items():
            found.setdefault(name, {})[recipe] = field
    return found
