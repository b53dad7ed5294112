"""Where the options of a run come from: a recipe's defaults, a TOML file, the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from minigan.train.config import CONFIGS, DEFAULT, Config
from minigan.train.errors import ConfigError, nearest
from minigan.train.options import flag, parse, shown


def build_config(
    options: Mapping[str, Any],
    *,
    settings: Iterable[str] = (),
    recipe: str | None = None,
    file: str | Path | None = None,
) -> Config:
    """Return a recipe's defaults, changed by a file's options, changed by the given ones.

    `options`: values by name, None for what is not given; `settings`: texts "name=value". The
    recipe is the given one, or the file's, or "digits".
    """
    chosen = read_options(file, recipe) if file is not None else {}
    in_file = chosen.pop("recipe", recipe or DEFAULT)
    if recipe not in (None, in_file):
        raise ConfigError(f"config {file} is one of {in_file}, not of {recipe}")
    cls = config_class(in_file)
    try:
        cls(**chosen)
    except ConfigError as error:
        raise ConfigError(f"config {file}: {error}") from None
    return cls(**{**chosen, **given_options(cls, options, settings)})


def given_options(
    cls: type[Config], options: Mapping[str, Any], settings: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the options of a recipe that the command line gives, those of `--set` typed.

    `ConfigError` for one that the recipe has not, and for one that is given twice.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in sorted(given.keys() - cls.options().keys()):
        recipe = cls.options()["recipe"].default
        raise ConfigError(f"{flag(name)} is no option of {recipe}: leave it out")
    for text in settings:
        name, value = parse_setting(cls, text)
        if name in given:
            raise ConfigError(f"{name} is given twice: leave one of them out")
        given[name] = value
    return given


def parse_setting(cls: type[Config], text: str) -> tuple[str, Any]:
    """Read "name=value" as an option of a recipe and a value of its type.

    >>> parse_setting(CONFIGS["digits"], "lr=1e-3")
    ('lr', 0.001)
    """
    name, equals, value = text.partition("=")
    name, known = name.strip().replace("-", "_"), cls.options()
    if not equals:
        raise ConfigError(f"--set {text!r}: write it as KEY=VALUE, like --set lr=0.001")
    if name == "recipe":
        raise ConfigError("--set recipe=...: a recipe is named alone, as in `minigan train digits`")
    if name not in known:
        raise ConfigError(f"--set {text!r}: {_no_option(name, known)}")
    return name, parse(known[name], value.strip())


def read_options(path: str | Path, recipe: str | None = None) -> dict[str, Any]:
    """Read the options that a TOML file sets; `ConfigError` where it cannot be read or used.

    `recipe`: whose options they are where the file itself names no recipe.
    """
    try:
        options = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise ConfigError(f"cannot read config {path}: {reason}") from None
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise ConfigError(f"config {path} is not valid TOML: {error}") from None
    where = path if "recipe" in options else None
    known = config_class(options.get("recipe", recipe or DEFAULT), file=where).options()
    for name in sorted(options.keys() - known.keys()):
        raise ConfigError(f"config {path}: {_no_option(name, known)}")
    return options


def config_class(recipe: Any, *, file: str | Path | None = None) -> type[Config]:
    """Return the class of a recipe's options; `ConfigError` where there is no such recipe."""
    if not isinstance(recipe, str) or recipe not in CONFIGS:
        where = f"config {file}: " if file is not None else ""
        hint = nearest(recipe, CONFIGS) if isinstance(recipe, str) else ""
        known = ", ".join(CONFIGS)
        raise ConfigError(f"{where}no recipe is called {shown(recipe)}: use one of {known}{hint}")
    return CONFIGS[recipe]


def _no_option(name: str, known: Iterable[str]) -> str:
    """Say that there is no such option: which was meant, or else which there are."""
    hint = nearest(name, known) or f"; known: {', '.join(known)}"
    return f"no option {name!r}{hint}"
