"""The options that every recipe has, and what all classes of options can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tomli_w

from minigan.train.errors import ConfigError
from minigan.train.options import check, option

SIZES = (0, 8, 16, 32, 64, 128, 256)  # of square images that networks double and halve


@dataclass(frozen=True)
class Config:
    """The options that every recipe has; making one with a value out of range raises `ConfigError`.

    Each recipe has a class of its own, with its own defaults; `about` says what it trains in
    one line, `takes` how long that takes with the defaults on two cores.
    """

    about: ClassVar[str]
    takes: ClassVar[str]
    makes: ClassVar[str] = "images"  # what its samples are
    shown: ClassVar[int] = 64  # samples in a preview: those of seeds 0, 1, ...

    recipe: str  # each class gives its own
    data: str = option("digits", "The dataset: digits, stacked-digits, a file or a folder")
    steps: int = option(
        1000, "Steps; in a GAN each is one of D and one of G", low=1, high=10**8, decisive=False
    )
    batch_size: int = option(64, "Images a step", low=2, high=65536)
    lr: float = option(2e-3, "Adam's learning rate", above=0, high=1)
    lr_decay_from: float = option(
        0.5, "Share of schedule_steps after which lr falls linearly to 0; 1 is never", low=0, high=1
    )
    schedule_steps: int = option(
        1000, "The step at which lr is 0; a longer run stretches it to steps", low=1, high=10**8
    )
    beta1: float = option(0.0, "Adam's beta1", low=0, below=1)
    beta2: float = option(0.99, "Adam's beta2", low=0, below=1)
    ema: float = option(0.995, "Decay per step of the averaged G that is sampled", low=0, below=1)
    width: int = option(24, "Channels at full size; doubled at each halving", low=1, high=4096)
    seed: int = option(0, "Seed of first weights, order of data and latents", low=0, high=2**63 - 1)
    log_every: int = option(
        10, "Steps between two lines of metrics.jsonl", low=1, high=10**8, decisive=False
    )
    norms_every: int = option(
        100,
        "Steps between two lines of spectral and gradient norms; 0 is none",
        low=0,
        high=10**8,
        decisive=False,
    )
    preview_every: int = option(
        100, "Steps between two pictures of samples; 0 is none", low=0, high=10**8, decisive=False
    )
    save_every: int = option(
        250, "Steps between two checkpoints", low=1, high=10**8, decisive=False
    )
    keep_last: int = option(
        3, "Checkpoints kept beside the one with the best figure", low=1, high=10**6, decisive=False
    )
    eval_every: int = option(
        0, "Steps between two measurements; 0 is only at the end", low=0, high=10**8, decisive=False
    )
    eval_samples: int = option(
        2000, "Samples for the figures; 0 is none", low=0, high=10**7, decisive=False
    )
    tensorboard: bool = option(
        False, "Write event files for TensorBoard too; needs tensorboardX", decisive=False
    )
    threads: int = option(
        1,
        "BLAS threads; one is fastest for networks as small as these",
        low=1,
        high=1024,
        decisive=False,
    )
    device: str = option("cpu", "Where to train", choices=("cpu", "cuda"), decisive=False)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            check(field, value)
            object.__setattr__(self, field.name, type(field.default)(value))
        object.__setattr__(self, "schedule_steps", max(self.schedule_steps, self.steps))
        if 0 < self.eval_samples < 100:
            raise ConfigError(
                f"--eval-samples is {self.eval_samples}: use at least 100, or 0 for no figures"
            )

    @property
    def indifference(self) -> tuple[float, ...]:
        """The losses of D and G where D cannot tell real from fake, if they are certain numbers."""
        return ()

    @classmethod
    def options(cls) -> dict[str, dataclasses.Field]:
        """Return the fields by name, each with its default, range and help."""
        return {field.name: field for field in dataclasses.fields(cls)}

    @classmethod
    def like(cls, field: str, default: Any) -> Any:
        """Declare a field that this class has, with another default: for a class made from it."""
        return option(default, **cls.options()[field].metadata)

    # -- TOML -------------------------------------------------------------------------------------

    def to_toml(self) -> str:
        """Return the config as TOML text, every option with its value."""
        return tomli_w.dumps(dataclasses.asdict(self))

    def changed(self) -> dict[str, Any]:
        """Return the options that are not at their defaults."""
        fields = self.options()
        return {n: v for n, v in dataclasses.asdict(self).items() if v != fields[n].default}

    def decisive(self) -> dict[str, Any]:
        """Return the options that a step depends on: a run keeps these from end to end.

        The others say how far it goes, where it computes, what it writes, how it is measured. How
        far is one of them because the schedule has a length of its own.
        """
        fields = self.options()
        return {n: v for n, v in dataclasses.asdict(self).items() if fields[n].metadata["decisive"]}

    def changes(self, former: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Return {option: (its former value, its value)} for the decisive ones that have changed.

        `former`: what `decisive` returned once; an option that it lacks was None. That a longer run
        stretches its schedule is no change: who asks for more steps means that.
        """
        was = dict(former)
        pairs = {n: (was.get(n), v) for n, v in self.decisive().items()}
        changed = {n: (old, new) for n, (old, new) in pairs.items() if old != new}
        if self.stretches(former):
            del changed["schedule_steps"]
        return changed

    def refuse_changes(self, former: Mapping[str, Any], *, source: object) -> None:
        """Raise a `ConfigError` that lists the `changes`, if there are any."""
        changes = self.changes(former).items()
        if changes:
            listed = ", ".join(f"{n} was {old!r} and is {new!r}" for n, (old, new) in changes)
            remedy = "put that back, or go on all the same with --force"
            raise ConfigError(f"{source} was trained with other options: {listed}; {remedy}")

    def stretches(self, former: Mapping[str, Any]) -> bool:
        """Whether the schedule is longer than it was because the run is."""
        return self.schedule_steps == self.steps > former["schedule_steps"]

    def replace(self, **options: Any) -> Config:
        """Return a config with some options changed, and checked again."""
        return dataclasses.replace(self, **options)


def named(recipe: str) -> Any:
    """Declare the field `recipe` of a recipe's class."""
    return option(recipe, "The recipe", choices=(recipe,))


@dataclass(frozen=True)
class SampledConfig(Config):
    """The options of recipes whose generator draws from latents."""

    latent: int = option(32, "Size of the latent vector z", low=1, high=65536)


@dataclass(frozen=True)
class ImagesConfig(SampledConfig):
    """The options of recipes whose generator draws images."""

    size: int = option(
        0, "Side of the images, resized to it; 0 is the data's, rounded up", choices=SIZES
    )
