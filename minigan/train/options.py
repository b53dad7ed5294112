"""One option of a run: a field of a dataclass that knows its range and its help."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable
from typing import Any

from minigan.train.errors import ConfigError, nearest

_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "low": (operator.ge, "at least"),
    "above": (operator.gt, "above"),
    "high": (operator.le, "at most"),
    "below": (operator.lt, "below"),
}


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    above: float | None = None,
    choices: tuple[Any, ...] = (),
    decisive: bool = True,
) -> Any:
    """Declare a field: low <= value <= high, or above < value < below for open ends.

    `decisive`: whether what a step computes depends on it.
    """
    limits = {"low": low, "high": high, "below": below, "above": above, "choices": choices}
    metadata = {"help": help, "decisive": decisive, **limits}
    return dataclasses.field(default=default, metadata=metadata)


def flag(name: str) -> str:
    """Return the command line's spelling of an option: batch_size -> --batch-size."""
    return "--" + name.replace("_", "-")


def check(field: dataclasses.Field, value: Any) -> None:
    """Refuse a value of another type or out of range; an integer may stand for a float.

    NaN is in no range, and the range of every float has two ends, so infinity is in none either.
    """
    limits, kind = field.metadata, type(field.default)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise ConfigError(f"{flag(field.name)} is {shown(value)}: must be of type {kind.__name__}")
    if limits["choices"]:
        good = value in limits["choices"]
    else:
        good = all(compare(value, limit) for compare, _, limit in _limits(field))
    if not good:
        hint = nearest(value, limits["choices"]) if kind is str else ""
        allowed = f"{describe_range(field)}{hint}"
        raise ConfigError(f"{flag(field.name)} is {shown(value)}: must be {allowed}")


def parse(field: dataclasses.Field, text: str) -> Any:
    """Return what a text says as a value of a field's type; `ConfigError` where it says none."""
    kind = type(field.default)
    read, meaning = _READERS[kind]
    try:
        return read(text)
    except (KeyError, ValueError):
        raise ConfigError(f"{flag(field.name)} is {text[:40]!r}: must be {meaning}") from None


def _whole_number(text: str) -> int:
    """Read digits alone: `int` would take 1_000 and an Arabic zero too."""
    if not _DIGITS.fullmatch(text):
        raise ValueError
    return int(text)


_DIGITS = re.compile(r"[+-]?[0-9]{1,30}")
_SWITCH = {"true": True, "on": True, "false": False, "off": False}

_READERS: dict[type, tuple[Callable[[str], Any], str]] = {
    bool: (lambda text: _SWITCH[text.lower()], "true or false"),
    int: (_whole_number, "a whole number"),
    float: (float, "a number"),
    str: (str, "text"),
}


def _limits(field: dataclasses.Field) -> list[tuple[Callable[[Any, Any], bool], str, Any]]:
    """Return the comparisons, in code and in words, that a field's values must stand."""
    given = field.metadata
    return [(*_BOUNDS[key], given[key]) for key in _BOUNDS if given[key] is not None]


def shown(value: Any) -> str:
    """Return a value as text; Python refuses to write integers of thousands of digits."""
    huge = type(value) is int and value.bit_length() > 128
    return "a huge number" if huge else repr(value)


def describe_range(field: dataclasses.Field) -> str:
    """Return a field's range in words: "from 1 to 10", "at least 0 and below 1"."""
    limits = field.metadata
    if limits["choices"]:
        return " or ".join(map(str, limits["choices"]))
    words = {word: limit for _, word, limit in _limits(field)}
    if words.keys() == {"at least", "at most"}:
        return f"from {words['at least']} to {words['at most']}"
    return " and ".join(f"{word} {limit}" for word, limit in words.items()) or "any text"
