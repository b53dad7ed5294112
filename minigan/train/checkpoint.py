"""A checkpoint: named arrays and a little JSON in one safetensors file, written atomically.

Nothing in the file can run code (no pickle), any safetensors reader opens it, and a reader finds
either the former checkpoint or the new one, never half of one. What happens to it later, on a disk
that decays or in a copy that stops half-way, the checksum tells: SHA-256 of every array's name,
type, shape and bytes, and of the notes.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from minigan.train.errors import CheckpointError
from minigan.train.files import write_atomic

# The key of notes and checksum, with the version of the layout. One key, not several: safetensors
# writes its metadata in no fixed order, and equal states should give equal files.
FORMAT = "minigan-checkpoint-2"

_LARGEST = 4096  # channels, or pixels of a side, of images

# TypeError and AttributeError are what safetensors raises for the types that NumPy has not.
_UNREADABLE = (SafetensorError, OSError, TypeError, AttributeError, ValueError, RecursionError)


def save_checkpoint(
    path: str | Path, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]
) -> Path:
    """Write host arrays by name, and notes (anything JSON can hold), to one file."""
    contiguous = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    header = {"notes": notes, "sha256": checksum(contiguous, notes)}
    return write_atomic(path, save(contiguous, {FORMAT: json.dumps(header, sort_keys=True)}))


def load_checkpoint(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_checkpoint` wrote: (arrays, notes).

    `CheckpointError` for a file that is missing, damaged or foreign, or has NaN or infinite values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(FORMAT, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except _UNREADABLE as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {_one_line(error)}") from None
    if not isinstance(header, dict) or not isinstance(header.get("notes"), dict):
        raise CheckpointError(f"{path} is no minigan checkpoint: its metadata has no {FORMAT!r}")
    if checksum(arrays, header["notes"]) != header.get("sha256"):
        raise CheckpointError(f"{path} is damaged: its content does not match its checksum")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path} is damaged: {name} has values that are not finite")
    return arrays, header["notes"]


def checksum(arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> str:
    """Return the SHA-256 of contiguous arrays (names, types, shapes, bytes) and notes, in hex."""
    digest = hashlib.sha256(json.dumps(notes, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array)
    return digest.hexdigest()


def nest(arrays: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Flatten groups of arrays into one mapping: {"g": {"w": a}} -> {"g/w": a}."""
    return {f"{group}/{n}": a for group, members in arrays.items() for n, a in members.items()}


def group(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return one group of `nest`ed arrays under its own names.

    >>> group({"g/w": 1, "g/b": 2, "d/w": 3}, "g")
    {'w': 1, 'b': 2}
    """
    prefix = name + "/"
    return {key[len(prefix) :]: a for key, a in arrays.items() if key.startswith(prefix)}


@contextmanager
def fitting(source: str | Path) -> Iterator[None]:
    """Turn what goes wrong when a state is loaded into a `CheckpointError` of one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{source} does not fit its config.toml: {_one_line(error)}"
        ) from None


def load_part(part: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Load a module, average or optimiser; integers in the place of floats are refused too."""
    own = part.state_dict()
    for name in own.keys() & arrays.keys():
        if arrays[name].dtype.kind != own[name].dtype.kind:
            raise ValueError(f"{name} is {arrays[name].dtype}, must be {own[name].dtype}")
    part.load_state_dict(arrays)


def step_of(notes: Mapping[str, Any], *, steps: int) -> int:
    """Return the step of a checkpoint of a run of `steps`; `ValueError` where that is none."""
    step = notes.get("step")
    if type(step) is not int or not 0 <= step <= steps:
        raise ValueError(f"its step is {step!r}, not one from 0 to {steps}")
    return step


def shape_of(notes: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the shape of the images that a run's networks are for, None where none is noted.

    `ValueError` for numbers that are none of an image.
    """
    shape = notes.get("shape")
    if shape is None:
        return None
    for name, value in shape.items() if isinstance(shape, dict) else [("shape", shape)]:
        if type(value) is not int or not 1 <= value <= _LARGEST:
            raise ValueError(f"its {name} is {value!r}, not a number from 1 to {_LARGEST}")
    return shape


def _one_line(error: Exception) -> str:
    """Return an error's text as one line that can be read at a glance."""
    return textwrap.shorten(str(error), 300, placeholder=" ... and more")
