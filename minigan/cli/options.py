"""Options of the command line made from a dataclass: name, type, help, range and default."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import Field
from typing import Annotated, Any

import typer

from minigan.train.config import OPTIONS, describe_range, flag


def with_config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for each field of `Config` and pass it the values as `options`.

    `command(..., options)` gets a dictionary with None for what was not given on the command line,
    so that a config file can come between the defaults and the command line.
    """

    @functools.wraps(command)
    def wrapper(**given: Any) -> Any:
        options = {name: given.pop(name) for name in OPTIONS}
        return command(**given, options=options)

    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [p for p in own if p.name != "options"] + [_parameter(f) for f in OPTIONS.values()]
    wrapper.__signature__ = inspect.Signature(parameters)
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper


def _parameter(field: Field) -> inspect.Parameter:
    """Return the parameter of one field, None unless given."""
    kind = type(field.default)
    name = flag(field.name)
    spelling = f"{name}/--no-{name[2:]}" if kind is bool else name
    text = field.metadata["help"]
    if kind is bool:
        text += f" [default: {'on' if field.default else 'off'}]"
    else:
        text += f": {describe_range(field)} [default: {field.default}]"
    option = typer.Option(spelling, help=text, show_default=False)
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )
