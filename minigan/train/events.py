"""Event files for TensorBoard, written beside metrics.jsonl where a run asks for them.

The writer is tensorboardX's, which needs no TensorFlow. Of it the lower half: the upper one writes
from a thread, and where a disk is full that thread ends and the training waits for it forever.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigan.train.config import Config
from minigan.train.errors import ConfigError
from minigan.train.files import naming

Note = Callable[[Mapping[str, Any]], None]


@contextmanager
def event_files(folder: Path, config: Config, step: int) -> Iterator[Note]:
    """Yield a function that writes the numbers of a record of metrics.jsonl as one event.

    It does nothing if the config asks for no event files. `step`: where the run goes on; what a
    former process wrote of later steps TensorBoard then hides.
    """
    if not config.tensorboard:
        yield lambda record: None
        return
    writer = _Writer(folder)
    try:
        writer.begin(step + 1)
        yield writer.note
    finally:
        writer.close()


def check_writer(config: Config) -> None:
    """Raise a `ConfigError` if event files are asked for and there is nothing to write them."""
    try:
        if config.tensorboard:
            import tensorboardX  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError("--tensorboard needs tensorboardX: pip install tensorboardX") from None


class _Writer:
    """One event file, with a name of its own."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto import event_pb2, summary_pb2

        self.folder, self.kinds, self.summaries = folder, event_pb2, summary_pb2
        with naming(folder):
            folder.mkdir(exist_ok=True)
            # TensorBoard reads the files in the order of their names, which begin with the second.
            own = f".{time.time_ns()}.{os.getpid()}"
            self.file = EventsWriter(str(folder / "events"), own)

    def begin(self, step: int) -> None:
        """Say that whatever is there from `step` on is void."""
        start = self.kinds.SessionLog(status=self.kinds.SessionLog.START)
        self._write(step=step, session_log=start)

    def note(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of a record, named "step/loss_g" or "quality/generator/frechet"."""
        values = [
            self.summaries.Summary.Value(tag=tag, simple_value=value)
            for tag, value in _numbers(record["kind"], record)
        ]
        self._write(step=record["step"], summary=self.summaries.Summary(value=values))

    def close(self) -> None:
        with naming(self.folder):
            self.file.close()

    def _write(self, **content: Any) -> None:
        with naming(self.folder):
            self.file.write_event(self.kinds.Event(wall_time=time.time(), **content))
            self.file.flush()


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested dictionaries with their paths, the step itself left out."""
    if isinstance(value, Mapping):
        for key in value:
            if key != "step":
                yield from _numbers(f"{name}/{key}", value[key])
    elif type(value) in (int, float):
        yield name, float(value)
