"""The options of the recipes that translate images of one domain into those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from minigan.losses import LOSSES
from minigan.train.config.base import Config, named
from minigan.train.options import option


@dataclass(frozen=True)
class CycleGANConfig(Config):
    """The options of the recipe "cyclegan": unpaired translation between two domains."""

    about: ClassVar[str] = "two generators between digits and re-rendered others, unpaired"
    takes: ClassVar[str] = "3 to 5 min"

    recipe: str = named("cyclegan")
    data: str = option(
        "rerendered-digits", "A pair of domains: its name, or a folder with trainA and trainB"
    )
    size: int = option(
        64, "Side of the images of a folder, a multiple of 2^halvings", low=8, high=1024
    )
    steps: int = Config.like("steps", 1500)
    schedule_steps: int = Config.like("schedule_steps", 1500)
    batch_size: int = Config.like("batch_size", 16)
    lr: float = Config.like("lr", 1e-3)
    beta1: float = Config.like("beta1", 0.5)
    beta2: float = Config.like("beta2", 0.999)
    ema: float = Config.like("ema", 0.99)
    width: int = Config.like("width", 16)
    loss: str = option(
        "least-squares",
        "The adversarial loss; of those that need no pairs",
        choices=tuple(name for name in LOSSES if name != "relativistic"),
    )
    adversarial: float = option(2.0, "Weight of the generators' adversarial loss", low=0, high=1e6)
    cycle: float = option(10.0, "Weight of the way there and back", low=0, high=1e6)
    identity: float = option(
        0.0,
        "Weight of leaving alone what is of the target domain",
        low=0,
        high=1e6,
    )
    pool: int = option(50, "Translated images kept for each discriminator", low=0, high=10**5)
    blocks: int = option(2, "Residual blocks of a generator", low=0, high=64)
    halvings: int = option(1, "How often a generator halves the image", low=0, high=6)
    padding: str = option(
        "zeros", "At the borders; zeros tell where those are", choices=("zeros", "reflect")
    )
    shortcut: bool = option(True, "Learn a map of the colours beside the network")
    layers: int = option(2, "Strided layers of a discriminator", low=1, high=6)
