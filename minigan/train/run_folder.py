"""The folder of a run: where everything lies, and how a new one gets its number.

runs/00000-digits/
    config.toml             every option with its value
    command.txt             the command line that started the run, and those that resumed it
    metrics.jsonl           one JSON object a line: losses, and the figures at the end
    losses.png              the same as a picture
    checkpoints/            step-000250.safetensors, ...: the whole state of the training
    quality.json            the figures at the end
    samples/                reals.png, step-000000.png, ..., latest.png
    tensorboard/            event files, where they are asked for
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from minigan.train.checkpoints import Checkpoints
from minigan.train.config import DEFAULT, Config
from minigan.train.errors import RunError
from minigan.train.files import remove_parts, to_disk, write_atomic, write_text
from minigan.train.settings import build_config, config_class, read_options

_NUMBERED = re.compile(r"(\d{5,})-")
_PATIENCE = 0.25  # seconds for a lock that `minigan runs` holds for an instant


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run; `RunFolder.create` makes a new one and `RunFolder.open` finds one."""

    path: Path

    @classmethod
    def create(cls, root: str | Path, config: Config, command: Sequence[str] = ()) -> RunFolder:
        """Make `root/NNNNN-RECIPE` with the next free number, and write config and command.

        `mkdir` either makes a folder or fails, so of two runs that start at once and choose the
        same number one gets it and the other tries the next.
        """
        root = Path(root)
        try:
            root.mkdir(parents=True, exist_ok=True)
            run = cls(_make_numbered(root, config.recipe))
            try:
                run._furnish(config, command)
            except OSError:
                run.discard()
                raise
            to_disk(root)
        except OSError as error:
            raise RunError(f"cannot write runs to {root}: {error.strerror}; try --out") from None
        return run

    def _furnish(self, config: Config, command: Sequence[str]) -> None:
        self.samples.mkdir()
        self.checkpoints.folder.mkdir()
        self.note_command(command)
        self.write_config(config)  # last: a folder with a config.toml is a run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return the run at `path`; `RunError` where there is none."""
        run = cls(Path(path))
        if not run.path.is_dir():
            raise RunError(f"no run at {path}: give a folder that `minigan train` made")
        if not run.config_file.is_file():
            raise RunError(f"{path} is not a run: it has no config.toml")
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer out of the run within the block; `RunError` if one is in it.

        The lock is on the folder itself and ends with the process, however that ends. A file
        system that knows no locks gives none.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            _lock(descriptor, self.path)
            yield
        finally:
            os.close(descriptor)

    def in_use(self) -> bool:
        """Whether a process is in the run, as far as locks tell."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return not _try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def tidy(self) -> None:
        """Remove the temporary files of a process that was killed; call it within `locked`."""
        for folder in (self.path, self.samples, self.checkpoints.folder):
            remove_parts(folder)

    def discard(self) -> None:
        """Remove the folder of a run in which nothing has been done."""
        shutil.rmtree(self.path, ignore_errors=True)

    # -- what lies in it --------------------------------------------------------------------------

    @property
    def config_file(self) -> Path:
        return self.path / "config.toml"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def losses_picture(self) -> Path:
        return self.path / "losses.png"

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.path / "checkpoints")

    @property
    def quality_file(self) -> Path:
        return self.path / "quality.json"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def events(self) -> Path:
        return self.path / "tensorboard"

    def config(self) -> Config:
        """Read the run's options, all of them: no run follows a default that changes later."""
        given = read_options(self.config_file)
        known = config_class(given.get("recipe", DEFAULT)).options()
        missing = [name for name in known if name not in given]
        if missing:
            raise RunError(f"{self.config_file} has lost {missing[0]!r}: put it back")
        return build_config({}, file=self.config_file)

    def write_config(self, config: Config) -> None:
        """Write the run's options, all of them."""
        write_text(self.config_file, config.to_toml())

    def note_command(self, command: Sequence[str]) -> None:
        """Add a command line, quoted for a shell, to `command.txt`."""
        file = self.path / "command.txt"
        former = file.read_text(encoding="utf-8") if file.exists() else ""
        write_text(file, f"{former}{shlex.join(command)}\n")

    def write_sample(self, film: str, step: int, png: bytes) -> None:
        """Write the picture of a step, one of a film such as "step" or "triples"."""
        write_atomic(self.samples / f"{film}-{step:06d}.png", png)

    def write_latest(self, png: bytes) -> None:
        """Write the picture that shows how far the run is."""
        write_atomic(self.samples / "latest.png", png)


def next_path(root: str | Path, name: str) -> Path:
    """Return the folder that the next run would get, without making it."""
    numbers = [int(m[1]) for p in Path(root).glob("*-*") if (m := _NUMBERED.match(p.name))]
    return Path(root) / f"{max(numbers, default=-1) + 1:05d}-{name}"


def _lock(descriptor: int, path: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > until:
            raise RunError(f"{path} is in use by another minigan: wait for it or stop it")
        time.sleep(_PATIENCE / 10)


def _try_lock(descriptor: int, kind: int) -> bool:
    """Lock, or return False where another has the lock; without locks everybody may pass."""
    with suppress(OSError):  # from a file system that knows no locks
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _make_numbered(root: Path, name: str) -> Path:
    while True:
        path = next_path(root, name)
        try:
            path.mkdir()
        except FileExistsError:
            continue  # taken since we looked
        return path
