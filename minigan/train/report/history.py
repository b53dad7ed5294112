"""metrics.jsonl as series over the steps, read so that no line of it can do harm.

`records.py` refuses a file with a bad line, for a run that goes on must not lose data; a report
passes over such lines and counts them. Numbers that are not finite stay, as NaN: a gap in a curve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LARGEST_STEP = 10**12

_LONGEST_LINE = 10**6  # bytes
_LARGEST_FILE = 256 * 10**6  # bytes
_LARGEST = 1e300  # beyond it the arithmetic of a chart overflows
_MOST_SERIES = 40  # of one kind
_LONGEST_NAME = 80  # characters
_NO_LOSS = frozenset(("kind", "step", "images_per_second", "seconds"))


@dataclass
class Series:
    """A quantity over the steps: `values[i]` at `steps[i]`, NaN where it was not finite."""

    name: str
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        self.steps.append(step)
        self.values.append(value)

    @property
    def broken(self) -> list[int]:
        """The steps at which the value was not finite."""
        return [s for s, v in zip(self.steps, self.values, strict=True) if math.isnan(v)]


@dataclass
class History:
    """What metrics.jsonl says, by kind; `trained` are norms before spectral norm divides by them.

    `unread`: lines that are no records; `left_out`: names beyond 40 of a kind, or longer than 80
    characters; `cut`: whether the
    file was too long to be read to its end.
    """

    losses: dict[str, Series] = field(default_factory=dict)
    sigma: dict[str, Series] = field(default_factory=dict)
    trained: dict[str, Series] = field(default_factory=dict)
    gradient: dict[str, Series] = field(default_factory=dict)
    figures: dict[str, Series] = field(default_factory=dict)
    timing: dict[str, Series] = field(default_factory=dict)
    unread: int = 0
    left_out: set[str] = field(default_factory=set)
    cut: bool = False

    @property
    def last_step(self) -> int:
        """The last step of any record, 0 without records."""
        kinds = (self.losses, self.sigma, self.gradient, self.figures, self.timing)
        every = (series.steps for kind in kinds for series in kind.values())
        return max((max(steps) for steps in every), default=0)

    def add(self, record: Mapping[str, Any]) -> None:
        """Take up one record."""
        step = record["step"]
        match record["kind"]:
            case "step":
                self._add(self.losses, step, _without(record, _NO_LOSS))
                self._add(self.timing, step, _only(record, ("images_per_second", "seconds")))
            case "norms":
                self._add(self.sigma, step, record.get("sigma"))
                self._add(self.trained, step, record.get("sigma_trained"))
                self._add(self.gradient, step, record.get("gradient"))
            case "quality":
                self._add(self.figures, step, record.get("generator"))

    def _add(self, kind: dict[str, Series], step: int, values: Any) -> None:
        for name, value in values.items() if isinstance(values, dict) else ():
            if not _is_number(value):
                continue
            if name in kind or (len(kind) < _MOST_SERIES and len(name) <= _LONGEST_NAME):
                kind.setdefault(name, Series(name)).add(step, _finite(value))
            elif len(self.left_out) < _MOST_SERIES:
                self.left_out.add(name[:_LONGEST_NAME])


def read_history(path: Path) -> History:
    """Read a metrics.jsonl; an empty history where there is none."""
    history, records = History(), []
    for line in _lines(path, history):
        record = _parse(line)
        if record is None:
            history.unread += 1
        else:
            records.append(record)
    for record in sorted(records, key=lambda r: r["step"]):
        history.add(record)
    return history


def _lines(path: Path, history: History) -> Iterator[bytes]:
    """Yield the whole lines of a file: a last one that a crash cut short is passed over."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        while line := file.readline(_LONGEST_LINE):
            if file.tell() > _LARGEST_FILE:
                history.cut = True
                return
            if line.endswith(b"\n") or len(line) == _LONGEST_LINE:
                yield line


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line, or None if it is none."""
    try:
        record = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None
    step = record.get("step")
    return record if type(step) is int and 0 <= step <= LARGEST_STEP else None


def _is_number(value: Any) -> bool:
    """Whether a value is one of a series; null is how JSON writes a number that it cannot."""
    return value is None or type(value) in (int, float)


def _finite(value: float | None) -> float:
    """Return a value as a float, NaN where it is not finite or out of all bounds."""
    return float(value) if value is not None and abs(value) < _LARGEST else math.nan


def _without(record: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def _only(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}
