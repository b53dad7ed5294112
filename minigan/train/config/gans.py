"""The options of the recipes whose generator draws from latents: GANs, and a VAE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from minigan.data.toy import TOYS
from minigan.losses import LOSSES
from minigan.models.vae import LIKELIHOODS
from minigan.train.config.base import ImagesConfig, SampledConfig, named
from minigan.train.errors import ConfigError
from minigan.train.options import option


@dataclass(frozen=True)
class AdversarialConfig(SampledConfig):
    """The options of every game between a generator and a discriminator."""

    loss: str = option("non-saturating", "The adversarial loss", choices=tuple(LOSSES))
    critic_steps: int = option(1, "Steps of D for one of G", low=1, high=1000)
    gamma: float = option(
        0.5, "Weight of R1, gamma/2 E|grad D(real)|^2; 0 is off", low=0, high=10**6
    )
    gp: float = option(
        0.0, "Weight of WGAN-GP's penalty, E (|grad D| - 1)^2; 0 is off", low=0, high=10**6
    )

    @property
    def indifference(self) -> tuple[float, ...]:
        return _INDIFFERENCE.get(self.loss, ())


# A D without an opinion has logits 0, and softplus(0) = log 2. Other losses have no such point, or
# reach it at scores of any size.
_LOG2 = math.log(2.0)
_INDIFFERENCE = {
    "non-saturating": (2 * _LOG2, _LOG2),
    "minimax": (2 * _LOG2, -_LOG2),
    "relativistic": (_LOG2, _LOG2),
}


@dataclass(frozen=True)
class GANConfig(AdversarialConfig, ImagesConfig):
    """The options of the recipe "digits": DCGAN's pair with the non-saturating loss and R1.

    >>> GANConfig(steps=10).batch_size
    64
    >>> GANConfig(lr=-1.0)
    Traceback (most recent call last):
        ...
    minigan.train.errors.ConfigError: --lr is -1.0: must be above 0 and at most 1
    """

    about: ClassVar[str] = "a GAN, non-saturating loss and R1, on 8x8 digits"
    takes: ClassVar[str] = "1 to 2 min"

    recipe: str = named("digits")
    spectral_norm: bool = option(False, "Divide D's weights by their spectral norms")


@dataclass(frozen=True)
class DCGANConfig(GANConfig):
    """The options of the recipe "dcgan": the game as Radford et al. played it, without a penalty.

    Adam with 2e-4 and betas (0.5, 0.999), arXiv:1511.06434, section 4.
    """

    about: ClassVar[str] = "DCGAN's pair and Adam, non-saturating loss, no penalty"
    takes: ClassVar[str] = "1 to 2 min"

    recipe: str = named("dcgan")
    steps: int = GANConfig.like("steps", 2000)
    schedule_steps: int = GANConfig.like("schedule_steps", 2000)
    lr: float = GANConfig.like("lr", 2e-4)
    beta1: float = GANConfig.like("beta1", 0.5)
    beta2: float = GANConfig.like("beta2", 0.999)
    gamma: float = GANConfig.like("gamma", 0.0)


@dataclass(frozen=True)
class WGANGPConfig(GANConfig):
    """The options of the recipe "wgan-gp": a critic held to slope 1 (arXiv:1704.00028).

    The paper's penalty, betas and critic steps; five times its learning rate, for fewer steps.
    """

    about: ClassVar[str] = "a Wasserstein GAN with gradient penalty, five critic steps"
    takes: ClassVar[str] = "3 to 5 min"

    recipe: str = named("wgan-gp")
    lr: float = GANConfig.like("lr", 5e-4)
    beta1: float = GANConfig.like("beta1", 0.0)
    beta2: float = GANConfig.like("beta2", 0.9)
    loss: str = GANConfig.like("loss", "wasserstein")
    critic_steps: int = GANConfig.like("critic_steps", 5)
    gamma: float = GANConfig.like("gamma", 0.0)
    gp: float = GANConfig.like("gp", 10.0)


@dataclass(frozen=True)
class SNGANConfig(AdversarialConfig, ImagesConfig):
    """The options of the recipe "sngan": the residual pair, spectral norm, hinge loss.

    The paper's betas (arXiv:1802.05957, table 3 and section 4). It takes five steps of D for one of
    G at a rate of 2e-4; on digits one at 1e-3 gives better samples in less time.
    """

    about: ClassVar[str] = "residual networks, spectral norm on D, hinge loss"
    takes: ClassVar[str] = "2 to 5 min"

    recipe: str = named("sngan")
    steps: int = AdversarialConfig.like("steps", 2000)
    schedule_steps: int = AdversarialConfig.like("schedule_steps", 2000)
    lr: float = AdversarialConfig.like("lr", 1e-3)
    beta1: float = AdversarialConfig.like("beta1", 0.0)
    beta2: float = AdversarialConfig.like("beta2", 0.9)
    width: int = option(32, "Channels of both networks, at every size", low=1, high=4096)
    latent: int = AdversarialConfig.like("latent", 64)
    loss: str = AdversarialConfig.like("loss", "hinge")
    gamma: float = AdversarialConfig.like("gamma", 0.0)


@dataclass(frozen=True)
class StyleConfig(AdversarialConfig, ImagesConfig):
    """The options of the recipe "style": StyleGAN's pair for small images (arXiv:1812.04948)."""

    about: ClassVar[str] = "a generator by style: mapping, noise, AdaIN, mixing; R1"
    takes: ClassVar[str] = "2 to 4 min"

    recipe: str = named("style")
    steps: int = AdversarialConfig.like("steps", 2000)
    schedule_steps: int = AdversarialConfig.like("schedule_steps", 2000)
    lr: float = AdversarialConfig.like("lr", 3e-3)
    latent: int = AdversarialConfig.like("latent", 64)
    mapping_layers: int = option(4, "Layers from a latent to its style", low=1, high=64)
    mixing: float = option(
        0.9, "Probability that a batch of G has the styles of two latents", low=0, high=1
    )
    blur: bool = option(False, "Enlarge bilinearly, not by nearest neighbours")
    minibatch_std: int = option(
        0, "Group in which D sees how varied images are; 0 is none", low=0, high=65536
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        group = min(self.minibatch_std, self.batch_size)
        if group and self.batch_size % group:
            raise ConfigError(
                f"--minibatch-std is {group}: --batch-size {self.batch_size} is no multiple of it"
            )


@dataclass(frozen=True)
class VAEConfig(ImagesConfig):
    """The options of the recipe "vae-digits": a VAE whose decoder is the generator of "digits"."""

    about: ClassVar[str] = "a VAE, its decoder the generator of digits, on 8x8 digits"
    takes: ClassVar[str] = "1 to 2 min"

    recipe: str = named("vae-digits")
    beta1: float = ImagesConfig.like("beta1", 0.9)
    beta2: float = ImagesConfig.like("beta2", 0.999)
    likelihood: str = option("gaussian", "The distribution p(x|z) of pixels", choices=LIKELIHOODS)
    kl_weight: float = option(1.0, "Weight of the KL divergence; 1 is the ELBO", low=0, high=10**6)


@dataclass(frozen=True)
class ToyConfig(AdversarialConfig):
    """The options of the recipe "toy": a GAN of points in the plane, whose modes can be counted."""

    about: ClassVar[str] = "a GAN in the plane, on a ring of 8 Gaussians: its modes are counted"
    takes: ClassVar[str] = "1 min"
    makes: ClassVar[str] = "points"
    shown: ClassVar[int] = 1000

    recipe: str = named("toy")
    data: str = option("ring", "A distribution in the plane", choices=tuple(TOYS))
    steps: int = AdversarialConfig.like("steps", 6000)
    schedule_steps: int = AdversarialConfig.like("schedule_steps", 6000)
    preview_every: int = AdversarialConfig.like("preview_every", 200)
    batch_size: int = AdversarialConfig.like("batch_size", 256)
    lr: float = AdversarialConfig.like("lr", 3e-3)
    lr_decay_from: float = AdversarialConfig.like("lr_decay_from", 0.25)
    beta1: float = AdversarialConfig.like("beta1", 0.5)
    width: int = option(96, "Units of each hidden layer", low=1, high=4096)
    hidden_layers: int = option(3, "Hidden layers of G and of D", low=1, high=64)
    latent: int = AdversarialConfig.like("latent", 2)
    gamma: float = AdversarialConfig.like("gamma", 0.02)
    eval_samples: int = AdversarialConfig.like("eval_samples", 2500)
