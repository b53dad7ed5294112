"""The options of the recipes that translate images of one domain into those of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from minigan.losses import LOSSES
from minigan.train.config.base import Config, named
from minigan.train.options import option


@dataclass(frozen=True)
class TranslationConfig(Config):
    """The options of every translation between two domains; `paired`: whether it needs pairs."""

    paired: ClassVar[bool]

    data: str = option(
        "rerendered-digits", "A pair of domains: its name, or a folder with trainA and trainB"
    )
    size: int = option(
        64, "Side of the images of a folder, even as often as the networks halve", low=8, high=1024
    )
    batch_size: int = Config.like("batch_size", 16)
    lr: float = Config.like("lr", 1e-3)
    beta1: float = Config.like("beta1", 0.5)
    beta2: float = Config.like("beta2", 0.999)
    ema: float = Config.like("ema", 0.99)
    width: int = Config.like("width", 16)
    loss: str = option(
        "least-squares",
        "The adversarial loss",
        choices=tuple(name for name in LOSSES if name != "relativistic"),
    )
    adversarial: float = option(2.0, "Weight of the generators' adversarial loss", low=0, high=1e6)
    layers: int = option(2, "Strided layers of a discriminator", low=1, high=6)
    jitter: int = option(
        0, "Pixels to enlarge images by, before a random cut of the old size", low=0, high=256
    )
    flip: bool = option(False, "Mirror half of the images")


@dataclass(frozen=True)
class CycleGANConfig(TranslationConfig):
    """The options of the recipe "cyclegan": unpaired translation between two domains."""

    about: ClassVar[str] = "two generators between digits and re-rendered others, unpaired"
    takes: ClassVar[str] = "3 to 5 min"
    paired: ClassVar[bool] = False

    recipe: str = named("cyclegan")
    steps: int = TranslationConfig.like("steps", 1500)
    schedule_steps: int = TranslationConfig.like("schedule_steps", 1500)
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


@dataclass(frozen=True)
class Pix2PixConfig(TranslationConfig):
    """The options of the recipe "pix2pix": translation learned from pairs.

    The paper's losses, betas and weights (arXiv:1611.07004, sections 3.3 and 6.2), and a higher
    learning rate than its 2e-4, for fewer steps.
    """

    about: ClassVar[str] = "a U-Net from digits to the same re-rendered, paired; L1 and a judge"
    takes: ClassVar[str] = "1 to 2 min"
    paired: ClassVar[bool] = True

    recipe: str = named("pix2pix")
    data: str = option(
        "rerendered-digits",
        "Paired images: a name, a folder with trainA and trainB, or one of pictures of two halves",
    )
    steps: int = TranslationConfig.like("steps", 1500)
    schedule_steps: int = TranslationConfig.like("schedule_steps", 1500)
    loss: str = TranslationConfig.like("loss", "non-saturating")
    adversarial: float = TranslationConfig.like("adversarial", 1.0)
    l1: float = option(
        100.0, "Weight of the distance to the right answer, a mean per pixel", low=0, high=1e6
    )
    depth: int = option(
        0,
        "Halvings of the U-Net; 0 is down to one pixel, or as far as the size allows",
        choices=(0, 2, 3, 4, 5, 6, 7, 8),
    )
    norm: str = option("batch", "Norm of the U-Net's layers", choices=("batch", "instance"))
    dropout: float = option(
        0.0, "While the U-Net trains, 0.5 in the paper; from depth 6 on", low=0, below=1
    )
    norm_d: str = option(
        "none", "Norm of the discriminator's layers", choices=("none", "batch", "instance")
    )
