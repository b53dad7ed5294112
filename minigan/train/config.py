"""What a run is: one frozen dataclass a recipe, checked when it is made, written as TOML.

An option exists in one place, here, with its default, its range and its help; the command line
reads them from the classes in `CONFIGS`, one for each recipe.
"""

from __future__ import annotations

import dataclasses
import operator
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from minigan.losses import LOSSES
from minigan.models.vae import LIKELIHOODS
from minigan.train.errors import ConfigError


def _option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field: low <= value <= high, or above < value < below for open ends."""
    limits = {"low": low, "high": high, "below": below, "above": above, "choices": choices}
    return dataclasses.field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class Config:
    """The options that every recipe has; making one with a value out of range raises `ConfigError`.

    Each recipe has a class of its own below, with its own defaults.
    """

    recipe: str  # each class gives its own
    data: str = _option("digits", "The dataset", choices=("digits",))
    steps: int = _option(1000, "Steps; in a GAN each is one of D and one of G", low=1, high=10**8)
    batch_size: int = _option(64, "Images a step", low=2, high=65536)
    lr: float = _option(2e-3, "Adam's learning rate", above=0, high=1)
    lr_decay_from: float = _option(
        0.5, "Share of the run after which lr falls linearly to 0; 1 is never", low=0, high=1
    )
    beta1: float = _option(0.0, "Adam's beta1", low=0, below=1)
    beta2: float = _option(0.99, "Adam's beta2", low=0, below=1)
    ema: float = _option(0.995, "Decay per step of the averaged G that is sampled", low=0, below=1)
    latent: int = _option(32, "Size of the latent vector z", low=1, high=65536)
    width: int = _option(24, "Channels at full size; doubled at each halving", low=1, high=4096)
    seed: int = _option(
        0, "Seed of first weights, order of data and latents", low=0, high=2**63 - 1
    )
    log_every: int = _option(10, "Steps between two lines of metrics.jsonl", low=1, high=10**8)
    preview_every: int = _option(100, "Steps between two pictures of samples", low=1, high=10**8)
    save_every: int = _option(250, "Steps between two checkpoints", low=1, high=10**8)
    eval_samples: int = _option(
        2000, "Samples for the figures at the end; 0 is none", low=0, high=10**7
    )
    threads: int = _option(
        1, "BLAS threads; one is fastest for networks as small as these", low=1, high=1024
    )
    device: str = _option("cpu", "Where to train", choices=("cpu", "cuda"))

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check(field, value)
            object.__setattr__(self, field.name, type(field.default)(value))
        if 0 < self.eval_samples < 100:
            raise ConfigError(
                f"--eval-samples is {self.eval_samples}: use at least 100, or 0 for no figures"
            )

    @classmethod
    def options(cls) -> dict[str, dataclasses.Field]:
        """Return the fields by name, each with its default, range and help."""
        return {field.name: field for field in dataclasses.fields(cls)}

    # -- TOML -------------------------------------------------------------------------------------

    def to_toml(self) -> str:
        """Return the config as TOML text, every option with its value."""
        return tomli_w.dumps(dataclasses.asdict(self))

    def changed(self) -> dict[str, Any]:
        """Return the options that are not at their defaults."""
        fields = self.options()
        return {n: v for n, v in dataclasses.asdict(self).items() if v != fields[n].default}

    def decisive(self) -> dict[str, Any]:
        """Return the options that the outcome depends on: a run keeps these from end to end."""
        return {n: v for n, v in dataclasses.asdict(self).items() if n not in _INDIFFERENT}

    def replace(self, **options: Any) -> Config:
        """Return a config with some options changed, and checked again."""
        return dataclasses.replace(self, **options)


def _like(field: str, default: Any) -> Any:
    """Declare a field that every recipe has, with another default."""
    return _option(default, **Config.options()[field].metadata)


def _named(recipe: str) -> Any:
    return _option(recipe, "The recipe", choices=(recipe,))


@dataclass(frozen=True)
class GANConfig(Config):
    """The options of the recipe "digits": a GAN, by default with the non-saturating loss and R1.

    >>> GANConfig(steps=10).batch_size
    64
    >>> GANConfig(lr=-1.0)
    Traceback (most recent call last):
        ...
    minigan.train.errors.ConfigError: --lr is -1.0: must be above 0 and at most 1
    """

    recipe: str = _named("digits")
    loss: str = _option("non-saturating", "The adversarial loss", choices=tuple(LOSSES))
    critic_steps: int = _option(1, "Steps of D for one of G", low=1, high=1000)
    gamma: float = _option(
        0.5, "Weight of R1, gamma/2 E|grad D(real)|^2; 0 is off", low=0, high=10**6
    )
    gp: float = _option(
        0.0, "Weight of WGAN-GP's penalty, E (|grad D| - 1)^2; 0 is off", low=0, high=10**6
    )
    spectral_norm: bool = _option(False, "Divide D's weights by their spectral norms")


@dataclass(frozen=True)
class VAEConfig(Config):
    """The options of the recipe "vae-digits": a VAE whose decoder is the generator of "digits"."""

    recipe: str = _named("vae-digits")
    beta1: float = _like("beta1", 0.9)
    beta2: float = _like("beta2", 0.999)
    likelihood: str = _option("gaussian", "The distribution p(x|z) of pixels", choices=LIKELIHOODS)
    kl_weight: float = _option(1.0, "Weight of the KL divergence; 1 is the ELBO", low=0, high=10**6)


CONFIGS: dict[str, type[Config]] = {
    cls.options()["recipe"].default: cls for cls in (GANConfig, VAEConfig)
}
DEFAULT = "digits"  # the recipe of `minigan train` alone

# Where a run computes, what it writes, and how it is measured: the game is the same.
_INDIFFERENT = frozenset(
    ("device", "threads", "log_every", "preview_every", "save_every", "eval_samples")
)

_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "low": (operator.ge, "at least"),
    "above": (operator.gt, "above"),
    "high": (operator.le, "at most"),
    "below": (operator.lt, "below"),
}


def flag(name: str) -> str:
    """Return the command line's spelling of an option: batch_size -> --batch-size."""
    return "--" + name.replace("_", "-")


