"""Everything a report shows, read from a run folder; what is missing or broken becomes a sentence.

Only config.toml must be there and be in order, for without it a folder is no run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minigan.train.config import Config
from minigan.train.errors import CheckpointError
from minigan.train.report.album import Album, read_album
from minigan.train.report.figures import Quality, read_quality
from minigan.train.report.history import History, read_history
from minigan.train.run_folder import RunFolder
from minigan.train.webpage import shortened

_LONGEST_COMMANDS = 20_000  # characters
_MOST_PROBLEMS = 12


@dataclass(frozen=True)
class Gathered:
    """What there is of a run; `problems` are what went wrong with the rest, one sentence each."""

    folder: RunFolder
    config: Config
    commands: str
    history: History
    album: Album
    quality: Quality | None
    step: int
    version: str
    problems: tuple[str, ...]

    @property
    def finished(self) -> bool:
        return self.step >= self.config.steps

    @property
    def last_step(self) -> int:
        """The right end of every chart."""
        frames = (step for film in self.album.films.values() for step, _ in film.frames)
        return max(self.step, self.history.last_step, *frames, 0)


def gather(folder: RunFolder) -> Gathered:
    """Read a run folder; `RunError` or `ConfigError` if it has no config that can be used."""
    config = folder.config()
    history, album = read_history(folder.metrics_file), read_album(folder.samples)
    quality = read_quality(folder.quality_file)
    step, version, problem = _checkpoint(folder)
    problems = [problem] * bool(problem) + _problems_of(history)
    if isinstance(quality, str):
        problems.append(f"quality.json cannot be shown: {quality}.")
    problems += [f"{shortened(line, 200)}." for line in album.problems]
    return Gathered(
        folder=folder,
        config=config,
        commands=_text(folder.path / "command.txt"),
        history=history,
        album=album,
        quality=quality if isinstance(quality, Quality) else None,
        step=max(step, history.last_step),
        version=version,
        problems=_first(problems),
    )


def _checkpoint(folder: RunFolder) -> tuple[int, str, str]:
    """Return the step of a run's last good checkpoint, who wrote it, and what is wrong."""
    try:
        found = folder.checkpoints.newest()
    except CheckpointError as error:
        return 0, "", f"{shortened(str(error), 300)}."
    problem = f"{shortened(found.complaint(), 300)}." if found.passed_over else ""
    return found.step, shortened(str(found.notes.get("version", ""))), problem


def _problems_of(history: History) -> list[str]:
    problems = []
    if history.unread:
        many = f"{history.unread} lines are no records"
        lines = many if history.unread > 1 else "1 line is no record"
        problems.append(f"metrics.jsonl: {lines} of a run, passed over.")
    if history.cut:
        problems.append("metrics.jsonl is larger than 256 MB: its end is not shown.")
    if history.left_out:
        names = ", ".join(sorted(history.left_out)[:3])
        problems.append(f"metrics.jsonl has more series than a page can show, among them {names}.")
    return problems


def _text(path: Path) -> str:
    """Return the beginning of a text file, "" where there is none."""
    if not path.is_file():
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(_LONGEST_COMMANDS + 1)
    return shortened(text, _LONGEST_COMMANDS).strip("\n")


def _first(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - _MOST_PROBLEMS
    kept = problems[:_MOST_PROBLEMS]
    return (*kept, f"And {more} more files like these.") if more > 0 else tuple(kept)
