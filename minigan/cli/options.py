"""Options of the command line made from the recipes: name, type, help, range and defaults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any

import typer

from minigan.train.config import CONFIGS, options_by_recipe
from minigan.train.options import describe_range, flag

# The options of all recipes; which recipe is not one of them but an argument.
OPTIONS = {name: by for name, by in options_by_recipe().items() if name != "recipe"}


def with_config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each field of any recipe and pass it the values as `options`.

    `command(..., options)` gets a dictionary with None for what was not given on the command line,
    so that a config file can come between the defaults and the command line.
    """

    @functools.wraps(command)
    def wrapper(**given: Any) -> Any:
        options = {name: given.pop(name) for name in OPTIONS}
        return command(**given, options=options)

    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [p for p in own if p.name != "options"]
    parameters += [_parameter(name, by_recipe) for name, by_recipe in OPTIONS.items()]
    wrapper.__signature__ = inspect.Signature(parameters)
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _parameter(name: str, by_recipe: dict[str, Field]) -> inspect.Parameter:
    """Return the parameter of one option, None unless given."""
    field = next(iter(by_recipe.values()))
    kind, spelling = type(field.default), flag(name)
    text = field.metadata["help"]
    if kind is bool:
        spelling += f"/--no-{spelling[2:]}"
    else:
        text += f": {describe_range(field)}"
    text += f" [{_defaults(by_recipe)}]"
    option = typer.Option(spelling, help=text, show_default=False)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _defaults(by_recipe: dict[str, Field]) -> str:
    """Say the default, or the defaults where recipes differ: "digits 0.0, vae-digits 0.9"."""
    values = {recipe: _shown(field.default) for recipe, field in by_recipe.items()}
    if len(values) == len(CONFIGS) and len(set(values.values())) == 1:
        return f"default: {next(iter(values.values()))}"
    return "default: " + ", ".join(f"{recipe} {value}" for recipe, value in values.items())


def _shown(default: Any) -> str:
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)