def options_by_recipe() -> dict[str, dict[str, dataclasses.Field]]:
    """Return every option of any recipe: {option: {recipe that has it: its field there}}."""
    found: dict[str, dict[str, dataclasses.Field]] = {}
    for recipe, cls in CONFIGS.items():
        for name, field in cls.options().items():
            found.setdefault(name, {})[recipe] = field
    return found


def read_options(path: str | Path) -> dict[str, Any]:
    """Read the options that a TOML file sets; `ConfigError` where it cannot be read or used."""
    try:
        options = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigError(f"cannot read config {path}: {reason}") from None
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise ConfigError(f"config {path} is not valid TOML: {error}") from None
    known = config_class(options.get("recipe", DEFAULT), file=path).options()
    unknown = sorted(options.keys() - known.keys())
    if unknown:
        raise ConfigError(f"config {path}: no option {unknown[0]!r}; known: {', '.join(known)}")
    return options


def config_class(recipe: Any, *, file: str | Path | None = None) -> type[Config]:
    """Return the class of a recipe's options; `ConfigError` where there is no such recipe."""
    if not isinstance(recipe, str) or recipe not in CONFIGS:
        where = f"config {file}: " if file is not None else ""
        known = ", ".join(CONFIGS)
        raise ConfigError(f"{where}no recipe is called {_shown(recipe)}: use one of {known}")
    return CONFIGS[recipe]


def build_config(
    options: Mapping[str, Any], *, recipe: str | None = None, file: str | Path | None = None
) -> Config:
    """Return a recipe's defaults, changed by a file's options, changed by the given ones.

    An option that is None is not given. The recipe is the given one, or the file's, or "digits".
    """
    chosen = read_options(file) if file is not None else {}
    in_file = chosen.pop("recipe", DEFAULT)
    if file is not None and recipe not in (None, in_file):
        raise ConfigError(f"config {file} is one of {in_file}, not of {recipe}")
    cls = config_class(recipe or in_file)
    try:
        cls(**chosen)
    except ConfigError as error:
        raise ConfigError(f"config {file}: {error}") from None
    given = {name: value for name, value in options.items() if value is not None}
    for name in sorted(given.keys() - cls.options().keys()):
        raise ConfigError(f"{flag(name)} is no option of {recipe or in_file}: leave it out")
    return cls(**{**chosen, **given})


def _check(field: dataclasses.Field, value: Any) -> None:
    """Refuse a value of another type or out of range; an integer may stand for a float.

    NaN is in no range, and the range of every float has two ends, so infinity is in none either.
    """
    limits, kind = field.metadata, type(field.default)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise ConfigError(f"{flag(field.name)} is {_shown(value)}: must be of type {kind.__name__}")
    if limits["choices"]:
        good = value in limits["choices"]
    else:
        good = all(compare(value, limit) for compare, _, limit in _limits(field))
    if not good:
        raise ConfigError(f"{flag(field.name)} is {_shown(value)}: must be {describe_range(field)}")


def _limits(field: dataclasses.Field) -> list[tuple[Callable[[Any, Any], bool], str, Any]]:
    """Return the comparisons, in code and in words, that a field's values must stand."""
    given = field.metadata
    return [(*_BOUNDS[key], given[key]) for key in _BOUNDS if given[key] is not None]


def _shown(value: Any) -> str:
    """Return a value as text; Python refuses to write integers of thousands of digits."""
    huge = type(value) is int and value.bit_length() > 128
    return "a huge number" if huge else repr(value)


def describe_range(field: dataclasses.Field) -> str:
    """Return a field's range in words: "from 1 to 10", "at least 0 and below 1"."""
    limits = field.metadata
    if limits["choices"]:
        return " or ".join(limits["choices"])
    words = {word: limit for _, word, limit in _limits(field)}
    if words.keys() == {"at least", "at most"}:
        return f"from {words['at least']} to {words['at most']}"
    return " and ".join(f"{word} {limit}" for word, limit in words.items())
