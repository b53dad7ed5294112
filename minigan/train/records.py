"""metrics.jsonl: what happened at which step, one JSON object a line.

Every line has a `kind`: "step" (losses and throughput) or "quality" (the figures at the end).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minigan.train.errors import RunError
from minigan.train.files import write_text


def append_record(path: str | Path, record: dict[str, Any]) -> None:
    """Add one line; a file that is being read at the same time never shows half of it for long."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(_line(record))


def read_records(path: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a file, or those of one kind; [] where there is no file.

    A last line that a crash cut short is passed over; `RunError` for any other damage.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = text.split("\n")[:-1]  # what follows the last newline is empty, or cut short
    records = [_parse(line, f"{path}, line {n},") for n, line in enumerate(lines, 1)]
    return [r for r in records if kind is None or r["kind"] == kind]


def drop_after(path: str | Path, step: int) -> None:
    """Remove what came after `step`: a run that goes on from a checkpoint writes it again."""
    kept = [r for r in read_records(path) if r["step"] <= step and r["kind"] == "step"]
    write_text(path, "".join(map(_line, kept)))


def _parse(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        record = None
    if not isinstance(record, dict) or not {"kind", "step"} <= record.keys():
        raise RunError(f"{place} is not a record of a run: repair or delete it")
    return record


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
