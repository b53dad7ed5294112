"""metrics.jsonl: what happened at which step, one JSON object a line.

Every line has a `kind`: "step" (losses and throughput), "norms" (see `norms.py`) or "quality" (the
figures).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from minigan.train.errors import RunError
from minigan.train.files import naming, write_text

TIMES = ("images_per_second", "seconds")  # what differs between equal runs

_LARGEST = 1e300  # what matplotlib can still draw; also false for NaN


def append_record(path: str | Path, record: dict[str, Any]) -> None:
    """Add one line, in the place of a last one that a crash cut short."""
    line = json.dumps(record, allow_nan=False) + "\n"
    with naming(path), open(path, "ab+") as file:
        _drop_half_line(file)
        file.write(line.encode())


def read_records(path: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a file, or those of one kind; [] where there is no file.

    A last line that a crash cut short is passed over; `RunError` for any other damage.
    """
    records = [_parse(line, f"{path}, line {n},") for n, line in enumerate(_lines(path), 1)]
    return [r for r in records if kind is None or r["kind"] == kind]


def drop_after(path: str | Path, step: int, *, every: int = 1) -> None:
    """Remove what came after `step`: a run that goes on from a checkpoint writes it again.

    Also the losses of `step` itself where it is no multiple of `every`: they were written because a
    shorter run ended there.
    """
    pairs = zip(_lines(path), read_records(path), strict=True)
    last = step if step % every == 0 else step - 1
    kept = [line for line, r in pairs if r["step"] <= (last if r["kind"] == "step" else step)]
    write_text(path, "".join(f"{line}\n" for line in kept))


def figure(record: Mapping[str, Any], place: Sequence[str]) -> float | None:
    """Return the number that stands at a place of a "quality" record: ("generator", "frechet").

    None where there is none, or an infinite one.
    """
    value: Any = record
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if type(value) in (int, float) else None


def _lines(path: str | Path) -> list[str]:
    """Return the whole lines of a file: what follows the last newline is empty, or cut short."""
    path = Path(path)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return text.split("\n")[:-1]


def _drop_half_line(file: BinaryIO) -> None:
    """Cut a file after its last newline, reading all of it only where its end is no newline."""
    if not file.seek(0, os.SEEK_END):
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def _parse(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not _is_record(record):
        raise RunError(f"{place} is not a record of a run: repair or delete it")
    return record


def _is_record(value: Any) -> bool:
    """Whether a value has a kind and a step and, if of the kind "step", numbers otherwise."""
    if not isinstance(value, dict) or type(value.get("step")) is not int:
        return False
    numbers = (v for key, v in value.items() if key != "kind")
    return value.get("kind") in ("quality", "norms") or (
        value.get("kind") == "step"
        and all(type(v) in (int, float) and abs(v) < _LARGEST for v in numbers)
    )
