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
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise RunError(f"{path}, line {number}, is not JSON: repair or delete it") from None
    return [r for r in records if kind is None or r.get("kind") == kind]


def drop_after(path: str | Path, step: int) -> None:
    """Remove what came after `step`: a run that goes on from a checkpoint writes it again."""
    kept = [r for r in read_records(path) if r["step"] <= step and r["kind"] == "step"]
    write_text(path, "".join(map(_line, kept)))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
