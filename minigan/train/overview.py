"""Many runs at a glance: how far each is, and whether it can be trusted to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigan.train.config import Config
from minigan.train.errors import CheckpointError, RunError, TrainError
from minigan.train.loop import TRAINERS
from minigan.train.records import TIMES, figure, read_records
from minigan.train.run_folder import RunFolder

STATES = ("done", "interrupted", "running", "damaged")


@dataclass(frozen=True)
class Summary:
    """What is said of one run: `state` is one of `STATES`, `trouble` why it is damaged."""

    path: Path
    state: str
    recipe: str = "?"
    step: int = 0
    steps: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    figure: tuple[str, float] | None = None  # its name and value; the smaller, the better
    written: float = 0.0  # seconds since the epoch
    trouble: str = ""


def survey(root: str | Path) -> list[Summary]:
    """Return a summary of every run in a folder, in the order of their names.

    `RunError` where there is no such folder. Nothing is written, and no run is disturbed.
    """
    root = Path(root)
    if not root.is_dir():
        raise RunError(f"no folder {root}: give the one that `minigan train --out` wrote to")
    return [summarize(file.parent) for file in sorted(root.glob("*/config.toml"))]


def summarize(path: str | Path) -> Summary:
    """Return the summary of one run; a run that cannot be read is "damaged"."""
    folder = RunFolder(Path(path))
    try:
        config = folder.config()
        records = read_records(folder.metrics_file)
    except TrainError as error:
        return Summary(folder.path, "damaged", written=_written(folder), trouble=str(error))
    state, step, trouble = _state(folder, config, records)
    return Summary(
        folder.path,
        state,
        recipe=config.recipe,
        step=step,
        steps=config.steps,
        losses=_last_losses(records),
        figure=_figure(config, records),
        written=_written(folder),
        trouble=trouble,
    )


def _state(
    folder: RunFolder, config: Config, records: Sequence[Mapping[str, Any]]
) -> tuple[str, int, str]:
    """Return (state, step, trouble); the checkpoints of a running run may vanish any time."""
    if folder.in_use():
        seen = [r["step"] for r in records] + folder.checkpoints.steps()
        return "running", max(seen, default=0), ""
    if not folder.checkpoints.steps():
        return "interrupted", 0, ""
    try:
        found = folder.checkpoints.newest()
    except CheckpointError as error:
        return "damaged", 0, str(error)
    if found.passed_over:
        return "damaged", found.step, found.complaint()
    return ("done" if found.step >= config.steps else "interrupted"), found.step, ""


def _last_losses(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    steps = [r for r in records if r["kind"] == "step"]
    named = steps[-1] if steps else {}
    return {name: v for name, v in named.items() if name not in ("kind", "step", *TIMES)}


def _figure(config: Config, records: Sequence[Mapping[str, Any]]) -> tuple[str, float] | None:
    """Return the key figure of the last measurement: ("frechet", 6.4)."""
    place = TRAINERS[type(config)].key_figure
    values = [figure(r, place) for r in records if r["kind"] == "quality"]
    return (place[-1], values[-1]) if values and values[-1] is not None else None


def _written(folder: RunFolder) -> float:
    """Return when the run last wrote a line of its records, or else when it was begun."""
    file = folder.metrics_file if folder.metrics_file.exists() else folder.config_file
    return file.stat().st_mtime
