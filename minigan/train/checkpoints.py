"""The checkpoints of a run: which there are, which is the last good one, and which are kept.

    checkpoints/step-000250.safetensors, step-000500.safetensors, ...

One file a step, so that a damaged one is not the end: an older one stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minigan.train.checkpoint import load_checkpoint, save_checkpoint
from minigan.train.errors import CheckpointError

_NAME = re.compile(r"step-([0-9]{6,18})\.safetensors")


@dataclass(frozen=True)
class Found:
    """A good checkpoint, and what was wrong with the newer ones, newest first."""

    path: Path
    step: int
    arrays: dict[str, np.ndarray]
    notes: dict[str, Any]
    passed_over: tuple[str, ...] = ()

    def complaint(self) -> str:
        """Say in one line what was passed over and what is used instead; "" for nothing."""
        if not self.passed_over:
            return ""
        more = len(self.passed_over) - 1
        others = f" (and {more} more)" if more else ""
        return f"{self.passed_over[0]}{others}; using the last good one, of step {self.step}"


class Checkpoints:
    """The checkpoints in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: int) -> Path:
        """Return the place of a step's checkpoint."""
        return self.folder / f"step-{step:06d}.safetensors"

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, good or not, in ascending order."""
        names = (_NAME.fullmatch(path.name) for path in self.folder.glob("step-*"))
        return sorted(int(match[1]) for match in names if match)

    def save(self, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> Path:
        """Write the checkpoint of step `notes["step"]`, in the place of an earlier one of it."""
        return save_checkpoint(self.path(notes["step"]), arrays, notes)

    def load(self, step: int) -> Found:
        """Read one checkpoint; `CheckpointError` where it is missing, damaged or misnamed."""
        path = self.path(step)
        if not path.is_file():
            there = ", ".join(map(str, self.steps())) or "none at all"
            raise CheckpointError(f"no checkpoint of step {step} in {self.folder}: it has {there}")
        arrays, notes = load_checkpoint(path)
        if notes.get("step") != step:
            raise CheckpointError(f"{path} is of step {notes.get('step')!r}: rename it")
        return Found(path, step, arrays, notes)

    def newest(self) -> Found:
        """Read the newest good one; `CheckpointError` where there is none."""
        complaints: list[str] = []
        for step in reversed(self.steps()):
            try:
                found = self.load(step)
            except CheckpointError as error:
                complaints.append(str(error))
                continue
            return replace(found, passed_over=tuple(complaints))
        if not complaints:
            raise CheckpointError(
                f"no checkpoint in {self.folder}: the run stopped before its first one"
            )
        older = "; nor is any older one good" if complaints[1:] else ""
        raise CheckpointError(f"{complaints[0]}{older}")

    def prune(self, now: int, *, last: int, best: int | None = None) -> None:
        """Keep the `last` >= 1 ones up to step `now` and the `best`, and remove the others.

        Those after `now` are of a future that is being written anew.
        """
        steps = self.steps()
        kept = {*[step for step in steps if step <= now][-last:], best}
        for step in steps:
            if step not in kept:
                self.path(step).unlink(missing_ok=True)
